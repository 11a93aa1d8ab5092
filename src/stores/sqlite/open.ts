import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { Kysely } from 'kysely'
import type { StoreWithAccounts } from '../../ports/accounts.ts'
import { StoreError } from '../../ports/store.ts'
import { sqliteSql } from '../dialect.ts'
import { migrate, MIGRATIONS } from '../migrate.ts'
import type { Migration } from '../migration.ts'
import { SqlStore } from '../sql-store.ts'
import type { Tables } from '../tables.ts'
import { backupTo } from './backup.ts'
import { SqliteConnection, sqliteDialect } from './driver.ts'
import { networkFilesystem } from './filesystem.ts'
import { translated } from './errors.ts'
import { walIsDamaged } from './wal.ts'

export interface SqliteOptions {
  /** Longest to wait for another process's lock before `DATABASE_BUSY`. Default 10,000. */
  readonly busyMs?: number
  /**
   * Files up to this size are checked page by page at the start (about 2 ms per MiB); of a larger one only the small
   * tables are, since a check that takes longer than the work would be switched off. Default 32 MiB.
   */
  readonly checkBytesMax?: number
  /** For tests of the schema: other steps than the program's own. */
  readonly migrations?: readonly Migration[]
}

const BUSY_MS = 10_000
const CHECK_BYTES_MAX = 32 * 1024 * 1024
/** A write-ahead log that one huge transaction made large is cut back to this. */
const WAL_BYTES_KEPT = 16 * 1024 * 1024
const CACHE_KIB = 16 * 1024
const SETTINGS = [
  'synchronous = FULL',
  'foreign_keys = ON',
  'trusted_schema = OFF',
  'cell_size_check = ON',
  'temp_store = MEMORY',
  `cache_size = -${CACHE_KIB}`,
  `journal_size_limit = ${WAL_BYTES_KEPT}`,
]
  .map(setting => `PRAGMA ${setting};`)
  .join('')
/** Tables small enough to be checked at every start, however large the file is. */
const SMALL_TABLES = ['schema_step', 'dag', 'dag_version', 'engine', 'schedule', 'counter', 'removed_run']

/**
 * Opens the store in a SQLite file, making file and directory where missing (for the owner only), checks it and
 * brings its schema up to date. `:memory:` gives a store of its own that ends with `close`.
 *
 * @throws {StoreError} `UNSUPPORTED_FILESYSTEM`, `READ_ONLY`, `DATABASE_CORRUPT`, `SCHEMA_TOO_NEW`, `SCHEMA_CHANGED`,
 *   `DATABASE_BUSY`, `DISK_FULL`, `DATABASE_UNAVAILABLE`. The file is left as it was.
 */
export async function openSqliteStore(file: string, options: SqliteOptions = {}): Promise<StoreWithAccounts> {
  const inMemory = file === ':memory:'
  const path = inMemory ? file : place(resolve(file))
  const busyMs = options.busyMs ?? BUSY_MS
  const opened: SqliteConnection[] = []
  try {
    if (!inMemory && walIsDamaged(path))
      throw damaged(path, 'its write-ahead log has a broken frame before good ones')
    const writer = await connect(path, busyMs, opened)
    await check(writer, inMemory ? 0 : statSync(path).size, options.checkBytesMax ?? CHECK_BYTES_MAX)
    const write = new Kysely<Tables>({ dialect: sqliteDialect(writer) })
    await migrate(write, sqliteSql, Date.now(), options.migrations ?? MIGRATIONS)
    const reader = inMemory ? writer : await connect(path, busyMs, opened)
    const read = inMemory ? write : new Kysely<Tables>({ dialect: sqliteDialect(reader) })
    const store = new SqlStore({
      dialect: sqliteSql,
      read,
      transact: work => write.transaction().execute(work),
      changeMark: () => (inMemory ? writer.changeMark() : reader.changeMark()),
      onChange: () => () => undefined,
      backup: target => (inMemory ? backupTo(writer, target) : backupFile(path, busyMs, target)),
      async close() {
        await write.destroy()
        if (read !== write) await read.destroy()
      },
    })
    await store.sweep().catch(laterIfWorld)
    return store
  } catch (error) {
    for (const connection of opened) connection.close()
    throw translated(error, path)
  }
}

/**
 * Copies from a connection of its own that holds a snapshot: without one, a copy begins again whenever somebody
 * else commits, and would never end beside a busy engine.
 */
async function backupFile(path: string, busyMs: number, target: string): Promise<void> {
  const connection = new SqliteConnection(path, busyMs)
  try {
    connection.run('BEGIN')
    await connection.waiting(() => connection.values('SELECT count(*) FROM schema_step'))
    await backupTo(connection, target)
  } finally {
    connection.close()
  }
}

/** Leftovers of a removal can wait for another start; a full disk must not keep anybody from reading. */
function laterIfWorld(error: unknown): void {
  if (!(error instanceof StoreError)) throw error
}

/** Makes directory and file, or says why they cannot be used; gives the real path. */
function place(file: string): string {
  const directory = dirname(file)
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const real = existsSync(file) ? realpathSync(file) : join(realpathSync(directory), basename(file))
    const type = networkFilesystem(dirname(real), statfsSync(dirname(real)).type, mountTable())
    if (type !== null)
      throw new StoreError(
        'UNSUPPORTED_FILESYSTEM',
        `${directory} lies on a network filesystem (${type}), where SQLite loses data. ` +
          'Choose a local directory with --state, or use PostgreSQL.',
      )
    // SQLite gives its -wal and -shm files the permissions of this one.
    closeSync(openSync(real, constants.O_RDWR | constants.O_CREAT, 0o600))
    accessSync(directory, constants.W_OK)
    return real
  } catch (error) {
    throw fromSystem(error, file)
  }
}

function mountTable(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return ''
  }
}

function fromSystem(error: unknown, file: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : null
  if (error instanceof StoreError || typeof code !== 'string') return error
  if (['EACCES', 'EPERM', 'EROFS'].includes(code))
    return new StoreError(
      'READ_ONLY',
      `${file} cannot be written by this user, nor can its directory be (${code}). ` +
        'Give write permission, or choose another directory with --state.',
      { cause: error },
    )
  if (['ENOSPC', 'EDQUOT'].includes(code))
    return new StoreError('DISK_FULL', `There is no room to make ${file}. Free some space.`, { cause: error })
  return new StoreError('DATABASE_UNAVAILABLE', `${file} cannot be opened (${code}).`, { cause: error })
}

async function connect(path: string, busyMs: number, opened: SqliteConnection[]): Promise<SqliteConnection> {
  const connection = new SqliteConnection(path, busyMs)
  opened.push(connection)
  const [mode] = await connection.waiting(() => connection.values('PRAGMA journal_mode = WAL'))
  if (mode !== 'wal' && path !== ':memory:')
    throw new StoreError(
      'UNSUPPORTED_FILESYSTEM',
      `${path} lies on a filesystem without shared memory for a write-ahead log. ` +
        'Choose a local directory with --state.',
    )
  await connection.waiting(() => connection.run(SETTINGS))
  return connection
}

async function check(connection: SqliteConnection, bytes: number, bytesMax: number): Promise<void> {
  const problems = await connection.waiting(() => {
    if (bytes <= bytesMax) return connection.values('PRAGMA quick_check(1)')
    const there = new Set(connection.values(`SELECT name FROM sqlite_schema WHERE type = 'table'`))
    return SMALL_TABLES.filter(table => there.has(table)).flatMap(table =>
      connection.values(`PRAGMA quick_check(${table})`),
    )
  })
  const first = problems.find(problem => problem !== 'ok')
  if (first !== undefined)
    throw damaged(connection.file, typeof first === 'string' ? first : 'quick_check failed')
}

function damaged(file: string, what: string): StoreError {
  return new StoreError(
    'DATABASE_CORRUPT',
    `${file} is damaged (${what}); nothing was changed. Keep the file and restore the last backup.`,
  )
}
