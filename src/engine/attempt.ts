import type { Outcome } from '../core/run/events.ts'
import type { ReasonCode } from '../core/run/reasons.ts'
import { type RunState, type TaskState, lastAttempt } from '../core/run/state.ts'
import type { AttemptRef, Intended } from '../ports/executor.ts'

/** The last attempt of a task. */
export function refOf(state: RunState, task: TaskState): AttemptRef {
  return { run: state.created.run, task: task.key, attempt: task.attempts.length }
}

/** The last attempt of a task, with all that an executor has to know to find it again. */
export function intendedOf(state: RunState, task: TaskState): Intended {
  const attempt = lastAttempt(task)
  if (attempt === undefined) throw new Error(`${task.key} has no attempt`)
  const { era, startedAt: at, handle } = attempt
  return {
    ...refOf(state, task),
    namespace: state.created.namespace,
    at,
    ...(era === null ? {} : { era }),
    ...(handle === null ? {} : { handle }),
  }
}

/** An outcome of an attempt of which the engine knows by itself that it failed. */
export function failure(kind: Outcome['kind'], reason: ReasonCode, message: string): Outcome {
  return { kind, reason, exitCode: null, signal: null, message, outputs: {} }
}

/** It was told to end before it began. */
export const NOT_STARTED = failure('cancelled', 'CANCELLED', 'it had not started')
