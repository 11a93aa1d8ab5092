import * as z from 'zod'
import { within } from '../access.ts'
import { RequestProblem } from '../problem.ts'
import { type AnyRoute, ok, route } from '../route.ts'
import { PHASES } from '../schemas/run.ts'
import * as values from '../schemas/values.ts'
import { given } from '../given.ts'

const scope = {
  namespace: values.namespace,
  dag: z.string().min(1).max(253).optional(),
}

const followEvents = route({
  id: 'followEvents',
  method: 'GET',
  path: '/api/v1/events',
  summary: 'What happens to runs, as it happens (server-sent events)',
  access: { kind: 'visible', permission: 'view' },
  query: z.strictObject({
    ...scope,
    run: z.string().min(1).max(200).optional(),
    after: values.seq.optional().describe('Like Last-Event-ID, for a client that cannot send it.'),
  }),
  headers: { 'last-event-id': 'Number of the last change that is known: what came since is told first.' },
  responses: {
    200: {
      description:
        'Events `ready` (where it begins), `change` (see the schema Change), and `reset` (what came between is ' +
        'not told: read the lists anew). Each carries its number as its id.',
      type: 'text/event-stream',
    },
  },
  async handle({ query: { after, ...filter }, visible, header, stillMay, parts }) {
    const known = header('last-event-id') ?? (after === undefined ? null : String(after))
    if (known !== null && !/^\d{1,15}$/.test(known)) {
      const message = 'Last-Event-ID is not the number of an event'
      throw new RequestProblem('INVALID_REQUEST', message, 'send the id of the last event that you got')
    }
    parts.live.admit()
    return {
      status: 200,
      headers: { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' },
      take(_request, response) {
        response.flushHeaders()
        void parts.live.serve(
          response,
          { ...given(filter), ...within(visible) },
          known === null ? null : Number(known),
          // A token that is taken back ends the streams that were opened with it, and so does a role that is less.
          stillMay,
        )
      },
    }
  },
})

const stats = route({
  id: 'getStats',
  method: 'GET',
  path: '/api/v1/stats',
  summary: 'How many runs there are of each phase',
  access: { kind: 'visible', permission: 'view' },
  query: z.strictObject({ ...scope, createdFrom: values.moment.optional() }),
  responses: {
    200: {
      description: 'Counts.',
      schema: z.object({ runs: z.record(z.enum(PHASES), z.int()) }).meta({ id: 'Stats' }),
    },
  },
  async handle({ query, visible, parts }) {
    const counts = await parts.store.runCounts({ ...given(query), ...within(visible) })
    return ok({ runs: Object.fromEntries(PHASES.map(phase => [phase, counts.get(phase) ?? 0])) })
  },
})

export const LIVE_ROUTES: readonly AnyRoute[] = [followEvents, stats]
