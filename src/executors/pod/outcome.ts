import type { Outcome } from '../../core/run/events.ts'
import type { ReasonCode } from '../../core/run/reasons.ts'
import { OUTPUT_BYTES_MAX, parseOutputs } from '../outputs.ts'
import { endedFromOutside, KILLED_BY } from './disruption.ts'
import { containerOf, KEYS } from './names.ts'
import { notRun } from './not-run.ts'
import { type Held, heldBack } from './pending.ts'
import {
  type ContainerState,
  type ContainerStatus,
  initStatuses,
  isOver,
  latest,
  type Pod,
  STOP_DEADLINE_SECONDS,
  type Terminated,
  timeOf,
} from './pod.ts'

/** What a pod says of its attempt. */
export type Look =
  | ({ readonly kind: 'pending' } & Held)
  | { readonly kind: 'running'; readonly at: number; readonly giveUp: Held['giveUp'] }
  | { readonly kind: 'ended'; readonly at: number; readonly outcome: Outcome }

export interface LookOptions {
  /** We asked the pod to end: then its end is nobody else's doing. */
  readonly stopAsked: boolean
  readonly now: number
}

/**
 * The container of the task decides, whatever else is in the pod: a sidecar that never ends, or that somebody injected,
 * holds nothing up. Asked again with the same pod it says the same.
 */
export function lookAt(pod: Pod, { stopAsked: askedHere, now }: LookOptions): Look {
  // Another engine may have asked: only we give a pod such a deadline.
  const stopAsked = askedHere || pod.spec.activeDeadlineSeconds === STOP_DEADLINE_SECONDS
  const status = taskStatus(pod)
  const { terminated, running, waiting } = status?.state ?? {}
  if (terminated !== undefined && isKnown(status, terminated)) {
    const at = timeOf(terminated.finishedAt)
    // A container of which nobody knows ended at the beginning of time.
    return {
      kind: 'ended',
      at: at === null || at <= 0 ? (lastChange(pod) ?? now) : at,
      outcome: ofContainer(pod, status?.restartCount ?? 0, terminated, stopAsked),
    }
  }
  if (isOver(pod))
    return { kind: 'ended', at: lastChange(pod) ?? now, outcome: ofPod(pod, status?.state, stopAsked) }
  const going = goingFor(pod, stopAsked)
  // Without finalizers it is gone within a moment, and then its name is free, which counts too.
  const isKept = pod.spec.nodeName === undefined && (pod.metadata.finalizers ?? []).length > 0
  if (going !== null && isKept) return { kind: 'ended', at: now, outcome: going.outcome }
  if (running !== undefined) return { kind: 'running', at: timeOf(running.startedAt) ?? now, giveUp: going }
  const held = heldBack(pod, waiting ?? null, now)
  const isFirst = going !== null && (held.giveUp === null || going.at < held.giveUp.at)
  return { kind: 'pending', why: held.why, giveUp: isFirst ? going : held.giveUp }
}

/** A node has this time to say that a deleted pod is no more, after the pod's own grace; then it is taken for gone. */
const GONE_MS = 2 * 60_000

/**
 * Of a pod that is to go and does not: from when on nobody waits for its node to say how it ended, and what is known
 * without that. The pod goes on being deleted, so a node that comes back ends what may still run on it.
 */
function goingFor(pod: Pod, stopAsked: boolean): { readonly at: number; readonly outcome: Outcome } | null {
  const since = timeOf(pod.metadata.deletionTimestamp)
  if (since === null) return null
  const gone = deletedOutcome(pod, stopAsked)
  const { nodeName } = pod.spec
  if (nodeName === undefined) return { at: since + GONE_MS, outcome: gone }
  const message = `${gone.message ?? ''}; node ${nodeName} does not confirm that it is gone`
  // It may go on there, so what follows is for `onLost` to say.
  return { at: since + GONE_MS, outcome: { ...gone, kind: 'lost', message } }
}

/** A container that its node does not find has ended, but one that was never made has not even begun. */
const isKnown = (status: ContainerStatus | null, { reason }: Terminated): boolean =>
  reason !== NOT_FOUND || (status?.containerID ?? '') !== ''

/** Whether the task's own container has ended, whatever else goes on in the pod. */
export function hasEnded(pod: Pod): boolean {
  const status = taskStatus(pod)
  const terminated = status?.state?.terminated
  return terminated !== undefined && isKnown(status, terminated)
}

/** The pod is no more, or as good as that; `pod` is the last that was seen of it, and it had not ended. */
export function deletedOutcome(pod: Pod, stopAsked: boolean): Outcome {
  const hasRun = taskStatus(pod)?.state?.running !== undefined
  if (stopAsked) return hasRun ? lostOutcome('was asked to end, and nobody saw how it did') : neverStarted
  const outside = endedFromOutside(pod, null, hasRun ? 'unseen' : 'notBegun')
  if (outside !== null && outside.reason !== 'POD_DELETED') return outside
  const { nodeName } = pod.spec
  if (nodeName === undefined)
    return outcome('disrupted', 'POD_DELETED', null, 'its pod was deleted before it was on a node')
  return outcome(
    'lost',
    'POD_DELETED',
    null,
    `its pod on node ${nodeName} was deleted, and nobody saw how it ended`,
  )
}

export const neverStarted: Outcome = outcome(
  'cancelled',
  'CANCELLED',
  null,
  'was stopped before it was started',
)
export const lostOutcome = (message: string): Outcome => outcome('lost', 'LOST', null, message)
export const refusal = (message: string): Outcome => outcome('configError', 'CONFIG_ERROR', null, message)
export const startError = (message: string): Outcome => outcome('startError', 'START_ERROR', null, message)

/** What containerd and CRI-O say of a container whose process could not be made. */
const NOT_RUN: ReadonlySet<string> = new Set(['StartError', 'ContainerCannotRun'])
/** What a kubelet says of a container that it does not find, or that it never made: the exit code is made up. */
const NOT_FOUND = 'ContainerStatusUnknown'

function ofContainer(pod: Pod, restarts: number, ended: Terminated, stopAsked: boolean): Outcome {
  const { exitCode: code, reason = '', message = '' } = ended
  if (NOT_RUN.has(reason)) return notRun(message === '' ? reason : message)
  if (reason === NOT_FOUND)
    return (
      endedFromOutside(pod, null, 'unseen') ??
      lostOutcome(`its node does not find its container any more: ${message}`)
    )
  if (code === 0) return succeeded(pod, message, restarts)
  if (reason === 'OOMKilled' && code === 137)
    return outcome('oomKilled', 'OOM_KILLED', code, `used more memory than its limit${limitOf(pod)}`)
  const outside = stopAsked ? null : endedFromOutside(pod, ended, 'seen')
  if (outside !== null) return outside
  const signal = stopAsked ? (KILLED_BY.get(code) ?? null) : null
  if (signal !== null)
    return { ...outcome('exitCode', 'KILLED_BY_SIGNAL', code, `was ended by ${signal}`), signal }
  const oom = reason === 'OOMKilled' ? ', after one of its processes was killed for want of memory' : ''
  return outcome('exitCode', 'EXIT_CODE', code, `exited with code ${code}${oom}${againOf(restarts)}`)
}

/** The pod is over, and nothing is known of how its task's container ended, or it never ran. */
function ofPod(pod: Pod, state: ContainerState | undefined, stopAsked: boolean): Outcome {
  const hasRun = state?.running !== undefined
  const { phase, reason = '', message = '' } = pod.status ?? {}
  if (phase === 'Succeeded') {
    // Every container of it exited with 0, the task's own too.
    if (declaredOutputs(pod).length === 0) return outcome('succeeded', 'SUCCEEDED', 0, null)
    return lostOutcome('it succeeded, but its node did not hand on its outputs')
  }
  const failed = failedInit(pod, stopAsked)
  if (failed !== null) return failed
  if (stopAsked && !hasRun) return neverStarted
  const outside = endedFromOutside(pod, null, hasRun ? 'unseen' : 'notBegun')
  if (outside !== null) return outside
  const text = [reason, message].filter(part => part !== '').join(': ')
  if (hasRun) return lostOutcome(`its pod failed while it ran, and nobody saw how it ended: ${text}`)
  if (NEVER_ON_SUCH_A_NODE.has(reason)) return refusal(text)
  return startError(text === '' ? 'its pod ended without saying why' : text)
}

/** Reasons with which a kubelet turns a pod away for what is in it; for others another time may do. */
const NEVER_ON_SUCH_A_NODE: ReadonlySet<string> = new Set([
  'AppArmor',
  'InitContainerRestartPolicyForbidden',
  'PodFeatureUnsupported',
  'PodLevelResourcesNotSupported',
  'PodOSNotSupported',
  'PodOSSelectorNodeLabelDoesNotMatch',
  'SupplementalGroupsPolicyNotSupported',
  'SysctlForbidden',
])

/** An init container's failure is the task's: its code is judged as the task's own would be. */
function failedInit(pod: Pod, stopAsked: boolean): Outcome | null {
  for (const { name, state } of initStatuses(pod)) {
    const ended = state?.terminated
    if (ended === undefined || ended.exitCode === 0 || ended.reason === NOT_FOUND) continue
    if (NOT_RUN.has(ended.reason ?? '')) return notRun(ended.message ?? '', `init container ${name}: `)
    if (stopAsked && KILLED_BY.has(ended.exitCode)) return null
    const outside = stopAsked ? null : endedFromOutside(pod, ended, 'seen')
    if (outside !== null) return outside
    const isOom = ended.reason === 'OOMKilled' && ended.exitCode === 137
    const what = isOom ? 'used more memory than its limit' : `exited with code ${ended.exitCode}`
    const kind = isOom ? 'oomKilled' : 'exitCode'
    return outcome(kind, 'INIT_FAILED', ended.exitCode, `init container ${name} ${what}`)
  }
  return null
}

/** What a kubelet hands on of all termination messages of a pod; each container has an equal share of it. */
const MESSAGES_BYTES_MAX = 12 * 1024

function succeeded(pod: Pod, message: string, restarts: number): Outcome {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = pod.spec
  const count = containers.length + initContainers.length + ephemeralContainers.length
  const share = Math.floor(MESSAGES_BYTES_MAX / Math.max(1, count))
  // What is as long as it can be may have been cut.
  if (Buffer.byteLength(message) >= Math.min(OUTPUT_BYTES_MAX + 1, share)) {
    const most = Math.min(OUTPUT_BYTES_MAX, share - 1)
    const why = most < OUTPUT_BYTES_MAX ? `, which is the share of one of ${count} containers` : ''
    const text = `wrote more than ${most} bytes to $KONTROLER_OUTPUT${why}`
    return outcome('configError', 'OUTPUT_TOO_LARGE', 0, text)
  }
  const read = parseOutputs(Buffer.from(message), declaredOutputs(pod))
  if (!read.ok) return outcome('configError', read.reason, 0, read.message)
  const again = restarts === 0 ? null : `succeeded${againOf(restarts)}`
  return { ...outcome('succeeded', 'SUCCEEDED', 0, again), outputs: read.values }
}

/** Kubelets do not start a task again; if one did, that is said. */
const againOf = (restarts: number): string =>
  restarts === 0 ? '' : `, after its node had started it ${restarts + 1} times, which nobody asked for`

function limitOf(pod: Pod): string {
  const name = containerOf(pod)
  const memory = pod.spec.containers?.find(one => one.name === name)?.resources?.limits?.['memory']
  return memory === undefined ? '' : ` of ${memory}`
}

function taskStatus(pod: Pod): ContainerStatus | null {
  const name = containerOf(pod)
  return pod.status?.containerStatuses?.find(status => status.name === name) ?? null
}

/** The latest time that the pod tells of; so that asked again it says the same. */
function lastChange(pod: Pod): number | null {
  const { conditions = [], containerStatuses = [] } = pod.status ?? {}
  const ends = [...containerStatuses, ...initStatuses(pod)].map(({ state }) => state?.terminated?.finishedAt)
  const changes = conditions.map(({ lastTransitionTime }) => lastTransitionTime)
  return latest([...ends, ...changes, pod.status?.startTime].map(timeOf))
}

/** The annotation is ours, and so is the pod: still nothing that a cluster hands back is trusted to be well-formed. */
function declaredOutputs(pod: Pod): readonly string[] {
  try {
    const names: unknown = JSON.parse(pod.metadata.annotations?.[KEYS.outputs] ?? '[]')
    return Array.isArray(names) ? names.filter(name => typeof name === 'string') : []
  } catch {
    return []
  }
}

function outcome(
  kind: Outcome['kind'],
  reason: ReasonCode,
  exitCode: number | null,
  message: string | null,
): Outcome {
  return { kind, reason, exitCode, signal: null, message, outputs: {} }
}
