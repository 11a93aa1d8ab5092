import { lastAttempt, taskAt } from '../core/run/state.ts'
import type { Engine } from './engine.ts'

/**
 * Eras of all attempts that have not ended.
 *
 * @returns  null while there are unsettled runs that this engine does not drive: what those hold cannot be told.
 */
export async function erasInUse(engine: Engine): Promise<ReadonlySet<string> | null> {
  const unsettled = await engine.parts.store.unsettled()
  if (unsettled.some(({ id }) => engine.stateOf(id) === null)) return null
  const eras = new Set<string>()
  for (const state of engine.driving()) {
    for (const index of state.work.live) {
      const era = lastAttempt(taskAt(state, index))?.era ?? null
      if (era !== null) eras.add(era)
    }
  }
  return eras
}
