import type { Clock } from '../../ports/clock.ts'
import type { AttemptRef } from '../../ports/executor.ts'
import { FINALIZER, type PodPlace } from './names.ts'
import type { Pod } from './pod.ts'

export interface EvidenceOptions {
  readonly clock: Clock
  /** Whether this engine looks after the attempt: then its outcome is not durable yet. */
  readonly isMine: (ref: AttemptRef) => boolean
  readonly standing: (ref: AttemptRef) => Promise<'live' | 'ended' | 'unknown'>
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
  readonly ref: AttemptRef | null
  readonly isLogDurable: () => Promise<boolean>
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

  seen(pod: Pod, ref: AttemptRef | null, isLogDurable: () => Promise<boolean>): void {
    const { name, namespace = '', uid, finalizers = [], resourceVersion, deletionTimestamp } = pod.metadata
    if (!finalizers.includes(FINALIZER)) return this.forget(uid)
    const since = deletionTimestamp === undefined ? null : this.#options.clock.now()
    const goingSince = this.#held.get(uid)?.goingSince ?? since
    const held = { namespace, name, uid, finalizers, resourceVersion }
    this.#held.set(uid, { pod: held, ref, isLogDurable, goingSince })
  }

  forget(uid: string): void {
    this.#held.delete(uid)
  }

  async look(): Promise<void> {
    for (const held of this.#held.values()) {
      if (this.#closed) return
      if (!(await this.#isDone(held))) continue
      if (await this.#options.drop(held.pod)) this.#held.delete(held.pod.uid)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#callOff?.()
    await this.#looking
  }

  async #isDone({ ref, isLogDurable, goingSince }: Held): Promise<boolean> {
    const { clock, isMine, standing } = this.#options
    if (ref === null) return goingSince !== null
    if (isMine(ref)) return false
    const stands = await standing(ref)
    if (stands !== 'ended') return stands === 'unknown'
    const isUrgent = goingSince !== null && clock.now() - goingSince >= LOG_MS_MAX
    return isUrgent || (await isLogDurable())
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
