import { ApiProblem } from '../../client/problem.ts'
import type { Change } from '../../client/api-types.ts'
import type { RunEvent } from '../../core/run/events.ts'
import { evolve } from '../../core/run/evolve.ts'
import { type RunState, isTerminal } from '../../core/run/state.ts'
import { CommandError, EXIT } from '../exit.ts'
import type { WatchedRun } from '../watched.ts'
import { eventsFrom, knownEvents } from './events.ts'
import { recordOf } from './run-record.ts'
import type { RemoteServer } from './server.ts'
import { serverTrouble } from './trouble.ts'

/** A run whose engine is gone is given this long to find one: a server that starts again takes its runs over. */
const GONE_MS = 15_000
const LOOK_MS = 3_000

/**
 * Follows a run of a server by its stream of events. What counts is how long the log of the run is here: whatever a
 * connection that broke left out is asked for, and whatever comes twice is passed over.
 */
export async function watchRemote(
  server: RemoteServer,
  run: string,
  load: (run: string) => Promise<RunState | null>,
): Promise<WatchedRun> {
  const state = await load(run)
  if (state === null) throw new CommandError('UNKNOWN_RUN', `there is no run ${run}`, 'see kontroler list')
  const before = (await eventsFrom(server, run, 0))?.slice(0, state.version) ?? []
  const stream = new Stream(server, run)
  if (!isTerminal(state.phase)) void stream.follow()
  const driven = new Driven(server, state)
  return {
    state,
    before,
    async news() {
      const events = await stream.since(state.version)
      for (const event of events) evolve(state, event)
      if (events.length > 0) driven.isNow()
      state.work.changed.clear()
      return events
    },
    checkDriven: () => driven.check(),
    [Symbol.asyncDispose]: async () => stream.close(),
  }
}

/** The stream of events of one run. */
class Stream {
  readonly #server: RemoteServer
  readonly #run: string
  readonly #leaving = new AbortController()
  #changes: Change[] = []
  /** Something happened that was not told in full. */
  #missed = false
  #failure: unknown = null

  constructor(server: RemoteServer, run: string) {
    this.#server = server
    this.#run = run
  }

  async follow(): Promise<void> {
    const { client, url } = this.#server
    const { signal } = this.#leaving
    const trouble = (error: unknown): void => this.#server.noteAway(error)
    try {
      for await (const told of client.follow({ run: this.#run, signal, trouble })) {
        this.#server.noteThere()
        if (told.kind === 'change') this.#changes.push(told.change)
        // Where it begins may be later than what is known here.
        else this.#missed = true
      }
    } catch (error) {
      this.#failure = error instanceof ApiProblem ? serverTrouble(error, url, EXIT.failed) : error
    }
  }

  /** Everything that came after that many events. */
  async since(version: number): Promise<readonly RunEvent[]> {
    if (this.#failure !== null) throw this.#failure
    const changes = this.#changes
    this.#changes = []
    const events: RunEvent[] = []
    for (const change of changes) {
      const known = version + events.length
      if (change.version <= known) continue
      if (change.from > known) this.#missed = true
      else if (!this.#missed) events.push(...knownEvents(change.events.slice(known - change.from)))
    }
    if (!this.#missed) return events
    this.#missed = false
    const rest = await eventsFrom(this.#server, this.#run, version + events.length)
    if (rest === null)
      throw new CommandError('UNKNOWN_RUN', 'the run was removed meanwhile', 'see kontroler list')
    return [...events, ...rest]
  }

  close(): void {
    this.#leaving.abort()
  }
}

/** Whether an engine of the server drives the run. */
class Driven {
  readonly #server: RemoteServer
  readonly #state: RunState
  #drivenAt = performance.now()
  #lookedAt = performance.now()

  constructor(server: RemoteServer, state: RunState) {
    this.#server = server
    this.#state = state
  }

  isNow(): void {
    this.#drivenAt = performance.now()
  }

  /** @throws {CommandError} `ENGINE_GONE` */
  async check(): Promise<void> {
    const { client, ask } = this.#server
    const now = performance.now()
    if (isTerminal(this.#state.phase) || now - this.#lookedAt < LOOK_MS) return
    this.#lookedAt = now
    const { run, name } = this.#state.created
    const record = recordOf(await ask(() => client.call('getRun', { params: { run } })))
    // The time that the server was away does not count.
    if (!record.interrupted || performance.now() - now > LOOK_MS) this.#drivenAt = performance.now()
    else if (now - this.#drivenAt > GONE_MS) {
      const message = `run ${name} was interrupted: no engine drives it`
      throw new CommandError('ENGINE_GONE', message, `kontroler resume ${name}`, EXIT.failed)
    }
  }
}
