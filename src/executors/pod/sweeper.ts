import type { KubeObject } from '../../kubernetes/object.ts'
import type { Reflector } from '../../kubernetes/reflector.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AttemptRef } from '../../ports/executor.ts'
import type { PodLogs } from './cluster-logs.ts'
import { fenceOfLabels, isTombstone, type PodPlace, refOfPod } from './names.ts'
import type { Pod } from './pod.ts'

/** What is remembered of a pod of ours while it exists. */
export interface Kept {
  /** Null for a pod that only looks like ours. */
  readonly ref: AttemptRef | null
  readonly fence: string | null
  readonly state: 'over' | 'tombstone' | 'alive'
  readonly firstSeenAt: number
}

export interface SweeperOptions {
  readonly clock: Clock
  readonly logs: PodLogs
  readonly reflectors: readonly Reflector<Kept>[]
  /** Whether this engine looks after the attempt. */
  readonly isMine: (ref: AttemptRef) => boolean
  readonly standing: (ref: AttemptRef) => Promise<'live' | 'ended' | 'unknown'>
  readonly remove: (pod: PodPlace) => Promise<void>
  readonly trouble: (code: string, message: string, run: string | null) => void
}

const LOOK_MS = 15_000
/** A pod that runs for nobody is removed after this time: an engine that has just made it says so by then. */
const ORPHAN_MS = 60_000
const LOG_RETRY_MS = 30_000

/**
 * Sees to it that no pod runs for nobody and that no pod goes before its log is durable, whoever made it: an earlier
 * engine may have been killed at any moment between the two.
 */
export class Sweeper {
  readonly #options: SweeperOptions
  /** UIDs of pods whose log is durable, or that never had one. */
  readonly #done = new Set<string>()
  readonly #collecting = new Map<string, Promise<void>>()
  #callOff: (() => void) | null = null
  #closed = false

  constructor(options: SweeperOptions) {
    this.#options = options
    this.#later()
  }

  /** The log of an ended attempt is made durable, however long that takes. */
  collect(ref: AttemptRef, pod: PodPlace): Promise<void> {
    const under = this.#collecting.get(pod.uid)
    if (under !== undefined) return under
    if (this.#done.has(pod.uid)) return Promise.resolve()
    const work = this.#collect(ref, pod).finally(() => this.#collecting.delete(pod.uid))
    this.#collecting.set(pod.uid, work)
    return work
  }

  /** Whether a pod of this fence has to stay because of its log. */
  holds(fence: string): boolean {
    for (const reflector of this.#options.reflectors)
      for (const { kept, uid } of reflector.known())
        if (kept.fence === fence && kept.ref !== null && kept.state === 'over' && !this.#done.has(uid))
          return true
    return false
  }

  /** Fences that pods name, and the namespaces these are in. */
  fences(): ReadonlyMap<string, ReadonlySet<string>> {
    const all = new Map<string, Set<string>>()
    for (const reflector of this.#options.reflectors) {
      for (const { kept, namespace } of reflector.known()) {
        if (kept.fence === null) continue
        const known = all.get(kept.fence)
        if (known === undefined) all.set(kept.fence, new Set([namespace]))
        else known.add(namespace)
      }
    }
    return all
  }

  forget(uid: string): void {
    this.#done.delete(uid)
  }

  async look(): Promise<void> {
    const { clock, isMine, reflectors } = this.#options
    for (const reflector of reflectors) {
      for (const { kept, namespace, name, uid } of reflector.known()) {
        const { ref } = kept
        if (ref === null || isMine(ref) || this.#closed) continue
        if (kept.state === 'over') void this.#recover(ref, { namespace, name, uid })
        else if (kept.state === 'alive' && clock.now() - kept.firstSeenAt >= ORPHAN_MS)
          await this.#orphan(ref, { namespace, name, uid })
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#callOff?.()
    await this.#options.logs.close()
    await Promise.allSettled(this.#collecting.values())
  }

  async #collect(ref: AttemptRef, pod: PodPlace): Promise<void> {
    const { clock, logs, trouble } = this.#options
    for (;;) {
      try {
        await logs.ended(ref, pod)
        if (this.#closed) return
        this.#done.add(pod.uid)
        return
      } catch (error) {
        if (this.#closed) return
        trouble('LOG_TROUBLE', `the log of ${ref.task} is not durable yet: ${String(error)}`, ref.run)
        await new Promise<void>(resolve => clock.after(LOG_RETRY_MS, resolve))
      }
    }
  }

  /** Ended under an engine that did not live to see to its log. */
  async #recover(ref: AttemptRef, pod: PodPlace): Promise<void> {
    if (this.#done.has(pod.uid) || this.#collecting.has(pod.uid)) return
    if (await this.#options.logs.isComplete(ref)) {
      this.#done.add(pod.uid)
      return
    }
    const standing = await this.#options.standing(ref)
    if (standing === 'ended') await this.collect(ref, pod)
    // Its run was removed with its logs: nobody wants this one any more.
    else if (standing === 'unknown') this.#done.add(pod.uid)
  }

  async #orphan(ref: AttemptRef, pod: PodPlace): Promise<void> {
    const standing = await this.#options.standing(ref)
    if (standing === 'live') return
    const why = standing === 'ended' ? 'its attempt has ended' : 'nobody knows its run'
    this.#options.trouble('ORPHAN_POD', `pod ${pod.namespace}/${pod.name} is removed: ${why}`, ref.run)
    await this.#options.remove(pod)
  }

  #later(): void {
    if (this.#closed) return
    this.#callOff = this.#options.clock.after(LOOK_MS, () => {
      this.look()
        .catch((error: unknown) => this.#options.trouble('CLUSTER_TROUBLE', `sweep: ${String(error)}`, null))
        .finally(() => this.#later())
    })
  }
}

/** What is remembered of a pod, while it exists. */
export function keptOf(pod: KubeObject, installation: string, now: number): Kept {
  const phase = (pod as Pod).status?.phase
  const over = phase === 'Succeeded' || phase === 'Failed'
  return {
    ref: refOfPod(pod, installation),
    fence: fenceOfLabels(pod.metadata.labels ?? {}),
    state: over ? 'over' : isTombstone(pod) ? 'tombstone' : 'alive',
    firstSeenAt: now,
  }
}
