import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import type * as JsYaml from 'js-yaml'
import { yamlText } from '../../spec/yaml-text.ts'
import { CommandError } from '../exit.ts'

/** A server that somebody has logged in to. */
export interface Context {
  readonly server: string
  /** A secret. Null where the server was named without one. */
  readonly token: string | null
  /** Certificates that it is trusted by, as PEM; null for those of the system. */
  readonly caFile: string | null
}

export interface Contexts {
  readonly current: string | null
  readonly contexts: ReadonlyMap<string, Context>
}

export const CONTEXT_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/
const NONE: Contexts = { current: null, contexts: new Map() }
const require = createRequire(import.meta.url)

/** `~/.config/kontroler/contexts.yaml`, or below `$XDG_CONFIG_HOME`. */
export function contextsFile(): string {
  const config = process.env['XDG_CONFIG_HOME'] ?? ''
  // What is not absolute is to be passed over, says the specification.
  return join(isAbsolute(config) ? config : join(homedir(), '.config'), 'kontroler/contexts.yaml')
}

/**
 * The contexts as they are now; none when there is no file.
 *
 * @throws {CommandError} `CONTEXTS_EXPOSED` others may read or write the file; `BAD_CONTEXTS` it is not one of ours.
 */
export function readContexts(file = contextsFile()): Contexts {
  if (!existsSync(file)) return NONE
  let handle: number
  try {
    handle = openSync(file, 'r')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError('BAD_CONTEXTS', `the contexts cannot be read: ${reason}`, `see ${file}`)
  }
  try {
    refuseExposed(handle, file)
    return contextsIn(readFileSync(handle, 'utf8'), file)
  } finally {
    closeSync(handle)
  }
}

/** Replaces the file as a whole: who reads it meanwhile sees it as it was, or as it is. */
export function writeContexts({ current, contexts }: Contexts, file = contextsFile()): void {
  const place = existsSync(file) ? realpathSync(file) : file
  const draft = `${place}.${randomBytes(8).toString('hex')}`
  const entries = [...contexts].map(([name, { server, token, caFile }]) => [
    name,
    { server, ...(token === null ? {} : { token }), ...(caFile === null ? {} : { caFile }) },
  ])
  const text = yamlText({ current, contexts: Object.fromEntries(entries) })
  try {
    mkdirSync(dirname(place), { recursive: true, mode: 0o700 })
    const handle = openSync(draft, 'wx', 0o600)
    try {
      writeFileSync(handle, `# Servers of kontroler, with tokens: nobody else may read this.\n${text}`)
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
    renameSync(draft, place)
  } catch (error) {
    rmSync(draft, { force: true })
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError(
      'CONTEXTS_NOT_WRITABLE',
      `the contexts cannot be kept: ${reason}`,
      'make the directory writable, or name another with XDG_CONFIG_HOME',
      1,
    )
  }
}

/** @throws {CommandError} `UNKNOWN_CONTEXT` */
export function contextNamed({ contexts }: Contexts, name: string): Context {
  const found = contexts.get(name)
  if (found !== undefined) return found
  const names = [...contexts.keys()].join(', ')
  const fix = names === '' ? 'kontroler login URL makes one' : `there are: ${names}`
  throw new CommandError('UNKNOWN_CONTEXT', `there is no context ${name}`, fix)
}

function refuseExposed(handle: number, file: string): void {
  const found = fstatSync(handle)
  const foreign = process.getuid !== undefined && found.uid !== process.getuid()
  if (found.isFile() && !foreign && (process.platform === 'win32' || (found.mode & 0o077) === 0)) return
  throw new CommandError(
    'CONTEXTS_EXPOSED',
    `${file} holds tokens, and is not this user's alone`,
    `chmod 600 ${file}; if others may have read it, take the tokens back and log in again`,
  )
}

/** What is not understood is named by its place; its text may be a token, so it is not repeated. */
function contextsIn(text: string, file: string): Contexts {
  const bad = (what: string): CommandError =>
    new CommandError(
      'BAD_CONTEXTS',
      `${file} is not understood: ${what}`,
      'put it right, or remove it and log in again',
    )
  let value: unknown
  try {
    // Loaded only here: most commands of this machine have no such file.
    value = (require('js-yaml') as typeof JsYaml).load(text)
  } catch {
    throw bad('it is not YAML')
  }
  if (!isObject(value) || !isObject(value['contexts'] ?? {})) throw bad('it needs the field contexts')
  const contexts = new Map<string, Context>()
  for (const [name, entry] of Object.entries(value['contexts'] ?? {})) {
    if (!CONTEXT_NAME.test(name) || !isObject(entry)) throw bad('one of its contexts')
    const { server, token = null, caFile = null } = entry
    if (typeof server !== 'string' || !isText(token) || !isText(caFile)) throw bad(`context ${name}`)
    contexts.set(name, { server, token, caFile })
  }
  const { current = null } = value
  if (!isText(current)) throw bad('its field current')
  return { current, contexts }
}

const isText = (value: unknown): value is string | null => value === null || typeof value === 'string'

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
