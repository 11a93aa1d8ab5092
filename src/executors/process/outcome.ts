import { constants } from 'node:os'
import { join } from 'node:path'
import type { Outcome } from '../../core/run/events.ts'
import type { ReasonCode } from '../../core/run/reasons.ts'
import type { Outputs } from './outputs.ts'
import { readOutputs } from './outputs.ts'

/** What is known about how the main process of an attempt ended. */
export interface End {
  readonly code: number
  readonly bySignal: boolean
}

/** Says how an attempt ended, from what its files say. Asked again, it says the same. */
export function outcomeOf(folder: string, end: End, declared: readonly string[]): Outcome {
  if (end.code === 0) return succeeded(readOutputs(join(folder, 'output'), declared))
  if (!end.bySignal) return failed('EXIT_CODE', end.code, null, `exited with code ${end.code}`)
  const name = signalName(end.code - 128)
  return failed('KILLED_BY_SIGNAL', end.code, name, `was ended by ${name ?? `signal ${end.code - 128}`}`)
}

/** `CONFIG_ERROR` and its like: the launcher itself could not run what had been found a moment before. */
export const notRun = (code: number): Outcome => ({
  kind: 'configError',
  reason: code === 127 ? 'COMMAND_NOT_FOUND' : 'NOT_EXECUTABLE',
  exitCode: null,
  signal: null,
  message: 'its command could not be executed; the last line of the log says why',
  outputs: {},
})

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
