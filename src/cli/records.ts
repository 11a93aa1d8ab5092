import type { Dag } from '../core/dag/dag.ts'
import type { Explanation } from '../core/run/explain.ts'
import type { RunRow } from '../core/run/rows.ts'
import type { RunState, TaskState } from '../core/run/state.ts'
import type { Skip } from '../core/schedule/skip.ts'
import type { LogArchive } from '../ports/logs.ts'
import type { Page, RunQuery } from '../ports/store.ts'
import type { Environment } from './settings.ts'
import type { WatchedRun } from './watched.ts'

/** A run as commands show it. */
export interface RunRecord extends RunRow {
  /** Nothing drives it, though it has not ended. */
  readonly interrupted: boolean
}

/** A version of a DAG with its content. */
export interface DagRecord {
  readonly dag: Dag
  readonly version: number
}

/** A DAG in force as lists show it. */
export interface DagLine {
  readonly namespace: string
  readonly name: string
  readonly version: number
  readonly hash: string
  /** File or object it came from; null where nobody tells. */
  readonly source: string | null
  readonly createdAt: number
  readonly schedules: readonly string[]
  readonly timeZone: string
  readonly suspended: boolean
  readonly tasks: number
}

/** Why something is as it is, and the same of each task where it began. */
export interface Explained {
  readonly main: Omit<Explanation, 'root'>
  readonly roots: readonly (readonly [task: string, why: Omit<Explanation, 'root'>])[]
}

/** Bytes of logs, as a command reads them. */
export interface LogSource extends Pick<LogArchive, 'read' | 'size'> {
  /**
   * The same as `read` of a log that is still being written, for somebody who asks again and again: it may be late
   * with what is there, never wrong. Once the attempt has ended, `read` gives the rest.
   */
  readonly grown: LogArchive['read']
}

/**
 * What commands look at: the records of this machine, or those of a server. What is shown of them is the same code,
 * so that it looks the same.
 */
export interface Records extends AsyncDisposable {
  run(id: string): Promise<RunRecord | null>
  runs(query: RunQuery): Promise<Page<RunRecord>>
  /**
   * The run that a person means: an id, a name, the beginning of one, or `@last`.
   * @throws {CommandError} None or several.
   */
  find(text: string): Promise<RunRecord>
  /** A run with all of its tasks, from its log; null when there is none. */
  load(run: string): Promise<RunState | null>
  /** The current version, or the one of that number. */
  dag(namespace: string, name: string, version?: number): Promise<DagRecord | null>
  /** The version of that content. */
  dagOf(of: Pick<RunRow, 'namespace' | 'dag' | 'dagHash'>): Promise<DagRecord | null>
  /** All DAGs in force. */
  dags(): Promise<readonly DagLine[]>
  /** Ticks of its schedules that did not become runs, newest first. */
  skips(namespace: string, dag: string, limit: number): Promise<readonly Skip[]>
  explain(run: RunRecord, state: RunState, task: TaskState | null, now: number): Promise<Explained>
  /**
   * Follows a run that others drive.
   * @param say  Hears what a person should know meanwhile, such as that the server is away.
   */
  watch(run: string, say: (text: string) => void): Promise<WatchedRun>
  readonly logs: LogSource
  /** Where the output of an attempt is read; null for what writes none. */
  readonly logPath: (state: RunState, task: TaskState, attempt: number) => string | null
  /** Values that must not show in what is printed of the run's logs. */
  secretsOf(state: RunState): Promise<readonly string[]>
}

/** Opens what a command line is about: a server where one is chosen, else the state of this machine. */
export async function openRecords(environment: Environment): Promise<Records> {
  if (environment.server !== null)
    return await (await import('./remote/records.ts')).openRemoteRecords(environment.server)
  return await (await import('./local-records.ts')).openLocalRecords(environment)
}
