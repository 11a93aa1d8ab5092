import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ticks, ticksAfter } from './cron.ts'
import { stretches } from './zone.ts'

/*
 * The rule for clock changes against an oracle that shares nothing with the code: it writes down minute by minute
 * what the zone's clocks show and reads the schedule's fields with its own few lines.
 */

const MINUTE = 60_000
const DAY = 86_400_000

/** Each window holds a change of the clocks (or, for the last ones, none). */
const WINDOWS: readonly (readonly [zone: string, day: string])[] = [
  ['Europe/Berlin', '2026-03-29'],
  ['Europe/Berlin', '2026-10-25'],
  ['Europe/Berlin', '1980-04-06'],
  ['America/New_York', '2025-03-09'],
  ['America/New_York', '2025-11-02'],
  ['America/New_York', '1974-01-06'],
  ['Australia/Lord_Howe', '2025-04-06'],
  ['Australia/Lord_Howe', '2025-10-05'],
  ['America/Sao_Paulo', '2017-10-15'],
  ['America/Sao_Paulo', '2018-02-18'],
  ['America/Nuuk', '2026-03-29'],
  ['America/Nuuk', '2026-10-25'],
  ['Pacific/Apia', '2011-12-30'],
  ['Pacific/Apia', '2012-04-01'],
  ['Pacific/Kwajalein', '1993-08-21'],
  ['Africa/Casablanca', '2026-02-15'],
  ['Africa/Casablanca', '2026-03-22'],
  ['America/St_Johns', '2005-04-03'],
  ['America/St_Johns', '2005-10-30'],
  ['Antarctica/Troll', '2026-03-29'],
  ['Antarctica/Troll', '2026-10-25'],
  ['Antarctica/Casey', '2010-03-05'],
  ['Asia/Pyongyang', '2018-05-05'],
  ['America/Caracas', '2007-12-09'],
  ['Africa/Cairo', '2026-04-24'],
  ['Asia/Gaza', '2025-04-12'],
  ['Asia/Tehran', '2021-03-22'],
  ['Asia/Tehran', '2021-09-22'],
  ['Asia/Kolkata', '2026-03-29'],
  ['Asia/Kathmandu', '1986-01-01'],
  ['UTC', '2016-12-31'],
  ['America/Santiago', '2026-09-06'],
]

/** A moment and what the clocks show then, as a calendar minute counted from 1970. */
interface Shown {
  readonly at: number
  readonly wall: number
}

const tables = new Map<string, readonly Shown[]>()

/** Every minute from two days before until two days after. */
function table(zone: string, day: string): readonly Shown[] {
  const name = `${zone} ${day}`
  const before = tables.get(name)
  if (before !== undefined) return before
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  })
  const middle = Date.parse(`${day}T12:00Z`)
  const shown: Shown[] = []
  for (let at = middle - 3 * DAY; at < middle + 3 * DAY; at += MINUTE)
    shown.push({ at, wall: Date.parse(`${format.format(at).replace(' ', 'T')}Z`) })
  tables.set(name, shown)
  return shown
}

/** Instants of the middle four days at which the schedule fires, by the rule's own words. */
function slowTicks(cron: string, zone: string, day: string): number[] {
  const shown = table(zone, day)
  const fires = new Set<number>()
  const [minute = '', hour = ''] = cron.split(' ')
  if (/[*/]/.test(minute + hour)) {
    for (const { at, wall } of shown) if (matches(cron, wall)) fires.add(at)
  } else {
    const first = shown[0]?.wall ?? 0
    const last = shown.at(-1)?.wall ?? 0
    for (let wall = first; wall <= last; wall += MINUTE) {
      if (!matches(cron, wall)) continue
      const at = shown.find(minute => minute.wall === wall) ?? shown.find(minute => minute.wall > wall)
      if (at !== undefined) fires.add(at.at)
    }
  }
  return [...fires].filter(at => within(day, at)).toSorted((a, b) => a - b)
}

const within = (day: string, at: number): boolean => Math.abs(at - Date.parse(`${day}T12:00Z`)) <= 2 * DAY

function matches(cron: string, wall: number): boolean {
  const date = new Date(wall)
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = cron.split(' ')
  if (!holds(minute, date.getUTCMinutes(), 0, 59) || !holds(hour, date.getUTCHours(), 0, 23)) return false
  if (!holds(month, date.getUTCMonth() + 1, 1, 12)) return false
  const byDay = day.split(',').some(part => dayHolds(part, date))
  const byWeekday = weekday.split(',').some(part => weekdayHolds(part, date))
  return day === '*' || weekday === '*' ? byDay && byWeekday : byDay || byWeekday
}

function holds(field: string, value: number, min: number, max: number): boolean {
  return field.split(',').some(part => {
    const [range = '', step = '1'] = part.split('/')
    const [from, to = part.includes('/') ? max : from] =
      range === '*' ? [min, max] : range.split('-').map(Number)
    return from !== undefined && value >= from && value <= Number(to) && (value - from) % Number(step) === 0
  })
}

const daysIn = (date: Date): number =>
  new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()

function dayHolds(part: string, date: Date): boolean {
  const last = daysIn(date)
  if (part === 'L') return date.getUTCDate() === last
  if (!part.endsWith('W')) return holds(part, date.getUTCDate(), 1, 31)
  const wanted = part === 'LW' ? last : Number(part.slice(0, -1))
  if (wanted > last) return false
  const weekday = (day: number): number =>
    new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), day)).getUTCDay()
  const working = [0, -1, 1, -2, 2]
    .map(distance => wanted + distance)
    .find(day => day >= 1 && day <= last && weekday(day) % 6 !== 0)
  return date.getUTCDate() === working
}

function weekdayHolds(part: string, date: Date): boolean {
  const day = date.getUTCDate()
  if (part.endsWith('L')) return date.getUTCDay() === Number(part[0]) && day + 7 > daysIn(date)
  const [weekday = '', nth] = part.split('#')
  if (nth !== undefined) return date.getUTCDay() === Number(weekday) && Math.ceil(day / 7) === Number(nth)
  return holds(part, date.getUTCDay(), 0, 6) || holds(part, date.getUTCDay() + 7, 0, 7)
}

const oneOf = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
const number = (min: number, max: number): fc.Arbitrary<string> => fc.integer({ min, max }).map(String)
const range = (min: number, max: number): fc.Arbitrary<string> =>
  fc
    .tuple(fc.integer({ min, max }), fc.integer({ min, max }))
    .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`)
const list = (item: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.array(item, { minLength: 1, maxLength: 3 }).map(items => items.join(','))

/** Mostly small hours and round minutes, where clocks change. */
const minutes = fc.oneof(
  list(oneOf('0', '15', '30', '45', '59')),
  list(number(0, 59)),
  oneOf('*', '*/5', '*/7', '*/20', '10-50/20', '3/17'),
)
const hours = fc.oneof(
  list(number(0, 4)),
  list(oneOf('0', '1', '2', '3', '22', '23')),
  range(0, 23),
  oneOf('*', '*/2', '*/6', '1-3/2', '2/3'),
)
const days = fc.oneof(
  { weight: 4, arbitrary: fc.constant('*') },
  list(fc.oneof(number(1, 31), range(1, 31))),
  oneOf('L', 'LW', '1W', '15W', '30W', '*/2', 'L,1', '1-10/3'),
)
const months = fc.oneof(
  { weight: 6, arbitrary: fc.constant('*') },
  list(number(1, 12)),
  oneOf('*/2', '2-11/3'),
)
const weekdays = fc.oneof(
  { weight: 4, arbitrary: fc.constant('*') },
  list(fc.oneof(number(0, 7), range(0, 6))),
  oneOf('5L', '0L', '1#1', '0#5', '6#4', '1#2,3L', '1-5', '5-7'),
)
const crons = fc.tuple(minutes, hours, days, months, weekdays).map(fields => fields.join(' '))

for (const [zone, day] of WINDOWS) {
  test(`${zone} around ${day}: ticks are those that the clocks show minute by minute`, () => {
    const middle = Date.parse(`${day}T12:00Z`)
    fc.assert(
      fc.property(crons, cron => {
        const found = ticks(cron, zone, middle - 2 * DAY - 1, middle + 2 * DAY, Infinity)
        assert.deepEqual(found, slowTicks(cron, zone, day))
      }),
      { numRuns: 40, seed: 20_260 },
    )
  })
}

test('windows hold what they are there for: all but two have a change of the clocks', () => {
  const without = WINDOWS.filter(([zone, day]) => {
    const middle = Date.parse(`${day}T12:00Z`)
    return stretches(zone, middle - 2 * DAY, middle + 2 * DAY).length === 1
  })
  assert.deepEqual(
    without.map(([zone]) => zone),
    ['Asia/Kolkata', 'UTC'],
  )
})

test('cutting a span anywhere loses and doubles nothing', () => {
  fc.assert(
    fc.property(
      crons,
      oneOf(...WINDOWS),
      fc.array(fc.integer({ min: -2 * 1440, max: 2 * 1440 }), { maxLength: 12 }),
      fc.boolean(),
      (cron, [zone, day], cuts, odd) => {
        const middle = Date.parse(`${day}T12:00Z`) + (odd ? 1 : 0)
        const marks = [...new Set([-2 * 1440, ...cuts, 2 * 1440])].toSorted((a, b) => a - b)
        const parts = marks
          .slice(1)
          .flatMap((mark, index) =>
            ticks(cron, zone, middle + (marks[index] ?? 0) * MINUTE, middle + mark * MINUTE, Infinity),
          )
        assert.deepEqual(parts, ticks(cron, zone, middle - 2 * DAY, middle + 2 * DAY, Infinity))
      },
    ),
    { numRuns: 300 },
  )
})

test('over five years every local day has a daily time exactly once, in zones all around the world', () => {
  const from = Date.UTC(2022, 0, 1)
  const to = Date.UTC(2027, 0, 1)
  for (const zone of Intl.supportedValuesOf('timeZone').filter((_, index) => index % 7 === 0)) {
    const found = ticks('30 2 * * *', zone, from, to, Infinity)
    assert.ok(Math.abs(found.length - 1826) <= 1, `${zone}: ${found.length}`)
    for (const [index, at] of found.entries())
      if (index > 0) assert.ok(Math.abs(at - (found[index - 1] ?? 0) - DAY) <= 3 * 3_600_000, zone)
  }
})

test('a schedule that jumps over years finds what walking finds', () => {
  fc.assert(
    fc.property(crons, oneOf('Europe/Berlin', 'America/St_Johns', 'Antarctica/Troll'), (cron, zone) => {
      const from = Date.UTC(2024, 0, 1)
      const to = Date.UTC(2026, 0, 1)
      const walked: number[] = []
      for (let day = from; day < to; day += DAY) walked.push(...ticks(cron, zone, day, day + DAY, Infinity))
      const jumped: number[] = []
      for (const at of ticksAfter(cron, zone, from)) {
        if (at > to) break
        jumped.push(at)
      }
      assert.deepEqual(jumped, walked)
    }),
    { numRuns: 40 },
  )
})
