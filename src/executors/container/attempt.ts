import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import type { Outcome } from '../../core/run/events.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AttemptRef, AttemptSpec, Intended, Observation } from '../../ports/executor.ts'
import type { EngineProbe } from '../../ports/notices.ts'
import { EngineRefused, EngineUnreachable } from './client.ts'
import type { ContainerEngine, ContainerState } from './container-engine.ts'
import { ImageError } from './image.ts'
import { imageError, lost, neverStarted, outcomeOf, startError, startRefused } from './outcome.ts'
import type { ClaimOwner, ContainerClaim, RecordedEnd, RecordedOutcome } from './record.ts'
import { claimRecord, readEnd, readRecord, recordEnd, settleRecord } from './record.ts'
import { Stopping } from './stopping.ts'
import { ContainerWatch } from './watch.ts'

/** What an attempt needs of the executor that looks after it. */
export interface AttemptHost {
  readonly engine: ContainerEngine
  readonly clock: Clock
  readonly probe: EngineProbe
  readonly me: Omit<ClaimOwner, 'nonce'>
  /** Why this attempt may have run although nothing is known of it here; null when it has not. */
  mayHaveRun(intended: Intended): string | null
  report(observation: Observation): void
  /** Makes the attempt's container, or finds it; an outcome says why that cannot be. Pulls the image when need be. */
  create(spec: AttemptSpec, folder: string, signal: AbortSignal): Promise<ContainerState | Outcome>
  /** Whether the container engine answered; tells people when that changes. */
  reached(error: EngineUnreachable | null): void
  trouble(message: string, run: string): void
}

/** Starts that this very process has under way: their claims are not abandoned, whatever they look like. */
const underWay = new Set<string>()

const SOON_MS = 20
const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 2_000
/**
 * One attempt under watch. As with processes there is one question, "what do its files and its container say
 * now", asked by `#look` after every call, end and timer; the answer decides, never the event.
 */
export class Attempt {
  readonly #host: AttemptHost
  readonly #ref: AttemptRef
  readonly #folder: string
  /** What to start when it turns out that nobody has; forgotten as soon as it is not needed, since it holds secrets. */
  #spec: AttemptSpec | null = null
  /** Why it may have run elsewhere: then it is neither started nor said to be stopped before it was. */
  #mayHaveRun: string | null = null
  #stop: Stopping | null = null
  #saidRunning = false
  #engineWasAway = false
  #watch: ContainerWatch | null = null
  #creating: AbortController | null = null
  #retryMs = RETRY_MS_MIN
  #callOff: (() => void) | null = null
  #looking: Promise<void> | null = null
  #again = false
  #done = false

  constructor(host: AttemptHost, ref: AttemptRef, folder: string) {
    this.#host = host
    this.#ref = ref
    this.#folder = folder
  }

  start(spec: AttemptSpec): void {
    this.#spec = spec
    this.#mayHaveRun ??= this.#host.mayHaveRun(spec)
    this.#saidRunning = false
    this.#lookSoon()
  }

  adopt(): void {
    this.#saidRunning = false
    this.#lookSoon()
  }

  stop(intended: Intended, graceMs: number): void {
    this.#mayHaveRun ??= this.#host.mayHaveRun(intended)
    this.#stop ??= new Stopping(this.#host.engine, this.#folder, this.#host.clock)
    this.#stop.grace(graceMs, () => this.#look())
    this.#creating?.abort()
    this.#lookSoon()
  }

  /** Stops watching. What runs goes on; a start that is under way is waited for, as nobody else may send it. */
  async close(): Promise<void> {
    this.#quiet()
    this.#creating?.abort()
    await this.#looking
    await this.#watch?.close()
  }

  #quiet(): void {
    this.#done = true
    this.#again = false
    this.#callOff?.()
    this.#stop?.callOff()
  }

  #lookSoon(): void {
    setImmediate(() => this.#look())
  }

  #lookIn(delayMs: number): void {
    this.#callOff?.()
    this.#callOff = this.#host.clock.after(delayMs, () => this.#look())
  }

  #look(): void {
    if (this.#done) return
    this.#again = true
    this.#looking ??= this.#lookUntilQuiet().finally(() => {
      this.#looking = null
      if (this.#again) this.#look()
    })
  }

  async #lookUntilQuiet(): Promise<void> {
    while (this.#again && !this.#done) {
      this.#again = false
      try {
        await this.#lookOnce()
        this.#retryMs = RETRY_MS_MIN
      } catch (error) {
        this.#failed(error)
      }
    }
  }

  /** Nothing that the world does here is an outcome: the question is asked again until it is answered. */
  #failed(error: unknown): void {
    if (error instanceof EngineUnreachable) {
      if (this.#saidRunning) this.#engineWasAway = true
      this.#host.reached(error)
    } else this.#host.trouble(error instanceof Error ? error.message : String(error), this.#ref.run)
    this.#lookIn(this.#retryMs)
    this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2)
  }

  async #lookOnce(): Promise<void> {
    const record = readRecord(this.#folder)
    switch (record.kind) {
      case 'none':
        return await this.#notClaimed()
      case 'settled':
        return this.#end(record)
      case 'claimed': {
        const end = readEnd(this.#folder)
        return end === null ? await this.#claimed(record.claim) : this.#ended(record.claim, end)
      }
      default:
        record satisfies never
    }
  }

  async #notClaimed(): Promise<void> {
    const elsewhere = this.#mayHaveRun
    const decided = this.#stop !== null || this.#spec !== null
    if (elsewhere !== null && decided) return void (await this.#settle(lost(elsewhere)))
    if (this.#stop !== null) return void (await this.#settle(neverStarted))
    if (this.#spec === null) return
    const spec = this.#spec
    this.#creating = new AbortController()
    let container: ContainerState | Outcome
    try {
      container = await this.#host.create(spec, this.#folder, this.#creating.signal)
      if ('id' in container) this.#host.reached(null)
    } catch (error) {
      if (this.#creating.signal.aborted) return this.#lookSoon()
      if (error instanceof ImageError) return void (await this.#settle(imageError(error.message)))
      if (error instanceof EngineRefused) return void (await this.#settle(startRefused(error.message)))
      throw error
    } finally {
      this.#creating = null
    }
    if (this.#done) return
    if (!('id' in container)) return void (await this.#settle(container))
    if (this.#stop === null) return await this.#claim(spec, container)
    if (await this.#settle(neverStarted)) await this.#host.engine.remove(container.id, false)
  }

  /** Whoever writes the claim sends the one request to start the container, by its id, which is never used again. */
  async #claim(spec: AttemptSpec, container: ContainerState): Promise<void> {
    const nonce = randomUUID()
    const owner = { ...this.#host.me, nonce }
    underWay.add(nonce)
    try {
      const mine = await claimRecord(this.#folder, { container: container.id, owner, outputs: spec.outputs })
      this.#spec = null
      // A container that has run without a claim: the claim was lost with the disk's last seconds, the container not.
      if (mine && container.startedAt === null) await this.#startOnce(container.id)
      if (!mine) await this.#removeUnclaimed(container.id)
    } finally {
      underWay.delete(nonce)
    }
    this.#again = !this.#done
  }

  /** The attempt is another container, or none. */
  async #removeUnclaimed(id: string): Promise<void> {
    const record = readRecord(this.#folder)
    if (record.kind === 'claimed' && record.claim.container === id) return
    await this.#host.engine.remove(id, false)
  }

  async #startOnce(id: string): Promise<void> {
    try {
      await this.#sendStart(id)
    } catch (error) {
      // Unreachable: whether it was started is seen when the engine is back.
      if (!(error instanceof EngineRefused)) throw error
      const state = await this.#host.engine.inspect(id)
      if (state === null) await this.#recordEnd(startError('its container was removed before it was started'))
      else if (state.startedAt === null) await this.#recordEnd(startRefused(error.message))
    }
  }

  /** A request that was not sent may be sent again; any other never is. */
  async #sendStart(id: string): Promise<void> {
    for (;;) {
      try {
        await this.#host.engine.start(id)
        return
      } catch (error) {
        if (!(error instanceof EngineUnreachable) || error.sent || this.#done || this.#stop !== null)
          throw error
        this.#host.reached(error)
        await new Promise<void>(resolve => this.#host.clock.after(RETRY_MS_MAX, resolve))
      }
    }
  }

  async #claimed(claim: ContainerClaim): Promise<void> {
    this.#spec = null
    const state = await this.#host.engine.inspect(claim.container)
    this.#host.reached(null)
    if (state === null) return await this.#missing()
    if (state.startedAt === null) return await this.#notStarted(claim, state)
    this.#running(state.id, state.startedAt)
    switch (state.status) {
      // Podman's word for a container whose exit code and log are complete, and which is not cleaned up yet.
      case 'stopped':
      case 'exited':
      case 'dead':
        return await this.#exited(claim, state)
      case 'running':
      case 'paused':
      case 'restarting':
        this.#watch ??= new ContainerWatch(this.#host.engine, claim.container, this.#folder, this.#host.clock)
        await this.#watch.running(state, () => this.#look())
        return await this.#press(state)
      default:
        // `stopping`, `removing` and the like: on the way to something else.
        return this.#lookIn(SOON_MS)
    }
  }

  async #press(state: ContainerState): Promise<void> {
    const again = await this.#stop?.press(state)
    if (again !== undefined && again !== null) this.#lookIn(again)
  }

  /** Somebody else may have recorded the end and removed it a moment ago. */
  async #missing(): Promise<void> {
    if (readEnd(this.#folder) === null) await this.#recordEnd(lost('its container was removed by somebody'))
    this.#again = true
  }

  /** Claimed, but its container has not run: it is about to be started, or whoever was about to is dead. */
  async #notStarted(claim: ContainerClaim, state: ContainerState): Promise<void> {
    if (this.#isUnderWay(claim)) return this.#lookIn(SOON_MS)
    // A request to start it may still be on its way. Without its container it comes to nothing.
    try {
      await this.#host.engine.remove(claim.container, false)
    } catch (error) {
      // It was started in this very moment.
      if (error instanceof EngineRefused && error.status === 409) return this.#lookIn(SOON_MS)
      throw error
    }
    const why = state.error === '' ? null : startRefused(state.error)
    const stopped = this.#stop === null ? null : neverStarted
    await this.#recordEnd(why ?? stopped ?? startError('its engine ended as it was about to start it'))
    this.#again = true
  }

  #isUnderWay({ owner }: ContainerClaim): boolean {
    const { me, probe } = this.#host
    if (owner.pid === me.pid && owner.processStart === me.processStart && owner.bootId === me.bootId)
      return underWay.has(owner.nonce)
    return probe.isAlive(owner)
  }

  #running(container: string, startedAt: number | null): void {
    if (this.#saidRunning || startedAt === null) return
    this.#saidRunning = true
    const handle = { container, engine: this.#host.engine.dialect }
    this.#host.report({ kind: 'running', ref: this.#ref, at: startedAt, handle })
  }

  async #exited(claim: ContainerClaim, state: ContainerState): Promise<void> {
    this.#watch ??= new ContainerWatch(this.#host.engine, claim.container, this.#folder, this.#host.clock)
    await this.#watch.complete()
    const rebooted = claim.owner.bootId !== this.#host.me.bootId
    const witness = { engineWasAway: this.#engineWasAway, rebooted }
    const outcome = outcomeOf(this.#folder, state, claim.outputs, witness)
    // Docker's two clocks readings may be the wrong way round for a container that ended at once.
    const at = Math.max(state.startedAt ?? 0, state.finishedAt ?? this.#host.clock.now())
    await recordEnd(this.#folder, randomUUID(), { outcome, at, startedAt: state.startedAt })
    this.#again = true
  }

  /** For an attempt that has no container yet, so that it never starts one. */
  async #settle(outcome: Outcome): Promise<boolean> {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    const at = this.#host.clock.now()
    const mine = await settleRecord(this.#folder, randomUUID(), { outcome, at })
    this.#again = !this.#done
    return mine
  }

  async #recordEnd(outcome: Outcome): Promise<void> {
    const at = this.#host.clock.now()
    await recordEnd(this.#folder, randomUUID(), { outcome, at, startedAt: null })
  }

  #ended(claim: ContainerClaim, end: RecordedEnd): void {
    this.#running(claim.container, end.startedAt)
    this.#end(end)
  }

  #end({ outcome, at }: RecordedOutcome): void {
    if (this.#done) return
    this.#quiet()
    void this.#watch?.close()
    this.#host.report({ kind: 'ended', ref: this.#ref, at, outcome })
  }
}
