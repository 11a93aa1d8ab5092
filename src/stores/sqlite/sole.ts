import { StoreError } from '../../ports/store.ts'
import { SqliteConnection } from './driver.ts'

/**
 * Holds the file for one process, until that ends, however it ends: the lock is the system's, on a file beside it.
 * Those who do not ask, such as commands that only read, are not kept from it.
 *
 * @param waitMs  How long to wait for somebody who holds it: they may be about to end.
 * @returns Lets go of it.
 * @throws {StoreError} `DATABASE_BUSY` when another process holds it.
 */
export async function holdAlone(file: string, waitMs: number): Promise<() => void> {
  const lock = new SqliteConnection(`${file}.lock`, waitMs)
  try {
    await lock.waiting(() => lock.run('BEGIN EXCLUSIVE'))
    return () => lock.close()
  } catch (error) {
    lock.close()
    if (!(error instanceof StoreError) || error.code !== 'DATABASE_BUSY') throw error
    const message = `${file} is held by another controller; a SQLite file serves one, PostgreSQL more`
    throw new StoreError('DATABASE_BUSY', message, { cause: error })
  }
}
