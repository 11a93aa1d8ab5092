import type { Selectable } from 'kysely'
import type { Dag } from '../core/dag/dag.ts'
import type { Json } from '../core/json.ts'
import type { OutcomeKind, RunEvent, Trigger } from '../core/run/events.ts'
import type { ReasonCode } from '../core/run/reasons.ts'
import type { AttemptRow, RunPhase, RunRow, TaskRow, TaskStateName } from '../core/run/rows.ts'
import { type StoredDag, StoreError, type StoredRun } from '../ports/store.ts'
import type { Value } from './prepared.ts'
import type { AttemptTable, DagVersionTable, RunTable, TaskTable } from './tables.ts'

/** Rows of the database ↔ records of the core. What is read here was written here, so the texts are trusted. */

export const TASK_COLUMNS = [
  'run',
  'idx',
  'task',
  'state',
  'reason',
  'message',
  'attempts',
  'exit_code',
  'started_at',
  'ended_at',
] as const satisfies readonly (keyof TaskTable)[]

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
  'run',
  'task',
  'attempt',
  'phase',
  'pool',
  'started_at',
  'running_at',
  'ended_at',
  'outcome',
  'reason',
  'exit_code',
  'message',
  'handle',
] as const satisfies readonly (keyof AttemptTable)[]

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

/** What an append may change of a run; everything else is fixed when it is made. */
export function runChanges(row: RunRow) {
  return {
    phase: row.phase,
    reason: row.reason,
    message: shown(row.message) ?? '',
    started_at: row.startedAt,
    ended_at: row.endedAt,
    tasks_done: row.tasksDone,
    tasks_total: row.tasksTotal,
  }
}

export function newRun(row: RunRow, version: number, owner: string | null): RunTable {
  return {
    ...runChanges(row),
    id: row.id,
    namespace: row.namespace,
    dag: row.dag,
    dag_hash: row.dagHash,
    name: row.name,
    cause: JSON.stringify(row.trigger),
    labels: JSON.stringify(row.labels),
    parent_run: row.parentRun,
    continues: row.continues,
    created_at: row.createdAt,
    version,
    owner,
  }
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
