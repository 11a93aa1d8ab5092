import type { Client, RequestOptions } from '../../kubernetes/client.ts'
import { isProblem } from '../../kubernetes/problem.ts'
import { CONFIG_MAPS, PODS, type Resource, VOLUME_CLAIMS } from '../../kubernetes/resource.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AttemptSpec, Intended } from '../../ports/executor.ts'
import { type NewObject, podBody, scriptMap, tombstone, workspaceClaim } from './body.ts'
import type { Fences } from './fences.ts'
import type { HeldPod } from './evidence.ts'
import type { Why } from './pending.ts'
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

/** There can be no pod yet. */
export interface Waits {
  readonly waits: Why
}

const MADE_MAX = 10_000

/** Between somebody's dependent task and the cluster nothing waits; see the client's lanes. */
const URGENT: RequestOptions = { priority: 'dependent' }

/** The requests that an attempt's life is made of. Each may be asked for twice. */
export class Cluster {
  readonly #options: ClusterOptions
  /** Scripts and claims that are there, by namespace and name. */
  readonly #made = new Map<string, Promise<boolean>>()
  /** Fences of runs that have a workspace: their tombstones hold the claim. */
  readonly #fencesOf = new Map<string, Set<string>>()

  constructor(options: ClusterOptions) {
    this.#options = options
  }

  /**
   * One try. Asked again when it fails, it finds out what became of it: the name is ours.
   *
   * @throws {ApiProblem} `alreadyExists` when the name is taken; see `find`.
   */
  async create(spec: AttemptSpec): Promise<Pod | 'fenceClosed' | Waits> {
    const { client, fences, installation, stopGraceMs } = this.#options
    const fence = spec.era ?? fences.current
    if (!(await fences.stand(fence, spec.namespace))) return 'fenceClosed'
    if (spec.workspace) this.#fencesOf.set(spec.run, (this.#fencesOf.get(spec.run) ?? new Set()).add(fence))
    const waits = await this.#surroundings(spec, fence)
    if (waits !== null) return waits
    const body = podBody(spec, { installation, fence, stopGraceSeconds: Math.ceil(stopGraceMs / 1000) })
    const pod = await client.create<Pod>(PODS, spec.namespace, body, URGENT)
    fences.taken(fence)
    return pod
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
      fences.taken(fence)
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

  /** A pod of which nothing is expected any more, but that goes on, is told to end. */
  async settle(place: PodPlace): Promise<void> {
    const { client } = this.#options
    try {
      const now = await client.get<Pod>(PODS, place, { priority: 'housekeeping' })
      // One that somebody deletes is told already.
      const isTold = now.metadata.deletionTimestamp !== undefined
      if (!isOver(now) && !isTold && now.metadata.uid === place.uid)
        await this.stop(now, Number.POSITIVE_INFINITY)
    } catch (error) {
      if (!isProblem(error, 'notFound')) throw error
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

  /** What else the pod mounts is there; or what has to go first. */
  async #surroundings(spec: AttemptSpec, fence: string): Promise<Waits | null> {
    const { installation } = this.#options
    const { namespace, workspace, work } = spec
    if (work.script !== null) {
      const body = scriptMap(work.script, { installation, fence })
      if (!(await this.#once(namespace, body, CONFIG_MAPS))) return GOING.script
    }
    if (workspace && !(await this.#once(namespace, workspaceClaim(spec, installation), VOLUME_CLAIMS)))
      return GOING.workspace
    return null
  }

  async #once(namespace: string, body: NewObject, resource: Resource): Promise<boolean> {
    const key = `${namespace}/${body.metadata.name}`
    const known = this.#made.get(key)
    if (known !== undefined) return await known
    // Whatever is forgotten is found to be there.
    if (this.#made.size >= MADE_MAX) this.#made.clear()
    const making = this.#make(namespace, body, resource)
    this.#made.set(key, making)
    const isThere = await making.catch((error: unknown) => {
      this.#made.delete(key)
      throw error
    })
    if (!isThere) this.#made.delete(key)
    return isThere
  }

  /** @returns false while one of this name is on its way out: a pod that mounts it would never start. */
  async #make(namespace: string, body: NewObject, resource: Resource): Promise<boolean> {
    const { client } = this.#options
    try {
      await client.createBrief(resource, namespace, body, URGENT)
      return true
    } catch (error) {
      if (!isProblem(error, 'alreadyExists')) throw error
    }
    const place = { namespace, name: body.metadata.name }
    try {
      const { metadata } = await client.get(resource, place, { ...URGENT, metadataOnly: true })
      return metadata.deletionTimestamp === undefined
    } catch (error) {
      if (isProblem(error, 'notFound')) return false
      throw error
    }
  }
}

const GOING = {
  script: { waits: { reason: 'STARTING', message: 'its script of before is being removed' } },
  workspace: { waits: { reason: 'VOLUME_PENDING', message: "somebody removed the run's workspace" } },
} as const

export const placeOf = (pod: Pod): PodPlace => ({
  namespace: pod.metadata.namespace ?? '',
  name: pod.metadata.name,
  uid: pod.metadata.uid,
})
