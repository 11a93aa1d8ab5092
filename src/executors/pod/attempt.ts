import type { Clock } from '../../ports/clock.ts'
import type { Outcome } from '../../core/run/events.ts'
import type { AttemptSpec, Intended, Observation } from '../../ports/executor.ts'
import { ApiProblem, isProblem } from '../../kubernetes/problem.ts'
import { deletedOutcome, lookAt, lostOutcome, neverStarted, refusal, startError } from './outcome.ts'
import { refusedCreate } from './refused.ts'
import type { Why } from './pending.ts'
import { isTombstone } from './names.ts'
import type { Pod } from './pod.ts'
import { podProblem } from './problem.ts'
import { type Cluster, placeOf } from './cluster.ts'

/** What an attempt needs of the executor that looks after it. */
export interface AttemptHost {
  readonly cluster: Cluster
  readonly clock: Clock
  report(observation: Observation): void
  /** The outcome was told: its log is to be made durable. */
  logs(attempt: PodAttempt, pod: Pod, running: boolean): void
  trouble(message: string, run: string): void
  /** Whether the cluster answers; told to people when that changes. */
  reached(problem: ApiProblem | null): void
}

const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 5_000
/** A pod that was asked to end and is on no node after so long is removed: no kubelet would ever heed the deadline. */
const UNPLACED_MS = 3_000
/** An intent older than this, of which there is no pod, may have run: a finished pod may have been removed since. */
const INTENT_MS_MAX = 5 * 60_000

/**
 * One attempt under watch. As with the other executors there is one question, "what do the cluster and what was
 * asked for say now", asked by `#look` after every call, event and timer; the answer decides, never the event.
 */
export class PodAttempt {
  readonly ref: Intended
  readonly #host: AttemptHost
  #spec: AttemptSpec | null = null
  /** The latest that was seen of its pod. */
  #pod: Pod | null = null
  /** Its pod was there, and is no more. */
  #gone = false
  /** Whether somebody asked to start it (or to find it) here. */
  #wanted: 'nothing' | 'find' | 'start' = 'nothing'
  #graceMs: number | null = null
  /** The shortest grace that the cluster was told. */
  #toldGraceMs = Number.POSITIVE_INFINITY
  #stopAt = 0
  #said = ''
  #outcome: { readonly outcome: Outcome; readonly at: number } | null = null
  #retryMs = RETRY_MS_MIN
  #callOff: (() => void) | null = null
  #looking: Promise<void> | null = null
  #again = false
  #closed = false

  constructor(host: AttemptHost, ref: Intended) {
    this.#host = host
    this.ref = ref
  }

  get fence(): string | null {
    return this.ref.era ?? null
  }

  /** The outcome was told. */
  get isOver(): boolean {
    return this.#outcome !== null
  }

  start(spec: AttemptSpec): void {
    this.#spec = spec
    this.#wanted = 'start'
    this.#said = ''
    this.#outcome = null
    this.#look()
  }

  /** It was started by somebody, or its pod is there: it is watched, and told again. */
  adopt(pod: Pod | null): void {
    this.#wanted = this.#wanted === 'start' ? 'start' : 'find'
    this.#said = ''
    this.#outcome = null
    if (pod !== null) this.#pod = pod
    this.#look()
  }

  stop(graceMs: number): void {
    this.#graceMs = Math.min(graceMs, this.#graceMs ?? Number.POSITIVE_INFINITY)
    this.#stopAt = this.#host.clock.now()
    if (this.#outcome !== null) this.#said = ''
    this.#outcome = null
    this.#look()
  }

  seen(pod: Pod): void {
    if (this.#pod !== null && this.#pod.metadata.uid !== pod.metadata.uid && !this.#gone) return
    this.#pod = pod
    this.#gone = false
    this.#look()
  }

  /** The pod is no more; `pod` is the last that was seen of it. */
  removed(pod: Pod): void {
    if (this.#pod !== null && this.#pod.metadata.uid !== pod.metadata.uid) return
    this.#pod = pod
    this.#gone = true
    this.#look()
  }

  /** It went while nobody looked, so that its last state is not known. */
  vanished(uid: string): void {
    if (this.#pod !== null && this.#pod.metadata.uid === uid) this.removed(this.#pod)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#callOff?.()
    await this.#looking
  }

  #look(): void {
    if (this.#closed) return
    this.#again = true
    this.#looking ??= this.#lookUntilQuiet().finally(() => {
      this.#looking = null
      if (this.#again) this.#look()
    })
  }

  async #lookUntilQuiet(): Promise<void> {
    // Nothing is reported inside the call that causes it.
    await Promise.resolve()
    while (this.#again && !this.#closed) {
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
    if (isProblem(error)) this.#host.reached(error)
    else this.#host.trouble(error instanceof Error ? error.message : String(error), this.ref.run)
    this.#lookIn(this.#retryMs)
    this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2)
  }

  #lookIn(delayMs: number): void {
    this.#callOff?.()
    if (!this.#closed) this.#callOff = this.#host.clock.after(delayMs, () => this.#look())
  }

  async #lookOnce(): Promise<void> {
    if (this.#outcome !== null) return
    if (this.#pod !== null) return await this.#withPod(this.#pod)
    if (this.#graceMs !== null) return await this.#stopUnseen()
    if (this.#wanted === 'find') return await this.#find()
    if (this.#wanted === 'start' && this.#spec !== null) return await this.#create(this.#spec)
  }

  async #withPod(pod: Pod): Promise<void> {
    const now = this.#host.clock.now()
    if (isTombstone(pod)) return this.#end(neverStarted, now, null)
    const look = lookAt(pod, { stopAsked: this.#graceMs !== null, now })
    if (look.kind === 'ended') return this.#end(look.outcome, look.at, pod)
    if (this.#gone) return this.#end(deletedOutcome(pod, this.#graceMs !== null), now, pod)
    if (look.kind === 'running') this.#sayRunning(pod, look.at)
    else {
      if (look.giveUp !== null && look.giveUp.at <= now) return this.#end(look.giveUp.outcome, now, pod)
      if (look.why !== null) this.#sayPending(look.why, now)
      if (look.giveUp !== null) this.#lookIn(look.giveUp.at - now)
    }
    if (this.#graceMs !== null) await this.#stop(pod, this.#graceMs)
  }

  #sayRunning(pod: Pod, at: number): void {
    if (this.#said === 'running') return
    this.#said = 'running'
    this.#host.report({ kind: 'running', ref: this.#shortRef(), at, handle: handleOf(pod) })
    this.#host.logs(this, pod, true)
  }

  #sayPending(why: Why, at: number): void {
    const said = `${why.reason} ${why.message}`
    if (this.#said === said || this.#said === 'running') return
    this.#said = said
    this.#host.report({ kind: 'pending', ref: this.#shortRef(), at, ...why })
  }

  #end(outcome: Outcome, at: number, pod: Pod | null): void {
    if (this.#closed) return
    if (pod !== null && outcome.exitCode !== null && this.#said !== 'running') this.#sayRunning(pod, at)
    this.#callOff?.()
    this.#outcome = { outcome, at }
    this.#host.report({ kind: 'ended', ref: this.#shortRef(), at, outcome })
    if (pod !== null) this.#host.logs(this, pod, false)
  }

  /** It is known to have been started, and its pod was not seen: asked of the server, as a watch may lag. */
  async #find(): Promise<void> {
    const pod = await this.#host.cluster.find(this.ref)
    this.#host.reached(null)
    if (pod !== null) {
      this.#pod ??= pod
      this.#again = true
      return
    }
    const message = 'its pod is gone, and nobody saw how it ended'
    this.#end(lostOutcome(message), this.#host.clock.now(), null)
  }

  async #create(spec: AttemptSpec): Promise<void> {
    const problem = podProblem(spec)
    if (problem !== null) return this.#end(refusal(problem), this.#host.clock.now(), null)
    const made = await this.#host.cluster.create(spec).catch((error: unknown) => {
      if (!isProblem(error)) throw error
      return error
    })
    if (made === 'fenceClosed') {
      const message = 'it was meant for a fence that has been closed since, so its pod can never have started'
      return this.#end(startError(message), this.#host.clock.now(), null)
    }
    if (!(made instanceof ApiProblem)) {
      this.#host.reached(null)
      this.#pod ??= made
      this.#again = true
      return
    }
    if (made.kind === 'alreadyExists') return await this.#createdBefore()
    const refused = refusedCreate(made)
    if (refused === null) throw made
    if (refused.kind === 'final') return this.#end(refused.outcome, this.#host.clock.now(), null)
    this.#sayPending(refused.why, this.#host.clock.now())
    this.#lookIn(this.#retryMs)
    this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2)
  }

  async #createdBefore(): Promise<void> {
    const pod = await this.#host.cluster.find(this.ref)
    if (pod === null) {
      // Taken and free within a moment: by somebody else's pod, or by ours, which somebody removed.
      const message = 'its pod was removed by somebody right after it was made'
      return this.#end(lostOutcome(message), this.#host.clock.now(), null)
    }
    this.#pod ??= pod
    this.#again = true
  }

  /** Never seen: the name is taken by a pod that never starts, so that whoever comes late meets it. */
  async #stopUnseen(): Promise<void> {
    if (this.#wanted === 'find') return await this.#find()
    const pod = await this.#host.cluster.occupy(this.ref)
    if (pod === null) return this.#end(neverStarted, this.#host.clock.now(), null)
    this.#pod ??= pod
    this.#again = true
  }

  async #stop(pod: Pod, graceMs: number): Promise<void> {
    const { cluster, clock } = this.#host
    if (graceMs < this.#toldGraceMs) {
      await cluster.stop(pod, graceMs)
      this.#toldGraceMs = graceMs
    } else if (pod.spec.nodeName === undefined && clock.now() - this.#stopAt >= UNPLACED_MS) {
      await cluster.remove(placeOf(pod))
      return
    }
    if (pod.spec.nodeName === undefined) this.#lookIn(UNPLACED_MS)
  }

  #shortRef(): { run: string; task: string; attempt: number } {
    const { run, task, attempt } = this.ref
    return { run, task, attempt }
  }
}

/** What is written down of a pod: enough to know it again, and to show. */
export function handleOf(pod: Pod): Record<string, string> {
  const { name, namespace, uid } = pod.metadata
  const { nodeName } = pod.spec
  return { pod: name, namespace: namespace ?? '', uid, ...(nodeName === undefined ? {} : { node: nodeName }) }
}

/** Whether an attempt of which only the intent is known, and no pod, may be sent to the cluster (again). */
export const mayBeSentAgain = (ref: Intended, now: number): boolean =>
  ref.handle === undefined && (ref.at === undefined || now - ref.at < INTENT_MS_MAX)
