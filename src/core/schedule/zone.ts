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
/** Offsets are asked for this far apart: since 1970 no zone changed its offset twice in less than six days. */
export const PROBE_MS = 48 * HOUR

/**
 * Cuts `[from, to)` into stretches of constant offset, in order and without holes.
 *
 * @example stretches('Europe/Berlin', march, april) // winter time, summer time
 */
export function stretches(zone: string, from: number, to: number): Stretch[] {
  const found: Stretch[] = []
  for (let index = Math.floor(from / PROBE_MS); index * PROBE_MS < to; index++) {
    for (const stretch of cell(zone, index)) {
      if (stretch.to <= from || stretch.from >= to) continue
      const start = Math.max(from, stretch.from)
      const end = Math.min(to, stretch.to)
      const last = found.at(-1)
      if (last?.offsetMs !== stretch.offsetMs)
        found.push({ from: start, to: end, offsetMs: stretch.offsetMs })
      else found[found.length - 1] = { ...last, to: end }
    }
  }
  return found
}

/** What the zone's clocks are ahead of UTC at an instant, in milliseconds. */
export function offsetAt(zone: string, at: number): number {
  const cells = cell(zone, Math.floor(at / PROBE_MS))
  return (cells.find(stretch => at < stretch.to) ?? cells[0])?.offsetMs ?? 0
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

/** Stretches of one span between two probes: by zone, by number of the span since 1970. */
const cells = new Map<string, Map<number, readonly Stretch[]>>()
/** Spans remembered of a zone, a century's worth. */
const CELLS_MAX = 20_000

/** Asking `Intl` is slow next to everything else here, so each span is asked about once. */
function cell(zone: string, index: number): readonly Stretch[] {
  let known = cells.get(zone)
  if (known === undefined) {
    if (cells.size >= ZONES_MAX) cells.clear()
    cells.set(zone, (known = new Map<number, readonly Stretch[]>()))
  }
  const before = known.get(index)
  if (before !== undefined) return before
  if (known.size >= CELLS_MAX) known.clear()
  const found = cut(zone, index * PROBE_MS, (index + 1) * PROBE_MS)
  known.set(index, found)
  return found
}

function cut(zone: string, from: number, to: number): Stretch[] {
  const offsetMs = askOffset(zone, from)
  if (askOffset(zone, to) === offsetMs) return [{ from, to, offsetMs }]
  const change = firstChange(zone, from, to)
  if (change >= to) return [{ from, to, offsetMs }]
  return [{ from, to: change, offsetMs }, ...cut(zone, change, to)]
}

function askOffset(zone: string, at: number): number {
  const [, sign, hours, minutes, seconds] = OFFSET.exec(formatOf(zone).format(at)) ?? []
  if (sign === undefined) return 0
  const total = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds ?? 0)
  return (sign === '-' ? -total : total) * SECOND
}

const OFFSET = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/

/** Zones remembered; there are about 600 names, but each may be written in upper and lower case. */
const ZONES_MAX = 2_000
/** Making one takes a hundred times longer than using it. */
const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, hour: 'numeric', timeZoneName: 'longOffset' })
    if (formats.size >= ZONES_MAX) formats.clear()
    formats.set(zone, format)
  }
  return format
}

/** The first instant after `from` with another offset than at `from`; changes fall on whole seconds. */
function firstChange(zone: string, from: number, to: number): number {
  const before = askOffset(zone, from)
  let low = Math.floor(from / SECOND)
  let high = Math.ceil(to / SECOND)
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (askOffset(zone, middle * SECOND) === before) low = middle
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
