import { admit } from '../core/admission/admit.ts'
import type { Dag } from '../core/dag/dag.ts'
import { LIMITS } from '../core/limits.ts'
import type { Problem } from '../core/problem.ts'
import { nextDeadline } from '../core/run/decide.ts'
import type { ReusedTask, RunCreated } from '../core/run/events.ts'
import { evolve } from '../core/run/evolve.ts'
import { reuseEvents } from '../core/run/create.ts'
import type { RunRequest } from '../core/run/requests.ts'
import { readyPools } from '../core/run/starts.ts'
import { type RunState, isTerminal, newRunState } from '../core/run/state.ts'
import { takeChangedRows } from '../core/run/to-rows.ts'
import type { Observation } from '../ports/executor.ts'
import { type Advance, type Append, StoreError } from '../ports/store.ts'
import { type Driven, newDriven } from './driven.ts'
import { Effects } from './effects.ts'
import { loadRun, requestStored } from './load.ts'
import type { EngineParts } from './parts.ts'
import { answerAll, step } from './step.ts'

/** How long an engine waits before it tries again when the store could not take a write. */
const STORE_RETRY_MS = 1_000
const TIMER_MAX_MS = 2 ** 31 - 1

/**
 * Drives runs: facts in, decisions appended, effects after the commit. It keeps nothing that the store does not have,
 * so it may be killed on any line; starting up is `adopt`, which is the normal path.
 */
export class Engine {
  readonly parts: EngineParts
  readonly #runs = new Map<string, Driven>()
  readonly #due = new Set<string>()
  readonly #effects: Effects
  readonly #flights = new Set<Promise<void>>()
  #turnAsked = false
  #turning = false
  #closed = false
  #mark: number | null = null
  #feed = 0
  #stopPolling: (() => void) | null = null
  #lastBeat = 0

  constructor(parts: EngineParts) {
    this.parts = parts
    this.#effects = new Effects(this)
  }

  async open(): Promise<void> {
    const { store, me } = this.parts
    await store.beat({ ...me, seenAt: this.now() })
    this.#lastBeat = this.now()
    this.#feed = await store.feedEnd()
    this.#mark = await store.changeMark()
    this.#pollLater()
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
   * @throws {StoreError} `DUPLICATE_RUN`: the same trigger key made a run already; see `existing`.
   */
  async submit(
    dag: Dag,
    created: RunCreated,
    reused: readonly ReusedTask[] = [],
    advance: Advance | null = null,
  ): Promise<void> {
    const state = newRunState(dag, created)
    const driven = newDriven(state, 0, this.parts.settings.stopGraceMs)
    driven.batch.push(created)
    for (const event of reuseEvents(reused, created.at, LIMITS.tasksPerEventMax)) {
      evolve(state, event)
      driven.batch.push(event)
    }
    driven.advance = advance
    const durable = new Promise<void>((resolve, reject) => {
      driven.created = { resolve, reject }
    })
    this.#runs.set(created.run, driven)
    this.wake(created.run)
    await durable
  }

  /** Takes over a run whose engine is dead or has let go of it. False when somebody else was faster. */
  async adopt(run: string, owner: string | null): Promise<boolean> {
    const { store, me } = this.parts
    if (this.#runs.has(run)) return true
    if (!(await store.claim(run, owner, me.id))) return false
    const state = await loadRun(this.parts.store, run)
    if (state === null || isTerminal(state.phase)) return false
    const driven = newDriven(state, state.version, this.parts.settings.stopGraceMs)
    this.#runs.set(run, driven)
    this.#effects.again(state, driven.graceMs)
    this.wake(run)
    return true
  }

  /** Passes on what a person wants. Works for runs of other engines too. Null when it was done. */
  async request(run: string, request: RunRequest): Promise<Problem | null> {
    const driven = this.#runs.get(run)
    if (driven !== undefined) {
      return await new Promise(resolve => {
        driven.inbox.push({ kind: 'request', request, answered: resolve })
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

  /** Settles when what finished runs left behind has been removed. */
  async cleaned(): Promise<void> {
    await this.#effects.cleaned()
  }

  observe(observation: Observation): void {
    const driven = this.#runs.get(observation.ref.run)
    if (driven === undefined || this.#closed) return
    driven.inbox.push({ kind: 'observation', observation })
    this.wake(observation.ref.run)
  }

  /** Look at this run again, soon. */
  wake(run: string): void {
    this.#due.add(run)
    if (this.#turnAsked || this.#closed) return
    this.#turnAsked = true
    this.parts.clock.soon(() => {
      this.#turnAsked = false
      void this.#turn()
    })
  }

  /** Lets go of every run and stops; what runs goes on running and can be adopted. */
  async close(): Promise<void> {
    this.#closed = true
    this.#stopPolling?.()
    await Promise.allSettled(this.#flights)
    const { store, me, executor } = this.parts
    for (const [run, driven] of this.#runs) {
      driven.timer?.()
      await store.claim(run, me.id, null).catch(() => false)
    }
    this.#runs.clear()
    await store.removeEngine(me.id).catch(() => undefined)
    await executor.close()
  }

  async #turn(): Promise<void> {
    if (this.#turning || this.#closed) return
    this.#turning = true
    try {
      const due = [...this.#due].flatMap(run => this.#runs.get(run) ?? [])
      this.#due.clear()
      const idle: Driven[] = []
      for (const driven of due) {
        if (driven.busy) this.#due.add(driven.state.created.run)
        else if (driven.stale) this.#track(this.#reload(driven))
        else if (this.#guard(driven, () => step(driven, this.now(), this.parts.language))) idle.push(driven)
      }
      await this.#start(idle)
      for (const driven of idle) {
        if (driven.batch.length > 0) this.#track(this.#append(driven))
        else {
          answerAll(driven)
          this.#arm(driven)
        }
      }
    } catch (error) {
      this.#trouble(error, null)
    } finally {
      this.#turning = false
    }
    const waiting = [...this.#due].some(run => this.#runs.get(run)?.busy === false)
    if (waiting) this.wake([...this.#due][0] ?? '')
  }

  /** Gives free slots to the runs that were looked at, and to those that waited for the slots they freed. */
  async #start(idle: readonly Driven[]): Promise<void> {
    const ready = [...this.#runs.values()].filter(
      driven => !driven.busy && !driven.stale && readyPools(driven.state).length > 0,
    )
    if (ready.length === 0) return
    const pools = await this.#poolRoom(ready)
    const used = [...this.#runs.values()].reduce((sum, { state }) => sum + state.work.slots, 0)
    const room = { slots: this.parts.settings.maxParallel - used, pools }
    const states = new Map(ready.filter(driven => !driven.busy).map(driven => [driven.state, driven]))
    for (const [state, events] of admit([...states.keys()], this.now(), room)) {
      const driven = states.get(state)
      if (driven === undefined) continue
      driven.batch.push(...events)
      if (!idle.includes(driven)) this.#track(this.#append(driven))
    }
  }

  async #poolRoom(ready: readonly Driven[]): Promise<Map<string, number>> {
    const names = new Set(ready.flatMap(({ state }) => readyPools(state)).filter(name => name !== ''))
    if (names.size === 0) return new Map()
    const use = await this.parts.store.poolUse()
    return new Map([...names].map(name => [name, this.#poolSize(name) - (use.get(name) ?? 0)]))
  }

  #poolSize(name: string): number {
    return this.parts.settings.pools.get(name) ?? LIMITS.poolSizeDefault
  }

  async #append(driven: Driven): Promise<void> {
    const { state } = driven
    const { store, me } = this.parts
    const run = state.created.run
    const events = driven.batch
    driven.batch = []
    driven.busy = true
    const rows = takeChangedRows(state)
    const pools = new Map(
      rows.attempts.flatMap(({ pool }) => (pool === null ? [] : [[pool, this.#poolSize(pool)] as const])),
    )
    const append: Append = { run, version: driven.stored, events, rows, engine: me.id, pools }
    try {
      await store.append(driven.advance === null ? append : { ...append, advance: driven.advance })
      driven.stored += events.length
      driven.advance = null
      driven.busy = false
      driven.created?.resolve()
      driven.created = null
      answerAll(driven)
    } catch (error) {
      await this.#appendFailed(driven, error)
      return
    }
    this.parts.notices.events?.(state, events)
    this.#effects.after(state, events, driven.graceMs)
    if (isTerminal(state.phase)) this.#forget(run)
    else if (this.#due.has(run) || driven.inbox.length > 0 || driven.stale) this.wake(run)
    else this.#arm(driven)
    // A freed slot may be what another run waits for.
    if (events.some(({ type }) => type === 'attemptEnded')) this.#wakeWaiting()
  }

  async #appendFailed(driven: Driven, error: unknown): Promise<void> {
    const run = driven.state.created.run
    const code = error instanceof StoreError ? error.code : null
    if (driven.created !== null) {
      driven.created.reject(error)
      this.#forget(run)
      return
    }
    if (code === 'NOT_OWNER' || code === 'TERMINAL' || code === null) {
      this.#trouble(error, run)
      this.#forget(run)
      return
    }
    // What was decided is not true: look at the log again and decide anew.
    driven.stale = true
    driven.busy = false
    driven.inbox.unshift(...driven.unanswered.splice(0))
    if (code === 'VERSION_CONFLICT' || code === 'POOL_FULL') {
      this.wake(run)
      return
    }
    this.#trouble(error, run)
    this.parts.clock.after(STORE_RETRY_MS, () => this.wake(run))
  }

  async #reload(driven: Driven): Promise<void> {
    const run = driven.state.created.run
    driven.busy = true
    try {
      const state = await loadRun(this.parts.store, run)
      if (state === null) return this.#forget(run)
      const seen = driven.stored
      const events = state.version > seen ? await this.parts.store.events(run, seen) : []
      driven.state = state
      driven.stored = state.version
      driven.stale = false
      driven.busy = false
      if (events.length > 0) this.parts.notices.events?.(state, events)
      if (isTerminal(state.phase)) return this.#forget(run)
      this.#effects.again(state, driven.graceMs)
      this.wake(run)
    } catch (error) {
      driven.busy = false
      this.#trouble(error, run)
      this.parts.clock.after(STORE_RETRY_MS, () => this.wake(run))
    }
  }

  /** A bug in the core stops the run it shows in, and nothing else. */
  #guard(driven: Driven, step: () => void): boolean {
    try {
      step()
      return true
    } catch (error) {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.parts.notices.trouble?.('INTERNAL_ERROR', message, driven.state.created.run)
      this.#forget(driven.state.created.run)
      return false
    }
  }

  #forget(run: string): void {
    const driven = this.#runs.get(run)
    driven?.timer?.()
    for (const incoming of [...(driven?.unanswered ?? []), ...(driven?.inbox ?? [])]) {
      if (incoming.kind === 'request')
        void this.request(run, incoming.request).then(problem => incoming.answered(problem))
    }
    this.#runs.delete(run)
    this.#due.delete(run)
  }

  #arm(driven: Driven): void {
    driven.timer?.()
    driven.timer = null
    const at = nextDeadline(driven.state)
    if (at === null || this.#closed) return
    const delayMs = Math.min(Math.max(0, at - this.now()), TIMER_MAX_MS)
    driven.timer = this.parts.clock.after(delayMs, () => this.wake(driven.state.created.run))
  }

  #wakeWaiting(): void {
    for (const [run, driven] of this.#runs) if (readyPools(driven.state).length > 0) this.wake(run)
  }

  #track(work: Promise<void>): void {
    const flight = work
      .catch((error: unknown) => this.#trouble(error, null))
      .finally(() => this.#flights.delete(flight))
    this.#flights.add(flight)
  }

  #trouble(error: unknown, run: string | null): void {
    const code = error instanceof StoreError ? error.code : 'INTERNAL_ERROR'
    this.parts.notices.trouble?.(code, error instanceof Error ? error.message : String(error), run)
  }

  #pollLater(): void {
    if (this.#closed) return
    this.#stopPolling = this.parts.clock.after(this.parts.settings.pollMs, () => {
      this.#track(this.#poll().finally(() => this.#pollLater()))
    })
  }

  /** Other processes leave their notices in the feed; a change of the mark says that it is worth reading. */
  async #poll(): Promise<void> {
    const { store, me } = this.parts
    if (this.now() - this.#lastBeat > 5_000) {
      this.#lastBeat = this.now()
      await store.beat({ ...me, seenAt: this.now() })
    }
    const mark = await store.changeMark()
    if (mark === this.#mark) return
    this.#mark = mark
    for (;;) {
      const entries = await store.feed(this.#feed, 1_000)
      for (const { run, version, seq } of entries) {
        this.#feed = seq
        const driven = this.#runs.get(run)
        if (driven !== undefined && !driven.busy && version > driven.stored) {
          driven.stale = true
          this.wake(run)
        }
        await this.#effects.childMoved(run)
      }
      if (entries.length < 1_000) break
    }
    this.#wakeWaiting()
  }
}
