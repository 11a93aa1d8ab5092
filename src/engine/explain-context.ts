import { firstInLine } from '../core/schedule/line.ts'
import { type RunState, isTerminal } from '../core/run/state.ts'
import type { ExplainContext, Use } from '../core/run/waits.ts'
import type { EngineProbe } from '../ports/notices.ts'
import type { Store, StoredRun } from '../ports/store.ts'
import { isDriven } from './living.ts'
import { unsettledRuns } from './scheduler.ts'

/**
 * What the run alone does not know. Sizes of pools and engines are known to the engines only; a slot that a ready
 * task waits for is full, so its limit is what is in use.
 */
export async function explainContext(
  store: Store,
  probe: EngineProbe,
  run: StoredRun,
  state: RunState,
): Promise<ExplainContext> {
  const pools = [...(await store.poolUse())].map(([name, used]) => [name, { used, limit: used }] as const)
  const driven = await isDriven(store, probe, run)
  const front = state.phase === 'queued' ? await runInFront(store, run) : null
  return {
    pools: new Map<string, Use>(pools.filter(([, { used }]) => used > 0)),
    engine: driven && !isTerminal(state.phase) ? await engineUse(store, run.owner) : null,
    driven,
    queuedBehind: front === null ? null : `run ${front.name}`,
  }
}

/** The run that a queued one waits for: the first in line of its DAG. Null when it is its own turn. */
export async function runInFront(store: Store, run: StoredRun): Promise<StoredRun | null> {
  const { namespace, dag: name } = run
  const first = firstInLine(await unsettledRuns(store, { namespace, name }))
  return first === null || first.id === run.id ? null : first
}

async function engineUse(store: Store, owner: string | null): Promise<Use | null> {
  let used = 0
  for (const { id } of await store.unsettled(owner)) {
    const live = await store.tasks({ run: id, states: ['starting', 'running'], limit: 5_000 })
    used += live.items.filter(({ attempts }) => attempts > 0).length
  }
  return used === 0 ? null : { used, limit: used }
}
