import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { CommandError } from '../exit.ts'
import { type Context, contextNamed, readContexts } from './contexts.ts'

/** A server that a command is about, and how it is reached. */
export interface ServerTarget {
  /** Without a slash at its end. */
  readonly url: string
  /** A secret; null where none is known. */
  readonly token: string | null
  readonly caFile: string | null
  /** What a person should know who did not name it just now; null where that is plain. */
  readonly note: string | null
}

export interface ServerOptions {
  readonly server?: string | undefined
  readonly caFile?: string | undefined
  readonly state?: string | undefined
  readonly database?: string | undefined
}

/** Where a program reads the output, nothing is said beside it. */
const FOR_PROGRAMS: ReadonlySet<string> = new Set(['json', 'yaml', 'name', 'none'])

/**
 * Which server a command line means: what it says itself, then the environment, then the current context; null for the
 * state of this machine. A token goes to the server that it was given for and to no other.
 *
 * @param output  What `-o` says.
 */
export function chosenServer(options: ServerOptions, output?: string): ServerTarget | null {
  const { env } = process
  const caFile = options.caFile ?? (env['KONTROLER_CA_FILE'] || undefined)
  const isLocal = options.state !== undefined || options.database !== undefined
  if (options.server !== undefined) {
    if (!isLocal) return named(options.server, caFile, null)
    const other = options.state === undefined ? '--database' : '--state'
    throw new CommandError('BAD_OPTION', `--server and ${other} say two things`, 'leave one out')
  }
  if (isLocal) return null
  const ofEnvironment = env['KONTROLER_SERVER'] ?? ''
  const quiet = output !== undefined && FOR_PROGRAMS.has(output)
  if (ofEnvironment !== '') {
    const note = quiet || process.stderr.isTTY !== true ? null : 'of KONTROLER_SERVER'
    return named(ofEnvironment, caFile, note)
  }
  if ((env['KONTROLER_STATE'] ?? '') !== '' || (env['KONTROLER_DATABASE'] ?? '') !== '') return null
  const known = readContexts()
  if (known.current === null) return null
  return targetOf(contextNamed(known, known.current), caFile, quiet ? null : `context ${known.current}`)
}

/** Whether a command line without a word about a place is about a server. */
export function hasServer(): boolean {
  return chosenServer({}) !== null
}

/** By its URL, or by the name of a context. */
function named(text: string, caFile: string | undefined, note: string | null): ServerTarget {
  if (!text.includes('://')) return targetOf(contextNamed(readContexts(), text), caFile, note)
  const url = serverUrl(text)
  const token = tokenFor(url)
  if (token !== null) return { url, token, caFile: caFile ?? null, note }
  // Whoever logged in to that address need not know what its context is called.
  const known = [...readContexts().contexts.values()].find(({ server }) => server === url)
  return known === undefined ? { url, token, caFile: caFile ?? null, note } : targetOf(known, caFile, note)
}

function targetOf(
  { server, token, caFile: own }: Context,
  caFile: string | undefined,
  note: string | null,
): ServerTarget {
  const url = serverUrl(server)
  return { url, token: token ?? tokenFor(url), caFile: caFile ?? own, note }
}

/** The token of the environment, unless that names another server. */
function tokenFor(url: string): string | null {
  const { env } = process
  const text = env['KONTROLER_TOKEN'] ?? ''
  const file = env['KONTROLER_TOKEN_FILE'] ?? ''
  if (text === '' && file === '') return null
  const other = env['KONTROLER_SERVER'] ?? ''
  if (other.includes('://') && serverUrl(other) !== url) return null
  if (text !== '' && file !== '') {
    const message = 'KONTROLER_TOKEN and KONTROLER_TOKEN_FILE are both set'
    throw new CommandError('BAD_OPTION', message, 'unset one of them')
  }
  return text === '' ? tokenIn(file) : checkedToken(text, 'KONTROLER_TOKEN')
}

/** @throws {CommandError} `BAD_TOKEN` */
export function tokenIn(file: string): string {
  let text: string
  try {
    text = readFileSync(file === '-' ? 0 : resolve(file), 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError('BAD_TOKEN', `the token cannot be read: ${reason}`, 'name a file that holds one')
  }
  return checkedToken(text.trim(), file)
}

/** It is never repeated: what was given may be another secret. */
export function checkedToken(text: string, from: string): string {
  if (/^[\x21-\x7e]{1,4096}$/.test(text)) return text
  throw new CommandError('BAD_TOKEN', `${from} holds no token`, 'a token is one word, without spaces')
}

/** @throws {CommandError} `BAD_SERVER` */
export function serverUrl(text: string): string {
  const bad = (why: string, fix: string): CommandError => new CommandError('BAD_SERVER', why, fix)
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw bad('the server is named by what is no URL', 'write it as https://kontroler.example.com')
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw bad(`servers are not reached by ${url.protocol}`, 'write it as https://kontroler.example.com')
  if (url.username !== '' || url.password !== '')
    throw bad('the URL holds a password', 'leave it out; kontroler login URL asks for the token')
  if (url.search !== '' || url.hash !== '')
    throw bad('the URL of a server has no ? and no #', 'give only its address')
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}
