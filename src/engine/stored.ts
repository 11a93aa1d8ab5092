import type { RunEvent } from '../core/run/events.ts'
import { takeChangedRows } from '../core/run/to-rows.ts'
import type { Append, Store } from '../ports/store.ts'
import type { Driven } from './driven.ts'
import { loadRun } from './load.ts'
import type { EngineParts } from './parts.ts'
import { poolSize } from './slots.ts'

/** What is written of these facts: with them the rows they changed, and the room of the pools they take from. */
export function appendOf(driven: Driven, events: readonly RunEvent[], parts: EngineParts): Append {
  const { state, stored, advance } = driven
  const rows = takeChangedRows(state)
  const pools = new Map(
    rows.attempts.flatMap(({ pool }) => (pool === null ? [] : [[pool, poolSize(parts, pool)] as const])),
  )
  const append = { run: state.created.run, version: stored, events, rows, engine: parts.me.id, pools }
  return advance === null ? append : { ...append, advance }
}

/**
 * Reads a run from its log again, since somebody else wrote there.
 *
 * @returns  What was not known of it before; null when the run is gone.
 */
export async function readAgain(driven: Driven, store: Store): Promise<readonly RunEvent[] | null> {
  const { run } = driven.state.created
  const state = await loadRun(store, run)
  if (state === null) return null
  const events = state.version > driven.stored ? await store.events(run, driven.stored) : []
  driven.state = state
  driven.stored = state.version
  driven.stale = driven.heard > state.version
  return events
}
