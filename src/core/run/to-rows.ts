import type { AttemptRow, Rows, RunRow, TaskRow } from './rows.ts'
import { type AttemptState, type RunState, type TaskState, poolOf, taskAt } from './state.ts'

/** The rows that changed since this was last called; asking takes them off the list. */
export function takeChangedRows(state: RunState): Rows {
  const tasks: TaskRow[] = []
  const attempts: AttemptRow[] = []
  for (const [index, firstAttempt] of state.work.changed) {
    const task = taskAt(state, index)
    tasks.push(taskRow(state, task))
    if (firstAttempt === 0) continue
    for (const attempt of task.attempts.slice(firstAttempt - 1))
      attempts.push(attemptRow(state, task, attempt))
  }
  state.work.changed.clear()
  return { run: runRow(state), tasks, attempts }
}

export function runRow(state: RunState): RunRow {
  const { created } = state
  return {
    id: created.run,
    namespace: created.namespace,
    dag: created.dag,
    dagHash: created.dagHash,
    name: created.name,
    phase: state.phase,
    reason: state.reason,
    message: state.message,
    trigger: created.trigger,
    labels: created.labels,
    parentRun: created.parent?.run ?? null,
    continues: created.continues,
    createdAt: created.at,
    startedAt: state.startedAt,
    endedAt: state.endedAt,
    tasksDone: state.done,
    tasksTotal: state.total,
  }
}

export function taskRow(state: RunState, task: TaskState): TaskRow {
  return {
    run: state.created.run,
    task: task.key,
    index: task.index,
    state: task.state,
    reason: task.reason,
    message: task.message,
    attempts: task.attempts.length,
    exitCode: task.exitCode,
    startedAt: task.attempts[0]?.startedAt ?? task.readyAt ?? task.waitingSince,
    endedAt: task.settledAt,
  }
}

export function attemptRow(state: RunState, task: TaskState, attempt: AttemptState): AttemptRow {
  return {
    run: state.created.run,
    task: task.key,
    attempt: attempt.number,
    phase: attempt.phase,
    pool: poolOf(state, task),
    startedAt: attempt.startedAt,
    runningAt: attempt.runningAt,
    endedAt: attempt.endedAt,
    outcome: attempt.outcome?.kind ?? null,
    reason: attempt.outcome?.reason ?? null,
    exitCode: attempt.outcome?.exitCode ?? null,
    message: attempt.outcome?.message ?? null,
    handle: attempt.handle,
  }
}
