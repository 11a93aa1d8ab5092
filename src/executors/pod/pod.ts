import type { KubeObject } from '../../kubernetes/object.ts'

/** What is read of a pod. Everything that the API may leave out may be absent. */
export interface Pod extends KubeObject {
  readonly spec: {
    readonly nodeName?: string
    readonly terminationGracePeriodSeconds?: number
    readonly activeDeadlineSeconds?: number
  }
  readonly status?: {
    readonly phase?: string
    readonly reason?: string
    readonly message?: string
    readonly containerStatuses?: readonly ContainerStatus[]
  }
}

export interface ContainerStatus {
  readonly name: string
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string }
    readonly running?: { readonly startedAt?: string }
    readonly terminated?: {
      readonly exitCode: number
      readonly reason?: string
      readonly message?: string
      readonly startedAt?: string
      readonly finishedAt?: string
    }
  }
}
