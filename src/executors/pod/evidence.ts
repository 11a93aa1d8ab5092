import type { Clock } from '../../ports/clock.ts'
import type { AttemptRef } from '../../ports/executor.ts'
import { endedOf, type LoggedPod, loggedPod } from './logged-pod.ts'
import { FINALIZER, type PodPlace } from './names.ts'
import type { Pod } from './pod.ts'

export interface EvidenceOptions {
  readonly clock: Clock
  /** Whether this engine looks after the attempt: then its outcome is not durable yet. */
  readonly isMine: (ref: AttemptRef) => boolean
  readonly standing: (ref: AttemptRef) => Promise<'live' | 'ended' | 'unknown'>
  /** Throws while its archive cannot say. */
  readonly isLogDurable: (pod: LoggedPod) => Promise<boolean>
  /** Takes our finalizer off the pod; false when the pod is other than it was, so that it is looked at again. */
  readonly drop: (pod: HeldPod) => Promise<boolean>
  readonly trouble: (message: string) => void
}

/** A pod that our finalizer keeps. */
export interface HeldPod extends PodPlace {
  readonly finalizers: readonly string[]
  readonly resourceVersion: string
}

interface Held {
  readonly pod: HeldPod
  /** Null for a pod that only looks like ours. */
  readonly log: LoggedPod | null
  /** Since when somebody waits for it to go; null while nobody does. */
  readonly goingSince: number | null
}

const LOOK_MS = 5_000
/** Outcome first, then log; but a namespace that is deleted does not wait longer than this for a log. */
const LOG_MS_MAX = 45_000

/**
 * `evidence: finalizer`: sees to it that a pod which somebody deletes stays until its outcome is recorded, and not
 * longer than that, whichever engine made it. What is to be done is derived from the pod and the database each time.
 */
export class Evidence {
  readonly #options: EvidenceOptions
  readonly #held = new Map<string, Held>()
  #callOff: (() => void) | null = null
  #looking: Promise<void> | null = null
  #closed = false

  constructor(options: EvidenceOptions) {
    this.#options = options
    this.#later()
  }

  seen(pod: Pod, ref: AttemptRef | null): void {
    const { name, namespace = '', uid, finalizers = [], resourceVersion, deletionTimestamp } = pod.metadata
    if (!finalizers.includes(FINALIZER)) return this.forget(uid)
    const since = deletionTimestamp === undefined ? null : this.#options.clock.now()
    const goingSince = this.#held.get(uid)?.goingSince ?? since
    const held = { namespace, name, uid, finalizers, resourceVersion }
    const log = ref === null ? null : loggedPod(pod, ref, endedOf(pod, ref))
    this.#held.set(uid, { pod: held, log, goingSince })
  }

  forget(uid: string): void {
    this.#held.delete(uid)
  }

  /** One pod, or an archive that is slow or away, holds up no other pod. */
  async look(): Promise<void> {
    const failures: unknown[] = []
    const waiting: Held[] = []
    for (const held of Array.from(this.#held.values())) {
      if (this.#closed) return
      const waitsFor = await this.#waitsFor(held)
      if (waitsFor === 'log') waiting.push(held)
      else if (waitsFor === 'nothing') await this.#drop(held, failures)
    }
    await this.#askForLogs(waiting, failures)
    if (failures.length > 0) throw failures[0]
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#callOff?.()
    await this.#looking
  }

  /** For as long as a look may take; who does not come to be asked for is the first next time. */
  async #askForLogs(waiting: readonly Held[], failures: unknown[]): Promise<void> {
    const { clock, isLogDurable } = this.#options
    const until = clock.now() + LOOK_MS
    for (const held of waiting) {
      const { log, pod } = held
      if (log === null || this.#held.get(pod.uid) !== held) continue
      if (this.#closed || clock.now() >= until) return
      this.#held.delete(pod.uid)
      this.#held.set(pod.uid, held)
      // An archive that is away cannot say of any.
      const isDurable = await isLogDurable(log).catch(() => null)
      if (isDurable === null) return
      if (isDurable) await this.#drop(held, failures)
    }
  }

  async #drop({ pod }: Held, failures: unknown[]): Promise<void> {
    try {
      if (await this.#options.drop(pod)) this.#held.delete(pod.uid)
    } catch (error) {
      failures.push(error)
    }
  }

  async #waitsFor({ log, goingSince }: Held): Promise<'outcome' | 'log' | 'nothing'> {
    const { clock, isMine, standing } = this.#options
    if (log === null) return goingSince === null ? 'outcome' : 'nothing'
    if (isMine(log.attempt)) return 'outcome'
    const stands = await standing(log.attempt)
    if (stands !== 'ended') return stands === 'unknown' ? 'nothing' : 'outcome'
    const isUrgent = goingSince !== null && clock.now() - goingSince >= LOG_MS_MAX
    return isUrgent ? 'nothing' : 'log'
  }

  #later(): void {
    if (this.#closed) return
    this.#callOff = this.#options.clock.after(LOOK_MS, () => {
      this.#looking = this.look()
        .catch((error: unknown) => this.#options.trouble(`finalizers of pods: ${String(error)}`))
        .finally(() => {
          this.#looking = null
          this.#later()
        })
    })
  }
}
