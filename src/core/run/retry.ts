import { chance } from '../chance.ts'
import type { RetryPolicy } from '../dag/dag.ts'
import { LIMITS } from '../limits.ts'
import type { AttemptEnded, Outcome, OutcomeKind } from './events.ts'
import type { RunState, TaskState } from './state.ts'
import { isReached } from './stop.ts'

/** A time-out ends a task with SIGKILL at the latest; retry codes written for pods name it so. */
const KILLED_EXIT_CODE = 137

/** Whose doing an outcome was: that decides which budget of retries it uses. */
export function budgetOf(kind: OutcomeKind): 'task' | 'infrastructure' | 'none' {
  switch (kind) {
    case 'exitCode':
    case 'oomKilled':
    case 'timedOut':
      return 'task'
    case 'disrupted':
    case 'lost':
    case 'startError':
      return 'infrastructure'
    case 'succeeded':
    case 'cancelled':
    case 'configError':
    case 'imageError':
      return 'none'
  }
}

/** What follows an attempt's end. It depends on the state and the outcome alone, so a replay decides the same. */
export function afterEnd(
  state: RunState,
  task: TaskState,
  outcome: Outcome,
  now: number,
): AttemptEnded['next'] {
  if (outcome.kind === 'succeeded') return { kind: 'settle', state: 'succeeded' }
  if (outcome.kind === 'cancelled') return { kind: 'settle', state: 'cancelled' }
  const failed = { kind: 'settle', state: 'failed' } as const
  // A run that is being stopped retries nothing of what the stop reaches.
  if (isReached(state, task)) return failed
  const seed = `${state.created.run}/${task.key}/${task.attempts.length}`
  switch (budgetOf(outcome.kind)) {
    case 'none':
      return failed
    case 'infrastructure': {
      if (outcome.kind === 'lost' && task.task.onLost === 'wait') return { kind: 'wait' }
      if (outcome.kind === 'lost' && task.task.onLost === 'fail') return failed
      if (task.infrastructureRetries >= LIMITS.infrastructureRetriesMax) return failed
      const delayMs = infrastructureDelayMs(task.infrastructureRetries, chance(seed))
      return { kind: 'retry', at: now + delayMs, budget: 'infrastructure' }
    }
    case 'task': {
      const policy = task.task.retry
      if (task.taskRetries >= policy.limit || !isRetried(policy, outcome)) return failed
      return { kind: 'retry', at: now + delayMs(policy, task.taskRetries, chance(seed)), budget: 'task' }
    }
  }
}

/**
 * The wait before retry number `retries + 1`: `delay · factor^retries`, at most `maxDelay`, of which the share
 * `jitter` is drawn: with jitter 0.2 a delay of 10 s becomes 8 to 10 s.
 *
 * @param draw  In [0, 1).
 */
export function delayMs(policy: RetryPolicy, retries: number, draw: number): number {
  // Far out, the power is Infinity, and no delay times that is no number.
  if (policy.delayMs === 0) return 0
  const full = Math.min(policy.delayMs * policy.factor ** retries, policy.maxDelayMs)
  return Math.round(full * (1 - policy.jitter * draw))
}

function infrastructureDelayMs(retries: number, draw: number): number {
  const full = Math.min(LIMITS.infrastructureDelayMs * 2 ** retries, LIMITS.infrastructureDelayMaxMs)
  return Math.round(full * (1 - 0.5 * draw))
}

function isRetried(policy: RetryPolicy, outcome: Outcome): boolean {
  if (policy.retryCodes === null) return true
  if (outcome.exitCode !== null && policy.retryCodes.includes(outcome.exitCode)) return true
  return (
    (outcome.kind === 'timedOut' || outcome.kind === 'oomKilled') &&
    policy.retryCodes.includes(KILLED_EXIT_CODE)
  )
}
