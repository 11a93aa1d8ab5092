import * as z from 'zod'
import { moment } from '../../core/run/run-data.ts'
import { preview } from '../../core/schedule/preview.ts'
import { SKIP_REASONS } from '../../core/schedule/skip.ts'
import { theDag } from '../access.ts'
import { type AnyRoute, ok, route } from '../route.ts'
import { fires, skips } from '../schemas/dag.ts'
import * as values from '../schemas/values.ts'

const DAY_MS = 86_400_000
const DAG = '/api/v1/dags/{namespace}/{name}'
/** Ten years: further ahead nobody plans, and rare dates come up within it. */
const AHEAD_MS = 3_653 * DAY_MS
const FIRES_DEFAULT = 10
const FIRES_MAX = 500
const SKIPS_DEFAULT = 50

const nextFires = route({
  id: 'nextFires',
  method: 'GET',
  path: `${DAG}/schedule/next`,
  summary: 'What its schedules will do, by the function that the scheduler asks',
  access: theDag('view'),
  params: values.dagParams,
  query: z.strictObject({
    from: values.moment.optional().describe('Default: now.'),
    limit: z.coerce.number().int().min(1).max(FIRES_MAX).optional().describe('Default 10.'),
  }),
  responses: { 200: { description: 'The next ones.', schema: fires } },
  async handle({ object: { dag }, query, parts }) {
    const from = query.from ?? parts.clock.now()
    const max = query.limit ?? FIRES_DEFAULT
    const entries = dag.schedules.length === 0 ? [] : preview(dag, from, from + AHEAD_MS, { max })
    return ok({
      items: entries
        .slice(0, max)
        .map(({ at, skippedReason }) => ({ at: moment(at), skippedReason: skippedReason ?? null })),
    })
  },
})

const listSkips = route({
  id: 'listSkips',
  method: 'GET',
  path: `${DAG}/schedule/skips`,
  summary: 'Ticks that did not become runs, and why, newest first',
  access: theDag('view'),
  params: values.dagParams,
  query: z.strictObject({ limit: values.limit }),
  responses: { 200: { description: 'The newest ones.', schema: skips } },
  async handle({ params, query, parts }) {
    const { namespace, name } = params
    const found = await parts.store.skips(namespace, name, query.limit ?? SKIPS_DEFAULT)
    return ok({
      items: found.map(({ from, to, at, ...skip }) => ({
        ...skip,
        from: moment(from),
        to: moment(to),
        at: moment(at),
        sentence: SKIP_REASONS[skip.reason],
      })),
    })
  },
})

export const SCHEDULE_ROUTES: readonly AnyRoute[] = [nextFires, listSkips]
