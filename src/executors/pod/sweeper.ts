import type { KubeObject } from '../../kubernetes/object.ts'
import type { Reflector } from '../../kubernetes/reflector.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AttemptRef } from '../../ports/executor.ts'
import type { PodLogs } from './cluster-logs.ts'
import { endedOf, type LoggedPod, ownBegan } from './logged-pod.ts'
import { attemptId, containerName, fenceOfLabels, isTombstone, type PodPlace, refOfPod } from './names.ts'
import { hasEnded } from './outcome.ts'
import { isOver, type Pod } from './pod.ts'

/** What is remembered of a pod of ours while it exists. */
export interface Kept {
  /** Null for a pod that only looks like ours. */
  readonly ref: AttemptRef | null
  readonly fence: string | null
  /** `ending`: its task has ended, and others of its containers go on. */
  readonly state: 'over' | 'ending' | 'tombstone' | 'alive'
  /** Its init containers and sidecars of which no more will be heard. */
  readonly others: readonly string[]
  /** When its task's container began. */
  readonly began: number | null
  /** When it was last seen to be other than before. */
  readonly changedAt: number
}

export interface SweeperOptions {
  readonly clock: Clock
  readonly logs: PodLogs
  readonly reflectors: readonly Reflector<Kept>[]
  /** Whether this engine looks after the attempt. */
  readonly isMine: (ref: AttemptRef) => boolean
  readonly standing: (ref: AttemptRef) => Promise<'live' | 'ended' | 'unknown'>
  readonly remove: (pod: PodPlace) => Promise<void>
  /** Tells a pod to end whose outcome and log are durable. */
  readonly settle: (pod: PodPlace) => Promise<void>
  readonly trouble: (code: string, message: string, run: string | null) => void
}

const LOOK_MS = 15_000
/** A pod that runs for nobody is removed after this time: an engine that has just made it says so by then. */
const ORPHAN_MS = 60_000
/** One that was told to end and goes on for so long is removed: only a sidecar's last words are waited for. */
const LINGER_MS = 10 * 60_000
const QUIET_MS = 60_000

/**
 * Sees to it that no pod runs for nobody and that no pod goes before its log is durable, whoever made it: an earlier
 * engine may have been killed at any moment between the two.
 */
export class Sweeper {
  readonly #options: SweeperOptions
  /** UIDs of pods whose logs are durable, or that never had one. */
  readonly #done = new Set<string>()
  /** UIDs of pods whose task's log is durable, while a sidecar still has something to say. */
  readonly #partly = new Set<string>()
  readonly #collecting = new Map<string, Promise<boolean>>()
  /** UIDs of pods of which it is being found out what there is to do for them; an archive may be away for hours. */
  readonly #recovering = new Set<string>()
  /** Attempts with a log that was begun, and maybe nobody who finishes it. */
  readonly #leftovers = new Map<string, AttemptRef>()
  #toldAt: number | null = null
  #callOff: (() => void) | null = null
  #closed = false

  constructor(options: SweeperOptions) {
    this.#options = options
    options.logs
      .leftovers()
      .then(found => found.forEach(ref => this.#leftovers.set(attemptId(ref), ref)))
      .catch((error: unknown) => options.trouble('LOG_TROUBLE', `logs of before: ${String(error)}`, null))
      .finally(() => this.#later())
  }

  /**
   * The logs of ended containers are made durable, however long that takes.
   *
   * @param whole  Whether these are all that the pod has, so that it may go.
   * @returns      Whether they are; false when that could not be brought about now.
   */
  collect(pod: LoggedPod, whole: boolean): Promise<boolean> {
    const under = this.#collecting.get(pod.uid)
    if (under !== undefined) return under
    if (this.#done.has(pod.uid) || (!whole && this.#partly.has(pod.uid))) return Promise.resolve(true)
    const work = this.#collect(pod, whole).finally(() => this.#collecting.delete(pod.uid))
    this.#collecting.set(pod.uid, work)
    return work
  }

  /** Whether the logs of this pod's task have been taken to their end, or are just now. */
  takes(uid: string): boolean {
    return this.#done.has(uid) || this.#partly.has(uid) || this.#collecting.has(uid)
  }

  /** Whether a pod of this fence has to stay because of its log. */
  holds(fence: string): boolean {
    for (const reflector of this.#options.reflectors)
      for (const { kept, uid } of reflector.known()) {
        if (kept.fence !== fence || kept.ref === null || this.#done.has(uid)) continue
        if (kept.state === 'over' || kept.state === 'ending') return true
        if (this.#partly.has(uid) || this.#collecting.has(uid)) return true
      }
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
    this.#partly.delete(uid)
  }

  /** A pod went that nobody here looks after. */
  gone(ref: AttemptRef, uid: string): void {
    if (!this.#done.has(uid) && !this.#collecting.has(uid)) this.#leftovers.set(attemptId(ref), ref)
  }

  async look(): Promise<void> {
    const { clock, isMine, reflectors } = this.#options
    for (const reflector of reflectors) {
      for (const { kept, namespace, name, uid } of reflector.known()) {
        const { ref } = kept
        if (ref === null || isMine(ref) || this.#closed) continue
        const place = { namespace, name, uid }
        if (kept.state === 'over' || kept.state === 'ending') void this.#recover(ref, place, kept)
        else if (kept.state === 'alive' && clock.now() - kept.changedAt >= ORPHAN_MS)
          await this.#orphan(ref, place)
      }
    }
    if (this.#leftovers.size > 0) await this.#finishLeftovers()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#callOff?.()
    await this.#options.logs.close()
    await Promise.allSettled(this.#collecting.values())
  }

  async #collect(pod: LoggedPod, whole: boolean): Promise<boolean> {
    try {
      await this.#options.logs.ended(pod)
    } catch (error) {
      if (!this.#closed) this.#failed(pod.attempt, error)
      return false
    }
    // Of one that is gone by now nobody will ask any more.
    if (this.#isThere(pod)) (whole ? this.#done : this.#partly).add(pod.uid)
    return true
  }

  #isThere({ namespace, pod, uid }: LoggedPod): boolean {
    return this.#options.reflectors.some(reflector => reflector.find(namespace, pod)?.uid === uid)
  }

  /** Ended under an engine that did not live to see to its log. */
  async #recover(ref: AttemptRef, place: PodPlace, kept: Kept): Promise<void> {
    const { uid } = place
    if (this.#done.has(uid) || this.#collecting.has(uid) || this.#recovering.has(uid)) return
    this.#recovering.add(uid)
    try {
      await this.#recoverOnce(ref, place, kept)
    } catch (error) {
      this.#failed(ref, error)
    } finally {
      this.#recovering.delete(uid)
    }
  }

  async #recoverOnce(ref: AttemptRef, place: PodPlace, kept: Kept): Promise<void> {
    const { clock, logs, remove, settle, standing } = this.#options
    const { state, others, began, changedAt } = kept
    const { namespace, name, uid } = place
    const whole = state === 'over'
    const own = containerName(ref.task)
    const pod: LoggedPod = {
      attempt: ref,
      namespace,
      pod: name,
      uid,
      own,
      others,
      ...(began === null ? {} : { began: { [own]: began } }),
    }
    // An archive that is away cannot say; collecting is patient, and replaces nothing that is there.
    if (whole && (await logs.isComplete(pod).catch(() => false))) {
      this.#done.add(uid)
      return
    }
    const known = await standing(ref)
    if (known === 'live') return
    // Its run was removed with its logs: nobody wants this one any more.
    if (known === 'unknown') this.#done.add(uid)
    else if (!(await this.collect(pod, whole))) return
    if (whole) return
    if (clock.now() - changedAt < LINGER_MS) await settle(place)
    else await remove(place)
  }

  /** Logs whose pods went before they were read to their end, while nobody looked. */
  async #finishLeftovers(): Promise<void> {
    const { isMine, logs, reflectors, standing } = this.#options
    const there = new Set<string>()
    for (const reflector of reflectors)
      for (const { kept } of reflector.known()) if (kept.ref !== null) there.add(attemptId(kept.ref))
    for (const [id, ref] of Array.from(this.#leftovers)) {
      if (there.has(id)) this.#leftovers.delete(id)
      if (there.has(id) || isMine(ref) || this.#closed) continue
      const known = await standing(ref)
      if (known === 'live') continue
      this.#leftovers.delete(id)
      // Not waited for: the archive may be away for hours.
      ;(known === 'ended' ? logs.lost(ref) : logs.forget(ref)).catch((error: unknown) => {
        if (this.#closed) return
        this.#leftovers.set(id, ref)
        this.#failed(ref, error)
      })
    }
  }

  /** What stands in the way of one stands in the way of hundreds. */
  #failed(ref: AttemptRef, error: unknown): void {
    const { clock, trouble } = this.#options
    if (this.#toldAt !== null && clock.now() - this.#toldAt < QUIET_MS) return
    this.#toldAt = clock.now()
    trouble('LOG_TROUBLE', `the log of ${ref.task} is not durable yet: ${String(error)}`, ref.run)
  }

  async #orphan(ref: AttemptRef, pod: PodPlace): Promise<void> {
    if (this.#collecting.has(pod.uid)) return
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
export function keptOf(object: KubeObject, installation: string, now: number): Kept {
  const pod = object as Pod
  const ref = refOfPod(pod, installation)
  return {
    ref,
    others: ref === null ? [] : endedOf(pod, ref),
    began: ref === null ? null : ownBegan(pod, ref),
    fence: fenceOfLabels(pod.metadata.labels ?? {}),
    state: stateOf(pod),
    changedAt: now,
  }
}

function stateOf(pod: Pod): Kept['state'] {
  if (isOver(pod)) return 'over'
  if (isTombstone(pod)) return 'tombstone'
  return hasEnded(pod) ? 'ending' : 'alive'
}
