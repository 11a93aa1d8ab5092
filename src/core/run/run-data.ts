import type { ParameterValue } from '../dag/dag.ts'
import type { Explanation } from './explain.ts'
import type { RunRow } from './rows.ts'
import type { AttemptState, RunState, TaskState } from './state.ts'
import { taskAt } from './state.ts'

/**
 * Runs, tasks and attempts as programs read them, from `-o json` and from the API: moments as RFC 3339 texts, lengths
 * in milliseconds, every member always there. Members are added, never renamed.
 */
export function runData(run: RunRow, interrupted: boolean, now: number) {
  return {
    id: run.id,
    name: run.name,
    namespace: run.namespace,
    dag: run.dag,
    dagHash: run.dagHash,
    phase: run.phase,
    reason: run.reason,
    message: run.message,
    interrupted,
    tasksDone: run.tasksDone,
    tasksTotal: run.tasksTotal,
    createdAt: moment(run.createdAt),
    startedAt: moment(run.startedAt),
    endedAt: moment(run.endedAt),
    durationMs: run.startedAt === null ? null : (run.endedAt ?? now) - run.startedAt,
    trigger: triggerData(run.trigger),
    labels: run.labels,
    parentRun: run.parentRun,
    continues: run.continues,
  }
}

export function taskData(
  state: RunState,
  task: TaskState,
  logPath: (task: string, attempt: number) => string | null,
) {
  const names = (indexes: readonly number[]): readonly string[] =>
    indexes.map(index => taskAt(state, index).key)
  return {
    task: task.key,
    part: task.part,
    group: task.group === null ? null : taskAt(state, task.group).key,
    item: task.itemIndex === null ? null : task.item,
    runAfter: task.group === null ? names(state.plan.nodes[task.index]?.dependencies ?? []) : [],
    state: task.state,
    reason: task.reason,
    message: task.message,
    exitCode: task.exitCode,
    outputs: task.outputs,
    readyAt: moment(task.readyAt),
    endedAt: moment(task.settledAt),
    retryAt: moment(task.retryAt),
    attempts: task.attempts.map(attempt => attemptData(attempt, logPath(task.key, attempt.number))),
  }
}

function attemptData(attempt: AttemptState, logPath: string | null) {
  const { outcome } = attempt
  return {
    attempt: attempt.number,
    phase: attempt.phase,
    outcome: outcome?.kind ?? null,
    reason: outcome?.reason ?? null,
    exitCode: outcome?.exitCode ?? null,
    signal: outcome?.signal ?? null,
    message: outcome?.message ?? null,
    startedAt: moment(attempt.startedAt),
    runningAt: moment(attempt.runningAt),
    endedAt: moment(attempt.endedAt),
    handle: attempt.handle,
    log: logPath,
  }
}

export function explanationData({ code, sentence, next, deadline }: Omit<Explanation, 'root'>) {
  const then = deadline === null ? null : { at: moment(deadline.at), what: deadline.what }
  return { code, sentence, next, deadline: then }
}

/** Secrets stay references: their values are not known here. */
export function parameterData(parameters: readonly ParameterValue[]) {
  return parameters.map(({ name, value }) =>
    value.kind === 'value' ? { name, value: value.value } : { name, fromSecret: value.secret },
  )
}

function triggerData(trigger: RunRow['trigger']) {
  return trigger.kind === 'schedule'
    ? { ...trigger, scheduledTime: moment(trigger.scheduledTime) }
    : { ...trigger }
}

export function moment(at: number): string
export function moment(at: number | null): string | null
export function moment(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString()
}
