/**
 * What the clocks of a time zone show. The rules come from the time zone database of the JavaScript engine
 * (`Intl`), so they are as new as the engine is, and the same on a server and in a browser.
 *
 * A *wall time* is what a clock on the wall shows, counted in milliseconds as if it showed UTC.
 */

/** A span of time in which a zone's offset stays the same: `from` inclusive, `to` exclusive, both instants. */
export interface Stretch {
  readonly from: number
  readonly to: number
  /** Wall time minus instant. */
  readonly offsetMs: number
}

const SECOND = 1_000
const HOUR = 3_600_000
/** No zone has changed its offset twice within this time since 1970; a change is looked for between two probes. */
export const PROBE_MS = 48 * HOUR

/**
 * Cuts `[from, to)` into stretches of constant offset, in order and without holes.
 *
 * @example stretches('Europe/Berlin', march, april) // winter time, summer time
 */
export function stretches(zone: string, from: number, to: number): Stretch[] {
  const found: Stretch[] = []
  let start = from
  let offsetMs = offsetAt(zone, from)
  for (let probe = from; probe < to; ) {
    const next = Math.min(to, probe + PROBE_MS)
    if (offsetAt(zone, next) === offsetMs) {
      probe = next
      continue
    }
    probe = firstChange(zone, probe, next)
    if (probe >= to) break
    found.push({ from: start, to: probe, offsetMs })
    start = probe
    offsetMs = offsetAt(zone, probe)
  }
  if (start < to) found.push({ from: start, to, offsetMs })
  return found
}

/** What the zone's clocks are ahead of UTC at an instant, in milliseconds. */
export function offsetAt(zone: string, at: number): number {
  const [, sign, hours, minutes, seconds] = OFFSET.exec(formatOf(zone).format(at)) ?? []
  if (sign === undefined) return 0
  const total = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds ?? 0)
  return (sign === '-' ? -total : total) * SECOND
}

/** Whether the engine knows the zone at all, by any spelling it understands. */
export function zoneExists(zone: string): boolean {
  try {
    formatOf(zone)
    return true
  } catch {
    return false
  }
}

/** The known zone that is most like a name nobody knows, or null when none is near. */
export function zoneLike(name: string): string | null {
  const wanted = plain(name)
  let best: string | null = null
  let bestDistance = Math.min(3, Math.floor(wanted.length / 4) + 1)
  for (const zone of ['UTC', ...Intl.supportedValuesOf('timeZone')]) {
    const whole = plain(zone)
    const city = plain(zone.slice(zone.lastIndexOf('/') + 1))
    const distance = Math.min(edits(wanted, whole, bestDistance), edits(wanted, city, bestDistance))
    if (distance < bestDistance) [best, bestDistance] = [zone, distance]
  }
  return best
}

const OFFSET = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/

/** Making one takes a hundred times longer than using it; there are about 600 names of zones at most. */
const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, hour: 'numeric', timeZoneName: 'longOffset' })
    formats.set(zone, format)
  }
  return format
}

/** The first instant after `from` with another offset than at `from`; changes fall on whole seconds. */
function firstChange(zone: string, from: number, to: number): number {
  const before = offsetAt(zone, from)
  let low = Math.floor(from / SECOND)
  let high = Math.ceil(to / SECOND)
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetAt(zone, middle * SECOND) === before) low = middle
    else high = middle
  }
  return high * SECOND
}

const plain = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')

/** Levenshtein distance, or `limit` as soon as it cannot be less. */
function edits(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) >= limit) return limit
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i++) {
    const next = [i]
    for (let j = 1; j <= right.length; j++) {
      const same = left[i - 1] === right[j - 1] ? 0 : 1
      const replaced = (row[j - 1] ?? 0) + same
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return Math.min(limit, row[right.length] ?? limit)
}
