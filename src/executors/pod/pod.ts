import type { KubeObject, ObjectMeta } from '../../kubernetes/object.ts'

/** What is read of a pod. Everything that the API may leave out may be absent. */
export interface Pod extends KubeObject {
  readonly metadata: ObjectMeta & { readonly deletionGracePeriodSeconds?: number }
  readonly spec: {
    readonly nodeName?: string
    readonly terminationGracePeriodSeconds?: number
    readonly activeDeadlineSeconds?: number
    readonly schedulingGates?: readonly { readonly name: string }[]
    readonly containers?: readonly ContainerSpec[]
    readonly initContainers?: readonly ContainerSpec[]
    readonly ephemeralContainers?: readonly ContainerSpec[]
  }
  readonly status?: PodStatus
}

export interface ContainerSpec {
  readonly name: string
  readonly restartPolicy?: string
  readonly resources?: { readonly limits?: Readonly<Record<string, string>> }
}

export interface PodStatus {
  readonly phase?: string
  readonly reason?: string
  readonly message?: string
  readonly startTime?: string
  readonly conditions?: readonly PodCondition[]
  readonly containerStatuses?: readonly ContainerStatus[]
  readonly initContainerStatuses?: readonly ContainerStatus[]
}

export interface PodCondition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
}

export interface ContainerStatus {
  readonly name: string
  readonly restartCount?: number
  /** Absent until the container was made. */
  readonly containerID?: string
  readonly state?: ContainerState
}

export interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string }
  readonly running?: { readonly startedAt?: string }
  readonly terminated?: Terminated
}

export interface Terminated {
  readonly exitCode: number
  readonly reason?: string
  /** The termination message: what the task wrote to `$KONTROLER_OUTPUT`, or why it could not start. */
  readonly message?: string
  readonly startedAt?: string
  readonly finishedAt?: string
}

/** The deadline that a pod is given when it is to end; a template's own is kept by the engine, not by the kubelet. */
export const STOP_DEADLINE_SECONDS = 1

export const conditionOf = (pod: Pod, type: string): PodCondition | null =>
  pod.status?.conditions?.find(condition => condition.type === type) ?? null

/** It will never run again, whatever its containers are said to be. */
export const isOver = (pod: Pod): boolean =>
  pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'

/** Whether any of its containers ran, as far as it is known. */
export const hasBegun = ({ status = {} }: Pod): boolean =>
  [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].some(
    ({ state }) => state?.running !== undefined || state?.terminated !== undefined,
  )

/** Init containers that run once, one after the other: not those that run beside the task (`restartPolicy: Always`). */
export function initStatuses(pod: Pod): readonly ContainerStatus[] {
  const beside = new Set(
    (pod.spec.initContainers ?? []).flatMap(({ name, restartPolicy }) =>
      restartPolicy === 'Always' ? [name] : [],
    ),
  )
  return (pod.status?.initContainerStatuses ?? []).filter(({ name }) => !beside.has(name))
}

/** Milliseconds since 1970; null for what is absent or no time. */
export function timeOf(text: string | undefined): number | null {
  const at = Date.parse(text ?? '')
  return Number.isNaN(at) ? null : at
}

export const latest = (times: readonly (number | null)[]): number | null =>
  times.reduce((most, at) => (at === null || (most !== null && most > at) ? most : at), null)
