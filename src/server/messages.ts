import { runData } from '../core/run/run-data.ts'
import type { RunEvent } from '../core/run/events.ts'
import { livingEngines } from '../engine/living.ts'
import type { EngineProbe } from '../ports/notices.ts'
import type { Change, Store, StoredRun } from '../ports/store.ts'
import type { RunAnswer } from './schemas/run.ts'

/** A change as the stream tells it: serialised once, whoever reads it. */
export interface Message {
  readonly change: Change
  readonly text: string
}

/** Changes with their runs and events. One whose run was removed meanwhile is left out. */
export async function messagesOf(
  store: Store,
  probe: EngineProbe,
  now: number,
  changes: readonly Change[],
): Promise<readonly Message[]> {
  if (changes.length === 0) return []
  const living = await livingEngines(store, probe)
  const runs = new Map<string, StoredRun>()
  const events = new Map<string, { readonly from: number; readonly events: readonly RunEvent[] }>()
  for (const { run } of changes) {
    if (runs.has(run)) continue
    const stored = await store.run(run)
    if (stored === null) continue
    runs.set(run, stored)
    const own = changes.filter(change => change.run === run)
    const from = own[0]?.from ?? 0
    events.set(run, { from, events: await store.events(run, from, (own.at(-1)?.version ?? from) - from) })
  }
  return changes.flatMap(change => {
    const { run, seq, from, version } = change
    const stored = runs.get(run)
    const log = events.get(run)
    if (stored === undefined || log === undefined) return []
    const body = {
      seq,
      from,
      version,
      run: runAnswerOf(stored, living, now),
      events: log.events.slice(from - log.from, version - log.from),
    }
    return [{ change, text: `id: ${seq}\nevent: change\ndata: ${JSON.stringify(body)}\n\n` }]
  })
}

export function runAnswerOf(run: StoredRun, living: ReadonlySet<string>, now: number): RunAnswer {
  const interrupted = run.endedAt === null && (run.owner === null || !living.has(run.owner))
  return runData(run, interrupted, now)
}
