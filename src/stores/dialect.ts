import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Dialect } from './migration.ts'
import type { Value } from './prepared.ts'
import type { Tables } from './tables.ts'

/** Types of columns that rows are handed over in. */
export type ColumnType = 'text' | 'int8'

/** The few words in which the databases differ; all other SQL is the same text. */
export interface SqlDialect {
  readonly name: Dialect
  /**
   * Rows as a source of an insert, as plain text: a builder would take longer over thousands of places for values than
   * the database over the statement. The columns are called `column1`, `column2` and so on.
   */
  source(types: readonly ColumnType[], size: number): RawBuilder<unknown>
  /** The values of the slots of a source, in their order. */
  values(rows: readonly (readonly Value[])[]): readonly unknown[]
  /** Most rows of one statement, of which there is then one for each power of two; null: one statement takes all. */
  readonly rowsMax: number | null
  /** Ends a query whose rows are to stay as they are until the transaction ends. */
  readonly locked: RawBuilder<unknown>
  /** Ends a query whose rows are not to be removed until the transaction ends, but may change. */
  readonly kept: RawBuilder<unknown>
  /** As `locked`, without those that somebody else keeps as they are just now. */
  readonly skipLocked: RawBuilder<unknown>
  /**
   * Whether several ordered streams are merged as they are. Else the first rows of each are taken and sorted, as
   * PostgreSQL does not see that an index is in order once its first column is fixed, where streams are united.
   */
  readonly mergesStreams: boolean
  /** Waits until this transaction alone counts and takes slots of these pools. */
  lockPools(trx: Kysely<Tables>, pools: readonly string[]): Promise<void>
  /** Waits until this transaction alone changes the schema. */
  lockSchema(trx: Kysely<Tables>): Promise<void>
  /** Tables that lie where ours do. */
  tableNames(db: Kysely<Tables>): Promise<readonly string[]>
  /** Said when there are tables, but none of ours. */
  readonly foreignSentence: string
}

/** SQLite has one writer at a time: whoever has begun a transaction needs no other lock. */
export const sqliteSql: SqlDialect = {
  name: 'sqlite',
  source(types, size) {
    const row = `(${types.map(() => '?').join(', ')})`
    return sql.raw(`values ${Array.from({ length: size }, () => row).join(', ')}`)
  },
  values: rows => rows.flat(),
  rowsMax: 128,
  locked: sql``,
  skipLocked: sql``,
  kept: sql``,
  mergesStreams: true,
  lockPools: async () => undefined,
  lockSchema: async () => undefined,
  async tableNames(db) {
    const { rows } = await sql<{ name: string }>`SELECT name FROM sqlite_schema WHERE type = 'table'`.execute(
      db,
    )
    return rows.map(({ name }) => name)
  },
  foreignSentence:
    'The file is a database of another program (it has tables, but none of Kontroler). Choose another one.',
}

/** PostgreSQL takes each column as one array, so that any number of rows is one short statement. */
export const postgresSql = (schema: string): SqlDialect => ({
  name: 'postgres',
  source(types) {
    const columns = types.map((type, index) => `$${index + 1}::${type}[]`)
    const names = types.map((_, index) => `"column${index + 1}"`)
    return sql.raw(`select * from unnest(${columns.join(', ')}) as u(${names.join(', ')})`)
  },
  values: rows => (rows[0] ?? []).map((_, column) => rows.map(row => row[column])),
  rowsMax: null,
  locked: sql`for no key update`,
  skipLocked: sql`for no key update skip locked`,
  kept: sql`for key share`,
  mergesStreams: false,
  async lockPools(trx, pools) {
    // In one order everywhere, so that two that want several pools do not wait for each other.
    for (const pool of pools.toSorted())
      await sql`select pg_advisory_xact_lock(hashtext(current_schema()), hashtext(${pool}))`.execute(trx)
  },
  async lockSchema(trx) {
    await sql`select pg_advisory_xact_lock(hashtext('kontroler schema'), hashtext(${schema}))`.execute(trx)
    // Looked at first: the right to make schemas is asked for even where there is nothing to make.
    const { rows } = await sql`select 1 from pg_namespace where nspname = ${schema}`.execute(trx)
    if (rows.length === 0) await sql`create schema ${sql.id(schema)}`.execute(trx)
  },
  async tableNames(db) {
    const { rows } = await sql<{ name: string }>`
      select relname as name from pg_class join pg_namespace as n on n.oid = relnamespace
      where nspname = ${schema} and relkind in ('r', 'p')`.execute(db)
    return rows.map(({ name }) => name)
  },
  foreignSentence:
    'The schema of the database belongs to another program (it has tables, but none of Kontroler). ' +
    'Choose another with ?schema=NAME.',
})
