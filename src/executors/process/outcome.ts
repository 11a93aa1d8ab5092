import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { Outcome } from '../../core/run/events.ts'
import type { ReasonCode } from '../../core/run/reasons.ts'
import { refusal } from './command.ts'
import type { Outputs } from '../outputs.ts'
import { readOutputs } from '../outputs.ts'
import type { Claim } from './record.ts'
import { stopNotes } from '../stop-notes.ts'

/** What is known about how the main process of an attempt ended. */
export interface End {
  readonly code: number
  readonly bySignal: boolean
}

/** Says how an attempt ended, from what its files say. Asked again, it says the same. */
export function outcomeOf(folder: string, end: End, declared: readonly string[]): Outcome {
  const { code } = end
  if (code === 0) return succeeded(readOutputs(join(folder, 'output'), declared))
  if ((code === 126 || code === 127) && existsSync(join(folder, 'refused'))) return notRun(code)
  // A stop that came before the task was forked ends it with the code of a TERM.
  const bySignal = end.bySignal || (code === 143 && stopNotes(folder).includes('TERM'))
  if (!bySignal) return failed('EXIT_CODE', code, null, `exited with code ${code}`)
  const name = signalName(code - 128)
  return failed('KILLED_BY_SIGNAL', code, name, `was ended by ${name ?? `signal ${code - 128}`}`)
}

/**
 * The same for an attempt whose launcher died without recording an end.
 *
 * @param code  What the launcher exited with, for the engine that saw it: on a full disk, where it could not record
 *              the end, it exits with the task's own code.
 */
export function outcomeWithoutEnd(
  folder: string,
  claim: Claim,
  boot: string,
  code: number | null,
  declared: readonly string[],
): Outcome {
  if (code !== null) return outcomeOf(folder, { code, bySignal: false }, declared)
  if (claim.boot !== boot) return lost('the machine was restarted while it ran')
  if (stopNotes(folder).includes('KILL')) return outcomeOf(folder, { code: 137, bySignal: true }, declared)
  return lost(`its launcher (pid ${claim.pid}) was killed, so nobody saw how the task ended`)
}

export const neverStarted: Outcome = {
  kind: 'cancelled',
  reason: 'CANCELLED',
  exitCode: null,
  signal: null,
  message: 'was stopped before it was started',
  outputs: {},
}

/** The machine would not let it begin. */
export const startError = (message: string): Outcome => unknowable('startError', 'START_ERROR', message)

/** Nobody can know how it ended, or whether it began. */
export const lost = (message: string): Outcome => unknowable('lost', 'LOST', message)

/** The launcher could not run what had been found a moment before. */
const notRun = (code: number): Outcome =>
  refusal(
    code === 127 ? 'COMMAND_NOT_FOUND' : 'NOT_EXECUTABLE',
    'its command could not be executed; the last line of the log says why',
  )

function succeeded(read: Outputs): Outcome {
  if (!read.ok) {
    const { reason, message } = read
    return { kind: 'configError', reason, exitCode: 0, signal: null, message, outputs: {} }
  }
  const outputs = read.values
  return { kind: 'succeeded', reason: 'SUCCEEDED', exitCode: 0, signal: null, message: null, outputs }
}

const failed = (reason: ReasonCode, exitCode: number, signal: string | null, message: string): Outcome => ({
  kind: 'exitCode',
  reason,
  exitCode,
  signal,
  message,
  outputs: {},
})

const unknowable = (kind: 'startError' | 'lost', reason: ReasonCode, message: string): Outcome => ({
  kind,
  reason,
  exitCode: null,
  signal: null,
  message,
  outputs: {},
})

function signalName(number: number): string | null {
  const found = Object.entries(constants.signals).find(([, value]) => value === number)
  return found?.[0] ?? null
}
