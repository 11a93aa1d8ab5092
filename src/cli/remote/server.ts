import { type Client, openClient } from '../../client/client.ts'
import { ApiProblem } from '../../client/problem.ts'
import { VERSION } from '../../host/version.ts'
import { CommandError, EXIT } from '../exit.ts'
import type { Environment } from '../settings.ts'
import { openConnection } from './connection.ts'
import type { ServerTarget } from './target.ts'
import { networkCode, serverTrouble } from './trouble.ts'

/**
 * What may be asked once more when nobody knows whether it was carried out: `always` what only reads and what comes out
 * the same when done twice, `untouched` only what certainly was not.
 */
export type Repeat = 'always' | 'untouched'

export interface AskOptions {
  /** Default `always`. */
  readonly repeat?: Repeat
  /** Of a refusal that is about what was asked for; default: wrong usage. */
  readonly exitCode?: number
}

/** A server as one command reaches it. */
export interface RemoteServer extends AsyncDisposable {
  readonly url: string
  readonly client: Client
  /**
   * Asks, and asks again where the server wants that or a connection broke.
   * @throws {CommandError} What it refused, or why it could not be asked.
   */
  readonly ask: <T>(work: () => Promise<T>, options?: AskOptions) => Promise<T>
  /** From now on a server that goes away is waited for, as it may be about to start again. */
  waitFor(say: (text: string) => void): void
  /** To be called when something that is not asked through `ask` failed, and when it did not. */
  noteAway(error: unknown): void
  noteThere(): void
}

/** Longest time that a server is waited for by somebody who follows something. */
const PATIENCE_MS = 300_000
/** Tries of somebody who waits for one answer. */
const TRIES = 3
const WAIT_MS = 250
const WAIT_MS_MAX = 5_000
/** Longer than this nobody waits for one answer because the server asks so. */
const ASKED_WAIT_MS_MAX = 10_000

/**
 * @param given  Opened by the caller, such as for a server that is not chosen yet.
 * @throws {CommandError} `NO_SERVER`, and what is wrong with how it is to be reached.
 */
export function openServerOf(environment: Environment, given: ServerTarget | null = null): RemoteServer {
  const target = given ?? environment.server
  if (target !== null) return openRemoteServer(target)
  throw new CommandError(
    'NO_SERVER',
    'this is asked of a server, and none is named',
    'name one with --server URL or KONTROLER_SERVER, or log in to it: kontroler login URL',
  )
}

export function openRemoteServer(target: ServerTarget): RemoteServer {
  const { url, token, note } = target
  const connection = openConnection(target)
  const client = openClient({ url, fetch: connection.fetch, ...(token === null ? {} : { token }) })
  if (note !== null) process.stderr.write(`note: this is about ${url} (${note})\n`)
  const away = new Away(url)
  return {
    url,
    client,
    waitFor: say => away.waitFor(say),
    noteAway: error => away.note(error),
    noteThere: () => away.over(),
    async ask(work, { repeat = 'always', exitCode = EXIT.usage } = {}) {
      for (let tried = 1; ; tried += 1) {
        try {
          const answer = await work()
          away.over()
          return answer
        } catch (error) {
          const waitMs = mayAskAgain(error, repeat) ? away.waitBefore(error, tried) : null
          if (waitMs === null) throw await told(error, client, url, exitCode)
          await new Promise(resolve => setTimeout(resolve, waitMs))
        }
      }
    },
    async [Symbol.asyncDispose]() {
      connection.close()
    },
  }
}

/** A server that does not answer, as the person at the terminal sees it. */
class Away {
  readonly #url: string
  #say: ((text: string) => void) | null = null
  #since: number | null = null

  constructor(url: string) {
    this.#url = url
  }

  waitFor(say: (text: string) => void): void {
    this.#say = say
  }

  /** @throws {CommandError} It has been away for too long. */
  note(error: unknown): void {
    const now = performance.now()
    if (this.#since === null) {
      const trouble = serverTrouble(error, this.#url)
      this.#say?.(`warning: ${trouble instanceof Error ? trouble.message : String(trouble)}; trying again`)
    }
    this.#since ??= now
    if (now - this.#since > PATIENCE_MS) throw serverTrouble(error, this.#url)
  }

  over(): void {
    if (this.#since !== null) this.#say?.(`note: ${this.#url} answers again`)
    this.#since = null
  }

  /** Null: it is not to be tried again. */
  waitBefore(error: unknown, tried: number): number | null {
    const asked = error instanceof ApiProblem ? error.retryAfterMs : null
    if (this.#say === null) {
      if (tried >= TRIES || (asked ?? 0) > ASKED_WAIT_MS_MAX) return null
      return asked ?? WAIT_MS * 2 ** (tried - 1)
    }
    if (!(error instanceof ApiProblem) || error.status !== 429) this.note(error)
    return Math.min(asked ?? WAIT_MS * 2 ** Math.min(tried - 1, 5), WAIT_MS_MAX)
  }
}

function mayAskAgain(error: unknown, repeat: Repeat): boolean {
  if (error instanceof ApiProblem) {
    // What asks to be asked later was not carried out. What stands before the server does not know.
    if (error.status === 429 || error.status === 503)
      return repeat === 'always' || error.code !== 'UNKNOWN_ANSWER'
    return repeat === 'always' && (error.status === 502 || error.status === 504)
  }
  const code = networkCode(error)
  if (code === null || !PASSING.has(code)) return false
  return repeat === 'always' || UNTOUCHED.has(code)
}

/** Nobody was there to take it. */
const UNTOUCHED: ReadonlySet<string> = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN'])
const PASSING: ReadonlySet<string> = new Set([
  ...UNTOUCHED,
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNABORTED',
])

/** Codes that a server of another version may mean by not knowing what it is asked. */
const OF_VERSIONS: ReadonlySet<string> = new Set(['NOT_FOUND', 'METHOD_NOT_ALLOWED', 'INVALID_REQUEST'])

async function told(error: unknown, client: Client, url: string, exitCode: number): Promise<unknown> {
  const trouble = serverTrouble(error, url, exitCode)
  if (!(trouble instanceof CommandError) || !OF_VERSIONS.has(trouble.code)) return trouble
  const version = await versionOf(client)
  if (version === null || version === VERSION) return trouble
  const message = `${trouble.message}; the server is version ${version}, this program ${VERSION}`
  return new CommandError(
    trouble.code,
    message,
    'use a program of the same version as the server',
    trouble.exitCode,
  )
}

/** Null where it does not say. */
export async function versionOf(client: Client): Promise<string | null> {
  try {
    const { version } = await client.call('getVersion')
    return typeof version === 'string' ? version : null
  } catch {
    return null
  }
}

/** Null for what is not there. */
export async function ifThere<T>(server: RemoteServer, work: () => Promise<T | null>): Promise<T | null> {
  try {
    return await server.ask(work)
  } catch (error) {
    if (error instanceof CommandError && (error.code === 'UNKNOWN_RUN' || error.code === 'UNKNOWN_DAG'))
      return null
    // A name of a form that nothing has.
    if (error instanceof CommandError && error.code === 'NOT_FOUND') return null
    throw error
  }
}
