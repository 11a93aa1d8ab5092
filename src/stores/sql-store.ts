import type { Kysely } from 'kysely'
import type { Dag } from '../core/dag/dag.ts'
import type { Json } from '../core/json.ts'
import type { RunEvent } from '../core/run/events.ts'
import type { AttemptRow, RunPhase, TaskRow } from '../core/run/rows.ts'
import type { Skip } from '../core/schedule/skip.ts'
import type { Accounts, StoreWithAccounts } from '../ports/accounts.ts'
import type {
  Advance,
  Append,
  Change,
  ChangeQuery,
  DagInForce,
  DagQuery,
  DagVersion,
  EngineRow,
  FeedEntry,
  Page,
  RunQuery,
  Scope,
  StoredDag,
  StoredRun,
  TaskQuery,
} from '../ports/store.ts'
import { sqlAccounts } from './accounts/sql-accounts.ts'
import { type AppendStatements, appendAll, appendSize, appendStatements, checkAppend } from './append.ts'
import { changes } from './changes.ts'
import { SqlDeliveries } from './deliveries.ts'
import * as dags from './dags.ts'
import type { SqlDialect } from './dialect.ts'
import * as engines from './engines.ts'
import { Feed } from './feed.ts'
import { GroupCommit } from './group-commit.ts'
import { poolUse } from './look.ts'
import { notRemoved, removeRun, sweepRemoved } from './remove-run.ts'
import { runEvent, storedRun } from './rows.ts'
import { runCounts } from './run-counts.ts'
import { runOfTrigger, runs, runsLike } from './run-pages.ts'
import * as schedules from './schedules.ts'
import type { Tables } from './tables.ts'
import { attempts, tasks } from './task-pages.ts'

/** What differs between databases; all SQL is the same but for the words of its dialect. */
export interface Database {
  readonly dialect: SqlDialect
  /** All reads; sees what was committed. */
  readonly read: Kysely<Tables>
  /**
   * Runs a write in a transaction of its own, one at a time. Where the database asks for that (two that waited for
   * each other, a connection that broke), it runs the write again, so a write does nothing outside its transaction.
   * Settles when it is durable; when it is refused, nothing was written.
   */
  transact<T>(write: (trx: Kysely<Tables>) => Promise<T>): Promise<T>
  changeMark(): number | Promise<number>
  /** Calls when somebody else may have committed; see `Store.onChange`. */
  onChange(listener: () => void): () => void
  backup(file: string): Promise<void>
  close(): Promise<void>
}

/** The store over kysely. */
export class SqlStore implements StoreWithAccounts {
  readonly accounts: Accounts
  readonly deliveries: SqlDeliveries
  readonly #database: Database
  readonly #read: Kysely<Tables>
  readonly #commits: GroupCommit
  readonly #feed: Feed
  #closed: Promise<void> | null = null

  constructor(database: Database) {
    const { read, dialect } = database
    this.#database = database
    this.#read = read
    this.#feed = new Feed(read, dialect)
    // Made with the first write: most commands only read.
    let statements: AppendStatements | null = null
    this.#commits = new GroupCommit(database, {
      appends: (writing, appends) => {
        statements ??= appendStatements(read, dialect)
        return appendAll(writing, statements, appends)
      },
      feed: writing => this.#feed.write(writing),
    })
    this.deliveries = new SqlDeliveries(this.#commits, read, dialect)
    this.accounts = sqlAccounts(read, dialect, this.#commits)
  }

  async append(append: Append): Promise<void> {
    checkAppend(append)
    await this.#commits.append(append, appendSize(append))
  }
  async events(run: string, after = 0, limit?: number): Promise<readonly RunEvent[]> {
    const rows = await this.#read
      .selectFrom('event')
      .select('body')
      .where('run', '=', run)
      .where('seq', '>', after)
      .where(notRemoved('event.run'))
      .orderBy('seq')
      .$if(limit !== undefined, query => query.limit(limit ?? 0))
      .execute()
    return rows.map(row => runEvent(row.body))
  }
  async run(id: string): Promise<StoredRun | null> {
    const row = await this.#read.selectFrom('run').selectAll().where('id', '=', id).executeTakeFirst()
    return row === undefined ? null : storedRun(row)
  }
  runsLike(prefix: string, limit: number): Promise<readonly StoredRun[]> {
    return runsLike(this.#read, this.#database.dialect, prefix, limit)
  }
  runs(query: RunQuery): Promise<Page<StoredRun>> {
    return runs(this.#read, this.#database.dialect, query)
  }
  runCounts(query: Scope & { readonly createdFrom?: number }): Promise<ReadonlyMap<RunPhase, number>> {
    return runCounts(this.#read, query)
  }
  tasks(query: TaskQuery): Promise<Page<TaskRow>> {
    return tasks(this.#read, this.#database.dialect, query)
  }
  attempts(run: string, task?: string): Promise<readonly AttemptRow[]> {
    return attempts(this.#read, run, task)
  }
  poolUse(): Promise<ReadonlyMap<string, number>> {
    return poolUse(this.#read)
  }
  runOfTrigger(namespace: string, dag: string, kind: string, key: string): Promise<string | null> {
    return runOfTrigger(this.#read, namespace, dag, kind, key)
  }

  putDag(
    dag: Dag,
    hash: string,
    source: string | null,
    at: number,
    expected?: DagInForce | null,
  ): Promise<{ version: number; created: boolean }> {
    return this.#commits.write(({ trx }) => dags.putDag(trx, dag, hash, source, at, expected))
  }
  dagByHash(hash: string): Promise<StoredDag | null> {
    return dags.dagByHash(this.#read, hash)
  }
  dag(namespace: string, name: string, version?: number): Promise<StoredDag | null> {
    return dags.dag(this.#read, namespace, name, version)
  }
  dags(): Promise<readonly StoredDag[]> {
    return dags.dags(this.#read)
  }
  dagPage(query: DagQuery): Promise<Page<StoredDag>> {
    return dags.dagPage(this.#read, query)
  }
  dagVersions(namespace: string, name: string): Promise<readonly DagVersion[]> {
    return dags.dagVersions(this.#read, namespace, name)
  }
  removeDag(namespace: string, name: string, at: number): Promise<void> {
    return this.#commits.write(({ trx }) => dags.removeDag(trx, namespace, name, at))
  }
  putDagTask(namespace: string, name: string, spec: Json, hash: string, at: number): Promise<number> {
    return this.#commits.write(({ trx }) => dags.putDagTask(trx, namespace, name, spec, hash, at))
  }
  dagTask(namespace: string, name: string, version: number): Promise<Json | null> {
    return dags.dagTask(this.#read, namespace, name, version)
  }
  dagTaskVersions(namespace: string, name: string): Promise<readonly number[]> {
    return dags.dagTaskVersions(this.#read, namespace, name)
  }

  beat(engine: EngineRow): Promise<void> {
    return this.#commits.write(({ trx }) => engines.beat(trx, engine))
  }
  engines(): Promise<readonly EngineRow[]> {
    return engines.engines(this.#read)
  }
  removeEngine(id: string): Promise<void> {
    return this.#commits.write(({ trx }) => engines.removeEngine(trx, id))
  }
  claim(run: string, from: string | null, to: string | null): Promise<boolean> {
    return this.#commits.write(({ trx }) => engines.claim(trx, run, from, to))
  }
  unsettled(owner?: string | null): Promise<readonly StoredRun[]> {
    return engines.unsettled(this.#read, owner)
  }

  highWater(namespace: string, dag: string): Promise<number | null> {
    return schedules.highWater(this.#read, namespace, dag)
  }
  advance(advance: Advance): Promise<void> {
    return this.#commits.write(({ trx }) => schedules.advanceSchedule(trx, advance))
  }
  skips(namespace: string, dag: string, limit: number): Promise<readonly Skip[]> {
    return schedules.skips(this.#read, namespace, dag, limit)
  }

  feed(seq: number, limit: number): Promise<readonly FeedEntry[]> {
    return this.#feed.after(this.#read, seq, limit)
  }
  feedEnd(): Promise<number> {
    return this.#feed.end(this.#read)
  }
  changes(query: ChangeQuery): Promise<readonly Change[]> {
    return changes(this.#read, query)
  }
  changeMark(): number | Promise<number> {
    return this.#database.changeMark()
  }
  onChange(listener: () => void): () => void {
    return this.#database.onChange(listener)
  }
  removeRun(run: string): Promise<boolean> {
    return removeRun(this.#commits, run)
  }
  /** Goes on with removals that another process left half done. */
  sweep(): Promise<void> {
    return sweepRemoved(this.#commits, this.#read)
  }
  backup(file: string): Promise<void> {
    return this.#database.backup(file)
  }
  close(): Promise<void> {
    this.#closed ??= this.#commits.close().then(() => this.#database.close())
    return this.#closed
  }
}
