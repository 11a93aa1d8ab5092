import { styleText } from 'node:util'
import type { RunPhase, TaskStateName } from '../../core/run/rows.ts'

export type Style = Parameters<typeof styleText>[0]

/** Colours a text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string

export function painter(color: boolean): Paint {
  return color ? (style, text) => styleText(style, text, { validateStream: false }) : (_style, text) => text
}

/** State by shape and colour, so that either is enough. */
export function mark(state: TaskStateName | RunPhase, paint: Paint, frame = 0): string {
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
      return paint('cyan', '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'[frame % 10] ?? '●')
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

/** Cuts to a width, saying that it did. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`
}
