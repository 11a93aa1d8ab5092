import type { EngineProbe } from '../ports/notices.ts'
import type { Store, StoredRun } from '../ports/store.ts'

/** Whether an engine that lives drives this run. */
export async function isDriven(
  store: Store,
  probe: EngineProbe,
  { owner }: Pick<StoredRun, 'owner'>,
): Promise<boolean> {
  return owner !== null && (await livingEngines(store, probe)).has(owner)
}

/** Ids of the engines that live. */
export async function livingEngines(store: Store, probe: EngineProbe): Promise<ReadonlySet<string>> {
  return new Set((await store.engines()).filter(engine => probe.isAlive(engine)).map(({ id }) => id))
}
