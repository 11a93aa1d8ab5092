import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs'
import type { ReasonCode } from '../core/run/reasons.ts'
import { codeOf } from './error-code.ts'

/**
 * Most bytes a task may write to `$KONTROLER_OUTPUT`, on every executor: one less than what a kubelet hands on of a
 * termination message, so that a message that was cut is told from one that is whole.
 */
export const OUTPUT_BYTES_MAX = 4095

export type Outputs =
  | { readonly ok: true; readonly values: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly reason: ReasonCode; readonly message: string }

/** Reads the lines `name=value` that a task wrote. A file that is not there means none. */
export function readOutputs(file: string, declared: readonly string[]): Outputs {
  let handle: number
  try {
    if (lstatSync(file, { throwIfNoEntry: false }) === undefined) return { ok: true, values: {} }
    handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { ok: true, values: {} }
    return invalid('$KONTROLER_OUTPUT is not a plain file any more')
  }
  try {
    if (!fstatSync(handle).isFile()) return invalid('$KONTROLER_OUTPUT is not a plain file any more')
    const bytes = Buffer.alloc(OUTPUT_BYTES_MAX + 1)
    let length = 0
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(handle, bytes, length, bytes.length - length, null)
    if (length <= OUTPUT_BYTES_MAX) return parseOutputs(bytes.subarray(0, length), declared)
    return {
      ok: false,
      reason: 'OUTPUT_TOO_LARGE',
      message: `wrote more than ${OUTPUT_BYTES_MAX} bytes to $KONTROLER_OUTPUT`,
    }
  } finally {
    closeSync(handle)
  }
}

/**
 * The last line of a name wins. A message names the line and the name, never the value, which may be a secret.
 *
 * @example `size=3\nfiles=a b=c\n` → `{ size: '3', files: 'a b=c' }`
 */
export function parseOutputs(bytes: Uint8Array, declared: readonly string[]): Outputs {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return invalid('they are not UTF-8 text')
  }
  if (text.includes('\0')) return invalid('they hold a NUL byte')
  // A kubelet puts this character in the place of bytes that are not UTF-8.
  if (text.includes('\uFFFD')) return invalid('they are not UTF-8 text')
  const values = new Map<string, string>()
  for (const [index, line] of text.split(/\r?\n/u).entries()) {
    if (line === '') continue
    const equals = line.indexOf('=')
    if (equals < 1) return invalid(`line ${index + 1} is not of the form name=value`)
    const name = line.slice(0, equals)
    if (!declared.includes(name))
      return invalid(`line ${index + 1} sets ${JSON.stringify(name.slice(0, 80))}, which is not in outputs`)
    values.set(name, line.slice(equals + 1))
  }
  return { ok: true, values: Object.fromEntries(values) }
}

const invalid = (message: string): Outputs => ({ ok: false, reason: 'OUTPUT_INVALID', message })
