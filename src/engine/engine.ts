import type { Dag } from '../core/dag/dag.ts'
import type { Problem } from '../core/problem.ts'
import type { ReusedTask, RunCreated, RunEvent } from '../core/run/events.ts'
import type { RunRequest } from '../core/run/requests.ts'
import { type RunState, isTerminal } from '../core/run/state.ts'
import type { Observation } from '../ports/executor.ts'
import { type Advance, StoreError } from '../ports/store.ts'
import { type Driven, createAgain, newDriven, newlyCreated, setTimer } from './driven.ts'
import { Effects } from './effects.ts'
import { appendOf, readAgain } from './stored.ts'
import { requestStored, takeOver } from './load.ts'
import type { EngineParts } from './parts.ts'
import { fillSlots, waits } from './slots.ts'
import { answerAll, step } from './step.ts'
import { Teller } from './teller.ts'
import { Watch } from './watch.ts'

/** How long an engine waits before it tries again when the store could not take a write. */
const STORE_RETRY_MS = 1_000

/**
 * Drives runs: facts in, decisions appended, effects after the commit. It keeps nothing that the store does not have,
 * so it may be killed on any line; starting up is `adopt`, which is the normal path.
 */
export class Engine {
  readonly parts: EngineParts
  /** When the turn that is going on began, by its clock; null between turns. Only for looking at. */
  turningSince: number | null = null
  readonly #runs = new Map<string, Driven>()
  readonly #due = new Set<string>()
  readonly #effects: Effects
  readonly #watch: Watch
  readonly #teller: Teller
  readonly #adopting = new Map<string, Promise<boolean>>()
  readonly #flights = new Set<Promise<void>>()
  #turnAsked = false
  #closed = false

  constructor(parts: EngineParts) {
    this.parts = parts
    this.#effects = new Effects(this)
    this.#teller = new Teller(parts)
    this.#watch = new Watch({
      parts,
      now: () => this.now(),
      heard: (run, version) => this.#heard(run, version),
      caughtUp: () => this.#wakeWaiting(),
      sweep: () => this.#sweep(),
      track: work => this.#track(work),
    })
  }

  async open(): Promise<void> {
    await this.#watch.open()
  }

  now(): number {
    return this.parts.clock.now()
  }

  /** States of the runs it drives, as they are now; for showing, not for keeping. */
  driving(): readonly RunState[] {
    return [...this.#runs.values()].map(({ state }) => state)
  }

  stateOf(run: string): RunState | null {
    return this.#runs.get(run)?.state ?? null
  }

  /**
   * Creates a run and drives it. Settles when the creation is durable.
   * @throws {StoreError} `DUPLICATE_RUN`: the same trigger key made a run already; see `existing`. Of a failing world:
   *   nothing was created.
   */
  async submit(
    dag: Dag,
    created: RunCreated,
    reused: readonly ReusedTask[] = [],
    advance: Advance | null = null,
  ): Promise<void> {
    const { run } = created
    if (this.#closed) throw closed()
    if (this.#runs.has(run))
      throw new StoreError('DUPLICATE_RUN', `run ${run} exists already`, { existing: run })
    const driven = newlyCreated(dag, created, reused, this.parts.settings.stopGraceMs)
    driven.advance = advance
    const durable = new Promise<void>((resolve, reject) => {
      driven.created = { resolve, reject }
    })
    this.#runs.set(run, driven)
    this.wake(run)
    await durable
  }

  /**
   * Takes over a run whose engine is dead or has let go of it. False when somebody else was faster, or it has settled.
   *
   * @param owner  Who was seen to own it, by the same look that found that engine dead: nobody else loses it.
   */
  async adopt(run: string, owner: string | null): Promise<boolean> {
    if (this.#runs.has(run)) return true
    const under = this.#adopting.get(run)
    if (under !== undefined) return await under
    const work = this.#adopt(run, owner).finally(() => this.#adopting.delete(run))
    this.#adopting.set(run, work)
    this.#track(work.then(nothing, nothing))
    return await work
  }

  /**
   * Passes on what a person wants. Works for runs of other engines too. Null when it was done.
   * @throws {StoreError} The store could not take it.
   */
  async request(run: string, request: RunRequest): Promise<Problem | null> {
    const driven = this.#runs.get(run)
    if (driven !== undefined && !this.#closed) {
      return await new Promise((resolve, reject) => {
        driven.inbox.push({ kind: 'request', request, answered: resolve, failed: reject })
        this.wake(run)
      })
    }
    return await requestStored(this.parts.store, run, request, () => this.now())
  }

  /** Ends of this run, asked for again, wait only this long before KILL. */
  hurry(run: string, graceMs: number): void {
    const driven = this.#runs.get(run)
    if (driven === undefined) return
    driven.graceMs = graceMs
    this.#effects.stopAgain(driven.state, graceMs)
  }

  observe(observation: Observation): void {
    const driven = this.#runs.get(observation.ref.run)
    if (driven === undefined || this.#closed) return
    driven.inbox.push({ kind: 'observation', observation })
    this.wake(observation.ref.run)
  }

  trouble(error: unknown, run: string | null): void {
    this.#teller.trouble(error, run)
  }

  /** Look at this run again, soon. */
  wake(run: string): void {
    this.#due.add(run)
    if (this.#turnAsked || this.#closed) return
    this.#turnAsked = true
    this.parts.clock.soon(() => {
      this.#turnAsked = false
      this.#track(this.#turn())
    })
  }

  /** Read this run from the store again, in a while: something could not be done for it now. */
  later(run: string): void {
    const driven = this.#runs.get(run)
    if (driven === undefined || this.#closed) return
    driven.retry ??= this.parts.clock.after(STORE_RETRY_MS, () => {
      driven.retry = null
      driven.stale = true
      this.wake(run)
    })
  }

  /** Lets go of every run and stops; what runs goes on running and can be adopted. */
  async close(): Promise<void> {
    this.#closed = true
    this.#watch.close()
    const { store, me, executor } = this.parts
    while (this.#flights.size > 0) await Promise.allSettled(this.#flights)
    for (const driven of this.#runs.values()) {
      this.#forget(driven)
      await store.claim(driven.state.created.run, me.id, null).catch(() => false)
    }
    while (this.#flights.size > 0) await Promise.allSettled(this.#flights)
    await store.removeEngine(me.id).catch(() => undefined)
    await executor.close()
  }

  async #adopt(run: string, owner: string | null): Promise<boolean> {
    const state = this.#closed ? null : await takeOver(this.parts, run, owner)
    if (state === null) return false
    const driven = newDriven(state, state.version, this.parts.settings.stopGraceMs)
    this.#runs.set(run, driven)
    // Closing may have come between; then it is given back there.
    if (this.#closed) return false
    this.#effects.again(state, driven.graceMs)
    this.wake(run)
    return true
  }

  async #turn(): Promise<void> {
    if (this.turningSince !== null || this.#closed) return
    const began = this.now()
    this.turningSince = began
    try {
      const due = [...this.#due].flatMap(run => this.#runs.get(run) ?? [])
      this.#due.clear()
      const idle: Driven[] = []
      for (const driven of due) {
        if (driven.busy) this.#due.add(driven.state.created.run)
        else if (driven.stale) this.#track(this.#reload(driven))
        else {
          const bug = step(driven, Math.max(this.now(), driven.passed), this.parts.language)
          if (bug === null) idle.push(driven)
          else this.#letGo(driven, bug.error)
        }
      }
      // Slots go to the runs that were looked at, and to those that waited for what these have freed.
      const uncounted = (error: unknown): void => {
        this.#teller.trouble(error, null)
        for (const [run, driven] of this.#runs) if (waits(driven)) this.later(run)
      }
      const started = await fillSlots(this.#runs, this.parts, uncounted, run => this.wake(run))
      if (this.#closed) return
      for (const driven of new Set([...idle, ...started])) {
        if (driven.batch.length > 0) this.#track(this.#append(driven))
        else {
          answerAll(driven)
          if (driven.atEnd) this.#track(this.#tidy(driven))
          else this.#arm(driven)
        }
      }
    } finally {
      this.turningSince = null
      this.parts.notices.turned?.(Math.max(0, this.now() - began))
    }
    const waiting = [...this.#due].find(run => this.#runs.get(run)?.busy === false)
    if (waiting !== undefined) this.wake(waiting)
  }

  async #append(driven: Driven): Promise<void> {
    const { state } = driven
    const { store } = this.parts
    const run = state.created.run
    const events = driven.batch
    driven.batch = []
    driven.busy = true
    try {
      await store.append(appendOf(driven, events, this.parts))
    } catch (error) {
      this.#appendFailed(driven, events, error)
      return
    }
    driven.stored += events.length
    driven.advance = null
    driven.busy = false
    // Somebody wrote behind what was just written.
    if (driven.heard > driven.stored) driven.stale = true
    driven.created?.resolve()
    driven.created = null
    answerAll(driven)
    this.#teller.over(run)
    this.#teller.facts(state, events)
    this.#effects.after(state, events, driven.graceMs)
    if (isTerminal(state.phase)) this.#forget(driven)
    else if (this.#due.has(run) || driven.inbox.length > 0 || driven.stale || driven.atEnd) this.wake(run)
    else this.#arm(driven)
    // A freed slot may be what another run waits for.
    if (events.some(({ type }) => type === 'attemptEnded')) this.#wakeWaiting()
  }

  async #tidy(driven: Driven): Promise<void> {
    driven.busy = true
    await this.#effects.tidy(driven.state)
    driven.busy = false
    driven.tidied = true
    if (driven.heard > driven.stored) driven.stale = true
    this.wake(driven.state.created.run)
  }

  #appendFailed(driven: Driven, events: readonly RunEvent[], error: unknown): void {
    const run = driven.state.created.run
    const code = error instanceof StoreError ? error.code : null
    if (driven.created !== null) {
      if (code !== 'POOL_FULL') return this.#forget(driven, error)
      // The run itself is welcome; what it would have started at once has to wait.
      createAgain(driven, events)
      return this.wake(run)
    }
    if (code === 'NOT_OWNER' || code === 'TERMINAL') {
      this.#forget(driven)
      return this.#teller.trouble(error, run)
    }
    if (code === null) return this.#letGo(driven, error)
    // What was decided is not true: look at the log again and decide anew.
    driven.stale = true
    driven.busy = false
    driven.inbox.unshift(...driven.unanswered.splice(0))
    if (code === 'VERSION_CONFLICT' || code === 'POOL_FULL') return this.wake(run)
    this.#teller.trouble(error, run)
    this.later(run)
  }

  async #reload(driven: Driven): Promise<void> {
    const run = driven.state.created.run
    driven.busy = true
    try {
      const events = await readAgain(driven, this.parts.store)
      if (events === null) return this.#forget(driven)
      const { state } = driven
      driven.busy = false
      // Others may have written between the two readings; the next one tells of it.
      if (events.length > 0) this.#teller.facts(state, events)
      if (isTerminal(state.phase)) return this.#forget(driven)
      this.#effects.again(state, driven.graceMs)
      this.wake(run)
    } catch (error) {
      driven.busy = false
      if (!(error instanceof StoreError)) return this.#letGo(driven, error)
      this.#teller.trouble(error, run)
      this.later(run)
    }
  }

  /** This engine cannot drive the run; another may, perhaps of another version. */
  #letGo(driven: Driven, error: unknown): void {
    const { run } = driven.state.created
    this.#forget(driven, error)
    const { store, me } = this.parts
    this.#track(store.claim(run, me.id, null).then(() => this.#teller.trouble(error, run)))
  }

  /** Whoever still waits for an answer gets it from the store. */
  #forget(driven: Driven, error: unknown = closed()): void {
    const { run } = driven.state.created
    driven.timer?.callOff()
    driven.retry?.()
    if (this.#runs.get(run) === driven) {
      this.#runs.delete(run)
      this.#due.delete(run)
    }
    driven.created?.reject(error)
    driven.created = null
    for (const incoming of [...driven.unanswered.splice(0), ...driven.inbox.splice(0)]) {
      if (incoming.kind === 'request')
        this.#track(this.request(run, incoming.request).then(incoming.answered, incoming.failed))
    }
    this.#wakeWaiting()
  }

  #arm(driven: Driven): void {
    if (!this.#closed) setTimer(driven, this.parts.clock, () => this.wake(driven.state.created.run))
  }

  #wakeWaiting(): void {
    for (const [run, driven] of this.#runs) if (waits(driven)) this.wake(run)
  }

  #track(work: Promise<void>): void {
    const flight = work
      .catch((error: unknown) => this.#teller.trouble(error, null))
      .finally(() => this.#flights.delete(flight))
    this.#flights.add(flight)
  }

  async #heard(run: string, version: number): Promise<void> {
    const driven = this.#runs.get(run)
    if (driven !== undefined && version > driven.heard) {
      driven.heard = version
      if (!driven.busy && version > driven.stored) {
        driven.stale = true
        this.wake(run)
      }
    }
    await this.#effects.children.moved(run)
  }

  async #sweep(): Promise<void> {
    const { store, me } = this.parts
    for (const { id, version } of await store.unsettled(me.id)) {
      if (this.#closed) return
      const driven = this.#runs.get(id)
      if (driven === undefined) await this.adopt(id, me.id)
      else {
        await this.#heard(id, version)
        // Timers do not count the time that a machine slept, nor that somebody set the clock forward.
        if ((driven.timer?.at ?? Number.POSITIVE_INFINITY) <= this.now()) this.wake(id)
      }
    }
    await this.#effects.children.lookAtAll()
  }
}

const closed = (): StoreError => new StoreError('DATABASE_UNAVAILABLE', 'the engine has stopped')

const nothing = (): void => undefined
