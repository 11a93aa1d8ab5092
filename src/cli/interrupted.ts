import { hostname } from 'node:os'
import { interruptedRuns } from '../engine/interrupted.ts'
import { engineProbe } from '../host/this-engine.ts'
import type { Store, StoredRun } from '../ports/store.ts'

/**
 * Interrupted runs that an engine here may go on with unasked. Processes and containers are known on one machine only,
 * so what an engine of another machine has started is left to engines there.
 */
export async function adoptableRuns(store: Store): Promise<readonly StoredRun[]> {
  const runs = await interruptedRuns(store, engineProbe)
  if (runs.length === 0) return []
  const engines = await store.engines()
  const elsewhere = engines.filter(({ host }) => host !== hostname())
  const known = new Set(engines.map(({ id }) => id))
  return runs.filter(({ owner }) =>
    owner === null || !known.has(owner) ? elsewhere.length === 0 : elsewhere.every(({ id }) => id !== owner),
  )
}

/** One line a run, so that what a crash left open is not forgotten. */
export async function interruptedNotes(store: Store): Promise<readonly string[]> {
  const runs = (await interruptedRuns(store, engineProbe)).filter(({ parentRun }) => parentRun === null)
  const lines = runs
    .slice(0, 3)
    .map(({ name }) => `note: run ${name} was interrupted; go on with: kontroler resume ${name}`)
  return runs.length > 3
    ? [...lines, `note: and ${runs.length - 3} more interrupted runs: kontroler list`]
    : lines
}
