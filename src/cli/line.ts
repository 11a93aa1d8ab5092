import { firstInLine } from '../core/schedule/line.ts'
import { unsettledRuns } from '../engine/scheduler.ts'
import type { Store, StoredRun } from '../ports/store.ts'

/** The run that a queued one waits for: the first in line of its DAG. Null when it is its own turn. */
export async function runInFront(store: Store, run: StoredRun): Promise<StoredRun | null> {
  const { namespace, dag: name } = run
  const first = firstInLine(await unsettledRuns(store, { namespace, name }))
  return first === null || first.id === run.id ? null : first
}
