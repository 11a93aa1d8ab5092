import type { ReasonCode } from './reasons.ts'
import type { RunState, TaskState } from './state.ts'

/**
 * Which tasks the stop of the run reaches: not those under `finally` unless asked, and with `failFast` not those
 * that run `always`. A run that is stopped before it started has nothing to clean up, so nothing of it runs.
 */
export function isReached(state: RunState, task: TaskState): boolean {
  const { stop } = state
  if (stop === null) return false
  if (state.startedAt === null) return true
  if (task.part === 'finally') return stop.skipFinally
  return stop.why !== 'failFast' || task.task.triggerRule !== 'always'
}

export function stopReason(state: RunState): ReasonCode {
  switch (state.stop?.why) {
    case 'failFast':
      return 'FAIL_FAST'
    case 'timedOut':
      return 'RUN_TIMED_OUT'
    case 'replaced':
      return 'REPLACED'
    case 'cancelled':
    case undefined:
      return 'CANCELLED'
  }
}

/** What tasks that are stopped say beside the reason: who did it, or the task whose failure did. */
export function stopMessage(state: RunState): string | null {
  switch (state.stop?.why) {
    case 'failFast':
      return state.tasks[state.failures[0] ?? -1]?.key ?? null
    case 'cancelled':
      return `by ${state.stop.by}`
    case 'timedOut':
    case 'replaced':
    case undefined:
      return null
  }
}
