import { loadRun } from '../engine/load.ts'
import type { DagResources } from './dag-resources.ts'
import { keyOf } from './names.ts'
import type { OperatorParts } from './parts.ts'
import type { OrderContext } from './run-order.ts'
import type { RunViews } from './run-views.ts'

/** What a DagRun may wait for, as it is called when it comes. */
export const AWAITED = {
  dag: (namespace: string, name: string): string => `dag ${keyOf(namespace, name)}`,
  dagRun: (namespace: string, name: string): string => `name ${keyOf(namespace, name)}`,
  run: (run: string): string => `run ${run}`,
} as const

/**
 * Answers what an order asks, from one namespace and no other.
 *
 * @param awaits  Hears the name of each thing before it is asked for: from then on, when it moves, the answer may be
 *                another one. Heard afterwards, a move in between would be missed.
 */
export function orderContext(
  { store, clock }: OperatorParts,
  { dags, views }: { readonly dags: DagResources; readonly views: RunViews },
  namespace: string,
  awaits: (name: string) => void,
): OrderContext {
  /** A run whose DagRun is gone can still be continued, by its id or its name. */
  async function runCalled(name: string): Promise<string | null> {
    const found = await store.runsLike(name, LIKE_MAX)
    return (
      found.find(run => run.namespace === namespace && (run.id === name || run.name === name))?.id ?? null
    )
  }
  return {
    async dag(name) {
      awaits(AWAITED.dag(namespace, name))
      const found = await dags.find(namespace, name)
      return found.kind === 'inForce' ? found.stored : found.kind
    },
    dagNames: () => dags.names(namespace),
    async run(name) {
      awaits(AWAITED.dagRun(namespace, name))
      const id = views.runNamed(namespace, name) ?? (await runCalled(name))
      if (id === null) return null
      awaits(AWAITED.run(id))
      // The row alone: while it runs, who waits for it asks at each of its steps.
      const row = await store.run(id)
      if (row === null) return views.of(keyOf(namespace, id)) === undefined ? null : 'soon'
      return row.namespace === namespace ? { row, state: () => loadRun(store, id) } : null
    },
    version: hash => store.dagByHash(hash),
    now: () => clock.now(),
  }
}

/** Runs whose id or name begins alike, in all namespaces: `run-1` is found among `run-10` and so on. */
const LIKE_MAX = 500
