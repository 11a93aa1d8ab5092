import { cronParts } from './cron.ts'

/**
 * A schedule in words, for people who do not read cron; the zone is named where a time of day is. A schedule that
 * has no short sentence stays as it is written.
 *
 * @example inWords('30 2 * * *', 'Europe/Berlin')  // 'every day at 02:30 (Europe/Berlin)'
 * @example inWords('*\/5 * * * *', 'Europe/Berlin') // 'every 5 minutes'
 * @example inWords('0 9 * * MON-FRI', 'UTC')       // 'Monday to Friday at 09:00 (UTC)'
 */
export function inWords(text: string, zone: string): string {
  const { fields, zone: zoneInFront } = cronParts(text)
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields.map(field =>
    field.replace('?', '*'),
  )
  const everyDay = day === '*' && month === '*' && weekday === '*'
  const interval = everyDay ? intervalWords(minute, hour) : null
  if (interval !== null) return interval
  const place = ` (${zoneInFront ?? zone})`
  const times = timeWords(minute, hour)
  const days = dayWords(day, month, weekday)
  return times === null || days === null ? `${fields.join(' ')}${place}` : `${days} at ${times}${place}`
}

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]
/** More times of day than this are no sentence any more. */
const TIMES_MAX = 4

/** Only steps that divide the hour or the day are what they look like; `*\/7` has a shorter step at the hour. */
function intervalWords(minute: string, hour: string): string | null {
  const minutes = step(minute, 60)
  if (minutes !== null && hour === '*') return minutes === 1 ? 'every minute' : `every ${minutes} minutes`
  const hours = step(hour, 24)
  if (hours === null || !/^\d+$/.test(minute)) return null
  const every = hours === 1 ? 'every hour' : `every ${hours} hours`
  return Number(minute) === 0 ? every : `${every} at minute ${Number(minute)}`
}

function step(field: string, size: number): number | null {
  if (field === '*') return 1
  const [, number] = /^\*\/(\d+)$/.exec(field) ?? []
  return number !== undefined && size % Number(number) === 0 && Number(number) < size ? Number(number) : null
}

function timeWords(minute: string, hour: string): string | null {
  if (!/^[\d,]+$/.test(`${minute},${hour}`)) return null
  const two = (number: number): string => String(number).padStart(2, '0')
  const sorted = (field: string): number[] =>
    [...new Set(field.split(',').map(Number))].toSorted((a, b) => a - b)
  const times = sorted(hour).flatMap(h => sorted(minute).map(m => `${two(h)}:${two(m)}`))
  return times.length > TIMES_MAX ? null : and(times)
}

function dayWords(day: string, month: string, weekday: string): string | null {
  const months = month === '*' ? null : namesOf(month, MONTHS, 1)
  if (months === undefined) return null
  if (weekday === '*') {
    if (day === '*') return months === null ? 'every day' : `every day in ${months}`
    const date = dateWords(day)
    return date === null ? null : `on ${date} of ${months ?? 'every month'}`
  }
  // With both day fields set either is enough, which no short sentence says without being read wrongly.
  const days = day === '*' ? namesOf(weekday, DAYS, 0) : undefined
  if (days === undefined) return null
  const every = /[,-]/.test(weekday) ? days : `every ${days}`
  return months === null ? every : `${every} in ${months}`
}

function dateWords(day: string): string | null {
  if (day.toUpperCase() === 'L') return 'the last day'
  if (day.toUpperCase() === 'LW') return 'the last weekday'
  return /^[\d,]+$/.test(day) ? `day ${and(day.split(',').map(part => String(Number(part))))}` : null
}

/** `MON-FRI`, `1,3` or `7` as names; undefined for anything else. */
function namesOf(field: string, names: readonly string[], first: number): string | undefined {
  const name = (part: string): string | undefined =>
    /^\d+$/.test(part)
      ? names[(Number(part) - first) % names.length]
      : names.find(known => known.slice(0, 3).toUpperCase() === part.toUpperCase())
  const parts = field.split(',').map(part => {
    const ends = part.split('-').map(name)
    return ends.length > 2 || ends.includes(undefined) ? undefined : ends.join(' to ')
  })
  return parts.includes(undefined) ? undefined : and(parts.map(String))
}

const and = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
