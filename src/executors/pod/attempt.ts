import type { Json } from '../../core/json.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Outcome } from '../../core/run/events.ts'
import type { AttemptSpec, Intended, Observation } from '../../ports/executor.ts'
import { ApiProblem, isProblem } from '../../kubernetes/problem.ts'
import type { PodEvent } from './events.ts'
import {
  deletedOutcome,
  type Look,
  lookAt,
  lostOutcome,
  neverStarted,
  refusal,
  startError,
} from './outcome.ts'
import { refusedCreate } from './refused.ts'
import { Looks } from './looks.ts'
import type { Held, Why } from './pending.ts'
import { fenceOfLabels, GATE, isTombstone } from './names.ts'
import { hasBegun, isOver, type Pod } from './pod.ts'
import { podProblem } from './problem.ts'
import { fieldsOf } from './template.ts'
import { type Cluster, placeOf } from './cluster.ts'
import { Warnings } from './warnings.ts'

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

/**
 * A pod that was asked to end and of which no container has begun after so long is removed: no kubelet heeds a deadline
 * before the pod is on its node and its volumes are there.
 */
const NOT_BEGUN_MS = 3_000
/** A kubelet that does not end a pod within this time after its grace is not there: the pod is deleted. */
const UNHEEDED_MS = 60_000
/** What holds a start back is said anew at most so often while only its words change, as with numbers in them. */
const WORDS_MS = 30_000
/** An intent older than this, of which there is no pod, may have run: a finished pod may have been removed since. */
const INTENT_MS_MAX = 5 * 60_000

/**
 * One attempt under watch. As with the other executors there is one question, "what do the cluster and what was
 * asked for say now", asked by `#lookOnce` after every call, event and timer; the answer decides, never the event.
 */
export class PodAttempt {
  readonly ref: Intended
  readonly #host: AttemptHost
  readonly #looks: Looks
  readonly #warnings = new Warnings()
  /** UID of the pod that is known to be durable as its own. */
  #recorded: string | null
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
  /** What was last said to hold it back, and when. */
  #why: (Why & { readonly at: number }) | null = null
  /** Its end was told, and of which pod, if that is still there. */
  #ended: { readonly pod: Pod | null } | null = null
  #closed = false

  constructor(host: AttemptHost, ref: Intended) {
    this.#host = host
    this.ref = ref
    this.#recorded = uidOf(ref.handle)
    this.#looks = new Looks({
      clock: host.clock,
      look: () => this.#lookOnce(),
      failed: error => this.#failed(error),
    })
  }

  get fence(): string | null {
    return this.ref.era ?? null
  }

  /** The outcome was told. */
  get isOver(): boolean {
    return this.#ended !== null
  }

  /** The pod of which an outcome was told, and that was still there then. */
  get endedPod(): Pod | null {
    return this.#ended?.pod ?? null
  }

  /** Nobody has asked for anything yet, and there is no pod. */
  get isIdle(): boolean {
    return this.#wanted === 'nothing' && this.#graceMs === null && this.#pod === null
  }

  start(spec: AttemptSpec): void {
    this.#spec = spec
    this.#wanted = 'start'
    this.#said = ''
    this.#ended = null
    this.#looks.soon()
  }

  /** It was started by somebody, or its pod is there: it is watched, and told again. */
  adopt(pod: Pod | null, ref: Intended): void {
    this.#recorded = uidOf(ref.handle) ?? this.#recorded
    this.#wanted = this.#wanted === 'start' ? 'start' : 'find'
    this.#said = ''
    this.#ended = null
    // The watch may have been faster, and knows more then.
    if (pod !== null) this.#pod ??= pod
    this.#looks.soon()
  }

  stop(graceMs: number): void {
    this.#graceMs = Math.min(graceMs, this.#graceMs ?? Number.POSITIVE_INFINITY)
    this.#stopAt = this.#host.clock.now()
    if (this.#ended !== null) this.#said = ''
    this.#ended = null
    this.#looks.soon()
  }

  seen(pod: Pod): void {
    if (this.#pod !== null && this.#pod.metadata.uid !== pod.metadata.uid && !this.#gone) return
    this.#pod = pod
    this.#gone = false
    this.#looks.soon()
  }

  /** The pod is no more; `pod` is the last that was seen of it. */
  removed(pod: Pod): void {
    if (this.#pod !== null && this.#pod.metadata.uid !== pod.metadata.uid) return
    this.#pod = pod
    this.#gone = true
    this.#looks.soon()
  }

  /** It went while nobody looked, so that its last state is not known. */
  vanished(uid: string): void {
    if (this.#pod !== null && this.#pod.metadata.uid === uid) this.removed(this.#pod)
  }

  /** Somebody in the cluster warns of a pod of this name. */
  told(uid: string, event: PodEvent): void {
    if (this.#ended !== null || (this.#pod !== null && this.#pod.metadata.uid !== uid)) return
    if (this.#warnings.take(event, this.#host.clock.now())) this.#looks.soon()
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#looks.close()
  }

  /** Nothing that the world does here is an outcome: the question is asked again until it is answered. */
  #failed(error: unknown): void {
    if (isProblem(error)) this.#host.reached(error)
    else this.#host.trouble(error instanceof Error ? error.message : String(error), this.ref.run)
  }

  async #lookOnce(): Promise<void> {
    if (this.#ended !== null) return
    if (this.#pod !== null) return await this.#withPod(this.#pod)
    if (this.#graceMs !== null) return await this.#stopUnseen()
    if (this.#wanted === 'find') return await this.#find()
    if (this.#wanted === 'start' && this.#spec !== null) return await this.#create(this.#spec)
  }

  async #withPod(pod: Pod): Promise<void> {
    const now = this.#host.clock.now()
    if (isTombstone(pod)) return this.#end(neverStarted, now, null)
    const stopAsked = this.#graceMs !== null
    if (this.#gone && stopAsked && !hasBegun(pod) && !isOver(pod)) return await this.#takeNameOf(pod)
    const look = lookAt(pod, { stopAsked, now })
    if (look.kind === 'ended') return this.#end(look.outcome, look.at, pod)
    if (this.#gone) return this.#end(deletedOutcome(pod, stopAsked), now, pod)
    const { why, giveUp } = look.kind === 'running' ? { why: null, ...look } : this.#heldBack(pod, look)
    if (giveUp !== null && giveUp.at <= now) return this.#end(giveUp.outcome, now, pod)
    if (giveUp !== null) this.#looks.after(giveUp.at - now)
    if (look.kind === 'running') this.#sayRunning(pod, look.at)
    else if (why !== null) this.#sayPending(why, now)
    if (this.#graceMs !== null) await this.#stop(pod, this.#graceMs)
    else if (pod.spec.schedulingGates?.some(({ name }) => name === GATE) === true) await this.#letGo(pod, now)
  }

  /** What the pod says of itself, or else what others say of it. */
  #heldBack(pod: Pod, look: Extract<Look, { kind: 'pending' }>): Held {
    const fence = fenceOfLabels(pod.metadata.labels ?? {})
    if (fence !== null && this.#warnings.isFenceGone) this.#host.cluster.fenceGone(fence)
    const told = look.why === null ? this.#warnings.heldBack(pod) : null
    return told === null ? look : { why: told.why, giveUp: look.giveUp ?? told.giveUp }
  }

  /** It was removed so that it never starts, and its name is free again. */
  async #takeNameOf(removed: Pod): Promise<void> {
    if (this.#pod === removed) this.#pod = null
    this.#gone = false
    // Also when taking it fails at first: nobody is to look for a pod that was removed here.
    this.#wanted = 'nothing'
    await this.#takeName()
  }

  /** `startGuarantee: strict`: only the pod whose UID is durable goes on. */
  async #letGo(pod: Pod, now: number): Promise<void> {
    const { cluster } = this.#host
    if (this.#recorded === pod.metadata.uid) {
      const after = await cluster.ungate(pod)
      this.#host.reached(null)
      if (after === null) this.#looks.retry()
      else if (!this.#gone && this.#pod?.metadata.uid === after.metadata.uid) this.#pod = after
    } else if (this.#recorded !== null) {
      await cluster.remove(placeOf(pod))
      this.#end(lostOutcome('the pod that was recorded as its own is gone'), now, null)
    } else if (this.#said !== 'made') {
      this.#said = 'made'
      const why = { reason: 'STARTING', message: null } as const
      this.#host.report({ kind: 'pending', ref: this.#shortRef(), at: now, ...why, handle: handleOf(pod) })
    }
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
    const waited = this.#why?.reason === why.reason ? at - this.#why.at : WORDS_MS
    if (waited < WORDS_MS && this.#said !== '') return this.#looks.after(WORDS_MS - waited)
    this.#said = said
    this.#why = { ...why, at }
    this.#host.report({ kind: 'pending', ref: this.#shortRef(), at, ...why })
  }

  #end(found: Outcome, at: number, pod: Pod | null): void {
    if (this.#closed) return
    const waited = found === neverStarted ? this.#why : null
    const outcome = this.#warnings.added(
      waited === null ? found : { ...found, message: `it waited: ${waited.message}` },
    )
    if (pod !== null && outcome.exitCode !== null && this.#said !== 'running') this.#sayRunning(pod, at)
    this.#looks.callOff()
    this.#ended = { pod: this.#gone ? null : pod }
    this.#host.report({ kind: 'ended', ref: this.#shortRef(), at, outcome })
    if (pod !== null) this.#host.logs(this, pod, false)
  }

  /** It is known to have been started, and its pod was not seen: asked of the server, as a watch may lag. */
  async #find(): Promise<void> {
    const pod = await this.#host.cluster.find(this.ref)
    this.#host.reached(null)
    if (pod !== null) {
      this.#pod ??= pod
      this.#looks.soon()
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
      if ('waits' in made) return this.#waitFor(made.waits)
      this.#pod ??= made
      this.#looks.soon()
      return
    }
    if (made.kind === 'alreadyExists') return await this.#createdBefore()
    const refused = refusedCreate(made)
    if (refused === null) throw made
    if (refused.kind === 'final') {
      // A cluster looks at its policies before it looks whether there is one already.
      const pod = await this.#host.cluster.find(this.ref)
      if (pod === null) return this.#end(refused.outcome, this.#host.clock.now(), null)
      this.#pod ??= pod
      return this.#looks.soon()
    }
    this.#waitFor(refused.why)
  }

  #waitFor(why: Why): void {
    this.#sayPending(why, this.#host.clock.now())
    this.#looks.retry()
  }

  async #createdBefore(): Promise<void> {
    const pod = await this.#host.cluster.find(this.ref)
    if (pod === null) {
      // Taken and free within a moment: by somebody else's pod, or by ours, which somebody removed.
      const message = 'its pod was removed by somebody right after it was made'
      return this.#end(lostOutcome(message), this.#host.clock.now(), null)
    }
    this.#pod ??= pod
    this.#looks.soon()
  }

  /** Never seen: the name is taken by a pod that never starts, so that whoever comes late meets it. */
  async #stopUnseen(): Promise<void> {
    if (this.#wanted === 'find') return await this.#find()
    await this.#takeName()
  }

  async #takeName(): Promise<void> {
    const { cluster, clock } = this.#host
    const pod = await cluster.occupy(this.ref).catch((error: unknown) => {
      if (!isProblem(error) || refusedCreate(error) === null) throw error
      // Where there is no room, or no such pod may be, none of it comes to be; but there may be one from before.
      return cluster.find(this.ref)
    })
    this.#host.reached(null)
    if (pod === null) return this.#end(neverStarted, clock.now(), null)
    this.#toldGraceMs = Number.POSITIVE_INFINITY
    this.#pod ??= pod
    this.#looks.soon()
  }

  async #stop(pod: Pod, graceMs: number): Promise<void> {
    const { cluster, clock } = this.#host
    if (graceMs < this.#toldGraceMs) {
      await cluster.stop(pod, graceMs)
      this.#host.reached(null)
      this.#toldGraceMs = graceMs
    }
    if (pod.metadata.deletionTimestamp !== undefined) return
    const own = (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000
    const limit = hasBegun(pod) ? own + UNHEEDED_MS : NOT_BEGUN_MS
    const left = this.#stopAt + limit - clock.now()
    if (left > 0) this.#looks.after(left)
    else await cluster.remove(placeOf(pod))
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

const uidOf = (handle: Json | undefined): string | null => {
  const { uid = null } = fieldsOf(handle)
  return typeof uid === 'string' ? uid : null
}

/** Whether an attempt of which only the intent is known, and no pod, may be sent to the cluster (again). */
export const mayBeSentAgain = (ref: Intended, now: number): boolean =>
  ref.handle === undefined && (ref.at === undefined || now - ref.at < INTENT_MS_MAX)
