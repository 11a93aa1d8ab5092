import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { ColumnType, SqlDialect } from './dialect.ts'
import { type Prepared, preparedBulk, type Value } from './prepared.ts'
import type { Tables } from './tables.ts'

/** One statement for many rows of values; few, always equal texts, so that the database knows them. */
export interface Bulk<R> {
  /** Rows as values in the order of the types. Gives what the statements return, all together. */
  run(on: Kysely<Tables>, rows: readonly (readonly Value[])[]): Promise<readonly R[]>
}

/** @param build  Puts the statement around the source of its rows, whose columns are `column1`, `column2`, … */
export function bulk<R>(
  db: Kysely<Tables>,
  dialect: SqlDialect,
  types: readonly ColumnType[],
  build: (source: RawBuilder<unknown>) => RawBuilder<unknown>,
): Bulk<R> {
  const { rowsMax } = dialect
  const bySize = new Map<number, Prepared>()
  const statement = (size: number): Prepared => {
    let known = bySize.get(size)
    if (known === undefined) {
      const places = types.length * (rowsMax === null ? 1 : size)
      known = preparedBulk(build(dialect.source(types, size)).compile(db), places)
      bySize.set(size, known)
    }
    return known
  }
  return {
    async run(on, rows) {
      if (rows.length === 0) return []
      if (rowsMax === null) return await statement(0).runInOrder<R>(on, dialect.values(rows))
      const all: R[] = []
      for (let start = 0; start < rows.length; ) {
        const size = Math.min(rowsMax, 2 ** Math.floor(Math.log2(rows.length - start)))
        const some = dialect.values(rows.slice(start, start + size))
        all.push(...(await statement(size).runInOrder<R>(on, some)))
        start += size
      }
      return all
    },
  }
}

/** Columns of a table with the type in which their values are handed over, in order. */
export type Columns<Table extends keyof Tables> = readonly (readonly [
  name: keyof Tables[Table] & string,
  type: ColumnType,
])[]

/**
 * Inserts rows, or replaces those that are there.
 *
 * @param key  Columns of the primary key; a row that is there keeps them and takes the others. Empty: only inserts.
 */
export function upsert<Table extends keyof Tables>(
  db: Kysely<Tables>,
  dialect: SqlDialect,
  table: Table,
  columns: Columns<Table>,
  key: readonly (keyof Tables[Table] & string)[],
): Bulk<never> {
  const names = (list: readonly string[]) => sql.join(list.map(name => sql.ref(name)))
  const sets = columns
    .filter(([column]) => !key.includes(column))
    .map(([column]) => sql`${sql.ref(column)} = ${sql.ref(`excluded.${column}`)}`)
  const conflict = key.length === 0 ? sql`` : sql`on conflict (${names(key)}) do update set ${sql.join(sets)}`
  const into = sql`insert into ${sql.table(table)} (${names(columns.map(([name]) => name))})`
  return bulk(
    db,
    dialect,
    columns.map(([, type]) => type),
    source => sql`${into} ${source} ${conflict}`,
  )
}
