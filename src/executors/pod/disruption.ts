import type { Outcome } from '../../core/run/events.ts'
import type { ReasonCode } from '../../core/run/reasons.ts'
import { conditionOf, type Pod, type Terminated, timeOf } from './pod.ts'

/** Exit codes with which a container ends that a kubelet ended. */
export const KILLED_BY: ReadonlyMap<number, string> = new Map([
  [137, 'SIGKILL'],
  [143, 'SIGTERM'],
])

/**
 * What is known of the container's end: its node told it; it ran when it was last heard of; or it had not begun. Only
 * in the second case can it be that it goes on somewhere, or that it did its work.
 */
export type Sight = 'seen' | 'unseen' | 'notBegun'

/**
 * Whether something other than the task ended it: its node, the scheduler, a drain, a person, a deadline. Null when
 * it was its own doing.
 *
 * @param ended  How the container ended; null when nobody saw that.
 */
export function endedFromOutside(pod: Pod, ended: Terminated | null, sight: Sight): Outcome | null {
  const found = disruptionOf(pod) ?? reasonOf(pod) ?? deletionOf(pod)
  if (found === null) return null
  const { reason, since, text } = found
  // A node that is out of reach may have begun it without a word.
  const isUnseen = sight === 'unseen' || (reason === 'NODE_LOST' && pod.spec.nodeName !== undefined)
  const mayGoOn = found.mayGoOn && sight !== 'seen' && isUnseen
  // Left with a code of its own, and before anybody wanted it to end.
  const at = timeOf(ended?.finishedAt)
  if (ended !== null && !KILLED_BY.has(ended.exitCode) && at !== null && since !== null && at < since)
    return null
  const exitCode = ended?.exitCode ?? null
  const kind = reason === 'TIMED_OUT' ? 'timedOut' : mayGoOn ? 'lost' : 'disrupted'
  const left = ended === null ? '' : `; it exited with code ${ended.exitCode}`
  return { kind, reason, exitCode, signal: null, message: `${text}${left}`, outputs: {} }
}

interface Found {
  readonly reason: ReasonCode
  /** From when on an end may be due to it; null when that is not known. */
  readonly since: number | null
  readonly text: string
  /** Nobody has made sure that the container is no more. */
  readonly mayGoOn: boolean
}

/** What Kubernetes itself says of a pod that it ends before its time. */
function disruptionOf(pod: Pod): Found | null {
  const condition = conditionOf(pod, 'DisruptionTarget')
  if (condition?.status !== 'True') return null
  const why = condition.reason ?? ''
  const text = `${condition.message || why}${nodeOf(pod)}`
  const since = timeOf(condition.lastTransitionTime)
  const is = (reason: ReasonCode, mayGoOn = false): Found => ({ reason, since, text, mayGoOn })
  switch (why) {
    case 'EvictionByEvictionAPI':
      return is('DRAINED')
    case 'PreemptionByScheduler':
      return is('PREEMPTED')
    case 'TerminationByKubelet':
      return reasonOf(pod) ?? is('EVICTED')
    case 'DeletionByTaintManager':
    case 'DeletionByPodGC':
      // Its node may only be out of reach: the container may go on there.
      return is('NODE_LOST', true)
    default:
      return is('DISRUPTED')
  }
}

/** What a kubelet writes as the reason of a pod that it ended. */
function reasonOf(pod: Pod): Found | null {
  const { reason = '', message = '' } = pod.status ?? {}
  const text = `${message === '' ? reason : message}${nodeOf(pod)}`
  const since = timeOf(conditionOf(pod, 'DisruptionTarget')?.lastTransitionTime)
  const is = (code: ReasonCode, mayGoOn = false): Found => ({ reason: code, since, text, mayGoOn })
  switch (reason) {
    case 'Evicted':
      return is('EVICTED')
    case 'Preempting':
      return is('PREEMPTED')
    case 'Terminated':
    case 'NodeShutdown':
    case 'Shutdown':
      return is('DISRUPTED')
    case 'NodeLost':
      return is('NODE_LOST', true)
    case 'DeadlineExceeded':
      // Not ours: the engine keeps the time of tasks. Somebody, or something in the cluster, has set it.
      return is('TIMED_OUT')
    default:
      return null
  }
}

function deletionOf(pod: Pod): Found | null {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = pod.metadata
  const end = timeOf(deletionTimestamp)
  if (end === null) return null
  // The time stamp is when the pod is to be gone, not when that was asked for. A kubelet that is done with a pod which
  // something keeps sets it anew, with a grace of 0; then it was asked for at most the pod's own grace before.
  const grace = deletionGracePeriodSeconds || (pod.spec.terminationGracePeriodSeconds ?? 30)
  const since = end - grace * 1000
  return { reason: 'POD_DELETED', since, text: `its pod was deleted${nodeOf(pod)}`, mayGoOn: true }
}

const nodeOf = (pod: Pod): string => (pod.spec.nodeName === undefined ? '' : ` (node ${pod.spec.nodeName})`)
