import { LIMITS } from '../limits.ts'
import type { ReasonCode } from './reasons.ts'
import { runLimit } from './starts.ts'
import { type RunState, type TaskState, isSettled, lastAttempt, poolOf, takesSlot, taskAt } from './state.ts'

/** What the run alone cannot know. */
export interface ExplainContext {
  /** Of every pool, over all runs; a pool that is missing counts as free. */
  readonly pools: ReadonlyMap<string, Use>
  /** Slots of the engine that drives the run; null when that is not known. */
  readonly engine: Use | null
  /** Whether a living engine drives the run. */
  readonly driven: boolean
  /** The run that this one queues behind, if it is `queued` and that is known. */
  readonly queuedBehind: string | null
}

export interface Use {
  readonly used: number
  readonly limit: number
}

/** One question: the run, when it is asked, and what is known beside it. */
export interface Asked {
  readonly state: RunState
  readonly now: number
  readonly context: ExplainContext
}

/** What time alone does next. */
export interface Change {
  readonly at: number
  /** Half a sentence: `it is stopped`. */
  readonly what: string
}

/** Reasons that hold a task back because of its run. */
export const ABOUT_RUN: ReadonlySet<ReasonCode> = new Set(['ENGINE_GONE', 'RUN_QUEUED', 'RUN_PAUSED'])

/** The reason of a task that may not have recorded one, since it hangs on what is outside it. */
export function codeOf(asked: Asked, task: TaskState): ReasonCode {
  const { state, now, context } = asked
  if (isSettled(task.state)) return task.reason ?? 'INTERNAL_ERROR'
  if (!context.driven) return 'ENGINE_GONE'
  if (state.phase === 'queued') return 'RUN_QUEUED'
  switch (task.state) {
    case 'pending':
      if (task.group !== null) return groupCode(asked, task)
      if (task.part === 'finally' && !state.finallyStarted) return 'WAITING_FOR_FINALLY'
      return task.remaining > 0 ? 'WAITING_FOR_TASKS' : 'STARTING'
    case 'queued':
      return slotCode(asked, task)
    case 'backoff':
      if (now < (task.retryAt ?? now)) return 'WAITING_FOR_BACKOFF'
      return groupCode(asked, task)
    case 'waiting':
    case 'starting':
    case 'running':
      return task.reason ?? 'RUNNING'
    default:
      return 'INTERNAL_ERROR'
  }
}

function groupCode(asked: Asked, task: TaskState): ReasonCode {
  const { fan, task: of } = taskAt(asked.state, task.group ?? task.index)
  const limit = of.fanOut?.maxParallel ?? null
  const isFull = fan !== null && limit !== null && fan.active >= limit
  return isFull ? 'WAITING_FOR_GROUP_SLOT' : 'STARTING'
}

function slotCode(asked: Asked, task: TaskState): ReasonCode {
  const { state, context } = asked
  if (state.paused) return 'RUN_PAUSED'
  if (!takesSlot(task)) return 'STARTING'
  if (state.work.slots >= runLimit(state)) return 'WAITING_FOR_RUN_SLOT'
  const pool = context.pools.get(poolOf(state, task) ?? '')
  if (pool !== undefined && pool.used >= pool.limit) return 'WAITING_FOR_POOL'
  if (context.engine !== null && context.engine.used >= context.engine.limit) return 'WAITING_FOR_ENGINE_SLOT'
  return 'STARTING'
}

/** When time alone changes something about a task; null when it never will. */
export function deadlineOf(asked: Asked, task: TaskState): Change | null {
  const { state, now } = asked
  if (isSettled(task.state) || state.phase === 'queued') return null
  const attempt = lastAttempt(task)
  if (attempt !== undefined && attempt.phase === 'stopping' && attempt.stopping !== null)
    return { at: attempt.stopping.at + LIMITS.stopGraceMs, what: 'it is killed' }
  if (attempt !== undefined && attempt.deadlineAt !== null) {
    const what = attempt.phase === 'starting' ? 'it is stopped, as it did not start' : 'it is stopped'
    return { at: attempt.deadlineAt, what }
  }
  if (task.state === 'backoff' && task.retryAt !== null && now < task.retryAt)
    return { at: task.retryAt, what: `attempt ${task.attempts.length + 1} starts` }
  const { work } = task.task
  if (
    task.reason === 'WAITING_FOR_APPROVAL' &&
    work.kind === 'approval' &&
    work.approval.timeoutMs !== null
  ) {
    const what = work.approval.onTimeout === 'approve' ? 'it is approved' : 'it is rejected'
    return { at: (task.waitingSince ?? now) + work.approval.timeoutMs, what }
  }
  return runDeadline(state, task.part)
}

/** When the run's own timeout ends tasks of this part. */
export function runDeadline(state: RunState, part: TaskState['part']): Change | null {
  const stopped = state.stop !== null && state.stop.why !== 'failFast'
  if (part === 'finally' || stopped || state.openMain === 0) return null
  if (state.dag.timeoutMs === null || state.startedAt === null) return null
  return { at: state.startedAt + state.dag.timeoutMs, what: 'the run is stopped' }
}
