import { type Kysely, sql } from 'kysely'
import type { FeedEntry } from '../ports/store.ts'
import { type Bulk, upsert } from './bulk.ts'
import type { SqlDialect } from './dialect.ts'
import type { Writing } from './group-commit.ts'
import { type Prepared, prepared } from './prepared.ts'
import type { Tables } from './tables.ts'

const LIMIT_MAX = 10_000
const FEED_COLUMNS = [
  ['seq', 'int8'],
  ['run', 'text'],
  ['version', 'int8'],
] as const

/**
 * What changed, in one line for everybody. Numbers are taken from a counter row at the end of the transaction, so
 * the order of the numbers is the order of the commits and a reader never finds an entry behind one it has read.
 */
export class Feed {
  readonly #db: Kysely<Tables>
  readonly #dialect: SqlDialect
  /** Made with the first write. */
  #statements: { readonly count: Prepared; readonly insert: Bulk<never> } | null = null

  constructor(db: Kysely<Tables>, dialect: SqlDialect) {
    this.#db = db
    this.#dialect = dialect
  }

  async write({ trx, feed }: Writing): Promise<void> {
    this.#statements ??= feedStatements(this.#db, this.#dialect)
    const { count, insert } = this.#statements
    const [end] = await count.runInOrder<{ value: number }>(trx, [feed.length])
    const start = (end?.value ?? 0) - feed.length
    await insert.run(
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

function feedStatements(db: Kysely<Tables>, dialect: SqlDialect): { count: Prepared; insert: Bulk<never> } {
  return {
    count: prepared(slot =>
      sql`update counter set value = value + ${slot('entries')} where name = 'feed' returning value`.compile(
        db,
      ),
    ),
    insert: upsert(db, dialect, 'feed', FEED_COLUMNS, []),
  }
}
