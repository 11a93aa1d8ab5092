import type { Kysely } from 'kysely'
import type { FeedEntry } from '../ports/store.ts'
import type { Writing } from './group-commit.ts'
import { type Prepared, prepared } from './prepared.ts'
import type { Tables } from './tables.ts'
import { type Upsert, upsert } from './upsert.ts'

const LIMIT_MAX = 10_000

/**
 * What changed, in one line for everybody. Numbers are taken from a counter row at the end of the transaction, so
 * the order of the numbers is the order of the commits and a reader never finds an entry behind one it has read.
 */
export class Feed {
  readonly #count: Prepared
  readonly #insert: Upsert

  constructor(db: Kysely<Tables>) {
    this.#count = prepared(slot =>
      db
        .updateTable('counter')
        .set(eb => ({ value: eb('value', '+', slot<number>('entries')) }))
        .where('name', '=', slot<string>('name'))
        .returning('value')
        .compile(),
    )
    this.#insert = upsert(db, 'feed', ['seq', 'run', 'version'], [])
  }

  async write({ trx, feed }: Writing): Promise<void> {
    const [end] = await this.#count.run<{ value: number }>(trx, { entries: feed.length, name: 'feed' })
    const start = (end?.value ?? 0) - feed.length
    await this.#insert.run(
      trx,
      feed.map((entry, index) => [start + index + 1, entry.run, entry.version]),
    )
  }

  async after(db: Kysely<Tables>, seq: number, limit: number): Promise<readonly FeedEntry[]> {
    const rows = await db
      .selectFrom('feed')
      .select(['seq', 'run', 'version'])
      .where('seq', '>', seq)
      .orderBy('seq')
      .limit(Math.min(LIMIT_MAX, Math.max(1, limit)))
      .execute()
    return rows.map(row => ({ ...row }))
  }

  async end(db: Kysely<Tables>): Promise<number> {
    const found = await db.selectFrom('counter').select('value').where('name', '=', 'feed').executeTakeFirst()
    return found?.value ?? 0
  }
}
