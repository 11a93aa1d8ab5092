import { ApiProblem } from '../../client/problem.ts'
import type { LogRef } from '../../ports/logs.ts'
import { CommandError } from '../exit.ts'
import type { LogSource } from '../records.ts'
import type { RemoteServer } from './server.ts'

/** Logs that are followed over a connection of their own; further ones are asked for now and then. */
const STREAMS_MAX = 16
const LOOK_MS = 1_000
const EMPTY = new Uint8Array()

/** Logs of a server, read by byte offset: whatever breaks in between, nothing is lost and nothing comes twice. */
export class RemoteLogs implements LogSource {
  readonly #server: RemoteServer
  readonly #growing = new Map<string, Growing>()
  readonly #lookedAt = new Map<string, number>()
  /** The server has as many streams as it takes. */
  #refused = false

  constructor(server: RemoteServer) {
    this.#server = server
  }

  async read(log: LogRef, offset: number, bytesMax: number): Promise<Uint8Array> {
    this.#forget(log)
    if (!(bytesMax > 0)) return EMPTY
    return await this.#range(log, offset, bytesMax)
  }

  async size(log: LogRef): Promise<number | null> {
    const answer = await this.#answer(log, { offset: 0, bytes: 1 })
    if (answer === null) return null
    const size = Number(answer.headers.get('kontroler-log-size'))
    return Number.isSafeInteger(size) ? size : null
  }

  /** What a stream brought meanwhile. */
  async grown(log: LogRef, offset: number, bytesMax: number): Promise<Uint8Array> {
    const key = keyOf(log)
    const known = this.#growing.get(key)
    if (known !== undefined) {
      const bytes = known.take(offset)
      if (bytes !== null) return bytes
      this.#growing.delete(key)
      this.#refused ||= known.refused
    }
    // One that ended or broke is asked for again after a while, as what is wrong takes time to get right.
    const now = performance.now()
    if (now - (this.#lookedAt.get(key) ?? Number.NEGATIVE_INFINITY) < LOOK_MS) return EMPTY
    this.#lookedAt.set(key, now)
    if (this.#refused || this.#growing.size >= STREAMS_MAX) return await this.#range(log, offset, bytesMax)
    this.#growing.set(key, new Growing(this.#server, log, offset))
    return EMPTY
  }

  #forget(log: LogRef): void {
    const key = keyOf(log)
    this.#growing.get(key)?.close()
    this.#growing.delete(key)
    this.#lookedAt.delete(key)
  }

  async #range(log: LogRef, offset: number, bytes: number): Promise<Uint8Array> {
    return (await this.#answer(log, { offset, bytes }))?.bytes ?? EMPTY
  }

  /** Null for an attempt that the server knows of no log. */
  async #answer(
    log: LogRef,
    query: { readonly offset: number; readonly bytes: number },
  ): Promise<{ readonly headers: Headers; readonly bytes: Uint8Array } | null> {
    try {
      return await this.#server.ask(async () => {
        const response = await this.#server.client.stream('getLog', requestOf(log, query))
        return { headers: response.headers, bytes: new Uint8Array(await response.arrayBuffer()) }
      })
    } catch (error) {
      if (error instanceof CommandError && error.code === 'NOT_FOUND') return null
      throw error
    }
  }
}

/** A log that comes in over a connection of its own, a piece at a time: the next one waits until this one is taken. */
class Growing {
  readonly #leaving = new AbortController()
  #offset: number
  #piece: Uint8Array | null = null
  #taken: (() => void) | null = null
  #over = false
  /** The server gave no stream. */
  refused = false

  constructor(server: RemoteServer, log: LogRef, offset: number) {
    this.#offset = offset
    void this.#run(server, log, offset)
  }

  /** What is there at that offset; null when there is no more to come here. */
  take(offset: number): Uint8Array | null {
    if (offset !== this.#offset) {
      this.close()
      return null
    }
    const piece = this.#piece
    if (piece === null) return this.#over ? null : EMPTY
    this.#offset += piece.length
    this.#piece = null
    this.#taken?.()
    return piece
  }

  close(): void {
    this.#over = true
    this.#leaving.abort()
    this.#taken?.()
  }

  async #run({ client }: RemoteServer, log: LogRef, offset: number): Promise<void> {
    try {
      const request = requestOf(log, { offset, follow: 'true' })
      const response = await client.stream('getLog', request, this.#leaving.signal)
      if (response.body === null) return
      for await (const bytes of response.body) {
        if (this.#over) return
        if (bytes.length === 0) continue
        this.#piece = bytes
        await new Promise<void>(resolve => {
          this.#taken = resolve
        })
      }
    } catch (error) {
      // Where a connection broke off the next one begins.
      this.refused = error instanceof ApiProblem
    } finally {
      this.#over = true
    }
  }
}

interface Wanted {
  readonly offset: number
  readonly bytes?: number
  readonly follow?: 'true'
}

const requestOf = ({ run, task, attempt, container }: LogRef, wanted: Wanted) => ({
  params: { run, task },
  query: { attempt, ...(container === undefined ? {} : { container }), ...wanted },
})

const keyOf = ({ run, task, attempt, container = '' }: LogRef): string =>
  [run, task, attempt, container].join('/')
