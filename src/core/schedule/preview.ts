import { due, type Due, type ScheduleSettings } from './due.ts'
import type { SkipReason } from './skip.ts'

/** A tick as the scheduler will deal with it. */
export interface PreviewEntry {
  readonly at: number
  /** Absent for a tick that starts a run. */
  readonly skippedReason?: SkipReason
}

/** What is taken for granted about a future that nobody knows. */
export interface PreviewOptions {
  /** How long each run takes. Default 0: it ends at once, so that no run is ever in the way of another. */
  readonly runMs?: number
  /** Most entries. Default {@link PREVIEW_MAX}. */
  readonly max?: number
}

/** Two months of a tick a minute. */
export const PREVIEW_MAX = 100_000

/**
 * What a DAG's schedules do after `fromMs` and up to and including `toMs`, oldest first: exactly what the scheduler
 * does, as each tick is decided by the scheduler's own function, under these assumptions: an engine is there the
 * whole time, nothing is running at `fromMs`, each run takes `runMs`, and nobody starts runs by hand. Ticks of a
 * suspended DAG are listed as skipped.
 *
 * @example preview(dag, now, now + 30 * 86_400_000) // [{ at: 1774746000000 }, …]
 */
export function preview(
  settings: ScheduleSettings,
  fromMs: number,
  toMs: number,
  options: PreviewOptions = {},
): PreviewEntry[] {
  const { runMs = 0, max = PREVIEW_MAX } = options
  const awake = { ...settings, suspended: false }
  const entries: PreviewEntry[] = []
  /** When the runs so far end. */
  let ends: number[] = []
  let next = due({ settings: awake, highWater: null, now: fromMs, unsettled: 0 })
  while (next.nextWake !== null && next.nextWake <= toMs && entries.length < max) {
    const now = next.nextWake
    ends = ends.filter(end => end > now)
    next = due({ settings: awake, highWater: next.highWater, now, unsettled: ends.length })
    if (next.replace) ends = []
    for (const run of next.start) ends.push(Math.max(now, run.queued ? Math.max(...ends) : now) + runMs)
    entries.push(...entriesOf(next, settings.suspended))
  }
  return entries
}

function entriesOf({ start, skips }: Due, suspended: boolean): PreviewEntry[] {
  const skipped = skips.map(skip => ({ at: skip.to, skippedReason: skip.reason }))
  const started = start.map(run => ({ at: run.scheduledTime }))
  const entries: PreviewEntry[] = [...skipped, ...started]
  return suspended ? entries.map(({ at }) => ({ at, skippedReason: 'SUSPENDED' })) : entries
}
