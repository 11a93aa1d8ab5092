import type { Disruption } from './life.ts'
import type { Condition } from './status.ts'

/** What the kubelet itself does: the pod fails where it stands. */
export type OwnDoing = Extract<Disruption, 'evicted' | 'shutdown'>

/** The words of Kubernetes 1.36. */
export const OWN_DOING: Readonly<Record<OwnDoing, { readonly reason: string; readonly message: string }>> = {
  evicted: { reason: 'Evicted', message: 'The node was low on resource: memory.' },
  shutdown: {
    reason: 'Terminated',
    message: 'Pod was terminated in response to imminent node shutdown.',
  },
}

export const DEADLINE = {
  reason: 'DeadlineExceeded',
  message: 'Pod was active on the node longer than the specified deadline',
} as const

/** What the pod is marked with before somebody else removes it; null: with nothing. */
export const TARGET: Readonly<Record<Exclude<Disruption, OwnDoing>, Condition | null>> = {
  // The API server writes that one.
  drained: null,
  deleted: null,
  preempted: target(
    'PreemptionByScheduler',
    'default-scheduler: preempting to accommodate a higher priority pod',
  ),
  nodeLost: target('DeletionByTaintManager', 'Taint manager: deleting due to NoExecute taint'),
  nodeGone: target('DeletionByPodGC', 'PodGC: node no longer exists'),
}

export function target(reason: string, message: string): Condition {
  return { type: 'DisruptionTarget', status: 'True', reason, message }
}
