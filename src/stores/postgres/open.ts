import { randomUUID } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type { StoreWithAccounts } from '../../ports/accounts.ts'
import { StoreError } from '../../ports/store.ts'
import { postgresSql } from '../dialect.ts'
import { migrate, MIGRATIONS } from '../migrate.ts'
import type { Migration } from '../migration.ts'
import { SqlStore } from '../sql-store.ts'
import type { Tables } from '../tables.ts'
import { type Address, readAddress } from './address.ts'
import { notices } from './notices.ts'
import { type SessionLimits, sessions, sessionSettings } from './sessions.ts'
import { transactions } from './transact.ts'

export interface PostgresOptions extends Partial<SessionLimits> {
  /** Sessions for reading; one more writes, and one listens where somebody wants to hear. Default 4. */
  readonly readers?: number
  /** How long a lost answer to a commit is asked after, in milliseconds. Default 30,000. */
  readonly askMs?: number
  /** For tests of the schema: other steps than the program's own. */
  readonly migrations?: readonly Migration[]
}

const READERS = 4
const LIMITS: SessionLimits = { connectMs: 10_000, statementMs: 30_000, lockMs: 15_000, idleMs: 5_000 }
/** A step of the schema may have a large table to go through, and others to wait for. */
const MIGRATION_MS = 600_000
/** Notes of writers that were killed are kept this long. */
const WRITER_DAYS = 7
const VERSION_MIN = 160_000

/**
 * Opens the store in a PostgreSQL database and brings its schema up to date. It needs an ordinary role that owns the
 * schema or may make it, and no extension. See {@link readAddress} for the URL.
 *
 * @throws {StoreError} `DATABASE_UNAVAILABLE` (also for a wrong URL, password or certificate), `DATABASE_BUSY`,
 *   `READ_ONLY` (only where the schema is to be made), `SCHEMA_TOO_NEW`, `SCHEMA_CHANGED`, `DISK_FULL`.
 */
export async function openPostgresStore(
  url: string,
  options: PostgresOptions = {},
): Promise<StoreWithAccounts> {
  const address = readAddress(url)
  const { schema } = address
  const limits = { ...LIMITS, ...options }
  const dialect = postgresSql(schema)
  await prepare(address, limits, async db => {
    await migrate(db, dialect, Date.now(), options.migrations ?? MIGRATIONS)
  })
  const read = sessions(address, limits, options.readers ?? READERS)
  const write = sessions(address, limits, 1)
  const me = randomUUID()
  const channel = `kontroler_${schema}`
  const writes = transactions(write, address, me, channel, options.askMs)
  const heard = notices(sessionSettings(address, limits), channel, me)
  const store = new SqlStore({
    dialect,
    read,
    transact: work => writes.run(work),
    changeMark: () => changeMark(read),
    onChange: listener => heard.onChange(listener),
    backup: () => Promise.reject(notOurs()),
    async close() {
      await heard.close()
      await writes.close().catch(whenItCan)
      await Promise.all([read.destroy(), write.destroy()])
    },
  })
  await store.sweep().catch(whenItCan)
  return store
}

/** Looks at the server and makes the schema, on a session of its own that may take its time. */
async function prepare(
  address: Address,
  limits: SessionLimits,
  work: (db: Kysely<Tables>) => Promise<void>,
): Promise<void> {
  const db = sessions(address, { ...limits, statementMs: MIGRATION_MS, lockMs: MIGRATION_MS }, 1)
  try {
    const { rows } = await sql<{ version: string; encoding: string }>`
      select current_setting('server_version_num') as version, current_setting('server_encoding') as encoding
    `.execute(db)
    const [server] = rows
    if (server === undefined || Number(server.version) < VERSION_MIN)
      throw refusedServer(address, 'it is older than PostgreSQL 16; use a newer server')
    if (server.encoding !== 'UTF8')
      throw refusedServer(address, `the database has the encoding ${server.encoding}; make it with UTF8`)
    await work(db)
    await sql`delete from writer where at < now() - make_interval(days => ${WRITER_DAYS})`
      .execute(db)
      .catch(whenItCan)
  } finally {
    await db.destroy()
  }
}

function refusedServer(address: Address, what: string): StoreError {
  return new StoreError('DATABASE_UNAVAILABLE', `${address.shown} cannot be used: ${what}.`)
}

/** Counted up by every write transaction, so it is asked for each time: a notice may be late, or lost. */
async function changeMark(db: Kysely<Tables>): Promise<number> {
  const { value } = await db
    .selectFrom('counter')
    .select('value')
    .where('name', '=', 'change')
    .executeTakeFirstOrThrow()
  return value
}

function notOurs(): StoreError {
  return new StoreError(
    'DATABASE_UNAVAILABLE',
    'A PostgreSQL database is backed up with its own tools (pg_dump, or archiving of its log).',
  )
}

/** Tidying can wait for another start; a standby or a full disk must not keep anybody from reading. */
function whenItCan(error: unknown): void {
  if (!(error instanceof StoreError)) throw error
}
