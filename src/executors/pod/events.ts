import type { Outcome } from '../../core/run/events.ts'
import type { ReasonCode } from '../../core/run/reasons.ts'
import { missing, unschedulable, type Why } from './pending.ts'

/** What is read of an Event about a pod. */
export interface PodEvent {
  readonly type?: string
  readonly reason?: string
  readonly message?: string
}

/** What only Events say: of volumes and sandboxes a pod's status tells nothing. */
export interface Told {
  readonly why: Why
  /** What the attempt ends as when this goes on for too long; null when it may take as long as it may. */
  readonly outcome: Outcome | null
  /** The pod's fence is not there any more. */
  readonly isFenceGone?: true
}

/** Null for an Event that says nothing of why a pod waits. */
export function toldBy({ type, reason = '', message = '' }: PodEvent): Told | null {
  if (type !== 'Warning') return null
  switch (reason) {
    case 'FailedScheduling':
      return waits(...unschedulable(message))
    case 'FailedMount':
    case 'FailedAttachVolume':
    case 'FailedMapVolume':
      return volume(message)
    case 'FailedCreatePodSandBox':
    case 'FailedCreatePodContainer':
    case 'NetworkNotReady':
    case 'FailedKillPod':
      return waits('STARTING', message)
    case 'Failed':
      return /image/iu.test(message) ? waits('IMAGE_PULL', message) : null
    case 'BackOff':
      return /pulling image/iu.test(message) ? waits('IMAGE_PULL', message) : waits('STARTING', message)
    default:
      return null
  }
}

function volume(message: string): Told {
  // Without its fence no pod starts, and there is nothing that anybody should make.
  if (/configmap "kontroler-fence-[^"]*" not found/u.test(message))
    return {
      ...waits('STARTING', FENCE_GONE),
      outcome: { kind: 'startError', reason: 'START_ERROR', ...BARE, message: FENCE_GONE },
      isFenceGone: true,
    }
  const reason = missing(message)
  if (reason === 'CONFIG_ERROR') return waits('VOLUME_PENDING', message)
  return {
    why: { reason: 'CONTAINER_CONFIG', message },
    outcome: { kind: 'configError', reason, ...BARE, message },
  }
}

const FENCE_GONE = 'its fence is gone, so it never starts'
const BARE = { exitCode: null, signal: null, outputs: {} } as const

const waits = (reason: ReasonCode, message: string): Told => ({ why: { reason, message }, outcome: null })
