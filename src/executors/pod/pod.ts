import type { KubeObject } from '../../kubernetes/object.ts'

/** What is read of a pod. Everything that the API may leave out may be absent. */
export interface Pod extends KubeObject {
  readonly spec: PodSpec
  readonly status?: PodStatus
}
