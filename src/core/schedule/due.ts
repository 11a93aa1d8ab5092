import type { Dag } from '../dag/dag.ts'
import { isFixedTime, nextTick, tickKey, ticksAfter } from './cron.ts'
import { type Skip, SKIP_COUNT_MAX, type SkipReason } from './skip.ts'

/** What of a DAG says when it runs. */
export type ScheduleSettings = Pick<
  Dag,
  'schedules' | 'timeZone' | 'catchUp' | 'startingDeadlineMs' | 'concurrencyPolicy' | 'suspended'
>

/** Most missed ticks that `catchUp: all` makes up for at once, the newest ones; older ones are skipped. */
export const CATCH_UP_MAX = 100
/** A tick no older than this is not a missed one for `catchUp: none`: an engine may take so long to come back. */
export const ON_TIME_MS = 60_000

/** What is to be decided from. */
export interface Situation {
  readonly settings: ScheduleSettings
  /** Ticks up to and including this time were dealt with; null when the schedules were never looked at. */
  readonly highWater: number | null
  readonly now: number
  /** How many runs of the DAG have not settled, whatever started them. */
  readonly unsettled: number
}

/** A tick that becomes a run. */
export interface Start {
  readonly scheduledTime: number
  /** Names the tick within its DAG: the same tick has the same key whenever it is looked at. */
  readonly key: string
  /** `concurrencyPolicy: Queue` and something is before it: the run waits for its turn. */
  readonly queued: boolean
}

export interface Due {
  /** Oldest first. */
  readonly start: readonly Start[]
  /** `concurrencyPolicy: Replace`: the unsettled runs are to be cancelled as `start` is begun. */
  readonly replace: boolean
  /** Ticks that will not run, oldest first; all of them are older than any tick under `start`, if there is one. */
  readonly skips: readonly Skip[]
  /** The new mark; never lower than the old one. */
  readonly highWater: number
  /** When to look again at the latest; null when nothing will ever be due under these settings. */
  readonly nextWake: number | null
}

/**
 * Decides which ticks of a DAG's schedules run now. The scheduler and the preview both ask this function and no
 * other. It may be asked at any time, early, late or twice: each tick gives one run or is part of one skip.
 *
 * - **First look** (no mark): nothing of the past is due; the mark becomes now.
 * - **Deadline**: a tick older than `startingDeadlineMs` is skipped, `STARTING_DEADLINE`.
 * - **Missed ticks**: `latest` runs the newest tick that is due and skips those before it, `CATCH_UP`; `none` skips
 *   all older than {@link ON_TIME_MS}, `CATCH_UP`; `all` runs the newest {@link CATCH_UP_MAX} and skips those
 *   before, `CAP`.
 * - **Concurrency**: `Allow` starts all of them, `Queue` too, but one after the other. `Forbid` skips all while any
 *   run is unsettled, `CONCURRENCY_FORBID`, and of several starts the newest. `Replace` starts the newest, and skips
 *   the others, `CONCURRENCY_REPLACE`.
 * - **Lists**: schedules that fire at the same instant give one run.
 * - **Suspended**: nothing is due and the mark stays, so that on resuming the ticks in between are missed ones:
 *   with `latest` the newest runs at once, as users of CronJobs and of Kontroler so far know it.
 * - **Clock moved back**: nothing is due until the mark is passed. **Moved far forward**: as after a long downtime;
 *   the work is bounded, since only the newest ticks are listed and a span is counted up to `SKIP_COUNT_MAX`.
 *
 * Writing it down so that a crash on any line loses and doubles nothing: the first start's transaction carries all
 * `skips` and its own time as mark, each further one its own time, and without a start `skips` and `highWater` go
 * alone. When nothing was due, `highWater` need not be written, except for the first look. Before other schedules or
 * another zone take effect, decide once more with the old ones and write `highWater`: else ticks of the new ones
 * from before they existed would count as missed. A key that exists already means that the tick has its run.
 */
export function due(situation: Situation): Due {
  const { settings, highWater, now, unsettled } = situation
  const since = highWater ?? now
  const nextWake = wake(settings, since)
  if (settings.suspended || since >= now) return { ...NOTHING, highWater: since, nextWake }
  if (nextWake === null || nextWake > now) return { ...NOTHING, highWater: now, nextWake }
  const skips: Skip[] = []
  const skip = (from: number, to: number, reason: SkipReason): number => {
    const span = to > from ? spanOf(settings, from, to, reason, now) : null
    if (span !== null) skips.push(span)
    return Math.max(from, to)
  }
  let mark = since
  if (settings.startingDeadlineMs !== null)
    mark = skip(mark, now - settings.startingDeadlineMs - 1, 'STARTING_DEADLINE')
  mark = skip(mark, beforeCaughtUp(settings, mark, now), settings.catchUp === 'all' ? 'CAP' : 'CATCH_UP')

  const { concurrencyPolicy: policy } = settings
  if (policy === 'Forbid' && unsettled > 0) mark = skip(mark, now, 'CONCURRENCY_FORBID')
  else if (policy === 'Forbid' || policy === 'Replace')
    mark = skip(mark, beforeNewest(settings, mark, now, 1), `CONCURRENCY_${UPPER[policy]}`)

  const start = [...eachTick(settings, mark, now)].map((tick, index) => ({
    scheduledTime: tick.at,
    key: keyOf(settings, tick),
    queued: policy === 'Queue' && unsettled + index > 0,
  }))
  const replace = policy === 'Replace' && unsettled > 0 && start.length > 0
  return { start, replace, skips, highWater: now, nextWake: wake(settings, now) }
}

const NOTHING = { start: [], replace: false, skips: [] } as const
const UPPER = { Forbid: 'FORBID', Replace: 'REPLACE' } as const
const DAY = 86_400_000

/** An instant at which schedules fire, with the text of one of them (a fixed-time one if there is one). */
interface Tick {
  readonly at: number
  readonly schedule: string
}

const keyOf = (settings: ScheduleSettings, tick: Tick): string =>
  tickKey(tick.schedule, settings.timeZone, tick.at)

function wake(settings: ScheduleSettings, mark: number): number | null {
  if (settings.suspended) return null
  const times = settings.schedules.map(text => nextTick(text, settings.timeZone, mark))
  return times.reduce<number | null>(
    (first, at) => (first === null || (at ?? first) < first ? at : first),
    null,
  )
}

/** The ticks of all schedules together after `from` and up to `to`, in order, each instant once. */
function* eachTick(settings: ScheduleSettings, from: number, to: number): Generator<Tick> {
  const schedules = settings.schedules
    .map(text => ({ text, ticks: ticksAfter(text, settings.timeZone, from, to) }))
    .toSorted((a, b) => Number(isFixedTime(b.text)) - Number(isFixedTime(a.text)))
  const heads = schedules.map(({ ticks }) => next(ticks))
  for (;;) {
    const at = Math.min(...heads)
    if (at === Infinity) return
    yield { at, schedule: schedules[heads.indexOf(at)]?.text ?? '' }
    for (const [index, { ticks }] of schedules.entries()) if (heads[index] === at) heads[index] = next(ticks)
  }
}

function next(ticks: Generator<number>): number {
  const step = ticks.next()
  return step.done === true ? Infinity : step.value
}

/** The end of the ticks that `catchUp` leaves out. */
function beforeCaughtUp(settings: ScheduleSettings, from: number, now: number): number {
  switch (settings.catchUp) {
    case 'latest':
      return beforeNewest(settings, from, now, 1)
    case 'all':
      return beforeNewest(settings, from, now, CATCH_UP_MAX)
    case 'none':
      return now - ON_TIME_MS - 1
    default:
      return settings.catchUp satisfies never
  }
}

/** The latest time with `count` ticks after it; `from` when there are not so many. */
function beforeNewest(settings: ScheduleSettings, from: number, to: number, count: number): number {
  return (newest(settings, from, to, count)[0] ?? from + 1) - 1
}

/** The newest ticks of a span, looked for in ever wider windows from its end, so that its length costs little. */
function newest(settings: ScheduleSettings, from: number, to: number, count: number): number[] {
  for (let width = DAY / 24; ; width *= 2) {
    const start = Math.max(from, to - width)
    const found: number[] = []
    for (const { at } of eachTick(settings, start, to)) {
      found.push(at)
      if (found.length > count) found.shift()
    }
    if (found.length >= count || start === from) return found
  }
}

function spanOf(
  settings: ScheduleSettings,
  from: number,
  to: number,
  reason: SkipReason,
  at: number,
): Skip | null {
  let first = 0
  let last = 0
  let count = 0
  for (const tick of eachTick(settings, from, to)) {
    if (count === 0) first = tick.at
    last = tick.at
    count += 1
    if (count >= SKIP_COUNT_MAX) break
  }
  if (count === SKIP_COUNT_MAX) last = newest(settings, from, to, 1)[0] ?? last
  return count === 0 ? null : { from: first, to: last, count, reason, at }
}
