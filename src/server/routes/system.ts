import * as z from 'zod'
import { RequestProblem } from '../problem.ts'
import { type AnyRoute, ok, route } from '../route.ts'

const READY_MS = 2_000

const status = z.object({ status: z.literal('ok') }).meta({ id: 'Status' })

const health = route({
  id: 'getHealth',
  method: 'GET',
  path: '/health',
  summary: 'The process answers',
  access: { kind: 'public' },
  responses: { 200: { description: 'It does.', schema: status } },
  handle: async () => ok({ status: 'ok' }),
})

const ready = route({
  id: 'getReady',
  method: 'GET',
  path: '/ready',
  summary: 'The database answers, too',
  access: { kind: 'public' },
  responses: { 200: { description: 'It does.', schema: status } },
  async handle({ parts: { store, clock } }) {
    const late = new Promise<never>((_, reject) => {
      clock.after(READY_MS, () => reject(notReady()))
    })
    await Promise.race([store.feedEnd(), late]).catch(() => {
      throw notReady()
    })
    return ok({ status: 'ok' })
  },
})

const version = route({
  id: 'getVersion',
  method: 'GET',
  path: '/version',
  summary: 'Version of the program',
  access: { kind: 'known' },
  responses: {
    200: { description: 'The version.', schema: z.object({ version: z.string() }).meta({ id: 'Version' }) },
  },
  handle: async ({ parts }) => ok({ version: parts.version }),
})

const metrics = route({
  id: 'getMetrics',
  method: 'GET',
  path: '/metrics',
  summary: 'Figures for Prometheus, where somebody counts',
  access: { kind: 'known' },
  responses: { 200: { description: 'Prometheus text.', type: 'text/plain' } },
  async handle({ parts }) {
    if (parts.metrics === undefined)
      throw new RequestProblem('NOT_FOUND', 'nobody counts here', 'ask a controller for its metrics')
    const headers = { 'content-type': parts.metrics.contentType }
    return { status: 200, headers, text: await parts.metrics.text() }
  },
})

const root = route({
  id: 'getRoot',
  method: 'GET',
  path: '/',
  summary: 'Where to begin',
  access: { kind: 'known' },
  responses: {
    200: {
      description: 'Addresses.',
      schema: z
        .object({ name: z.string(), version: z.string(), links: z.array(z.string()) })
        .meta({ id: 'Root' }),
    },
  },
  handle: async ({ parts }) =>
    ok({
      name: 'kontroler',
      version: parts.version,
      links: ['/api/v1/openapi.json', '/api/v1/dags', '/api/v1/runs', '/api/v1/events', '/api/v1/stats'],
    }),
})

const signIn = route({
  id: 'signIn',
  method: 'GET',
  path: '/sign-in',
  summary: 'Takes a one-time code from a link, and gives a cookie for it',
  access: { kind: 'entrance' },
  query: z.strictObject({ code: z.string().min(1).max(200) }),
  responses: { 303: { description: 'Signed in.', headers: { location: 'Where to go on.' } } },
  async handle({ query, parts }) {
    const cookie = await parts.authenticator.redeem(query.code)
    if (cookie === null) {
      const fix = 'start kontroler dev again for a new link, or send the token of the state directory'
      throw new RequestProblem('UNAUTHENTICATED', 'the code is not good, or was used', fix)
    }
    const set = `${cookie.name}=${cookie.value}; Path=/; HttpOnly; SameSite=Strict`
    return { status: 303, headers: { location: '/', 'set-cookie': set } }
  },
})

export const SYSTEM_ROUTES: readonly AnyRoute[] = [health, ready, version, metrics, root, signIn]

function notReady(): RequestProblem {
  return new RequestProblem('NOT_READY', 'the database does not answer', 'try again in a moment')
}
