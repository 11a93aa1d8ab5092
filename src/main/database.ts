import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Database } from '../config.ts'
import { engineProbe } from '../host/this-engine.ts'
import type { EngineProbe } from '../ports/notices.ts'
import { type EngineRow, type Store, StoreError } from '../ports/store.ts'

/** The database of a controller. */
export interface OpenDatabase {
  readonly store: Store
  readonly type: 'sqlite' | 'postgresql'
  /** Which other engines of this database live. */
  readonly probe: EngineProbe
  close(): Promise<void>
}

/** The controller before this one may be about to end. */
const SOLE_WAIT_MS = 15_000

/**
 * Opens the database; a SQLite file for this process alone.
 *
 * @throws {StoreError}
 */
export async function openDatabase(database: Database, me: EngineRow): Promise<OpenDatabase> {
  if (database.kind === 'postgres') {
    const { openPostgresStore } = await import('../stores/postgres/open.ts')
    const store = await openPostgresStore(database.url.reveal())
    return { store, type: 'postgresql', probe: engineProbe, close: () => store.close() }
  }
  const { holdAlone } = await import('../stores/sqlite/sole.ts')
  const { openSqliteStore } = await import('../stores/sqlite/open.ts')
  await mkdir(dirname(database.file), { recursive: true, mode: 0o700 })
  const letGo = await holdAlone(database.file, SOLE_WAIT_MS)
  try {
    const store = await openSqliteStore(database.file)
    const close = async (): Promise<void> => {
      await store.close()
      letGo()
    }
    return { store, type: 'sqlite', probe: onlyThis(me), close }
  } catch (error) {
    letGo()
    throw error
  }
}

/** Whoever else has an engine in a file that is held alone held it before, and has ended. */
const onlyThis = (me: EngineRow): EngineProbe => ({
  isAlive: ({ pid, processStart, bootId, host }) =>
    pid === me.pid && processStart === me.processStart && bootId === me.bootId && host === me.host,
})

/** Whether a database that could not be opened may be opened in a while. */
export const databaseMayPass = (error: unknown): boolean =>
  error instanceof StoreError && ['DATABASE_UNAVAILABLE', 'DISK_FULL'].includes(error.code)
