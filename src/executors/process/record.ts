import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Outcome } from '../../core/run/events.ts'
import { codeOf } from '../error-code.ts'

export { codeOf } from '../error-code.ts'

/**
 * The record of an attempt: one file that comes into being exactly once (`O_EXCL`) and decides what the attempt is.
 * A launcher writes `claim BOOT PROCESS` and, at the end, `ended CODE .`; what the shell says in between tells that a
 * signal ended the task. An engine that settles an attempt which never began writes `outcome JSON` instead.
 */
export type AttemptRecord =
  | { readonly kind: 'none' }
  /** Created, but nothing is in it yet: its writer is between two lines, or died there. */
  | { readonly kind: 'blank' }
  | { readonly kind: 'settled'; readonly outcome: Outcome; readonly at: number }
  | { readonly kind: 'claimed'; readonly claim: Claim; readonly end: RecordedEnd | null; readonly at: number }

/** Who runs the attempt: a pid alone is used again, with start time and boot it is not. */
export interface Claim {
  readonly boot: string
  readonly pid: number
  /** Clock ticks since boot on Linux, a date as `ps` writes it elsewhere. */
  readonly started: string
}

export interface RecordedEnd {
  readonly code: number
  /** The shell saw a signal end the task; without it a code above 128 is the task's own. */
  readonly bySignal: boolean
  readonly at: number
}

export const recordFile = (folder: string): string => join(folder, 'record')

/** Reads what is known of an attempt. A torn last line counts as not written. */
export function readRecord(folder: string): AttemptRecord {
  // Asked first: an exception takes longer, and every attempt is looked at before it is claimed.
  if (lstatSync(recordFile(folder), { throwIfNoEntry: false }) === undefined) return { kind: 'none' }
  let file: number
  try {
    file = openSync(recordFile(folder), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return { kind: 'none' }
    throw error
  }
  try {
    const text = readFileSync(file, 'latin1')
    const { birthtimeMs, mtimeMs } = fstatSync(file)
    const changed = Math.floor(mtimeMs)
    const born = birthtimeMs > 0 && birthtimeMs <= mtimeMs ? Math.floor(birthtimeMs) : changed
    return parse(text, born, changed)
  } finally {
    closeSync(file)
  }
}

/** Settles an attempt that has not begun, so that it never will. False when it was claimed or settled before. */
export function settleRecord(folder: string, outcome: Outcome): boolean {
  let file: number
  try {
    file = openSync(recordFile(folder), 'wx', 0o600)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
  try {
    writeSync(file, `outcome ${Buffer.from(JSON.stringify(outcome)).toString('base64')}\n`)
  } finally {
    closeSync(file)
  }
  return true
}

function parse(text: string, born: number, changed: number): AttemptRecord {
  const lines = text.split('\n')
  const first = lines.length > 1 ? (lines[0] ?? '') : ''
  const [word = '', ...rest] = first.split(' ')
  if (word === 'outcome') {
    const outcome = JSON.parse(Buffer.from(rest[0] ?? '', 'base64').toString('utf8')) as Outcome
    return { kind: 'settled', outcome, at: changed }
  }
  if (word !== 'claim') return { kind: 'blank' }
  const claim = parseClaim(rest[0] ?? '', rest.slice(1).join(' '))
  const ended = /^ended (\d+) \.$/u.exec(lines.at(-2) ?? '')
  const whole = lines.at(-1) === '' && lines.length > 2
  if (ended === null || !whole) return { kind: 'claimed', claim, end: null, at: born }
  const end = { code: Number(ended[1]), bySignal: lines.length > 3, at: changed }
  return { kind: 'claimed', claim, end, at: born }
}

function parseClaim(boot: string, self: string): Claim {
  const pid = Number.parseInt(self, 10)
  const elsewhere = /^\d+ ps (.*)$/u.exec(self)
  return { boot, pid, started: elsewhere === null ? startTicks(self) : (elsewhere[1] ?? '').trim() }
}

/** Field 22 of a line of `/proc/PID/stat`; the name in the second field may hold spaces and brackets. */
export const startTicks = (stat: string): string => stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
