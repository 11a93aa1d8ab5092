import { nearest } from '../nearest.ts'

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

/** The known zone that is most like a name nobody knows, by its whole name or its city; null when none is near. */
export function zoneLike(name: string): string | null {
  const zones = new Map<string, string>()
  for (const zone of ['UTC', ...Intl.supportedValuesOf('timeZone')]) {
    for (const written of [plain(zone), plain(zone.slice(zone.lastIndexOf('/') + 1))])
      if (!zones.has(written)) zones.set(written, zone)
  }
  const wanted = plain(name)
  const near = zones.has(wanted) ? wanted : nearest(wanted, zones.keys())
  return near === null ? null : (zones.get(near) ?? null)
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
