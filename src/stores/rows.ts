import type { Selectable } from 'kysely'
import type { Dag } from '../core/dag/dag.ts'
import type { Json } from '../core/json.ts'
import type { OutcomeKind, RunEvent, Trigger } from '../core/run/events.ts'
import type { ReasonCode } from '../core/run/reasons.ts'
import type { AttemptRow, RunPhase, RunRow, TaskRow, TaskStateName } from '../core/run/rows.ts'
import { type StoredDag, StoreError, type StoredRun } from '../ports/store.ts'
import type { Columns } from './bulk.ts'
import type { Value } from './prepared.ts'
import type { AttemptTable, DagVersionTable, RunTable, TaskTable } from './tables.ts'

/** Rows of the database ↔ records of the core. What is read here was written here, so the texts are trusted. */

export const TASK_COLUMNS = [
  ['run', 'text'],
  ['idx', 'int8'],
  ['task', 'text'],
  ['state', 'text'],
  ['reason', 'text'],
  ['message', 'text'],
  ['attempts', 'int8'],
  ['exit_code', 'int8'],
  ['started_at', 'int8'],
  ['ended_at', 'int8'],
] as const satisfies Columns<'task'>

export function taskValues(run: string, row: TaskRow): readonly Value[] {
  return [
    run,
    row.index,
    row.task,
    row.state,
    row.reason,
    shown(row.message),
    row.attempts,
    row.exitCode,
    row.startedAt,
    row.endedAt,
  ]
}

export const ATTEMPT_COLUMNS = [
  ['run', 'text'],
  ['task', 'text'],
  ['attempt', 'int8'],
  ['phase', 'text'],
  ['pool', 'text'],
  ['started_at', 'int8'],
  ['running_at', 'int8'],
  ['ended_at', 'int8'],
  ['outcome', 'text'],
  ['reason', 'text'],
  ['exit_code', 'int8'],
  ['message', 'text'],
  ['handle', 'text'],
] as const satisfies Columns<'attempt'>

export function attemptValues(run: string, row: AttemptRow): readonly Value[] {
  return [
    run,
    row.task,
    row.attempt,
    row.phase,
    row.pool,
    row.startedAt,
    row.runningAt,
    row.endedAt,
    row.outcome,
    row.reason,
    row.exitCode,
    shown(row.message),
    JSON.stringify(row.handle),
  ]
}

export const RUN_COLUMNS = [
  ['id', 'text'],
  ['namespace', 'text'],
  ['dag', 'text'],
  ['dag_hash', 'text'],
  ['name', 'text'],
  ['phase', 'text'],
  ['reason', 'text'],
  ['message', 'text'],
  ['cause', 'text'],
  ['labels', 'text'],
  ['parent_run', 'text'],
  ['continues', 'text'],
  ['created_at', 'int8'],
  ['started_at', 'int8'],
  ['ended_at', 'int8'],
  ['tasks_done', 'int8'],
  ['tasks_total', 'int8'],
  ['version', 'int8'],
  ['owner', 'text'],
] as const satisfies Columns<'run'>

export function runValues(row: RunRow, version: number, owner: string | null): readonly Value[] {
  return [
    row.id,
    row.namespace,
    row.dag,
    row.dagHash,
    row.name,
    row.phase,
    row.reason,
    shown(row.message) ?? '',
    JSON.stringify(row.trigger),
    JSON.stringify(row.labels),
    row.parentRun,
    row.continues,
    row.createdAt,
    row.startedAt,
    row.endedAt,
    row.tasksDone,
    row.tasksTotal,
    version,
    owner,
  ]
}

/** What an append may change of a run beside its phase; everything else is fixed when it is made. */
export const RUN_ADVANCES = [
  ['reason', 'text'],
  ['message', 'text'],
  ['started_at', 'int8'],
  ['ended_at', 'int8'],
  ['tasks_done', 'int8'],
  ['tasks_total', 'int8'],
] as const satisfies Columns<'run'>

export const RUN_CHANGES = [['phase', 'text'], ...RUN_ADVANCES] as const satisfies Columns<'run'>

export function runAdvances(row: RunRow): readonly Value[] {
  return [row.reason, shown(row.message) ?? '', row.startedAt, row.endedAt, row.tasksDone, row.tasksTotal]
}

export const LABEL_COLUMNS = [
  ['run', 'text'],
  ['key', 'text'],
  ['value', 'text'],
  ['phase', 'text'],
  ['created_at', 'int8'],
  ['namespace', 'text'],
  ['dag', 'text'],
] as const satisfies Columns<'run_label'>

export function labelValues(row: RunRow): readonly (readonly Value[])[] {
  return Object.entries(row.labels).map(([key, value]) => [
    row.id,
    key,
    value,
    row.phase,
    row.createdAt,
    row.namespace,
    row.dag,
  ])
}

export function storedRun(row: Selectable<RunTable>): StoredRun {
  return {
    id: row.id,
    namespace: row.namespace,
    dag: row.dag,
    dagHash: row.dag_hash,
    name: row.name,
    phase: row.phase as RunPhase,
    reason: row.reason as ReasonCode | null,
    message: row.message,
    trigger: parsed<Trigger>(row.cause),
    labels: parsed<StoredRun['labels']>(row.labels),
    parentRun: row.parent_run,
    continues: row.continues,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    tasksDone: row.tasks_done,
    tasksTotal: row.tasks_total,
    version: row.version,
    owner: row.owner,
  }
}

export function taskRow(row: Selectable<TaskTable>): TaskRow {
  return {
    run: row.run,
    task: row.task,
    index: row.idx,
    state: row.state as TaskStateName,
    reason: row.reason as ReasonCode | null,
    message: row.message,
    attempts: row.attempts,
    exitCode: row.exit_code,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  }
}

export function attemptRow(row: Selectable<AttemptTable>): AttemptRow {
  return {
    run: row.run,
    task: row.task,
    attempt: row.attempt,
    phase: row.phase as AttemptRow['phase'],
    pool: row.pool,
    startedAt: row.started_at,
    runningAt: row.running_at,
    endedAt: row.ended_at,
    outcome: row.outcome as OutcomeKind | null,
    reason: row.reason as ReasonCode | null,
    exitCode: row.exit_code,
    message: row.message,
    handle: parsed<Json>(row.handle),
  }
}

export function runEvent(body: string): RunEvent {
  return parsed<RunEvent>(body)
}

export function storedDag(row: Selectable<DagVersionTable> & { readonly suspended: number }): StoredDag {
  return {
    dag: { ...parsed<Dag>(row.body), suspended: row.suspended === 1 },
    hash: row.hash,
    version: row.version,
    source: row.source,
    createdAt: row.created_at,
  }
}

/** Only this program writes these texts, so one that is no JSON was damaged on the disk. */
export function parsed<T>(text: string): T {
  try {
    return JSON.parse(text) as T
  } catch (cause) {
    throw new StoreError(
      'DATABASE_CORRUPT',
      'A record of the database cannot be read. Keep the file and restore the last backup.',
      { cause },
    )
  }
}

/**
 * Text for people in a form every database takes: no NUL, no half of a surrogate pair. The event beside it keeps
 * the exact text, as JSON can say it.
 */
function shown(text: string | null): string | null {
  return text === null ? null : text.toWellFormed().replaceAll('\0', '\ufffd')
}
