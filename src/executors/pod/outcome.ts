import type { Outcome } from '../../core/run/events.ts'
import type { ReasonCode } from '../../core/run/reasons.ts'
import { OUTPUT_BYTES_MAX, parseOutputs } from '../outputs.ts'
import { KEYS } from './names.ts'
import { type Pod, STOP_DEADLINE_SECONDS, type Terminated, conditionOf, isOver } from './pod.ts'
import { type Held, heldBack } from './pending.ts'

/** What a pod says of its attempt. */
export type Look =
  | ({ readonly kind: 'pending' } & Held)
  | { readonly kind: 'running'; readonly at: number }
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
  const state = taskStatus(pod)?.state
  if (state?.terminated !== undefined) {
    const { terminated } = state
    return {
      kind: 'ended',
      at: timeOf(terminated.finishedAt) ?? now,
      outcome: exited(pod, terminated, stopAsked),
    }
  }
  if (isOver(pod)) return { kind: 'ended', at: now, outcome: neverRan(pod, stopAsked) }
  if (state?.running !== undefined) return { kind: 'running', at: timeOf(state.running.startedAt) ?? now }
  const failed = failedInit(pod)
  if (failed !== null && stopAsked) return { kind: 'ended', at: now, outcome: failed }
  return { kind: 'pending', ...heldBack(pod, state?.waiting ?? null, now) }
}

/** The pod is no more; `pod` is the last that was seen of it, and it had not ended. */
export function deletedOutcome(pod: Pod, stopAsked: boolean): Outcome {
  if (stopAsked) return neverStarted
  const disruption = disruptionOf(pod)
  if (disruption !== null) return disruption
  const node = pod.spec.nodeName === undefined ? '' : ` on node ${pod.spec.nodeName}`
  return outcome('lost', 'POD_DELETED', null, `its pod${node} was deleted, and nobody saw how it ended`)
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

function exited(pod: Pod, ended: Terminated, stopAsked: boolean): Outcome {
  const { exitCode: code, reason = '', message = '' } = ended
  if (NOT_RUN.has(reason)) return notRun(message === '' ? reason : message)
  if (code === 0) return succeeded(pod, message)
  if (reason === 'OOMKilled') {
    return outcome('oomKilled', 'OOM_KILLED', code, 'used more memory than its limit')
  }
  if (!stopAsked) {
    const disruption = disruptionOf(pod)
    if (disruption !== null) return { ...disruption, exitCode: code }
    if (pod.metadata.deletionTimestamp !== undefined && ENDED_BY_KUBELET.has(code))
      return outcome('disrupted', 'POD_DELETED', code, `its pod was deleted, and it exited with code ${code}`)
  }
  const signal = stopAsked ? (ENDED_BY_KUBELET.get(code) ?? null) : null
  if (signal !== null)
    return { ...outcome('exitCode', 'KILLED_BY_SIGNAL', code, `was ended by ${signal}`), signal }
  return outcome('exitCode', 'EXIT_CODE', code, `exited with code ${code}`)
}

/** Exit codes with which a container ends that the kubelet ended. */
const ENDED_BY_KUBELET: ReadonlyMap<number, string> = new Map([
  [137, 'SIGKILL'],
  [143, 'SIGTERM'],
])

/** What containerd and CRI-O say of a container whose process could not be made. */
const NOT_RUN: ReadonlySet<string> = new Set(['StartError', 'ContainerCannotRun'])

function notRun(message: string): Outcome {
  const plain = message.replace(/^.*(?:unable to start container process|container_linux\.go:\d+): /su, '')
  if (/executable file not found|no such file or directory/iu.test(plain) && plain.includes('exec'))
    return outcome('configError', 'COMMAND_NOT_FOUND', null, plain)
  if (/exec.*(?:permission denied|exec format error|is a directory)/iu.test(plain))
    return outcome('configError', 'NOT_EXECUTABLE', null, plain)
  return startError(plain)
}

function succeeded(pod: Pod, message: string): Outcome {
  if (Buffer.byteLength(message) > OUTPUT_BYTES_MAX) {
    const text = `wrote more than ${OUTPUT_BYTES_MAX} bytes to $KONTROLER_OUTPUT`
    return outcome('configError', 'OUTPUT_TOO_LARGE', 0, text)
  }
  const read = parseOutputs(Buffer.from(message), declaredOutputs(pod))
  if (!read.ok) return outcome('configError', read.reason, 0, read.message)
  return { ...outcome('succeeded', 'SUCCEEDED', 0, null), outputs: read.values }
}

/** The pod is over and its task's container never ran, as far as anybody was told. */
function neverRan(pod: Pod, stopAsked: boolean): Outcome {
  const { reason = '', message = '' } = pod.status ?? {}
  const failed = failedInit(pod)
  if (failed !== null) return failed
  if (stopAsked) return neverStarted
  const disruption = disruptionOf(pod)
  if (disruption !== null) return disruption
  const text = [reason, message].filter(part => part !== '').join(': ')
  if (reason === 'Evicted') return outcome('disrupted', 'EVICTED', null, message || 'evicted')
  if (REFUSED_BY_NODE.test(reason)) return outcome('disrupted', 'DISRUPTED', null, text)
  return startError(text === '' ? 'its pod ended without saying why' : text)
}

/** Reasons with which a kubelet turns a pod away that it was given: another node, or another time, may take it. */
const REFUSED_BY_NODE =
  /^(?:OutOf.*|NodeAffinity|NodeShutdown|NodeLost|Terminated|Preempting|.*AdmissionError)$/u

/** An init container's failure is the task's: its code is judged as the task's own would be. */
function failedInit(pod: Pod): Outcome | null {
  for (const { name, state } of pod.status?.initContainerStatuses ?? []) {
    const ended = state?.terminated
    if (ended === undefined || ended.exitCode === 0) continue
    if (NOT_RUN.has(ended.reason ?? '')) return notRun(`init container ${name}: ${ended.message ?? ''}`)
    const kind = ended.reason === 'OOMKilled' ? 'oomKilled' : 'exitCode'
    const message = `init container ${name} exited with code ${ended.exitCode}`
    return outcome(kind, 'INIT_FAILED', ended.exitCode, message)
  }
  return null
}

/** What Kubernetes itself says of a pod that it ends before its time. */
function disruptionOf(pod: Pod): Outcome | null {
  const condition = conditionOf(pod, 'DisruptionTarget')
  if (condition?.status !== 'True') return null
  const { reason = '', message = '' } = condition
  const node = pod.spec.nodeName === undefined ? '' : ` (node ${pod.spec.nodeName})`
  const text = `${message === '' ? reason : message}${node}`
  switch (reason) {
    case 'EvictionByEvictionAPI':
      return outcome('disrupted', 'DRAINED', null, text)
    case 'PreemptionByScheduler':
      return outcome('disrupted', 'PREEMPTED', null, text)
    case 'TerminationByKubelet':
      return outcome('disrupted', 'EVICTED', null, text)
    case 'DeletionByTaintManager':
    case 'DeletionByPodGC':
      // Its node may only be out of reach: the container may go on there.
      return outcome('lost', 'NODE_LOST', null, text)
    default:
      return outcome('disrupted', 'DISRUPTED', null, text)
  }
}

const taskStatus = (pod: Pod) => {
  const name = pod.metadata.annotations?.[KEYS.container]
  return pod.status?.containerStatuses?.find(status => status.name === name)
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

function timeOf(text: string | undefined): number | null {
  const at = Date.parse(text ?? '')
  return Number.isNaN(at) ? null : at
}

function outcome(
  kind: Outcome['kind'],
  reason: ReasonCode,
  exitCode: number | null,
  message: string | null,
): Outcome {
  return { kind, reason, exitCode, signal: null, message, outputs: {} }
}
