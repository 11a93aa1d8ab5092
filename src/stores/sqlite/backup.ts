import { randomBytes } from 'node:crypto'
import { chmodSync, closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { StoreError } from '../../ports/store.ts'
import type { SqliteConnection } from './driver.ts'

/** Copies the database while it is in use. The file appears under its name only when it is whole and durable. */
export async function backupTo(connection: SqliteConnection, file: string): Promise<void> {
  if (existsSync(file)) throw exists(file)
  const part = `${file}.${randomBytes(6).toString('hex')}.part`
  try {
    await connection.backup(part)
    chmodSync(part, 0o600)
    sync(part)
    // A link, unlike a rename, never replaces a file that somebody else made meanwhile.
    try {
      linkSync(part, file)
    } catch (error) {
      throw existsSync(file) ? exists(file) : error
    }
    sync(dirname(file))
  } finally {
    for (const rest of [part, `${part}-journal`, `${part}-wal`, `${part}-shm`]) rmSync(rest, { force: true })
  }
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function exists(file: string): StoreError {
  return new StoreError('DATABASE_UNAVAILABLE', `${file} exists already; a backup never replaces a file.`)
}
