import { setTimeout as pause } from 'node:timers/promises'
import { type ControlledTransaction, type Kysely, sql } from 'kysely'
import { StoreError } from '../../ports/store.ts'
import { type Prepared, prepared } from '../prepared.ts'
import type { Tables } from '../tables.ts'
import type { Address } from './address.ts'
import { isWorthAnother, LostConnection } from './errors.ts'

/** Times that one transaction is run, at most. */
const RUNS_MAX = 10
/** Times that it is run again because the line broke before the commit was sent; a statement may be what breaks it. */
const LOST_MAX = 3
/** Longest pause before it is run again; the first is a hundredth of it at most. */
const PAUSE_MAX_MS = 200
/** How long a writer that lost the answer to its commit tries to find out, before it says that it does not know. */
const ASK_MS = 30_000
const ASK_PAUSE_MS = 100

/** One store's write transactions, one at a time. */
export interface Transactions {
  run<T>(write: (trx: Kysely<Tables>) => Promise<T>): Promise<T>
  /** Takes away the note of the last number, which nobody will ask for any more. */
  close(): Promise<void>
}

/**
 * Write transactions whose outcome is always known, or said to be unknown.
 *
 * Each one leaves its number in the row of its writer, as its last statement. When the line breaks before the commit
 * was sent, nothing was written. When it breaks while the answer to the commit is awaited, the writer reads its row
 * on a new line, with a lock: that waits until the old session has ended, if it is still there, and then tells
 * whether the number was committed. So it is right after a crash of the server and a failover too, where a
 * transaction's id would not be, since that may be given out again.
 */
export function transactions(
  db: Kysely<Tables>,
  address: Address,
  writer: string,
  channel: string,
  askMs: number = ASK_MS,
): Transactions {
  let number = 0
  const mark = markStatement(db)

  const once = async <T>(write: (trx: Kysely<Tables>) => Promise<T>): Promise<T> => {
    number += 1
    const trx = await db.startTransaction().setIsolationLevel('read committed').execute()
    let value: T
    try {
      value = await write(trx)
      await mark.runInOrder(trx, [writer, number, channel, writer])
    } catch (error) {
      await rollback(trx)
      throw error
    }
    try {
      await trx.commit().execute()
    } catch (error) {
      // Gives the session back, which a commit that failed does not.
      await rollback(trx)
      if (!(error instanceof LostConnection)) throw error
      if (!(await isCommitted(db, writer, number, askMs, error))) throw new NotCommitted(address, error)
    }
    return value
  }

  return {
    async run(write) {
      for (let run = 1; ; run += 1) {
        try {
          return await once(write)
        } catch (error) {
          const lost = error instanceof LostConnection
          if (!(lost ? run < LOST_MAX : isWorthAnother(error) && run < RUNS_MAX)) throw error
          await pause(Math.random() * Math.min(PAUSE_MAX_MS, 2 ** run))
        }
      }
    },
    async close() {
      await db.deleteFrom('writer').where('id', '=', writer).execute()
    },
  }
}

/** The line broke at the commit, and it is known that nothing was written. */
class NotCommitted extends LostConnection {}

/** The line broke at the commit, and nobody could be asked how that went. */
class Unknown extends StoreError {}

/** Number, change mark and notice in one statement: its locks are the last ones taken, and held the shortest. */
function markStatement(db: Kysely<Tables>): Prepared {
  return prepared(slot =>
    sql`with mark as (
        insert into writer (id, number) values (${slot('writer')}::text, ${slot('number')}::int8)
        on conflict (id) do update set number = excluded.number, at = now()
      )
      update counter set value = value + 1 where name = 'change'
      returning pg_notify(${slot('channel')}::text, ${slot('payload')}::text)`.compile(db),
  )
}

/** A session that is broken cannot roll back, and need not: the server does. */
async function rollback(trx: ControlledTransaction<Tables>): Promise<void> {
  await trx
    .rollback()
    .execute()
    .catch((error: unknown) => {
      if (!(error instanceof StoreError)) throw error
    })
}

async function isCommitted(
  db: Kysely<Tables>,
  writer: string,
  number: number,
  askMs: number,
  cause: LostConnection,
): Promise<boolean> {
  const end = performance.now() + askMs
  for (;;) {
    try {
      const found = await db
        .selectFrom('writer')
        .select('number')
        .where('id', '=', writer)
        .forUpdate()
        .executeTakeFirst()
      return found?.number === number
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      if (performance.now() > end)
        throw new Unknown(
          'DATABASE_UNAVAILABLE',
          `${cause.message} Whether its last transaction was committed is not known.`,
          { cause: error },
        )
      await pause(ASK_PAUSE_MS)
    }
  }
}
