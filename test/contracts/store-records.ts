import type { Dag } from '../../src/core/dag/dag.ts'
import type { RunEvent } from '../../src/core/run/events.ts'
import type { AttemptRow, RunRow, TaskRow } from '../../src/core/run/rows.ts'
import type { Append } from '../../src/ports/store.ts'

/** Small records for tests of stores: everything has a value, and a test names what it is about. */

export function runRow(id: string, over: Partial<RunRow> = {}): RunRow {
  return {
    id,
    namespace: 'default',
    dag: 'etl',
    dagHash: 'hash',
    name: `etl-${id}`,
    phase: 'running',
    reason: null,
    message: '',
    trigger: { kind: 'manual', key: id, by: 'ana' },
    labels: {},
    parentRun: null,
    continues: null,
    createdAt: 1_000,
    startedAt: null,
    endedAt: null,
    tasksDone: 0,
    tasksTotal: 1,
    ...over,
  }
}

export function taskRow(run: string, index: number, over: Partial<TaskRow> = {}): TaskRow {
  return {
    run,
    task: `t${index}`,
    index,
    state: 'pending',
    reason: null,
    message: null,
    attempts: 0,
    exitCode: null,
    startedAt: null,
    endedAt: null,
    ...over,
  }
}

export function attemptRow(
  run: string,
  task: string,
  attempt: number,
  over: Partial<AttemptRow> = {},
): AttemptRow {
  return {
    run,
    task,
    attempt,
    phase: 'starting',
    pool: null,
    startedAt: 1_000,
    runningAt: null,
    endedAt: null,
    outcome: null,
    reason: null,
    exitCode: null,
    message: null,
    handle: null,
    ...over,
  }
}

export function ended(row: AttemptRow, at = 2_000): AttemptRow {
  return { ...row, phase: 'ended', endedAt: at, outcome: 'succeeded', reason: 'SUCCEEDED', exitCode: 0 }
}

/** The `at` tells events of a log apart. */
export function event(at: number): RunEvent {
  return { type: 'runStarted', at }
}

export function append(run: string, version: number, over: Partial<Append> = {}): Append {
  return {
    run,
    version,
    events: [event(version + 1)],
    rows: { run: runRow(run), tasks: [], attempts: [] },
    engine: null,
    pools: new Map(),
    ...over,
  }
}

export function settle(run: string, version: number, over: Partial<RunRow> = {}): Append {
  const settled: RunEvent = {
    type: 'runSettled',
    at: 9_000,
    phase: 'succeeded',
    reason: 'SUCCEEDED',
    message: '',
  }
  const row = runRow(run, { phase: 'succeeded', reason: 'SUCCEEDED', endedAt: 9_000, ...over })
  return append(run, version, { events: [settled], rows: { run: row, tasks: [], attempts: [] } })
}

export function dag(name: string, over: Partial<Dag> = {}): Dag {
  return {
    namespace: 'default',
    name,
    schedules: [],
    timeZone: 'UTC',
    catchUp: 'latest',
    startingDeadlineMs: null,
    concurrencyPolicy: 'Allow',
    suspended: false,
    parameters: [],
    tasks: [],
    finally: [],
    maxParallelTasks: null,
    timeoutMs: null,
    failFast: false,
    priority: 0,
    pool: null,
    workspace: null,
    labels: {},
    extra: {},
    ...over,
  }
}
