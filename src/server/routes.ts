import { openApiOf } from './openapi.ts'
import { type AnyRoute, route } from './route.ts'
import { AUDIT_ROUTES } from './routes/audit.ts'
import { DAG_ROUTES } from './routes/dags.ts'
import { DELIVERY_ROUTES } from './routes/deliveries.ts'
import { HOOK_ROUTES } from './routes/hooks.ts'
import { LIVE_ROUTES } from './routes/live.ts'
import { LOG_ROUTES } from './routes/logs.ts'
import { OIDC_ROUTES } from './routes/oidc.ts'
import { RUN_ACTIONS } from './routes/run-actions.ts'
import { RUN_ROUTES } from './routes/runs.ts'
import { SCHEDULE_ROUTES } from './routes/schedules.ts'
import { SESSION_ROUTES } from './routes/session.ts'
import { SYSTEM_ROUTES } from './routes/system.ts'
import { TOKEN_ROUTES } from './routes/tokens.ts'
import { USER_ROUTES } from './routes/users.ts'

/** Made with the first question: it is the same for as long as the program runs. */
let document: object | null = null

const openapi = route({
  id: 'getOpenApi',
  method: 'GET',
  path: '/api/v1/openapi.json',
  summary: 'This document',
  access: { kind: 'public' },
  responses: { 200: { description: 'OpenAPI 3.1.', type: 'application/json' } },
  async handle() {
    document ??= openApiOf(ROUTES)
    const headers = { 'content-type': 'application/json; charset=utf-8' }
    return { status: 200, headers, text: JSON.stringify(document) }
  },
})

/** Everything that the server answers. */
export const ROUTES: readonly AnyRoute[] = [
  ...DAG_ROUTES,
  ...RUN_ROUTES,
  ...RUN_ACTIONS,
  ...LOG_ROUTES,
  ...DELIVERY_ROUTES,
  ...HOOK_ROUTES,
  ...SCHEDULE_ROUTES,
  ...LIVE_ROUTES,
  ...SYSTEM_ROUTES,
  ...SESSION_ROUTES,
  ...OIDC_ROUTES,
  ...USER_ROUTES,
  ...TOKEN_ROUTES,
  ...AUDIT_ROUTES,
  openapi,
]
