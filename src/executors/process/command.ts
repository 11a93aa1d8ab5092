import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { Outcome } from '../../core/run/events.ts'
import type { ReasonCode } from '../../core/run/reasons.ts'
import { codeOf } from './record.ts'

/** What to run, or why it cannot be run; the latter names the command, so that a person knows what to correct. */
export type Command =
  | { readonly ok: true; readonly argv: readonly string[] }
  | { readonly ok: false; readonly outcome: Outcome }

/**
 * Finds what a task's `command` means before anything is started, as only here "no such command" can be told from a
 * command that exits with 127. The file found is what runs; its arguments are handed over as they are.
 *
 * @param path     The task's PATH.
 * @param workdir  Where relative names start; it has been seen to be a directory.
 */
export function findCommand(argv: readonly string[], path: string, workdir: string): Command {
  const name = argv[0]
  if (name === undefined) return refuse('CONFIG_ERROR', 'the task has neither a command nor a script')
  if (name === '') return refuse('COMMAND_NOT_FOUND', 'command "" not found: its name is empty')
  const found = name.includes('/')
    ? { file: fileIn(workdir, name), problem: null }
    : search(name, path, workdir)
  if (found === null) return refuse('COMMAND_NOT_FOUND', `command ${quoted(name)} not found in PATH`)
  const problem = found.problem ?? whyNotExecutable(found.file)
  if (problem === null) return { ok: true, argv: [found.file, ...argv.slice(1)] }
  if (problem === 'missing')
    return refuse('COMMAND_NOT_FOUND', `command ${quoted(name)} not found: no such file`)
  return refuse('NOT_EXECUTABLE', `command ${quoted(name)} cannot be executed: ${problem}`)
}

/** How a script is run: by its `#!` line, or by `/bin/sh` when it has none; `args` follow. */
export function scriptCommand(file: string, script: string, args: readonly string[]): Command {
  const argv = [...(script.startsWith('#!') ? [file] : ['/bin/sh', file]), ...args]
  const problem = whyNotExecutable(argv[0] ?? '')
  if (problem === null) return { ok: true, argv }
  return refuse('NOT_EXECUTABLE', `the script cannot be executed: ${problem}`)
}

/** A sentence for a directory that a task cannot start in; null for a good one. */
export function whyNoWorkdir(workdir: string): string | null {
  try {
    if (!statSync(workdir).isDirectory()) return `the working directory ${quoted(workdir)} is not a directory`
    accessSync(workdir, constants.X_OK)
    return null
  } catch (error) {
    if (codeOf(error) === 'EACCES') return `the working directory ${quoted(workdir)} may not be entered`
    return `the working directory ${quoted(workdir)} does not exist`
  }
}

export const refusal = (reason: ReasonCode, message: string): Outcome => ({
  kind: 'configError',
  reason,
  exitCode: null,
  signal: null,
  message,
  outputs: {},
})

const refuse = (reason: ReasonCode, message: string): Command => ({
  ok: false,
  outcome: refusal(reason, message),
})
const quoted = (text: string): string => JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text)
const fileIn = (workdir: string, name: string): string => (isAbsolute(name) ? name : join(workdir, name))

/** The first executable file of that name; one without permission is remembered for the message. */
function search(
  name: string,
  path: string,
  workdir: string,
): { file: string; problem: string | null } | null {
  let denied: { file: string; problem: string } | null = null
  for (const folder of path.split(':')) {
    const file = fileIn(workdir, join(folder === '' ? '.' : folder, name))
    const problem = whyNotExecutableFile(file)
    if (problem === null) return { file, problem: null }
    if (problem !== 'missing') denied ??= { file, problem: `${file}: ${problem}` }
  }
  return denied
}

function whyNotExecutable(file: string): string | null {
  return whyNotExecutableFile(file) ?? whyNotUnderstood(file)
}

function whyNotExecutableFile(file: string): string | null {
  try {
    const found = statSync(file)
    if (found.isDirectory()) return 'it is a directory'
    if (!found.isFile()) return 'it is not a file'
    accessSync(file, constants.X_OK)
    return null
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return 'missing'
    return code === 'ELOOP' ? 'its symbolic links go round in a circle' : 'permission denied'
  }
}

const HEAD_BYTES = 256

/** Looks at the first bytes: a `#!` line must name an interpreter, and a text without one is not a program. */
function whyNotUnderstood(file: string): string | null {
  const head = headOf(file)
  if (head === null) return null
  if (head.length === 0) return 'it is empty'
  if (!head.subarray(0, 2).equals(Buffer.from('#!'))) return head.includes(0) ? null : 'it has no #! line'
  const [line = ''] = head.subarray(2).toString('utf8').split('\n')
  const interpreter = line.trim().split(/[ \t]+/u)[0] ?? ''
  if (line.endsWith('\r')) return `its #! line ends in a carriage return (${quoted(line)})`
  if (interpreter === '') return 'its #! line names no interpreter'
  const problem = whyNotExecutableFile(interpreter)
  if (problem === null) return null
  const why = problem === 'missing' ? 'does not exist' : `cannot be executed: ${problem}`
  return `its #! line names ${quoted(interpreter)}, which ${why}`
}

/** Null when it may be executed but not read, which is no reason against it. */
function headOf(file: string): Buffer | null {
  let handle: number
  try {
    handle = openSync(file, 'r')
  } catch {
    return null
  }
  try {
    const bytes = Buffer.alloc(HEAD_BYTES)
    return bytes.subarray(0, readSync(handle, bytes, 0, HEAD_BYTES, 0))
  } finally {
    closeSync(handle)
  }
}
