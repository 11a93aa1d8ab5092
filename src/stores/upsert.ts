import { type Kysely, sql } from 'kysely'
import { type Prepared, prepared, type Value } from './prepared.ts'
import type { Tables } from './tables.ts'

/** Rows of one statement, at most; other counts are put together from smaller powers of two. */
const ROWS_MAX = 128

/** Inserts or replaces many rows of one table with few, always equal statements. */
export interface Upsert {
  /** Rows as values in the order of the columns. */
  run(on: Kysely<Tables>, rows: readonly (readonly Value[])[]): Promise<void>
}

/**
 * @param columns  In the order in which the values come.
 * @param key      Columns of the primary key; a row that is there keeps them and takes the others. Empty: only inserts.
 */
export function upsert<Table extends keyof Tables>(
  db: Kysely<Tables>,
  table: Table,
  columns: readonly (keyof Tables[Table] & string)[],
  key: readonly (keyof Tables[Table] & string)[],
): Upsert {
  const bySize = new Map<number, Prepared>()
  const names = (list: readonly string[]) => sql.join(list.map(name => sql.ref(name)))
  const sets = columns
    .filter(column => !key.includes(column))
    .map(column => sql`${sql.ref(column)} = ${sql.ref(`excluded.${column}`)}`)
  const conflict = key.length === 0 ? sql`` : sql`on conflict (${names(key)}) do update set ${sql.join(sets)}`

  const statement = (size: number): Prepared => {
    let known = bySize.get(size)
    if (known === undefined) {
      known = prepared(slot => {
        const row = sql`(${sql.join(columns.map(column => slot(column)))})`
        const rows = sql.join(Array.from({ length: size }, () => row))
        return sql`insert into ${sql.table(table)} (${names(columns)}) values ${rows} ${conflict}`.compile(db)
      })
      bySize.set(size, known)
    }
    return known
  }
  return {
    async run(on, rows) {
      for (let start = 0; start < rows.length; ) {
        const size = Math.min(ROWS_MAX, 2 ** Math.floor(Math.log2(rows.length - start)))
        await statement(size).runInOrder(on, rows.slice(start, start + size).flat())
        start += size
      }
    },
  }
}
