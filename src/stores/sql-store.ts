import type { Kysely } from 'kysely'
import type { Dag } from '../core/dag/dag.ts'
import type { Json } from '../core/json.ts'
import type { RunEvent } from '../core/run/events.ts'
import type { AttemptRow, TaskRow } from '../core/run/rows.ts'
import type { Skip } from '../core/schedule/skip.ts'
import type {
  Advance,
  Append,
  EngineRow,
  FeedEntry,
  Page,
  RunQuery,
  Store,
  StoredDag,
  StoredRun,
  TaskQuery,
} from '../ports/store.ts'
import {
  type AppendStatements,
  appendSize,
  appendStatements,
  appendWrite,
  poolUse,
  runOfTrigger,
} from './append.ts'
import * as dags from './dags.ts'
import * as engines from './engines.ts'
import { Feed } from './feed.ts'
import { GroupCommit } from './group-commit.ts'
import { notRemoved, removeRun, sweepRemoved } from './remove-run.ts'
import { runEvent, storedRun } from './rows.ts'
import { runs, runsLike } from './run-pages.ts'
import * as schedules from './schedules.ts'
import type { Tables } from './tables.ts'
import { attempts, tasks } from './task-pages.ts'

/** What differs between databases; all SQL is the same. */
export interface Database {
  /** All writes, one transaction at a time. */
  readonly write: Kysely<Tables>
  /** All reads; sees what was committed. The same as `write` where there is only one connection. */
  readonly read: Kysely<Tables>
  changeMark(): number | Promise<number>
  backup(file: string): Promise<void>
}

/** The {@link Store} over kysely. */
export class SqlStore implements Store {
  readonly #database: Database
  readonly #read: Kysely<Tables>
  readonly #commits: GroupCommit
  readonly #statements: AppendStatements
  readonly #feed: Feed

  constructor(database: Database) {
    this.#database = database
    this.#read = database.read
    this.#feed = new Feed(database.write)
    this.#commits = new GroupCommit(database.write, writing => this.#feed.write(writing))
    this.#statements = appendStatements(database.write)
  }

  async append(append: Append): Promise<void> {
    await this.#commits.write(appendWrite(this.#statements, append), appendSize(append))
  }
  async events(run: string, after = 0): Promise<readonly RunEvent[]> {
    const rows = await this.#read
      .selectFrom('event')
      .select('body')
      .where('run', '=', run)
      .where('seq', '>', after)
      .where(notRemoved('event.run'))
      .orderBy('seq')
      .execute()
    return rows.map(row => runEvent(row.body))
  }
  async run(id: string): Promise<StoredRun | null> {
    const row = await this.#read.selectFrom('run').selectAll().where('id', '=', id).executeTakeFirst()
    return row === undefined ? null : storedRun(row)
  }
  runsLike(prefix: string, limit: number): Promise<readonly StoredRun[]> {
    return runsLike(this.#read, prefix, limit)
  }
  runs(query: RunQuery): Promise<Page<StoredRun>> {
    return runs(this.#read, query)
  }
  tasks(query: TaskQuery): Promise<Page<TaskRow>> {
    return tasks(this.#read, query)
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
  ): Promise<{ version: number; created: boolean }> {
    return this.#commits.write(({ trx }) => dags.putDag(trx, dag, hash, source, at))
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
  changeMark(): number | Promise<number> {
    return this.#database.changeMark()
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
  async close(): Promise<void> {
    await this.#commits.close()
    await this.#database.write.destroy()
    if (this.#read !== this.#database.write) await this.#read.destroy()
  }
}
