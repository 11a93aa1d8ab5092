import type { Client, RequestOptions } from '../../kubernetes/client.ts'
import { isProblem } from '../../kubernetes/problem.ts'
import { CONFIG_MAPS, PODS, type Resource, VOLUME_CLAIMS } from '../../kubernetes/resource.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AttemptSpec, Intended } from '../../ports/executor.ts'
import { type NewObject, podBody, scriptMap, tombstone, workspaceClaim } from './body.ts'
import type { Fences } from './fences.ts'
import type { HeldPod } from './evidence.ts'
import {
  FINALIZER,
  GATE,
  installationSelector,
  isPodOf,
  type PodPlace,
  podName,
  runSelector,
  workspaceName,
} from './names.ts'
import { isOver, type Pod, STOP_DEADLINE_SECONDS } from './pod.ts'

export interface ClusterOptions {
  readonly client: Client
  readonly installation: string
  readonly fences: Fences
  readonly clock: Clock
  /** Time between TERM and KILL that pods are given, in milliseconds. */
  readonly stopGraceMs: number
}

const MADE_MAX = 10_000

/** Between somebody's dependent task and the cluster nothing waits; see the client's lanes. */
const URGENT: RequestOptions = { priority: 'dependent' }

/** The requests that an attempt's life is made of. Each may be asked for twice. */
export class Cluster {
  readonly #options: ClusterOptions
  /** Scripts and claims that are there, by namespace and name. */
  readonly #made = new Map<string, Promise<void>>()
  /** Fences of runs that have a workspace: their tombstones hold the claim. */
  readonly #fencesOf = new Map<string, Set<string>>()

  constructor(options: ClusterOptions) {
    this.#options = options
  }

  /** @throws {ApiProblem} `alreadyExists` when the name is taken; see `find`. */
  async create(spec: AttemptSpec): Promise<Pod | 'fenceClosed'> {
    const { client, fences, installation, stopGraceMs } = this.#options
    const fence = spec.era ?? fences.current
    if (!(await fences.stand(fence, spec.namespace))) return 'fenceClosed'
    if (spec.workspace) this.#fencesOf.set(spec.run, (this.#fencesOf.get(spec.run) ?? new Set()).add(fence))
    await this.#surroundings(spec, fence)
    const body = podBody(spec, { installation, fence, stopGraceSeconds: Math.ceil(stopGraceMs / 1000) })
    try {
      return await client.create<Pod>(PODS, spec.namespace, body, URGENT)
    } catch (error) {
      // The fate of the first is found out by the second: the name is ours.
      if (isProblem(error) && error.effect === 'unknown') return await this.create(spec)
      throw error
    }
  }

  /** The attempt's pod, or null when there is none of ours by its name. */
  async find(ref: Intended): Promise<Pod | null> {
    const { client, installation } = this.#options
    const place = { namespace: ref.namespace, name: podName(ref) }
    try {
      const pod = await client.get<Pod>(PODS, place, URGENT)
      return isPodOf(pod, installation, ref) ? pod : null
    } catch (error) {
      if (isProblem(error, 'notFound')) return null
      throw error
    }
  }

  /**
   * Takes the attempt's name with a pod that never starts, so that it never will.
   *
   * @returns The attempt's pod when it has one; null when the name was free, and is taken now.
   */
  async occupy(ref: Intended): Promise<Pod | null> {
    const { client, fences, installation } = this.#options
    const fence = ref.era ?? fences.current
    if (!(await fences.stand(fence, ref.namespace))) return null
    try {
      await client.createBrief(PODS, ref.namespace, tombstone(ref, { installation, fence }), URGENT)
      return null
    } catch (error) {
      if (isProblem(error, 'alreadyExists')) return await this.find(ref)
      throw error
    }
  }

  /**
   * TERM to the pod's containers, KILL after the grace. A deadline of one second makes the kubelet do it and leaves
   * the pod, as a tombstone; only for a shorter grace than the pod's own it is deleted.
   */
  async stop(pod: Pod, graceMs: number): Promise<void> {
    const { client } = this.#options
    const own = (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000
    const place = placeOf(pod)
    try {
      if (graceMs < own) {
        const gracePeriodSeconds = Math.max(1, Math.ceil(graceMs / 1000))
        await client.remove(PODS, place, { ...URGENT, uid: pod.metadata.uid, gracePeriodSeconds })
      } else if (pod.spec.activeDeadlineSeconds !== STOP_DEADLINE_SECONDS) {
        const patch = {
          metadata: { uid: pod.metadata.uid },
          spec: { activeDeadlineSeconds: STOP_DEADLINE_SECONDS },
        }
        await client.mergePatch(PODS, place, patch, { ...URGENT, metadataOnly: true })
      }
    } catch (error) {
      // Gone, or another one by now: the watch tells.
      if (!isProblem(error, 'notFound') && !isProblem(error, 'conflict')) throw error
    }
  }

  async remove(pod: PodPlace): Promise<void> {
    const { namespace, name, uid } = pod
    await this.#options.client.remove(PODS, { namespace, name }, { ...URGENT, uid })
  }

  /**
   * Lets a pod go on that was held back from its start: its UID is durable.
   *
   * @returns The pod as it is then; null when it is other than it was, so that it has to be seen again.
   */
  async ungate(pod: Pod): Promise<Pod | null> {
    const index = (pod.spec.schedulingGates ?? []).findIndex(({ name }) => name === GATE)
    const gate = `/spec/schedulingGates/${index}`
    const patch = [
      { op: 'test', path: '/metadata/uid', value: pod.metadata.uid },
      { op: 'test', path: `${gate}/name`, value: GATE },
      { op: 'remove', path: gate },
    ]
    try {
      return await this.#options.client.jsonPatch<Pod>(PODS, placeOf(pod), patch, URGENT)
    } catch (error) {
      if (isProblem(error, 'invalid', 'conflict', 'notFound')) return null
      throw error
    }
  }

  /** Takes our finalizer away; false when the pod has changed meanwhile. */
  async dropFinalizer({ namespace, name, uid, finalizers, resourceVersion }: HeldPod): Promise<boolean> {
    const rest = finalizers.filter(finalizer => finalizer !== FINALIZER)
    const patch = { metadata: { uid, resourceVersion, finalizers: rest } }
    const options = { priority: 'housekeeping', metadataOnly: true } as const
    try {
      await this.#options.client.mergePatch(PODS, { namespace, name }, patch, options)
      return true
    } catch (error) {
      if (isProblem(error, 'notFound')) return true
      if (isProblem(error, 'conflict')) return false
      throw error
    }
  }

  /** Its fence was removed by somebody: no further attempt is given it. */
  fenceGone(fence: string): void {
    this.#options.fences.gone(fence)
  }

  /** Outcome and log are durable: a pod that goes on because a sidecar does not end is told to. */
  async settle(seen: Pod): Promise<void> {
    const { client } = this.#options
    const place = placeOf(seen)
    try {
      if (isOver(seen)) return
      const now = await client.get<Pod>(PODS, place, { priority: 'housekeeping' })
      // One that somebody deletes is told already.
      const isTold = now.metadata.deletionTimestamp !== undefined
      if (!isOver(now) && !isTold && now.metadata.uid === seen.metadata.uid)
        await this.stop(now, Number.POSITIVE_INFINITY)
    } catch (error) {
      if (!isProblem(error, 'notFound') && !isProblem(error, 'conflict')) throw error
    }
  }

  /** Removes the claim behind a run's workspace: only ever the one that was made here, known by its labels. */
  async removeWorkspace(run: string, namespaces: readonly (string | undefined)[]): Promise<void> {
    const { client, installation } = this.#options
    const labelSelector = `${installationSelector(installation)},${runSelector(run)}`
    for (const namespace of namespaces) {
      try {
        const { items } = await client.list(
          VOLUME_CLAIMS,
          { namespace, labelSelector },
          { metadataOnly: true, priority: 'housekeeping' },
        )
        for (const { metadata } of items) {
          const place = { namespace: metadata.namespace ?? '', name: metadata.name }
          await client.remove(VOLUME_CLAIMS, place, { uid: metadata.uid, priority: 'housekeeping' })
        }
      } catch (error) {
        // With a namespace our rights in it are gone, and its claims too.
        if (!isProblem(error, 'forbidden')) throw error
      }
    }
    // The claim stays as long as tombstones name it: their fences take nothing new, so that they soon are closed.
    for (const fence of this.#fencesOf.get(run) ?? []) this.#options.fences.retire(fence)
  }

  forget(run: string): void {
    this.#fencesOf.delete(run)
    for (const key of this.#made.keys()) if (key.endsWith(`/${workspaceName(run)}`)) this.#made.delete(key)
  }

  async #surroundings(spec: AttemptSpec, fence: string): Promise<void> {
    const { installation } = this.#options
    if (spec.work.script !== null) {
      const body = scriptMap(spec.work.script, { installation, fence })
      await this.#once(spec.namespace, body, CONFIG_MAPS)
    }
    if (spec.workspace) await this.#once(spec.namespace, workspaceClaim(spec, installation), VOLUME_CLAIMS)
  }

  async #once(namespace: string, body: NewObject, resource: Resource): Promise<void> {
    const key = `${namespace}/${body.metadata.name}`
    const known = this.#made.get(key)
    if (known !== undefined) return await known
    // Whatever is forgotten is found to be there.
    if (this.#made.size >= MADE_MAX) this.#made.clear()
    const making = this.#make(namespace, body, resource)
    this.#made.set(key, making)
    try {
      await making
    } catch (error) {
      this.#made.delete(key)
      throw error
    }
  }

  /** One of this name that is on its way out is waited for: a pod that mounts it would never start. */
  async #make(namespace: string, body: NewObject, resource: Resource): Promise<void> {
    const { client, clock } = this.#options
    for (;;) {
      try {
        await client.createBrief(resource, namespace, body, URGENT)
        return
      } catch (error) {
        if (!isProblem(error, 'alreadyExists')) throw error
      }
      const place = { namespace, name: body.metadata.name }
      const there = await client
        .get(resource, place, { ...URGENT, metadataOnly: true })
        .catch((error: unknown) => {
          if (isProblem(error, 'notFound')) return null
          throw error
        })
      if (there !== null && there.metadata.deletionTimestamp === undefined) return
      await new Promise<void>(resolve => clock.after(GONE_MS, resolve))
    }
  }
}

const GONE_MS = 500

export const placeOf = (pod: Pod): PodPlace => ({
  namespace: pod.metadata.namespace ?? '',
  name: pod.metadata.name,
  uid: pod.metadata.uid,
})
