import { styleText } from 'node:util'
import type { RunPhase, TaskStateName } from '../../core/run/rows.ts'

export type Style = Parameters<typeof styleText>[0]

/** Colours a text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string

export function painter(color: boolean): Paint {
  return color ? (style, text) => styleText(style, text, { validateStream: false }) : (_style, text) => text
}

/** State by shape and colour, so that either is enough. What runs turns with `frame`; null stands still. */
export function mark(state: TaskStateName | RunPhase, paint: Paint, frame: number | null = null): string {
  switch (state) {
    case 'succeeded':
      return paint('green', '✔')
    case 'failed':
      return paint('red', '✖')
    case 'upstreamFailed':
      return paint('red', '⊘')
    case 'skipped':
      return paint('gray', '↷')
    case 'cancelled':
      return paint('yellow', '◼')
    case 'running':
      return paint('cyan', frame === null ? '●' : ('⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'[frame % 10] ?? '●'))
    case 'starting':
      return paint('cyan', '◌')
    case 'backoff':
      return paint('yellow', '↻')
    case 'waiting':
    case 'paused':
      return paint('yellow', '⏸')
    case 'queued':
      return paint('blue', '◔')
    case 'pending':
      return paint('gray', '○')
  }
}

/** A text in the colour of a state. */
export function phaseText(
  state: RunPhase | TaskStateName | 'interrupted',
  text: string,
  paint: Paint,
): string {
  switch (state) {
    case 'succeeded':
      return paint('green', text)
    case 'failed':
    case 'upstreamFailed':
      return paint('red', text)
    case 'interrupted':
    case 'cancelled':
    case 'paused':
    case 'waiting':
    case 'backoff':
      return paint('yellow', text)
    case 'running':
    case 'starting':
      return paint('cyan', text)
    case 'queued':
      return paint('blue', text)
    case 'pending':
    case 'skipped':
      return paint('gray', text)
  }
}

/** `350ms`, `4.2s`, `3m 20s`, `2h 5m`, `3d 4h`. */
export function duration(ms: number): string {
  if (ms < 0) return '0ms'
  if (ms < 1_000) return `${Math.round(ms)}ms`
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)}s`
  const seconds = Math.floor(ms / 1_000)
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 1_440) return `${Math.floor(minutes / 60)}h ${minutes % 60}m`
  return `${Math.floor(minutes / 1_440)}d ${Math.floor((minutes % 1_440) / 60)}h`
}

/** The same for what still goes on: tenths of a second from the start, as milliseconds would only flicker. */
export function elapsed(ms: number): string {
  return ms < 1_000 ? `${(Math.max(0, Math.floor(ms / 100)) / 10).toFixed(1)}s` : duration(ms)
}

/**
 * How long an attempt ran, or has run so far. One that had ended before it was seen to run is measured from its start.
 */
export function tookMs(
  { startedAt, runningAt, endedAt }: { startedAt: number; runningAt: number | null; endedAt: number | null },
  now: number,
): number {
  const end = endedAt ?? now
  return end - (runningAt === null || runningAt >= end ? startedAt : runningAt)
}

/** Local wall time of a moment, to the second. */
export function clockTime(at: number): string {
  const date = new Date(at)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/**
 * Text of strangers made safe for a terminal: control characters, escape sequences and characters that turn the
 * writing direction become visible marks; tabs and (unless `oneLine`) line ends stay.
 */
export function printable(text: string, oneLine = true): string {
  const clean = text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufeff]/g,
    '\ufffd',
  )
  return oneLine ? clean.replace(/\s*\n\s*/g, ' ') : clean
}

/** Local date and time of a moment, to the second. */
export function dateTime(at: number): string {
  const date = new Date(at)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clockTime(at)}`
}

/** How long ago, by its largest unit: `now`, `45s`, `12m`, `5h`, `3d`. */
export function age(ms: number): string {
  if (ms < 1_000) return 'now'
  if (ms < 60_000) return `${Math.floor(ms / 1_000)}s`
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)}m`
  if (ms < 172_800_000) return `${Math.floor(ms / 3_600_000)}h`
  return `${Math.floor(ms / 86_400_000)}d`
}

/** The same in a sentence: `just now`, `45s ago`. */
export function ago(ms: number): string {
  return ms < 1_000 ? 'just now' : `${age(ms)} ago`
}

/** Columns that a plain text takes in a terminal: wide characters take two, marks that join others none. */
export function textWidth(text: string): number {
  if (/^[\u0020-\u02ff]*$/.test(text) || NARROW.test(text)) return text.length
  let width = 0
  for (const { segment } of segments(text)) width += WIDE.test(segment) ? 2 : 1
  return width
}

/** With what we draw ourselves, each of which is one narrow character. */
const NARROW = /^[\u0020-\u02ff…✔✖⊘↷◼●◌↻⏸◔○→↳▸█░─-╿⠀-⣿]*$/
const WIDE =
  /\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/u

let segmenter: Intl.Segmenter | null = null
/** Made when it is needed only: that takes as long as a whole short command. */
function segments(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' })
  return segmenter.segment(text)
}

/** Cuts to a width in terminal columns, saying that it did. */
export function cut(text: string, width: number): string {
  if (text.length <= width && textWidth(text) <= width) return text
  let kept = ''
  let used = 0
  for (const { segment } of segments(text)) {
    const wide = textWidth(segment)
    if (used + wide > Math.max(0, width - 1)) {
      return `${kept}…`
    }
    kept += segment
    used += wide
  }
  return kept
}

/** A word as a person types it in a shell: quoted only where that is needed. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
