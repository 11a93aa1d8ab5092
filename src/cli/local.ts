import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isDriven as isDrivenBy } from '../engine/living.ts'
import { createFilesystemLogs } from '../archives/filesystem/logs.ts'
import { engineProbe } from '../host/this-engine.ts'
import type { LogArchive } from '../ports/logs.ts'
import type { StoreWithAccounts } from '../ports/accounts.ts'
import { type Store, type StoredRun, StoreError } from '../ports/store.ts'
import { CommandError } from './exit.ts'
import type { Environment } from './settings.ts'

/** The state directory, opened: what commands read, and what an engine of this process is built on. */
export interface Local {
  readonly stateDir: string
  readonly store: StoreWithAccounts
  readonly logs: LogArchive
  close(): Promise<void>
}

/** Where runs and their logs are kept. */
export type Place = Pick<Environment, 'stateDir' | 'database'>

/**
 * Opens the state directory, and the database where one is named: then the directory holds logs and what executors
 * note, and the database everything else.
 *
 * @param create  Makes it when it is not there; a command that only reads says that there is nothing instead.
 */
export async function openLocal(place: Place, create: boolean): Promise<Local> {
  const { stateDir } = place
  if (create) makeDirectory(stateDir)
  else if (!isThere(place)) {
    const fix = 'run something first (kontroler run FILE), or name the directory with --state'
    throw new CommandError('NO_STATE', `there is no state in ${stateDir}`, fix)
  }
  const store = await openStore(place)
  return { stateDir, store, logs: createFilesystemLogs(stateDir), close: () => store.close() }
}

/** Whether there is something to read; a database is asked when it is opened. */
export function isThere({ stateDir, database }: Place): boolean {
  return (
    database !== null || statSync(join(stateDir, 'kontroler.db'), { throwIfNoEntry: false }) !== undefined
  )
}

/** Loaded only here: the SQL library is 255 modules, and not every command that may open a store does. */
async function openStore({ stateDir, database }: Place): Promise<StoreWithAccounts> {
  if (database === null) {
    const { openSqliteStore } = await import('../stores/sqlite/open.ts')
    return await openSqliteStore(join(stateDir, 'kontroler.db'))
  }
  const { openPostgresStore } = await import('../stores/postgres/open.ts')
  return await openPostgresStore(database)
}

function makeDirectory(stateDir: string): void {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError(
      'STATE_NOT_WRITABLE',
      `the state directory cannot be made: ${reason}`,
      'give another with --state',
    )
  }
}

/** Whether an engine that lives drives this run. */
export async function isDriven(store: Store, run: StoredRun): Promise<boolean> {
  return await isDrivenBy(store, engineProbe, run)
}

/**
 * Finds the run that a person means: an id, a name, the beginning of either, or `@last`.
 * @throws {CommandError} None or several.
 */
export async function findRun(store: Store, text: string): Promise<StoredRun> {
  if (text === '@last') {
    const last = await newestRun(store)
    if (last !== null) return last
    throw new CommandError('UNKNOWN_RUN', 'nothing has run yet', 'kontroler run FILE')
  }
  const found = await store.runsLike(text, 10)
  const exact = found.filter(({ id, name }) => id === text || name === text)
  const [only, second] = exact.length > 0 ? exact : found
  if (only === undefined)
    throw new CommandError('UNKNOWN_RUN', `there is no run ${text}`, 'see kontroler list')
  if (second !== undefined && exact.length !== 1) {
    const names = found.map(({ name, id }) => `${name} (${id})`).join(', ')
    throw new CommandError(
      'AMBIGUOUS_RUN',
      `${text} may be any of: ${names}`,
      'give more of the name, or the id',
    )
  }
  return only
}

/** The newest run that somebody asked for; runs that are tasks of others do not count. */
async function newestRun(store: Store): Promise<StoredRun | null> {
  return (await store.runs({ parentRun: null, limit: 1 })).items[0] ?? null
}

/** A typed failure of the world as a sentence and a way out. */
export function storeTrouble(error: StoreError): CommandError {
  const fixes: Partial<Record<StoreError['code'], string>> = {
    DISK_FULL: 'free some space; nothing that was recorded is lost',
    READ_ONLY: 'make the state directory writable, or give another with --state; a database must take writes',
    DATABASE_CORRUPT: 'restore a backup of the state directory; the damaged file was left as it is',
    SCHEMA_TOO_NEW: 'use the newer kontroler that wrote it, or give another --state',
    UNSUPPORTED_FILESYSTEM: 'put the state on a local disk with --state',
    DATABASE_UNAVAILABLE: 'see that the database runs and can be reached, then try again',
    DATABASE_BUSY: 'another process holds the database for very long; try again',
  }
  return new CommandError(error.code, error.message, fixes[error.code] ?? 'see the message', 1)
}
