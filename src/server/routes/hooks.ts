import * as z from 'zod'
import type { Json } from '../../core/json.ts'
import { type IncomingWebhook, incomingOf, judge } from '../../core/webhook/incoming.ts'
import { EVENT_SKIPS, type EventSkipReason } from '../../ports/event-runs.ts'
import type { StoredDag } from '../../ports/store.ts'
import { eventOf } from '../hooks/event.ts'
import { digestOf, proven } from '../hooks/proof.ts'
import type { ServerParts } from '../parts.ts'
import { RequestProblem, noAddress, refusedFor, tooMany } from '../problem.ts'
import { type AnyRoute, type Call, ok, route } from '../route.ts'
import { dagParams } from '../schemas/values.ts'

/** Headers by which senders without a signature name an event. */
const KEY_HEADERS = ['idempotency-key', 'x-gitlab-event-uuid', 'webhook-id', 'x-github-delivery']

const hookParams = dagParams.omit({ name: true }).extend({
  dag: dagParams.shape.name,
  trigger: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/),
})
type HookCall = Call<z.output<typeof hookParams>, Record<string, Json>, Uint8Array, unknown>

const accepted = z
  .object({
    accepted: z.literal(true),
    run: z.string().describe('The run that this event has started; the same for the same event.'),
  })
  .meta({ id: 'HookAccepted' })

const passed = z
  .object({
    accepted: z.literal(false),
    reason: z.enum(Object.keys(EVENT_SKIPS) as [EventSkipReason, ...EventSkipReason[]]),
    message: z.string(),
  })
  .meta({ id: 'HookPassed' })

const receive = route<z.output<typeof hookParams>, Record<string, Json>, Uint8Array>({
  id: 'receiveHook',
  method: 'POST',
  path: '/hooks/{namespace}/{dag}/{trigger}',
  summary: 'An event for a trigger of a DAG; its sender proves itself as the trigger says',
  access: { kind: 'signed' },
  params: hookParams,
  query: z.record(z.string(), z.union([z.string(), z.array(z.string())])) as z.ZodType<Record<string, Json>>,
  body: { kind: 'bytes' },
  responses: {
    200: { description: 'The event was let pass by, and why.', schema: passed },
    202: { description: 'The run is durable.', schema: accepted },
  },
  handle: async call => await received(call),
})

export const HOOK_ROUTES: readonly AnyRoute[] = [receive]

async function received(call: HookCall) {
  const { params, body, headers, parts } = call
  const { hooks, clock } = parts
  if (hooks === undefined) throw noAddress()
  const { dag, hook } = await hookOf(parts, params)
  const digest = await checkProof(call, hook)
  const secretHeader = hook.proof?.kind === 'token' ? hook.proof.header : null
  const event = eventOf(body, headers, call.query, secretHeader)
  const judged = judge(hook, event)
  if (judged.kind === 'passed') return letPass('FILTERED')
  if (judged.kind === 'refused') {
    const fix = `change ${judged.where} of the trigger, or what is sent`
    throw new RequestProblem('EVENT_REFUSED', `${judged.where}: ${judged.message}`, fix)
  }
  const named = judged.dedupeKey ?? digest ?? KEY_HEADERS.flatMap(name => call.header(name) ?? [])[0]
  // Short, whatever a sender calls its events.
  const key = digestOf([named ?? `${clock.now()} ${parts.identity.id()}`])
  const order = { dag, source: hook.path, key: `${hook.path}:${key}`, parameters: judged.parameters }
  const started = await hooks.runs.start(order)
  if (!started.ok) throw refusedFor(started.problems)
  if (started.value.kind === 'skipped') return letPass(started.value.reason)
  return { status: 202, body: { accepted: true, run: started.value.run } }
}

/** What is not there, is removed, or has no such trigger looks the same. */
async function hookOf(
  { store, hooks }: ServerParts,
  { namespace, dag, trigger }: z.output<typeof hookParams>,
): Promise<{ readonly dag: StoredDag; readonly hook: IncomingWebhook }> {
  if (hooks?.serves(namespace, dag) !== true) throw noAddress()
  const [stored] = (await store.dagPage({ namespace, dag, limit: 1 })).items
  const hook = stored === undefined ? null : incomingOf(stored.dag, trigger)
  if (stored === undefined || hook === null) throw noAddress()
  return { dag: stored, hook }
}

/** @returns a digest of what is signed; null when nothing is. */
async function checkProof({ params, body, address, header, parts }: HookCall, hook: IncomingWebhook) {
  const { hooks, clock, rates } = parts
  if (hook.proof === null || hooks === undefined) return null
  let key: string | null
  try {
    key = await hooks.values.secret(params.namespace, hook.proof.secret)
  } catch (cause) {
    parts.trouble('hooks', cause)
    key = null
  }
  const plain = key?.replace(/\r?\n$/, '') ?? ''
  if (plain === '') {
    throw new RequestProblem('NOT_READY', 'the sender cannot be checked now', 'try again later', {
      headers: { 'retry-after': '30' },
    })
  }
  const shown = proven(hook.proof, plain, body, header, clock.now())
  if (shown !== null) return shown.digest
  if (!rates.wrongProofs.take(address, clock.now())) throw tooMany()
  throw new RequestProblem('UNAUTHENTICATED', 'the sender did not prove itself', 'check its secret')
}

function letPass(reason: EventSkipReason) {
  return ok({ accepted: false, reason, message: EVENT_SKIPS[reason] })
}
