import { Cron, CronPattern } from 'croner'
import { offsetAt, PROBE_MS, type Stretch, stretches, zoneExists, zoneLike } from './zone.ts'

/**
 * When a cron schedule fires.
 *
 * **Two kinds.** A schedule is a *fixed-time* one when neither its minute nor its hour field holds `*`, `?` or `/`
 * (`30 2 * * *`, `0,30 9-17 * * MON-FRI`, `@daily`); else it is an *interval* one (`*\/5 * * * *`, `0 *\/6 * * *`,
 * `15 * * * *`, `@hourly`). It is the way it is written that counts: `0 0-23 * * *` is a fixed-time one.
 *
 * **When clocks change.** Each local time of a fixed-time schedule happens exactly once: a time that the clocks skip
 * runs right after the gap (at 03:00 where 02:30 does not exist, even when the gap reaches over midnight or is a
 * whole day), a time that they show twice runs the first time. Put as one rule: it looks at a clock that is never
 * put back, and fires as soon as that clock has reached the time. An interval schedule follows elapsed time: it
 * fires whenever the clocks show a matching minute, so both times in a repeated hour and never for a skipped one;
 * `*\/15 * * * *` goes on every 15 minutes throughout.
 *
 * The calendar (which days, `L W #`, names) is croner's; the clocks are ours, since croner drops a time that is
 * skipped over midnight and asks the system clock in passing.
 */

/** Longest text of a schedule, in UTF-16 code units. */
export const CRON_LENGTH_MAX = 256

/**
 * What is wrong with a schedule text, as one sentence without a full stop; null when it is fine.
 *
 * Understood: five fields, names (`JAN`, `MON`), lists, ranges, steps, `?`, `L`, `15W`, `LW`, `5L`, `MON#2`,
 * `@yearly @annually @monthly @weekly @daily @midnight @hourly`, and a zone in front (`TZ=Europe/Berlin 0 9 * * *`
 * or `CRON_TZ=`), which wins over the zone of the DAG.
 *
 * @example checkCron('0 0 30 2 *') // 'never fires: no date matches its day and month'
 */
export function checkCron(text: string): string | null {
  const schedule = read(text)
  return typeof schedule === 'string' ? schedule : null
}

/**
 * What is wrong with the name of a time zone, as one sentence without a full stop; null when it is fine.
 *
 * @example checkTimeZone('Europe/Berlim') // 'there is no time zone "Europe/Berlim"; did you mean Europe/Berlin?'
 */
export function checkTimeZone(zone: string): string | null {
  const problem = timeZoneProblem(zone)
  return problem === null ? null : `${problem.message}; ${problem.fix}`
}

/**
 * The same in two parts: what is wrong, and what to do. Fixed offsets and abbreviations with several meanings (`PST`,
 * `IST`) are refused although `Intl` takes some.
 */
export function timeZoneProblem(zone: string): { readonly message: string; readonly fix: string } | null {
  if (zone === '') return { message: 'the time zone is empty', fix: 'write a name like Europe/Berlin or UTC' }
  if (/^[+-]\d/.test(zone))
    return {
      message: `${quoted(zone)} is an offset, not a time zone`,
      fix: 'write a name like Europe/Berlin',
    }
  if (/^[A-Za-z]{3}$/.test(zone) && !SHORT_ZONES.has(zone.toUpperCase())) {
    const message = `${quoted(zone)} is an abbreviation, not a time zone`
    return { message, fix: 'write a name like America/New_York' }
  }
  if (zoneExists(zone)) return null
  const near = zoneLike(zone.slice(0, ZONE_LENGTH_MAX))
  return {
    message: `there is no time zone ${quoted(zone.slice(0, ZONE_LENGTH_MAX))}`,
    fix: near === null ? 'write a name like Europe/Berlin or UTC' : `did you mean ${near}?`,
  }
}

/**
 * The instants at which a schedule fires after `fromMs` and up to and including `toMs`, oldest first, at most `max`.
 * Cutting a span in two never loses or doubles one.
 *
 * @throws {RangeError} The text or the zone is not one that `checkCron` and `checkTimeZone` accept.
 */
export function ticks(text: string, zone: string, fromMs: number, toMs: number, max: number): number[] {
  const found: number[] = []
  if (max <= 0) return found
  for (const tick of ticksAfter(text, zone, fromMs, toMs)) {
    if (found.push(tick) >= max) break
  }
  return found
}

/** The first instant after `afterMs` at which the schedule fires; null when it never does again (before 3000). */
export function nextTick(text: string, zone: string, afterMs: number): number | null {
  for (const tick of ticksAfter(text, zone, afterMs)) return tick
  return null
}

/** As {@link ticks}, one by one and without end: take what you need. */
export function* ticksAfter(text: string, zone: string, afterMs: number, toMs = END): Generator<number> {
  const schedule = parsed(text)
  const place = schedule.zone ?? zone
  const end = Math.min(toMs + 1, END)
  let from = Math.max(afterMs + 1, BEGIN)
  let latest = afterMs
  let reached = reachedBefore(place, from)
  while (from < end) {
    const to = Math.min(end, from + PROBE_MS)
    for (const stretch of stretches(place, from, to)) {
      const shown = wallSpan(stretch)
      const first = schedule.fixed ? reached : shown.from
      for (const wall of walls(schedule, first, shown.to)) {
        // Several times that fell into one gap are one tick.
        const tick = Math.max(stretch.from, wall - stretch.offsetMs)
        if (tick > latest) yield (latest = tick)
      }
      reached = Math.max(reached, shown.to)
    }
    const day = schedule.nextDay(startOfDay(to + offsetAt(place, to) - CLOCK_CHANGE_MAX_MS))
    if (day === null) return
    from = Math.max(to, day - OFFSET_MAX_MS - CLOCK_CHANGE_MAX_MS)
    if (from > to) reached = reachedBefore(place, from)
  }
}

/**
 * A text that names a tick within its DAG, so that it makes one run however often it is looked at: the local time
 * for a fixed-time schedule, so that neither a repeated hour nor a change of the zone's rules can double it; UTC
 * for an interval one.
 *
 * @example tickKey('30 2 * * *', 'Europe/Berlin', at) // '2026-03-28T02:30[Europe/Berlin]'
 * @example tickKey('0 * * * *', 'Europe/Berlin', at)  // '2026-03-28T01:00Z'
 */
export function tickKey(text: string, zone: string, at: number): string {
  const schedule = parsed(text)
  if (!schedule.fixed) return `${minuteText(at)}Z`
  const place = schedule.zone ?? zone
  return `${minuteText(at + offsetAt(place, at))}[${place}]`
}

/** True when the schedule names times of day (see above), false when it names an interval. */
export function isFixedTime(text: string): boolean {
  return parsed(text).fixed
}

/** The parts of a schedule that words are made from: its five fields, and the zone in front of it. */
export function cronParts(text: string): {
  readonly fields: readonly string[]
  readonly zone: string | null
} {
  const { fields, zone } = parsed(text)
  return { fields, zone }
}

interface Schedule {
  readonly fields: readonly string[]
  /** From a `TZ=` in front. */
  readonly zone: string | null
  readonly fixed: boolean
  /** Minutes since midnight at which it fires on a matching day, ascending. */
  readonly minutesOfDay: readonly number[]
  /** The first matching day from this one on; days are wall times at midnight. */
  readonly nextDay: (day: number) => number | null
}

const MINUTE = 60_000
const DAY = 86_400_000
const BEGIN = Date.UTC(1900)
const END = Date.UTC(3000)
/** The Gregorian calendar repeats every 400 years: a date that is not met from here on within them never is. */
const ANY_DAY = Date.UTC(2000)
/** No zone is further from UTC, and none ever put its clocks back by more, than these. */
const OFFSET_MAX_MS = 16 * 3_600_000
const CLOCK_CHANGE_MAX_MS = 26 * 3_600_000
const ZONE_LENGTH_MAX = 64
/** Names of three letters that the time zone database has itself. */
const SHORT_ZONES = new Set('CET EET EST GMT HST MET MST PRC ROC ROK UCT UTC WET'.split(' '))

const NICKNAMES: ReadonlyMap<string, string> = new Map([
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
  ['@monthly', '0 0 1 * *'],
  ['@weekly', '0 0 * * 0'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@hourly', '0 * * * *'],
])

const FIELDS = [
  { name: 'minute', holds: '0-59' },
  { name: 'hour', holds: '0-23' },
  { name: 'day of month', holds: '1-31, L (last day), 15W (nearest weekday) or LW' },
  { name: 'month', holds: '1-12 or JAN-DEC' },
  {
    name: 'day of week',
    holds: '0-7 or SUN-SAT (0 and 7 are Sunday), 5L (last Friday) or MON#2 (second Monday)',
  },
] as const

const COMBINATIONS = 'lists (1,2), ranges upwards (1-5) and steps (*/2)'

/** The latest wall time that the clocks have shown before an instant; later than they show now after a set-back. */
function reachedBefore(zone: string, at: number): number {
  return Math.max(...stretches(zone, at - CLOCK_CHANGE_MAX_MS, at).map(stretch => wallSpan(stretch).to))
}

const wallSpan = (stretch: Stretch): { from: number; to: number } => ({
  from: stretch.from + stretch.offsetMs,
  to: stretch.to + stretch.offsetMs,
})

/** The wall times of `[from, to)` that match the schedule. */
function* walls(schedule: Schedule, from: number, to: number): Generator<number> {
  if (from >= to) return
  let day = schedule.nextDay(startOfDay(from))
  while (day !== null && day < to) {
    const { minutesOfDay } = schedule
    for (let index = firstFrom(minutesOfDay, (from - day) / MINUTE); index < minutesOfDay.length; index++) {
      const wall = day + (minutesOfDay[index] ?? 0) * MINUTE
      if (wall >= to) return
      yield wall
    }
    day = schedule.nextDay(day + DAY)
  }
}

/** Index of the first of ascending numbers that is not below a bound. */
function firstFrom(numbers: readonly number[], bound: number): number {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((numbers[middle] ?? 0) < bound) low = middle + 1
    else high = middle
  }
  return low
}

/** In a sentence, with whatever would do something to a terminal made visible. */
const quoted = (text: string): string => JSON.stringify(text)
const startOfDay = (wall: number): number => Math.floor(wall / DAY) * DAY
const minuteText = (wall: number): string => new Date(wall).toISOString().slice(0, 16)

function parsed(text: string): Schedule {
  const schedule = read(text)
  if (typeof schedule === 'string') throw new RangeError(`schedule ${quoted(text)} ${schedule}`)
  return schedule
}

/** Texts read before. Reading is pure; it is remembered only because it takes longer than all that follows. */
const known = new Map<string, Schedule>()
const KNOWN_MAX = 10_000

function read(text: string): Schedule | string {
  const before = known.get(text)
  if (before !== undefined) return before
  const schedule = readAnew(text)
  if (typeof schedule === 'string') return schedule
  if (known.size >= KNOWN_MAX) known.clear()
  known.set(text, schedule)
  return schedule
}

function readAnew(text: string): Schedule | string {
  if (text.length > CRON_LENGTH_MAX) return `is longer than ${CRON_LENGTH_MAX} characters`
  const [, zone = null, rest = ''] = /^\s*(?:(?:CRON_)?TZ=(\S*))?(.*)$/s.exec(text) ?? []
  const wrongZone = zone === null ? null : checkTimeZone(zone)
  if (wrongZone !== null) return wrongZone
  const written = rest.trim()
  if (written === '') return 'is empty; write five fields: minute, hour, day of month, month, day of week'
  const fields = (NICKNAMES.get(written.toLowerCase()) ?? written).split(/\s+/)
  const wrong = wrongShape(fields) ?? wrongField(fields)
  if (wrong !== null) return wrong
  const [minute = '', hour = '', ...date] = fields.map(withoutNeedlessParts)
  const nextDay = daysOf(date.join(' '))
  if (nextDay(ANY_DAY) === null) return 'never fires: no date matches its day and month'
  const fixed = !/[*?/]/.test(`${fields[0]}${fields[1]}`)
  return { fields, zone, fixed, minutesOfDay: minutesOfDay(minute, hour), nextDay }
}

function wrongShape(fields: readonly string[]): string | null {
  const [first = ''] = fields
  if (first.toLowerCase() === '@every') return '"@every" is not understood; write steps, such as */5 * * * *'
  if (first.startsWith('@'))
    return `${quoted(first)} is not understood; there are ${[...NICKNAMES.keys()].join(', ')}`
  if (fields.length === 5) return null
  const count = `has ${fields.length} ${fields.length === 1 ? 'field' : 'fields'}, but a schedule has 5`
  const names = 'minute, hour, day of month, month, day of week'
  return `${count}: ${names}${fields.length > 5 ? '; there are no seconds and no years' : ''}`
}

/** Each field is tried on its own, so that the sentence can name the one that is wrong. */
function wrongField(fields: readonly string[]): string | null {
  for (const [index, { name, holds }] of FIELDS.entries()) {
    const field = fields[index] ?? ''
    const alone = FIELDS.map((_, at) => (at === index ? field : '*')).join(' ')
    // croner has more (`+`, a step without a start) that no other cron knows.
    const strange = !/^[\w*?,/#-]+$/.test(field) || /(?:^|,)\//.test(field)
    if (strange || patternOf(alone) === null)
      return `has a bad ${name} ${quoted(field)}; it holds ${holds}, with ${COMBINATIONS}`
  }
  return null
}

/** `*`, `?` and `*\/1` say the same, also within a list; croner sees only the bare star as "any". */
function withoutNeedlessParts(field: string): string {
  return field.split(',').some(part => /^[*?](?:\/0*1)?$/.test(part)) ? '*' : field
}

function minutesOfDay(minute: string, hour: string): readonly number[] {
  const pattern = patternOf(`${minute} ${hour} * * *`)
  if (pattern === null) throw new RangeError(`minute "${minute}", hour "${hour}"`)
  const set = (list: readonly number[]): number[] => [...list.keys()].filter(index => list[index] === 1)
  return set(pattern.hour).flatMap(h => set(pattern.minute).map(m => h * 60 + m))
}

/** Parsed date fields are large (croner keeps a table of 10,000 years) and few, so that schedules share them. */
const calendars = new Map<string, (day: number) => number | null>()
const CALENDARS_MAX = 500

function daysOf(date: string): (day: number) => number | null {
  const before = calendars.get(date)
  if (before !== undefined) return before
  const cron = new Cron(`0 0 ${date}`, { ...OPTIONS, utcOffset: 0 })
  let asked = Number.NaN
  let answer: number | null = null
  // Neighbouring questions are mostly about the same day.
  const nextDay = (day: number): number | null => {
    if (day !== asked) [asked, answer] = [day, cron.nextRun(new Date(day - 1))?.getTime() ?? null]
    return answer
  }
  if (calendars.size >= CALENDARS_MAX) calendars.clear()
  calendars.set(date, nextDay)
  return nextDay
}

/** Kontroler has always read `5/15` as "from 5 on, every 15", which croner calls sloppy. */
const OPTIONS = { mode: '5-part', sloppyRanges: true } as const

function patternOf(text: string): CronPattern | null {
  try {
    return new CronPattern(text, undefined, OPTIONS)
  } catch {
    return null
  }
}
