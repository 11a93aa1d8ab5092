import { StoreError, type StoreErrorCode } from '../../ports/store.ts'

/** Result codes of SQLite (https://sqlite.org/rescode.html); the low byte is the primary one. */
const PRIMARY: Readonly<Record<number, StoreErrorCode>> = {
  5: 'DATABASE_BUSY',
  6: 'DATABASE_BUSY',
  7: 'DATABASE_UNAVAILABLE',
  8: 'READ_ONLY',
  10: 'DATABASE_UNAVAILABLE',
  11: 'DATABASE_CORRUPT',
  13: 'DISK_FULL',
  14: 'DATABASE_UNAVAILABLE',
  15: 'DATABASE_BUSY',
  26: 'DATABASE_CORRUPT',
}
const EXTENDED: Readonly<Record<number, StoreErrorCode>> = {
  /** The file was moved or deleted under us. */
  1032: 'DATABASE_UNAVAILABLE',
  /** A guard of the schema: something settled was to change. */
  1811: 'TERMINAL',
  /** The shared-memory file could not grow. */
  4874: 'DISK_FULL',
}
const SENTENCES: Partial<Record<StoreErrorCode, string>> = {
  DATABASE_BUSY: 'Another process holds the database for longer than this one waits.',
  READ_ONLY: 'The database cannot be written: the file or its directory is read-only.',
  DATABASE_CORRUPT:
    'The database file is damaged; nothing was changed. Keep the file and restore the last backup.',
  DISK_FULL: 'The disk is full; nothing was written. Free some space, then it goes on by itself.',
  DATABASE_UNAVAILABLE: 'The database file cannot be used.',
  TERMINAL: 'What has settled does not change.',
}

/** Makes a failure of SQLite a {@link StoreError}; anything else (a bug) stays what it is. */
export function translated(error: unknown, file: string): unknown {
  const code = sqliteCode(error)
  if (code === null) return error
  const known = EXTENDED[code] ?? PRIMARY[code & 0xff]
  if (known === undefined) return error
  const detail = error instanceof Error ? error.message : String(error)
  return new StoreError(known, `${SENTENCES[known] ?? known} (${file}: ${detail})`, { cause: error })
}

function sqliteCode(error: unknown): number | null {
  if (!(error instanceof Error) || !('errcode' in error)) return null
  return typeof error.errcode === 'number' ? error.errcode : null
}
