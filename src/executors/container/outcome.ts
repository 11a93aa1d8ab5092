import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import type { Outcome } from '../../core/run/events.ts'
import type { ReasonCode } from '../../core/run/reasons.ts'
import { readOutputs } from '../outputs.ts'
import { stopNotes } from '../stop-notes.ts'
import { INSIDE } from './body.ts'
import type { ContainerState } from './container-engine.ts'

/** What the engine was when it was found that a container had ended. */
export interface Witness {
  /** The container engine was away while the container ran, so it may be what ended it. */
  readonly engineWasAway: boolean
  /** The machine was started anew since the container was. */
  readonly rebooted: boolean
}

/** Exit codes of a container that was ended with its engine: TERM, KILL, and what Docker says of one it found dead. */
const ENDED_WITH_ENGINE: readonly number[] = [137, 143, 255]

/** Says how a container ended. Asked again, with the same files, it says the same. */
export function outcomeOf(
  folder: string,
  state: ContainerState,
  declared: readonly string[],
  witness: Witness,
): Outcome {
  const { exitCode: code } = state
  const notes = stopNotes(folder)
  if (code === 0) return succeeded(folder, declared)
  if (state.oomKilled && code === 137) {
    const limit = state.memoryBytes === null ? '' : ` of ${state.memoryBytes} bytes`
    return ended('oomKilled', 'OOM_KILLED', code, `used more memory than its limit${limit}`)
  }
  const refused = notRun(folder, code, state.command)
  if (refused !== null) return refused
  if (notes === '' && witness.rebooted && code === 255) return lost('the machine was restarted while it ran')
  if (notes === '' && witness.engineWasAway && ENDED_WITH_ENGINE.includes(code))
    return ended('disrupted', 'DISRUPTED', code, 'its container ended when the container engine was stopped')
  // The init process passes a signal on as 128 + its number; only of our own signals is it known that they were one.
  if (code === 137 && notes.includes('KILL')) return bySignal(code, 'SIGKILL')
  if (code === 143 && notes.includes('TERM')) return bySignal(code, 'SIGTERM')
  const oom = state.oomKilled ? ', after one of its processes was killed for want of memory' : ''
  return ended('exitCode', 'EXIT_CODE', code, `exited with code ${code}${oom}`)
}

export const neverStarted: Outcome = {
  kind: 'cancelled',
  reason: 'CANCELLED',
  exitCode: null,
  signal: null,
  message: 'was stopped before it was started',
  outputs: {},
}

/** Nobody can know how it ended. */
export const lost = (message: string): Outcome => ended('lost', 'LOST', null, message)

export const startError = (message: string): Outcome => ended('startError', 'START_ERROR', null, message)

export const imageError = (message: string): Outcome => ended('imageError', 'IMAGE_ERROR', null, message)

export const refusal = (reason: ReasonCode, message: string): Outcome =>
  ended('configError', reason, null, message)

/** What the engine says of a container that it could not start: the task's fault when it is about the command. */
export function startRefused(message: string): Outcome {
  const plain = message.replace(/^.*(?:unable to start container process|container_linux\.go:\d+): /su, '')
  if (/executable file not found|no such file or directory/iu.test(plain) && plain.includes('exec'))
    return refusal('COMMAND_NOT_FOUND', plain)
  if (/exec.*(?:permission denied|exec format error|is a directory)/iu.test(plain))
    return refusal('NOT_EXECUTABLE', plain)
  return startError(message)
}

function succeeded(folder: string, declared: readonly string[]): Outcome {
  const read = readOutputs(join(folder, 'output', 'values'), declared)
  if (read.ok) return { ...ended('succeeded', 'SUCCEEDED', 0, null), outputs: read.values }
  return ended('configError', read.reason, 0, read.message)
}

const bySignal = (code: number, signal: string): Outcome => ({
  ...ended('exitCode', 'KILLED_BY_SIGNAL', code, `was ended by ${signal}`),
  signal,
})

const ended = (
  kind: Outcome['kind'],
  reason: ReasonCode,
  exitCode: number | null,
  message: string | null,
): Outcome => ({ kind, reason, exitCode, signal: null, message, outputs: {} })

/** Longest log that is looked at for the one sentence of the init process. */
const SENTENCE_BYTES_MAX = 4096 + 200
const TINI = /^\[FATAL tini \(\d+\)\] exec .* failed: (.*)\n$/su
const CATATONIT = /^ERROR \(catatonit:\d+\): failed to exec pid1: (.*)\n$/su

/**
 * With an init process in front, a command that is not there is told by that process: its exit code together with a log
 * that is nothing but its sentence. A task that exits with the same code has said something else, or nothing.
 */
function notRun(folder: string, code: number, command: string): Outcome | null {
  if (code !== 127 && code !== 126 && code !== 1) return null
  const text = shortLog(join(folder, 'log'))
  const found = code === 1 ? CATATONIT.exec(text) : TINI.exec(text)
  if (found === null) return null
  const missing = found[1] === 'No such file or directory'
  if (missing && command === INSIDE.script)
    return refusal(
      'NOT_EXECUTABLE',
      'the script cannot be executed: its #! line names what is not in the image',
    )
  const named = `command ${JSON.stringify(command.slice(0, 200))}`
  if (missing) return refusal('COMMAND_NOT_FOUND', `${named} not found in the image`)
  return refusal('NOT_EXECUTABLE', `${named} cannot be executed: ${found[1] ?? ''}`)
}

function shortLog(file: string): string {
  try {
    const handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      const { size } = fstatSync(handle)
      if (size > SENTENCE_BYTES_MAX) return ''
      const bytes = Buffer.alloc(size)
      return bytes.subarray(0, readSync(handle, bytes, 0, size, 0)).toString('utf8')
    } finally {
      closeSync(handle)
    }
  } catch {
    return ''
  }
}
