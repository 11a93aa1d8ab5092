import { hostname } from 'node:os'
import type { Store, StoredRun } from '../ports/store.ts'
import { engineProbe } from '../host/this-engine.ts'

/** Unsettled runs whose engine is gone, oldest first. */
export async function interruptedRuns(store: Store): Promise<readonly StoredRun[]> {
  // Runs first: an engine that comes between the two readings is then known, and its run is not taken for left.
  const runs = await store.unsettled()
  const engines = new Map((await store.engines()).map(engine => [engine.id, engine]))
  return runs.filter(({ owner }) => {
    const engine = owner === null ? undefined : engines.get(owner)
    return engine === undefined || !engineProbe.isAlive(engine)
  })
}

/**
 * Those of them that an engine here may go on with unasked. Processes and containers are known on one machine only,
 * so what an engine of another machine has started is left to engines there.
 */
export async function adoptableRuns(store: Store): Promise<readonly StoredRun[]> {
  const runs = await interruptedRuns(store)
  if (runs.length === 0) return []
  const engines = await store.engines()
  const elsewhere = engines.filter(({ host }) => host !== hostname())
  const known = new Set(engines.map(({ id }) => id))
  return runs.filter(({ owner }) =>
    owner === null || !known.has(owner) ? elsewhere.length === 0 : elsewhere.every(({ id }) => id !== owner),
  )
}

/** Ids of interrupted runs, for lists that mark them. */
export async function interruptedIds(store: Store): Promise<ReadonlySet<string>> {
  return new Set((await interruptedRuns(store)).map(({ id }) => id))
}

/** One line a run, so that what a crash left open is not forgotten. */
export async function interruptedNotes(store: Store): Promise<readonly string[]> {
  const runs = (await interruptedRuns(store)).filter(({ parentRun }) => parentRun === null)
  const lines = runs
    .slice(0, 3)
    .map(({ name }) => `note: run ${name} was interrupted; go on with: kontroler resume ${name}`)
  return runs.length > 3
    ? [...lines, `note: and ${runs.length - 3} more interrupted runs: kontroler list`]
    : lines
}
