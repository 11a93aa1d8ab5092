import type { Client } from '../kubernetes/client.ts'
import { ApiProblem } from '../kubernetes/problem.ts'
import { type Store, StoreError } from '../ports/store.ts'
import type { Meters } from './metrics.ts'

/** Verbs whose promise is the whole request; lists in pages and watches are seen by the views. */
const VERBS = [
  'get',
  'list',
  'create',
  'createBrief',
  'createBelow',
  'replace',
  'apply',
  'mergePatch',
  'jsonPatch',
  'remove',
  'removeAll',
] as const

/** A client whose requests are counted. @param now Milliseconds that never jump. */
export function measuredClient(client: Client, meters: Meters, now: () => number): Client {
  const done = (verb: string, resource: string, outcome: string, began: number): void => {
    meters.count('kontroler_api_requests_total', { verb, resource, outcome })
    meters.observe('kontroler_api_request_duration_seconds', { verb }, (now() - began) / 1_000)
  }
  return wrapped(client, VERBS, async (verb, args, call) => {
    const began = now()
    const resource = pluralOf(args[0])
    try {
      const answer = await call()
      done(verb, resource, 'ok', began)
      return answer
    } catch (error) {
      done(verb, resource, error instanceof ApiProblem ? error.kind : 'error', began)
      throw error
    }
  })
}

/** Answers that tell a caller how things stand; they are no faults of the database. */
const ANSWERS: readonly string[] = ['VERSION_CONFLICT', 'DUPLICATE_RUN', 'NOT_OWNER', 'TERMINAL', 'POOL_FULL']

/** A store whose calls are counted and timed. */
export function measuredStore(
  store: Store,
  type: 'sqlite' | 'postgresql',
  meters: Meters,
  now: () => number,
): Store {
  const done = (operation: string, status: 'success' | 'error', began: number): void => {
    const labels = { database_type: type, operation }
    meters.count('kontroler_database_transactions_total', { ...labels, status })
    meters.observe('kontroler_database_transaction_duration_seconds', labels, (now() - began) / 1_000)
  }
  return wrapped(store, STORE_CALLS, async (operation, _args, call) => {
    const began = now()
    try {
      const answer = await call()
      done(operation, 'success', began)
      return answer
    } catch (error) {
      const code = error instanceof StoreError ? error.code : 'error'
      done(operation, ANSWERS.includes(code) ? 'success' : 'error', began)
      meters.count('kontroler_database_errors_total', { database_type: type, operation, error_type: code })
      throw error
    }
  })
}

/** Reads and writes of the store; what is cheap enough to be asked all the time is not among them. */
const STORE_CALLS = [
  'append',
  'events',
  'run',
  'runsLike',
  'runs',
  'tasks',
  'attempts',
  'poolUse',
  'runOfTrigger',
  'putDag',
  'dagByHash',
  'dag',
  'dags',
  'removeDag',
  'putDagTask',
  'dagTask',
  'dagTaskVersions',
  'beat',
  'engines',
  'removeEngine',
  'claim',
  'unsettled',
  'highWater',
  'advance',
  'skips',
  'feed',
  'removeRun',
] as const satisfies readonly (keyof Store)[]

type Around = (name: string, args: readonly unknown[], call: () => Promise<unknown>) => Promise<unknown>

/** The same object, with these methods called through `around`. */
function wrapped<T extends object>(inner: T, names: readonly (keyof T & string)[], around: Around): T {
  const made = new Map<string | symbol, unknown>()
  return new Proxy(inner, {
    get(target, name) {
      if (made.has(name)) return made.get(name)
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      const call = (...args: readonly unknown[]): unknown => Reflect.apply(value, target, args)
      const measured = names.some(known => known === name)
        ? (...args: readonly unknown[]) => around(String(name), args, async () => await call(...args))
        : call
      made.set(name, measured)
      return measured
    },
  })
}

function pluralOf(resource: unknown): string {
  const plural =
    typeof resource === 'object' && resource !== null && 'plural' in resource ? resource.plural : ''
  return String(plural)
}
