import type { Outcome } from '../../core/run/events.ts'
import type { ReasonCode } from '../../core/run/reasons.ts'
import type { ApiProblem } from '../../kubernetes/problem.ts'
import { type ContainerState, type Pod, conditionOf } from './pod.ts'

/** What holds a pod back that has been made and does not run yet. */
export interface Held {
  /** Null while there is nothing that a person would want to know. */
  readonly why: Why | null
  /** From when on nobody waits for it any longer, and what the attempt then ends as; null: as long as it may take. */
  readonly giveUp: { readonly at: number; readonly outcome: Outcome } | null
}

export interface Why {
  readonly reason: ReasonCode
  readonly message: string
}

/** A registry that stammers is given this time; then a wrong name is the likelier story. */
const IMAGE_MS = 120_000
/** A Secret that is applied together with the DAG may come a little later. */
const CONFIG_MS = 60_000

const NOTHING: Held = { why: null, giveUp: null }

/** @param waiting  What the kubelet says of the task's container; null before it says anything. */
export function heldBack(pod: Pod, waiting: ContainerState['waiting'] | null, now: number): Held {
  const scheduled = conditionOf(pod, 'PodScheduled')
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable')
    return { why: { reason: 'UNSCHEDULABLE', message: scheduled.message ?? 'no node fits' }, giveUp: null }
  for (const state of [waiting, ...initWaits(pod)]) {
    const held = state === null || state === undefined ? null : heldByContainer(pod, state, now)
    if (held !== null) return held
  }
  return NOTHING
}

function heldByContainer(
  pod: Pod,
  { reason = '', message = '' }: NonNullable<ContainerState['waiting']>,
  now: number,
): Held | null {
  const since = Date.parse(pod.status?.startTime ?? '')
  const after = (ms: number): number => (Number.isNaN(since) ? now : since) + ms
  const text = message === '' ? reason : message
  switch (reason) {
    case 'InvalidImageName':
    case 'ErrImageNeverPull':
      return held('IMAGE_PULL', text, now, failure('imageError', 'IMAGE_ERROR', text))
    case 'ErrImagePull':
    case 'ImagePullBackOff':
    case 'ImageInspectError':
    case 'RegistryUnavailable':
      return held('IMAGE_PULL', text, after(IMAGE_MS), failure('imageError', 'IMAGE_ERROR', text))
    case 'CreateContainerConfigError':
      return held('CONTAINER_CONFIG', text, after(CONFIG_MS), failure('configError', missing(text), text))
    case 'CreateContainerError':
    case 'RunContainerError':
    case 'CreatePodSandboxError':
      return held('STARTING', text, after(CONFIG_MS), failure('startError', 'START_ERROR', text))
    case 'CrashLoopBackOff':
      // Only a sidecar is started again and again: the task waits for it.
      return held('STARTING', text, after(IMAGE_MS), failure('startError', 'START_ERROR', text))
    default:
      return null
  }
}

const initWaits = (pod: Pod): readonly ContainerState['waiting'][] =>
  (pod.status?.initContainerStatuses ?? []).map(({ state }) => state?.waiting)

const held = (reason: ReasonCode, message: string, at: number, outcome: Outcome): Held => ({
  why: { reason, message },
  giveUp: { at, outcome },
})

function missing(text: string): ReasonCode {
  if (/secret/iu.test(text)) return 'SECRET_MISSING'
  return /configmap/iu.test(text) ? 'CONFIG_MISSING' : 'CONFIG_ERROR'
}

/**
 * What the refusal of a create means: the end of the attempt, a wait for room, or null for what has nothing to do with
 * the pod (then it is tried again).
 */
export function refusedCreate(
  problem: ApiProblem,
):
  | { readonly kind: 'final'; readonly outcome: Outcome }
  | { readonly kind: 'wait'; readonly why: Why }
  | null {
  const { kind, message } = problem
  switch (kind) {
    case 'forbidden':
      if (message.includes('exceeded quota'))
        return { kind: 'wait', why: { reason: 'QUOTA_EXCEEDED', message } }
      // A token that is not let in any more, or rights that are being set up, are not the task's fault.
      if (message.includes('cannot create resource')) return null
      if (message.includes('is being terminated'))
        return { kind: 'final', outcome: failure('configError', 'CONFIG_ERROR', message) }
      return { kind: 'final', outcome: failure('configError', 'POLICY_DENIED', message) }
    case 'invalid':
    case 'badRequest':
    case 'tooLarge':
    case 'notFound':
      // `notFound` is the namespace. An admission webhook denies with 400 as well.
      return {
        kind: 'final',
        outcome: failure(
          'configError',
          message.includes('denied the request') ? 'POLICY_DENIED' : 'CONFIG_ERROR',
          message,
        ),
      }
    default:
      return null
  }
}

const failure = (kind: Outcome['kind'], reason: ReasonCode, message: string): Outcome => ({
  kind,
  reason,
  exitCode: null,
  signal: null,
  message,
  outputs: {},
})
