import type { Json } from '../json.ts'
import { LIMITS } from '../limits.ts'
import type { Outcome, RunEvent } from './events.ts'
import type { ReasonCode } from './reasons.ts'
import { afterEnd } from './retry.ts'
import { type AttemptState, type RunState, type TaskState, isTerminal, lastAttempt, taskAt } from './state.ts'

/**
 * Turns what an executor saw into facts. Seeing it twice, late, or about an attempt that has ended gives no fact.
 *
 * @param now  When the engine records it; deadlines count from here, never from another machine's clock.
 */
export function observeRunning(
  state: RunState,
  key: string,
  attempt: number,
  now: number,
  handle: Json,
): RunEvent[] {
  const live = liveAttempt(state, key, attempt)
  if (live === null || live.attempt.runningAt !== null) return []
  return [{ type: 'attemptRunning', at: now, task: key, attempt, handle }]
}

/**
 * Says what holds a start back, once for each time that it changes. A handle is taken once: what is made for the
 * attempt later is another thing, and never starts.
 */
export function observePending(
  state: RunState,
  key: string,
  attempt: number,
  now: number,
  why: { readonly reason: ReasonCode; readonly message: string | null; readonly handle?: Json },
): RunEvent[] {
  const live = liveAttempt(state, key, attempt)
  if (live?.attempt.phase !== 'starting') return []
  const { reason, message } = bounded(why)
  const handle = why.handle === undefined || live.attempt.handle !== null ? {} : { handle: why.handle }
  const isSaid = live.task.reason === reason && live.task.message === message
  if (isSaid && !('handle' in handle)) return []
  return [{ type: 'attemptPending', at: now, task: key, attempt, reason, message, ...handle }]
}

/** @param endedAt  When it ended, as seen where it ran; null when only the engine's clock is known. */
export function observeEnded(
  state: RunState,
  key: string,
  attempt: number,
  now: number,
  outcome: Outcome,
  endedAt: number | null = null,
): RunEvent[] {
  const live = liveAttempt(state, key, attempt)
  if (live === null) return []
  const judged = judge(state, live.attempt, bounded(outcome), endedAt)
  const { startedAt, runningAt } = live.attempt
  return [
    {
      type: 'attemptEnded',
      at: Math.max(runningAt ?? startedAt, Math.min(endedAt ?? now, now)),
      task: key,
      attempt,
      outcome: judged,
      next: afterEnd(state, live.task, judged, now),
    },
  ]
}

/**
 * An attempt that we stopped ended because of that, whatever code it left with, unless it had succeeded before the
 * stop reached it.
 */
function judge(state: RunState, attempt: AttemptState, outcome: Outcome, endedAt: number | null): Outcome {
  const stopping = attempt.stopping
  if (stopping === null) return outcome
  if (outcome.kind === 'succeeded' && (endedAt === null || endedAt <= stopping.at)) return outcome
  switch (stopping.why) {
    case 'timedOut':
      return { ...outcome, kind: 'timedOut', reason: 'TIMED_OUT', outputs: {} }
    case 'pendingTimedOut':
      return { ...outcome, kind: 'startError', reason: 'PENDING_TIMED_OUT', outputs: {} }
    case 'failFast':
      return { ...outcome, kind: 'cancelled', reason: 'FAIL_FAST', outputs: {} }
    case 'runTimedOut':
      return { ...outcome, kind: 'cancelled', reason: 'RUN_TIMED_OUT', outputs: {} }
    case 'cancelled':
      return {
        ...outcome,
        kind: 'cancelled',
        reason: state.stop?.why === 'replaced' ? 'REPLACED' : 'CANCELLED',
        outputs: {},
      }
  }
}

function bounded<T extends { readonly message: string | null }>(said: T): T {
  if (said.message === null || said.message.length <= LIMITS.messageLengthMax) return said
  return { ...said, message: `${said.message.slice(0, LIMITS.messageLengthMax - 1)}…` }
}

function liveAttempt(
  state: RunState,
  key: string,
  number: number,
): { readonly task: TaskState; readonly attempt: AttemptState } | null {
  if (isTerminal(state.phase)) return null
  const index = state.byKey.get(key)
  if (index === undefined) return null
  const task = taskAt(state, index)
  const attempt = lastAttempt(task)
  if (attempt === undefined || attempt.number !== number || attempt.phase === 'ended') return null
  return { task, attempt }
}
