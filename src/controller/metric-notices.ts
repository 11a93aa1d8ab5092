import type { AttemptEnded, Outcome, RunEvent } from '../core/run/events.ts'
import { type AttemptState, type RunState, type TaskState, taskByKey } from '../core/run/state.ts'
import type { Notices } from '../ports/notices.ts'
import type { Meters } from './metrics.ts'

/** Tasks that have series of their own; a cluster with more gets one series for all others of a DAG's namespace. */
const TASKS_MAX = 5_000
const DAGS_MAX = 5_000
const OTHER = '_other'

/** `exitCode` as metrics write it: `exit_code`. */
export const snake = (name: string): string => name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)

/** Turns what the engine tells into counts and times. */
export function metricNotices({ count, observe }: Meters): Notices {
  const tasks = bounded(TASKS_MAX)
  const dags = bounded(DAGS_MAX)
  const dagOf = ({ created: { namespace, dag } }: RunState) => ({
    namespace,
    dag_name: dags(`${namespace}/${dag}`) ? dag : OTHER,
  })

  function attemptEnded(state: RunState, task: TaskState, event: AttemptEnded): void {
    const { namespace, dag } = state.created
    const { outcome, next } = event
    const own = tasks(`${namespace}/${dag}/${task.task.name}`)
    const who = { namespace, dag_name: own ? dag : OTHER, task_name: own ? task.task.name : OTHER }
    count('kontroler_attempts_ended_total', { namespace, outcome: snake(outcome.kind) })
    const kept = keptOutcome(outcome, task)
    if (kept !== null) count('kontroler_task_outcome_total', { ...who, outcome: kept })
    const ranAt = attemptOf(task, event.attempt)?.runningAt ?? null
    if (kept !== null && ranAt !== null)
      observe(
        'kontroler_task_execution_duration_seconds',
        { ...who, outcome: kept },
        seconds(ranAt, event.at),
      )
    if (next.kind === 'retry')
      count('kontroler_task_retry_total', { ...who, retry_reason: retryReason(outcome) })
  }

  function event(state: RunState, one: RunEvent): void {
    const { namespace } = state.created
    switch (one.type) {
      case 'runCreated':
        return count('kontroler_runs_created_total', { ...dagOf(state), trigger: snake(one.trigger.kind) })
      case 'runSettled':
        observe('kontroler_run_duration_seconds', { phase: one.phase }, seconds(state.created.at, one.at))
        return count('kontroler_runs_ended_total', { ...dagOf(state), phase: one.phase })
      case 'attemptStarted': {
        const readyAt = taskByKey(state, one.task).readyAt
        if (readyAt !== null) observe('kontroler_task_queue_seconds', {}, seconds(readyAt, one.at))
        return count('kontroler_attempts_started_total', { namespace })
      }
      case 'attemptRunning': {
        const started = attemptOf(taskByKey(state, one.task), one.attempt)
        if (started !== undefined)
          observe('kontroler_attempt_start_seconds', {}, seconds(started.startedAt, one.at))
        return
      }
      case 'attemptEnded':
        return attemptEnded(state, taskByKey(state, one.task), one)
      default:
        // The others have no metric.
        return
    }
  }

  return {
    events(state, events) {
      for (const one of events) event(state, one)
    },
    trouble: code => count('kontroler_troubles_total', { code }),
    turned: ms => observe('kontroler_turn_seconds', {}, ms / 1_000),
  }
}

/** The four outcomes of earlier versions; null for what was none of theirs. */
function keptOutcome(outcome: Outcome, task: TaskState): string | null {
  switch (outcome.kind) {
    case 'succeeded':
      return 'success'
    case 'imageError':
    case 'configError':
      return 'config_error'
    case 'cancelled':
      return null
    case 'exitCode':
      return isExcluded(outcome, task) ? 'unretryable' : 'failed'
    case 'oomKilled':
    case 'timedOut':
    case 'disrupted':
    case 'lost':
    case 'startError':
      return 'failed'
    default:
      return outcome.kind satisfies never
  }
}

/** `conditional` names the exit codes after which the task is run again, and this is none of them. */
const isExcluded = ({ exitCode }: Outcome, { task: { retry } }: TaskState): boolean =>
  exitCode !== null && retry.retryCodes !== null && !retry.retryCodes.includes(exitCode)

const retryReason = ({ kind, exitCode }: Outcome): string =>
  kind === 'exitCode' && exitCode !== null ? `exit_code_${exitCode}` : snake(kind)

const attemptOf = (task: TaskState, number: number): AttemptState | undefined =>
  task.attempts.find(attempt => attempt.number === number)

/** Never negative: clocks jump. */
const seconds = (from: number, to: number): number => Math.max(0, to - from) / 1_000

/** Says whether a key is among the first `max` that were asked for. */
function bounded(max: number): (key: string) => boolean {
  const known = new Set<string>()
  return key => {
    if (known.has(key)) return true
    if (known.size >= max) return false
    known.add(key)
    return true
  }
}
