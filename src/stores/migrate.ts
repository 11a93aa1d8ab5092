import { createHash } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import { StoreError } from '../ports/store.ts'
import type { SqlDialect } from './dialect.ts'
import type { Dialect, Migration } from './migration.ts'
import { first } from './migrations/0001-first.ts'
import { accounts } from './migrations/0002-accounts.ts'
import { deliveries } from './migrations/0003-deliveries.ts'
import type { Tables } from './tables.ts'

/** Every step, in order, without a gap. */
export const MIGRATIONS: readonly Migration[] = [first, accounts, deliveries]

const STEPS_TABLE = `CREATE TABLE IF NOT EXISTS schema_step (
  number INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied_at BIGINT NOT NULL
)`

/**
 * Brings the schema to the last step, each step in one transaction that begins by looking again: two processes may
 * do this at once, and one that is killed leaves the old schema or the new. Writes nothing when all is there.
 *
 * @throws {StoreError} `SCHEMA_TOO_NEW` a newer binary was here; `SCHEMA_CHANGED` a step that was applied is not
 *   the one this binary knows by that number.
 */
export async function migrate(
  db: Kysely<Tables>,
  dialect: SqlDialect,
  now: number,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  const { name } = dialect
  for (;;) {
    const next = nextStep(await appliedSteps(db, dialect), name, migrations)
    if (next === null) return
    await db.transaction().execute(async trx => {
      await dialect.lockSchema(trx)
      const again = nextStep(await appliedSteps(trx, dialect), name, migrations)
      if (again?.number !== next.number) return
      await sql.raw(STEPS_TABLE).execute(trx)
      for (const statement of next.sql[name]) await sql.raw(statement).execute(trx)
      await sql`INSERT INTO schema_step (number, name, checksum, applied_at)
        VALUES (${next.number}, ${next.name}, ${checksum(next, name)}, ${now})`.execute(trx)
    })
  }
}

interface Step {
  readonly number: number
  readonly name: string
  readonly checksum: string
}

async function appliedSteps(db: Kysely<Tables>, dialect: SqlDialect): Promise<readonly Step[]> {
  const tables = await dialect.tableNames(db)
  if (!tables.includes('schema_step')) {
    if (tables.length === 0) return []
    throw new StoreError('DATABASE_CORRUPT', dialect.foreignSentence)
  }
  const { rows } = await sql<Step>`SELECT number, name, checksum FROM schema_step ORDER BY number`.execute(db)
  return rows
}

function nextStep(
  applied: readonly Step[],
  dialect: Dialect,
  migrations: readonly Migration[],
): Migration | null {
  const last = applied.at(-1)
  if (last !== undefined && last.number > migrations.length)
    throw new StoreError(
      'SCHEMA_TOO_NEW',
      `The database has schema ${last.number} ("${last.name}"), this program knows schema ${migrations.length}. ` +
        'Use the newer program.',
    )
  for (const [index, step] of applied.entries()) {
    const known = migrations[index]
    if (known === undefined || step.number !== known.number || step.checksum !== checksum(known, dialect))
      throw new StoreError(
        'SCHEMA_CHANGED',
        `Schema step ${step.number} ("${step.name}") of the database is not the one this program knows. ` +
          'Use the program that made it, or restore a backup.',
      )
  }
  return migrations[applied.length] ?? null
}

const checksum = (migration: Migration, dialect: Dialect): string =>
  migration.checksums?.[dialect] ?? checksumOf(migration, dialect)

/** SHA-256 of a step's statements, by which a database knows the step again. */
export function checksumOf(migration: Migration, dialect: Dialect): string {
  return createHash('sha256').update(migration.sql[dialect].join(';\n')).digest('hex')
}
