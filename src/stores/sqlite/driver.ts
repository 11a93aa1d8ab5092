import { backup, type DatabaseSync, DatabaseSync as Sqlite, type StatementSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { StoreError } from '../../ports/store.ts'
import { translated } from './errors.ts'

/** Prepared statements kept; the least recently used goes first. */
const STATEMENTS_MAX = 400
/** SQLite itself waits this long for a lock, with the event loop stopped; beyond it, we wait without stopping it. */
const BUSY_BLOCKING_MS = 5
const BUSY_PAUSE_MS = 2
/** Pages copied at a time by an online backup. */
const BACKUP_PAGES = 256

/** One connection to one SQLite file; the only place that touches `node:sqlite`. */
export class SqliteConnection implements DatabaseConnection {
  readonly file: string
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, Statement>()
  readonly #busyMs: number
  #commits = 0

  constructor(file: string, busyMs: number) {
    this.file = file
    this.#busyMs = busyMs
    try {
      this.#database = new Sqlite(file, {
        timeout: BUSY_BLOCKING_MS,
        defensive: true,
        allowExtension: false,
        enableDoubleQuotedStringLiterals: false,
        enableForeignKeyConstraints: true,
      })
    } catch (error) {
      throw translated(error, file)
    }
  }

  /** Runs one statement; outside a transaction it waits for a lock without stopping the event loop. */
  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#database.isTransaction) return this.#execute(query.sql, query.parameters)
    return this.waiting(() => this.#execute(query.sql, query.parameters))
  }

  streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('a stream would hold a snapshot open; read pages instead')
  }

  /** Repeats what found the database locked until it is free or the time is up. */
  async waiting<T>(action: () => T): Promise<T> {
    let end: number | null = null
    for (;;) {
      try {
        return action()
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== 'DATABASE_BUSY') throw error
        // Asked only now, as the clock is a part of Node that has to be loaded.
        end ??= performance.now() + this.#busyMs
        if (performance.now() > end) throw error
        await pause(BUSY_PAUSE_MS)
      }
    }
  }

  run(sql: string): void {
    try {
      this.#database.exec(sql)
    } catch (error) {
      throw translated(error, this.file)
    }
  }

  /** All values of the first column. */
  values(sql: string): unknown[] {
    return this.#execute<Record<string, unknown>>(sql, []).rows.map(row => Object.values(row)[0])
  }

  /** Rolls back if anything is open: on a full disk SQLite has done so itself. */
  rollback(): void {
    if (this.#database.isTransaction) this.run('ROLLBACK')
  }

  commit(): void {
    this.run('COMMIT')
    this.#commits += 1
  }

  /** `data_version` moves when another connection commits, our own count when this one does. */
  changeMark(): number {
    return Number(this.values('PRAGMA data_version')[0]) + this.#commits
  }

  async backup(file: string): Promise<void> {
    try {
      await backup(this.#database, file, { rate: BACKUP_PAGES })
    } catch (error) {
      throw translated(error, file)
    }
  }

  close(): void {
    this.#statements.clear()
    if (this.#database.isOpen) this.#database.close()
  }

  #execute<R>(sql: string, parameters: readonly unknown[]): QueryResult<R> {
    try {
      const { statement, reads } = this.#statement(sql)
      // Row mapping: kysely's types say what the columns are, and only this program writes the parameters.
      const values = parameters as (string | number | null)[]
      if (reads) return { rows: statement.all(...values) as R[] }
      const { changes } = statement.run(...values)
      return { rows: [], numAffectedRows: BigInt(changes) }
    } catch (error) {
      throw translated(error, this.file)
    }
  }

  #statement(sql: string): Statement {
    const found = this.#statements.get(sql)
    if (found !== undefined) {
      this.#statements.delete(sql)
      this.#statements.set(sql, found)
      return found
    }
    const statement = this.#database.prepare(sql)
    const made = { statement, reads: statement.columns().length > 0 }
    this.#statements.set(sql, made)
    if (this.#statements.size > STATEMENTS_MAX) {
      const oldest = this.#statements.keys().next()
      if (oldest.done !== true) this.#statements.delete(oldest.value)
    }
    return made
  }
}

interface Statement {
  readonly statement: StatementSync
  readonly reads: boolean
}

/** Kysely's view of the one connection. Transactions begin as writers, so a snapshot never has to be given up. */
export function sqliteDialect(connection: SqliteConnection): Dialect {
  const driver: Driver = {
    init: async () => undefined,
    acquireConnection: async () => connection,
    releaseConnection: async () => undefined,
    beginTransaction: async () => connection.waiting(() => connection.run('BEGIN IMMEDIATE')),
    commitTransaction: async () => connection.commit(),
    rollbackTransaction: async () => connection.rollback(),
    destroy: async () => connection.close(),
  }
  return {
    createDriver: () => driver,
    createQueryCompiler: (): QueryCompiler => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: db => new SqliteIntrospector(db),
  }
}
