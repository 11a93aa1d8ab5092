import type { KubeObject } from '../../kubernetes/object.ts'

/** What is read of a pod. Everything that the API may leave out may be absent. */
export interface Pod extends KubeObject {
  readonly spec: {
    readonly nodeName?: string
    readonly terminationGracePeriodSeconds?: number
    readonly activeDeadlineSeconds?: number
  }
  readonly status?: PodStatus
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

export const conditionOf = (pod: Pod, type: string): PodCondition | null =>
  pod.status?.conditions?.find(condition => condition.type === type) ?? null

/** It will never run again, whatever its containers are said to be. */
export const isOver = (pod: Pod): boolean =>
  pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
