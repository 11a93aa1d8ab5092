import type { Dag } from '../core/dag/dag.ts'
import type { Json } from '../core/json.ts'
import type { RunEvent } from '../core/run/events.ts'
import type { AttemptRow, Rows, RunPhase, RunRow, TaskRow, TaskStateName } from '../core/run/rows.ts'
import type { Skip } from '../core/schedule/skip.ts'
import type { Deliveries } from './deliveries.ts'

/**
 * The truth. One SQL store behind it, with a driver for SQLite and one for PostgreSQL; what it must do is written
 * down as tests in `test/contracts/store.ts`.
 *
 * Every method may throw {@link StoreError}. Writes of one event-loop turn, and those that came while a transaction
 * ran, share the next transaction (group commit), in the order in which they were asked for; each promise settles
 * after it is durable, that of a refused write too. A refused write takes back only itself. When the world fails
 * (`DISK_FULL`, `READ_ONLY`, `DATABASE_BUSY`), nothing of the transaction was written and all its writes are told so;
 * the same write may be tried again later. A store whose connection broke finds out whether its transaction was
 * committed before it says anything; `DATABASE_UNAVAILABLE` means that it could not: load, then decide.
 * After `DATABASE_CORRUPT` in a write, this store writes nothing more.
 *
 * Reads see what was committed, also by other processes, one call at a time.
 */
export interface Store {
  /** Messages to receivers, in the same database. */
  readonly deliveries: Deliveries
  /**
   * Appends facts to a run's log, replaces its rows and adds to the feed, in one transaction. A new run (version 0)
   * belongs to `engine`. Of a run's row only `phase`, `reason`, `message`, `startedAt`, `endedAt` and the counts
   * ever change; a task's row is found by its `index`, which is its own for the whole run.
   *
   * @throws {StoreError} `DUPLICATE_RUN` (version 0) the trigger key or the run id exists already, see `existing`
   *   (that run may have been removed since); `TERMINAL` the run has settled, or a settled task or an ended attempt
   *   was to come back; `NOT_OWNER` `engine` does not own the run; `VERSION_CONFLICT` somebody appended first, or
   *   moved the schedule to or past `advance`; `POOL_FULL` the append adds a live attempt to a pool that has then
   *   more than its limit. The first of these that holds is said. Nothing of this append was written; other appends
   *   of the same turn are not affected.
   */
  append(append: Append): Promise<void>
  /** Events of a run in order, from the `after`-th on (0: all), at most `limit`. Empty for an unknown run. */
  events(run: string, after?: number, limit?: number): Promise<readonly RunEvent[]>
  run(id: string): Promise<StoredRun | null>
  /** Runs whose id or name starts with the text, newest first, at most `limit`. */
  runsLike(prefix: string, limit: number): Promise<readonly StoredRun[]>
  runs(query: RunQuery): Promise<Page<StoredRun>>
  /** How many runs there are of each phase; a phase without runs is left out. */
  runCounts(query: Scope & { readonly createdFrom?: number }): Promise<ReadonlyMap<RunPhase, number>>
  tasks(query: TaskQuery): Promise<Page<TaskRow>>
  attempts(run: string, task?: string): Promise<readonly AttemptRow[]>
  /** Live attempts (not ended) per pool, over all runs. */
  poolUse(): Promise<ReadonlyMap<string, number>>
  /** The run made for this trigger key, if any. */
  runOfTrigger(namespace: string, dag: string, kind: string, key: string): Promise<string | null>

  /**
   * Stores a DAG version by content and makes it the current one. `hash` covers namespace and name, but not
   * `suspended`. Same content: same number, nothing written but `suspended` and `source`, even when other versions
   * came between. A removed DAG is there again.
   *
   * @param expected  What must be in force now for anything to be written: a version by its hash and whether it is
   *   suspended, or null for a DAG that is not there. Absent: whatever is.
   * @throws {StoreError} `VERSION_CONFLICT` something else is in force than was expected. Nothing was written.
   */
  putDag(
    dag: Dag,
    hash: string,
    source: string | null,
    at: number,
    expected?: DagInForce | null,
  ): Promise<{ version: number; created: boolean }>
  dagByHash(hash: string): Promise<StoredDag | null>
  /** The current version (that was put last), or the one of that number; also of a removed DAG. */
  dag(namespace: string, name: string, version?: number): Promise<StoredDag | null>
  /** The current version of every DAG that was not removed, in order of namespace and name. */
  dags(): Promise<readonly StoredDag[]>
  /** The same page by page, and only of some. */
  dagPage(query: DagQuery): Promise<Page<StoredDag>>
  /** Versions of a DAG, newest first; also of a removed one. */
  dagVersions(namespace: string, name: string): Promise<readonly DagVersion[]>
  /** Ends its schedules; versions and runs stay. */
  removeDag(namespace: string, name: string, at: number): Promise<void>
  /** Numbers the versions of a `DagTask` by content: first 1, new content the next number, known content its own. */
  putDagTask(namespace: string, name: string, spec: Json, hash: string, at: number): Promise<number>
  dagTask(namespace: string, name: string, version: number): Promise<Json | null>
  dagTaskVersions(namespace: string, name: string): Promise<readonly number[]>

  /** Says who this engine is and that it lives. */
  beat(engine: EngineRow): Promise<void>
  engines(): Promise<readonly EngineRow[]>
  removeEngine(id: string): Promise<void>
  /** Takes over (or gives up) a run: succeeds only if it is unsettled and its owner is still `from`. */
  claim(run: string, from: string | null, to: string | null): Promise<boolean>
  /** Unsettled runs, oldest first, optionally of one owner (null: of nobody). */
  unsettled(owner?: string | null): Promise<readonly StoredRun[]>

  /** Ticks up to and including this time were dealt with; null when never looked at. */
  highWater(namespace: string, dag: string): Promise<number | null>
  /**
   * Records ticks that will not run, and moves the mark forward (never back), in one transaction. Without skips, a
   * mark that is there or beyond already is fine.
   *
   * @throws {StoreError} `VERSION_CONFLICT` a skip begins at or before the mark, or the mark is at or beyond
   *   `highWater`: somebody dealt with these ticks meanwhile. Nothing was written; look again.
   */
  advance(advance: Advance): Promise<void>
  /** Newest first. */
  skips(namespace: string, dag: string, limit: number): Promise<readonly Skip[]>

  /** One entry for each append, after `seq`, oldest first, at most `limit` (and 10,000). Numbers are never reused. */
  feed(seq: number, limit: number): Promise<readonly FeedEntry[]>
  feedEnd(): Promise<number>
  /** Entries of the feed with what they are about, oldest first: for those who show some of the runs only. */
  changes(query: ChangeQuery): Promise<readonly Change[]>
  /** A number that changes when anybody committed, this store too; cheap enough to ask ten times a second. */
  changeMark(): number | Promise<number>
  /**
   * Calls when another process may have committed: a hint that makes looking at {@link changeMark} worth it before
   * its time. It may come late, for nothing, or never; SQLite gives none. Returns how to stop.
   */
  onChange(listener: () => void): () => void
  /**
   * Removes a settled run with everything of it but its trigger key, which still gives no second run. Refuses an
   * unsettled one by doing nothing; says whether it did.
   */
  removeRun(run: string): Promise<boolean>
  /**
   * Writes an online copy of the database to a new file; one that exists is left alone (`DATABASE_UNAVAILABLE`).
   * PostgreSQL is copied by its own tools (pg_dump, archiving): there it always says so (`DATABASE_UNAVAILABLE`).
   */
  backup(file: string): Promise<void>
  close(): Promise<void>
}

export interface Append {
  readonly run: string
  /** Length of the log the caller decided on; 0 for a new run. */
  readonly version: number
  readonly events: readonly RunEvent[]
  readonly rows: Rows
  /** Refused as `NOT_OWNER` unless this engine owns the run; null writes whoever owns it (a request of a person). */
  readonly engine: string | null
  /** Most live attempts that the pools of these attempts may have, over all runs. */
  readonly pools: ReadonlyMap<string, number>
  /**
   * With a scheduled run (version 0): moves the schedule's mark to this run's tick in the same transaction. Several
   * runs of one catch-up each carry their own tick, in order of time; a tick at or before the mark is refused.
   */
  readonly advance?: Advance
}

export interface StoredRun extends RunRow {
  /** Length of its log. */
  readonly version: number
  /** The engine that drives it; null when none does. */
  readonly owner: string | null
}

export interface StoredDag {
  readonly dag: Dag
  readonly hash: string
  readonly version: number
  /** File or object it came from. */
  readonly source: string | null
  readonly createdAt: number
}

export interface EngineRow {
  readonly id: string
  readonly pid: number
  /** Start time of the process as the system gives it, so that a reused pid is not mistaken for it. */
  readonly processStart: string
  readonly bootId: string
  readonly host: string
  readonly seenAt: number
}

/** Which runs or DAGs a question is about; all that is given must hold. */
export interface Scope {
  readonly namespace?: string
  /** Only what is in one of these: what somebody may see. Empty: nothing. Absent: everything. */
  readonly namespaces?: readonly string[]
  readonly dag?: string
}

export interface RunQuery extends Scope {
  /** Only runs whose name starts with it. */
  readonly namePrefix?: string
  readonly phases?: readonly RunPhase[]
  readonly labels?: Readonly<Record<string, string>>
  readonly createdFrom?: number
  readonly createdBefore?: number
  /** Only runs that are tasks of this run; null: only runs that are a task of none. */
  readonly parentRun?: string | null
  /** 1..500, default 50. Newest first. */
  readonly limit?: number
  /** `next` of the page before. */
  readonly after?: string
}

export interface DagQuery extends Scope {
  readonly namePrefix?: string
  /** 1..500, default 50. In order of namespace and name. */
  readonly limit?: number
  readonly after?: string
}

/** What is in force of a DAG. */
export interface DagInForce {
  readonly hash: string
  readonly suspended: boolean
}

export type DagVersion = Omit<StoredDag, 'dag'>

export interface ChangeQuery extends Scope {
  readonly run?: string
  /** Number of the last entry that is known. */
  readonly after: number
  /** At most this many (and 10,000). */
  readonly limit: number
}

/** One append to the log of a run: its events are those from `from` up to and including `version`. */
export interface Change extends FeedEntry {
  readonly from: number
  readonly namespace: string
  readonly dag: string
  /** Version of the DAG that the run is pinned to. */
  readonly dagHash: string
}

export interface TaskQuery {
  readonly run: string
  readonly states?: readonly TaskStateName[]
  /** 1..5000, default 500. In order of `index`. */
  readonly limit?: number
  readonly after?: string
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Give it as `after` to read on; null at the end. */
  readonly next: string | null
}

export interface Advance {
  readonly namespace: string
  readonly dag: string
  readonly highWater: number
  readonly skips: readonly Skip[]
}

export interface FeedEntry {
  readonly seq: number
  readonly run: string
  /** Length of the run's log after it. */
  readonly version: number
}

/** What can fail below the store. Codes are stable; scripts look at them. */
export const STORE_CODES = {
  VERSION_CONFLICT: 'another engine wrote first; nothing was written',
  DUPLICATE_RUN: 'the run is there already',
  POOL_FULL: 'a pool has no slot left for what would have started',
  NOT_OWNER: 'another engine drives the run now',
  TERMINAL: 'the run has ended, and what has ended never changes',
  DISK_FULL: 'the disk of the state directory is full; nothing that was recorded is lost',
  READ_ONLY: 'the state directory can be read but not written',
  DATABASE_CORRUPT: 'the database is damaged',
  UNSUPPORTED_FILESYSTEM: 'the state directory is on a network file system, where SQLite is not safe',
  SCHEMA_TOO_NEW: 'the database was written by a newer version',
  SCHEMA_CHANGED: 'a migration that the database has seen is not the one known here',
  DATABASE_BUSY: 'another process holds the database for too long',
  DATABASE_UNAVAILABLE: 'the database cannot be reached',
  BAD_CURSOR: 'the place in a list to go on from is not one that was given out',
} as const satisfies Readonly<Record<string, string>>

export type StoreErrorCode = keyof typeof STORE_CODES

/** A failing world below the store, with a stable code. */
export class StoreError extends Error {
  readonly code: StoreErrorCode
  /** With `DUPLICATE_RUN`: the id of the run that is there. */
  readonly existing: string | null
  constructor(
    code: StoreErrorCode,
    message: string,
    options: { cause?: unknown; existing?: string | null } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'StoreError'
    this.code = code
    this.existing = options.existing ?? null
  }
}
