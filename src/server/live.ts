import type { ServerResponse } from 'node:http'
import type { Clock } from '../ports/clock.ts'
import type { EngineProbe } from '../ports/notices.ts'
import type { Change, ChangeQuery, Store } from '../ports/store.ts'
import { type Message, messagesOf } from './messages.ts'
import { RequestProblem } from './problem.ts'

const POLL_MS = 100
const PAGE = 200

export interface LiveOptions {
  readonly store: Store
  readonly probe: EngineProbe
  readonly clock: Clock
  readonly limits: {
    readonly streamsMax: number
    readonly streamBytesMax: number
    readonly replayMax: number
    readonly heartbeatMs: number
  }
  readonly trouble: (error: unknown) => void
}

/** Which changes somebody wants, of those that they may see. */
export type LiveFilter = Omit<ChangeQuery, 'after' | 'limit'>

interface Client {
  readonly filter: LiveFilter
  readonly response: ServerResponse
  /** Whether its reader may still read. */
  readonly mayRead: () => Promise<boolean>
  cursor: number
  closed: boolean
}

/**
 * The stream of changes: one reader of the feed for all clients, each message written out once. A client that comes
 * with the number of the last change it knows is told of what came since from the store, until it has caught up.
 * What waits for a client is bounded: one that does not read is cut off, and may come back with that number.
 */
export class Live {
  readonly #options: LiveOptions
  /** Those that have caught up. */
  readonly #clients = new Set<Client>()
  #open = 0
  #position = 0
  #reading = false
  #started: Promise<void> | null = null
  #callOff: (() => void) | null = null
  #unhear: (() => void) | null = null
  #beats: (() => void) | null = null
  #closed = false

  constructor(options: LiveOptions) {
    this.#options = options
  }

  get clients(): number {
    return this.#open
  }

  /** @throws {RequestProblem} There are too many already. */
  admit(): void {
    const { limits } = this.#options
    if (this.#closed) throw new RequestProblem('NOT_READY', 'the server is closing', 'try again in a moment')
    if (this.#open < limits.streamsMax) return
    const message = `${limits.streamsMax} clients follow the events already`
    throw new RequestProblem('TOO_MANY_STREAMS', message, 'close one, or try again later', {
      headers: { 'retry-after': '5' },
    })
  }

  /** Serves one client until it leaves, is cut off, or the server closes. */
  async serve(
    response: ServerResponse,
    filter: LiveFilter,
    after: number | null,
    mayRead: () => Promise<boolean>,
  ): Promise<void> {
    const client: Client = { filter, response, mayRead, cursor: 0, closed: false }
    this.#open += 1
    response.on('close', () => this.#leave(client))
    response.on('error', () => this.#leave(client))
    try {
      await this.#start()
      const position = await this.#options.store.feedEnd()
      const known = after !== null && after <= position
      client.cursor = known ? after : position
      response.write(`retry: 1000\n\n${announced('ready', client.cursor)}`)
      const tooFar = client.cursor < position - this.#options.limits.replayMax
      if ((after !== null && !known) || tooFar) {
        client.cursor = position
        response.write(announced('reset', position))
      }
      await this.#catchUp(client)
    } catch (error) {
      this.#cut(client)
      this.#options.trouble(error)
    }
  }

  /** Looks at once whether every reader may still read: somebody's rights have changed. */
  recheck(): void {
    for (const client of this.#clients) void this.#checkRight(client)
  }

  close(): void {
    this.#closed = true
    this.#callOff?.()
    this.#unhear?.()
    this.#beats?.()
    for (const client of this.#clients) client.response.end()
  }

  /** Reads on from the store until there is nothing that the others have been told and this one has not. */
  async #catchUp(client: Client): Promise<void> {
    const { store, probe, clock } = this.#options
    while (!client.closed && !this.#closed) {
      if (client.cursor >= this.#position) {
        this.#clients.add(client)
        return
      }
      const upTo = this.#position
      const changes = await store.changes({ ...client.filter, after: client.cursor, limit: PAGE })
      for (const { change, text } of await messagesOf(store, probe, clock.now(), changes)) {
        if (client.closed) return
        client.cursor = change.seq
        if (!client.response.write(text)) await this.#drained(client)
      }
      const last = changes.at(-1)?.seq ?? client.cursor
      client.cursor = Math.max(client.cursor, changes.length < PAGE ? Math.max(upTo, last) : last)
    }
    client.response.end()
  }

  /** A client that catches up sets the pace; one that has stopped reading is cut off. */
  async #drained({ response }: Client): Promise<void> {
    const { clock, limits } = this.#options
    await new Promise<void>(resolve => {
      const callOff = clock.after(2 * limits.heartbeatMs, () => response.destroy())
      const over = (): void => {
        callOff()
        response.off('drain', over)
        response.off('close', over)
        resolve()
      }
      response.on('drain', over)
      response.on('close', over)
    })
  }

  /** Whoever comes first starts the reading; nobody goes on before it is known where it starts. */
  async #start(): Promise<void> {
    this.#started ??= this.#begin().catch((error: unknown) => {
      this.#started = null
      throw error
    })
    await this.#started
  }

  async #begin(): Promise<void> {
    this.#position = await this.#options.store.feedEnd()
    this.#unhear = this.#options.store.onChange(() => this.#soon(0))
    this.#beat()
    this.#soon(POLL_MS)
  }

  #soon(delayMs: number): void {
    if (this.#closed || this.#reading) return
    this.#callOff?.()
    this.#callOff = this.#options.clock.after(delayMs, () => {
      this.#reading = true
      void this.#read().finally(() => {
        this.#reading = false
        if (this.#open > 0) this.#soon(POLL_MS)
        else this.#rest()
      })
    })
  }

  /** Nobody reads: nothing is looked at until somebody comes. */
  #rest(): void {
    this.#started = null
    this.#unhear?.()
    this.#unhear = null
    this.#beats?.()
    this.#beats = null
  }

  async #read(): Promise<void> {
    const { store, probe, clock } = this.#options
    try {
      for (;;) {
        const changes = await store.changes({ after: this.#position, limit: PAGE })
        if (changes.length === 0) return
        const messages = await messagesOf(store, probe, clock.now(), changes)
        this.#position = changes.at(-1)?.seq ?? this.#position
        for (const client of this.#clients) for (const message of messages) this.#tell(client, message)
        if (changes.length < PAGE || this.#closed) return
      }
    } catch (error) {
      this.#options.trouble(error)
    }
  }

  #tell(client: Client, { change, text }: Message): void {
    if (client.closed || change.seq <= client.cursor || !matches(client.filter, change)) return
    client.cursor = change.seq
    client.response.write(text)
    if (client.response.writableLength > this.#options.limits.streamBytesMax) this.#cut(client)
  }

  #beat(): void {
    const { clock, limits } = this.#options
    this.#beats?.()
    this.#beats = clock.after(limits.heartbeatMs, () => {
      for (const client of this.#clients) {
        client.response.write(': alive\n\n')
        if (client.response.writableLength > limits.streamBytesMax) this.#cut(client)
        else void this.#checkRight(client)
      }
      this.#beat()
    })
  }

  async #checkRight(client: Client): Promise<void> {
    const may = await client.mayRead().catch(() => false)
    if (!may) this.#cut(client)
  }

  #cut(client: Client): void {
    this.#leave(client)
    client.response.destroy()
  }

  #leave(client: Client): void {
    if (client.closed) return
    client.closed = true
    this.#open -= 1
    this.#clients.delete(client)
  }
}

/** Its id is where a client goes on that breaks off before the first change. */
const announced = (event: string, position: number): string =>
  `id: ${position}\nevent: ${event}\ndata: {"seq":${position}}\n\n`

function matches({ namespace, namespaces, dag, run }: LiveFilter, change: Change): boolean {
  return (
    (run === undefined || change.run === run) &&
    (dag === undefined || change.dag === dag) &&
    (namespace === undefined || change.namespace === namespace) &&
    (namespaces === undefined || namespaces.includes(change.namespace))
  )
}
