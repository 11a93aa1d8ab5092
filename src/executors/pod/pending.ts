import type { Outcome } from '../../core/run/events.ts'
import type { ReasonCode } from '../../core/run/reasons.ts'
import { notRun } from './not-run.ts'
import { GATE } from './names.ts'
import { type ContainerState, conditionOf, initStatuses, latest, type Pod, timeOf } from './pod.ts'

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
export const CONFIG_MS = 60_000

const NOTHING: Held = { why: null, giveUp: null }

/** @param waiting  What the kubelet says of the task's container; null before it says anything. */
export function heldBack(pod: Pod, waiting: ContainerState['waiting'] | null, now: number): Held {
  const unplaced = heldByScheduler(pod)
  if (unplaced !== null) return unplaced
  const waits = [waiting, ...(pod.status?.initContainerStatuses ?? []).map(({ state }) => state?.waiting)]
  for (const wait of waits) {
    const held = wait === null || wait === undefined ? null : heldByContainer(pod, wait, now)
    if (held !== null) return held
  }
  return NOTHING
}

function heldByScheduler(pod: Pod): Held | null {
  const { status, reason, message = '' } = conditionOf(pod, 'PodScheduled') ?? {}
  if (status !== 'False') return null
  if (reason === 'SchedulingGated') {
    const gates = (pod.spec.schedulingGates ?? []).flatMap(({ name }) => (name === GATE ? [] : [name]))
    if (gates.length === 0) return NOTHING
    return waitsFor('UNSCHEDULABLE', `somebody's scheduling gate holds it back: ${gates.join(', ')}`)
  }
  return reason === 'Unschedulable' ? waitsFor(...unschedulable(message)) : null
}

export const unschedulable = (message: string): readonly [ReasonCode, string] =>
  /persistentvolumeclaim|volume node affinity/iu.test(message)
    ? ['VOLUME_PENDING', message]
    : ['UNSCHEDULABLE', message === '' ? 'no node fits' : message]

function heldByContainer(
  pod: Pod,
  { reason = '', message = '' }: NonNullable<ContainerState['waiting']>,
  now: number,
): Held | null {
  const since = begunAt(pod) ?? now
  const text = message === '' ? reason : message
  switch (reason) {
    case 'InvalidImageName':
    case 'ErrImageNeverPull':
      return until(now, 'IMAGE_PULL', text, failure('imageError', 'IMAGE_ERROR', text))
    case 'ErrImagePull':
    case 'ImagePullBackOff':
    case 'ImageInspectError':
    case 'RegistryUnavailable':
    case 'SignatureValidationFailed':
      return until(since + IMAGE_MS, 'IMAGE_PULL', text, failure('imageError', 'IMAGE_ERROR', text))
    case 'CreateContainerConfigError': {
      // No Secret that comes later changes what the image says.
      const at = /runAsNonRoot/u.test(text) ? now : since + CONFIG_MS
      return until(at, 'CONTAINER_CONFIG', text, failure('configError', missing(text), text))
    }
    case 'CreateContainerError':
    case 'RunContainerError':
      return until(since + CONFIG_MS, 'STARTING', text, notRun(text))
    case 'CreatePodSandboxError':
    case 'PreCreateHookError':
    case 'PreStartHookError':
    case 'PostStartHookError':
      return until(since + CONFIG_MS, 'STARTING', text, failure('startError', 'START_ERROR', text))
    case 'CrashLoopBackOff':
      // Only a sidecar is started again and again: the task waits for it.
      return until(since + IMAGE_MS, 'STARTING', text, failure('startError', 'START_ERROR', text))
    default:
      return null
  }
}

/** When the container that is held back could first have been tried: init containers may take as long as they like. */
export const begunAt = (pod: Pod): number | null =>
  latest([
    timeOf(pod.status?.startTime),
    ...initStatuses(pod).map(({ state }) => timeOf(state?.terminated?.finishedAt)),
  ])

const waitsFor = (reason: ReasonCode, message: string): Held => ({ why: { reason, message }, giveUp: null })

const until = (at: number, reason: ReasonCode, message: string, outcome: Outcome): Held => ({
  why: { reason, message },
  giveUp: { at, outcome },
})

/**
 * What is not there, as kubelets say it: `secret "db" not found`, `couldn't find key password in Secret default/db`,
 * and the same of a ConfigMap. Anything else is some other mistake.
 */
export function missing(text: string): ReasonCode {
  const found = /\b(secret|configmap) "[^"]*" not found|couldn't find key .* in (Secret|ConfigMap) /iu.exec(
    text,
  )
  const kind = (found?.[1] ?? found?.[2] ?? '').toLowerCase()
  if (kind === 'secret') return 'SECRET_MISSING'
  return kind === 'configmap' ? 'CONFIG_MISSING' : 'CONFIG_ERROR'
}

const failure = (kind: Outcome['kind'], reason: ReasonCode, message: string): Outcome => ({
  kind,
  reason,
  exitCode: null,
  signal: null,
  message,
  outputs: {},
})
