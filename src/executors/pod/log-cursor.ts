import type { Json } from '../../core/json.ts'

/**
 * The last byte of a log that was copied. A line is found again by its time and by how many neighbouring lines carry
 * the same one: the kubelet knows no byte offsets, and offers lines again from whole seconds on.
 */
export interface LogPlace {
  /** Time of the line as the kubelet wrote it, nanoseconds and zone included. */
  readonly at: string
  /** It is the so-manieth of neighbouring lines with this very time; from 1. */
  readonly lines: number
  /** Bytes of the line that were copied; null when it was copied whole, with its line end. */
  readonly part: number | null
}

/** What is kept with a log to read it on. */
export interface LogCursor {
  /** Null when nothing was copied yet. */
  readonly place: LogPlace | null
  /** Everything there is was copied; the log only waits to be finished. */
  readonly ended: boolean
  /** What was copied so far, what was said in between included. */
  readonly bytes: number
  /** Time of the first line, when there may have been others before it. */
  readonly doubt: string | null
}

/**
 * Lines stand in the order in which they were written, their times may be a little out of it: two streams of one
 * container, each with its own clock reading. Whoever reads on looks so far back, and gives up so far behind.
 */
export const DISORDER_MS = 2000

/** From when on the kubelet has to be asked, so that the line is found again. */
export function sinceTime(place: LogPlace): string {
  const second = Math.floor((Date.parse(place.at) - DISORDER_MS) / 1000)
  return new Date(second * 1000).toISOString().replace('.000Z', 'Z')
}

export const cursorToJson = ({ place, ended, bytes, doubt }: LogCursor): Json => ({
  ...(place === null ? {} : { at: place.at, lines: place.lines, part: place.part }),
  ...(doubt === null ? {} : { doubt }),
  ended,
  bytes,
})

/** A cursor comes from our own store; one that does not read was not written by this version: the log begins anew. */
export function cursorOf(json: Json): LogCursor {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return BEGINNING
  const { at, lines, part, ended, bytes, doubt } = json as { readonly [key: string]: Json }
  const known = typeof at === 'string' && !Number.isNaN(Date.parse(at)) && typeof lines === 'number'
  return {
    place: known ? { at, lines, part: typeof part === 'number' ? part : null } : null,
    ended: ended === true,
    bytes: typeof bytes === 'number' ? bytes : 0,
    doubt: typeof doubt === 'string' ? doubt : null,
  }
}

const BEGINNING: LogCursor = { place: null, ended: false, bytes: 0, doubt: null }
