import type { EngineProbe } from '../ports/notices.ts'
import type { Store, StoredRun } from '../ports/store.ts'

/** Unsettled runs whose engine is gone, oldest first. */
export async function interruptedRuns(store: Store, probe: EngineProbe): Promise<readonly StoredRun[]> {
  // Runs first: an engine that comes between the two readings is then known, and its run is not taken for left.
  const runs = await store.unsettled()
  const engines = new Map((await store.engines()).map(engine => [engine.id, engine]))
  return runs.filter(({ owner }) => {
    const engine = owner === null ? undefined : engines.get(owner)
    return engine === undefined || !probe.isAlive(engine)
  })
}
