import type { Dag } from '../../core/dag/dag.ts'
import { preview } from '../../core/schedule/preview.ts'
import { inWords } from '../../core/schedule/words.ts'

/** What becomes of schedules. */
export interface SchedulePlan {
  readonly before: string
  readonly after: string
  /** Ticks that start runs from now on, as they are now and as they would be. */
  readonly stay: number
  readonly added: readonly number[]
  readonly removed: readonly number[]
  readonly timeZone: string
  readonly isSame: boolean
  /** So far was looked, where a schedule has so many ticks that it was not to the end; else null. */
  readonly until: number | null
}

const DAY_MS = 86_400_000
/** Two days of a tick a minute; of more only the beginning is compared. */
const TICKS_MAX = 3_000

/** Null when there is no schedule, neither now nor then. */
export function scheduleOf(
  before: Dag | null,
  after: Dag,
  { now, days }: { readonly now: number; readonly days: number },
): SchedulePlan | null {
  const [was, is] = [wordsOf(before), wordsOf(after)]
  if (was === NONE && is === NONE) return null
  const end = now + days * DAY_MS
  const [old, coming] = [ticksOf(before, now, end), ticksOf(after, now, end)]
  const until = Math.min(old.until, coming.until)
  const oldTicks = new Set(old.at.filter(at => at <= until))
  const newTicks = new Set(coming.at.filter(at => at <= until))
  const added = [...newTicks.difference(oldTicks)]
  const removed = [...oldTicks.difference(newTicks)]
  return {
    before: was,
    after: is,
    stay: newTicks.size - added.length,
    added,
    removed,
    timeZone: after.timeZone,
    isSame: before !== null && was === is && added.length + removed.length === 0,
    until: until < end ? until : null,
  }
}

const NONE = 'none'

function wordsOf(dag: Dag | null): string {
  if (dag === null || dag.schedules.length === 0) return NONE
  const text = dag.schedules.map(schedule => inWords(schedule, dag.timeZone)).join('; ')
  return dag.suspended ? `suspended (${text})` : text
}

/** Ticks that start runs, and how far they are all there. */
function ticksOf(
  dag: Dag | null,
  now: number,
  end: number,
): { readonly at: readonly number[]; readonly until: number } {
  if (dag === null || dag.schedules.length === 0) return { at: [], until: end }
  const entries = preview(dag, now, end, { max: TICKS_MAX })
  const at = entries.flatMap(entry => (entry.skippedReason === undefined ? [entry.at] : []))
  return { at, until: entries.length < TICKS_MAX ? end : (entries.at(-1)?.at ?? end) }
}
