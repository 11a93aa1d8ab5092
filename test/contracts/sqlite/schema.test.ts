import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { Kysely } from 'kysely'
import type { Store } from '../../../src/ports/store.ts'
import { sqliteSql } from '../../../src/stores/dialect.ts'
import { checksumOf, migrate, MIGRATIONS } from '../../../src/stores/migrate.ts'
import type { Migration } from '../../../src/stores/migration.ts'
import { runsQuery } from '../../../src/stores/run-pages.ts'
import { SqliteConnection, sqliteDialect } from '../../../src/stores/sqlite/driver.ts'
import { openSqliteStore } from '../../../src/stores/sqlite/open.ts'
import type { Tables } from '../../../src/stores/tables.ts'
import { tasksQuery } from '../../../src/stores/task-pages.ts'
import { refused } from '../store.ts'
import { append, dag } from '../store-records.ts'
import { child, inFolder } from '../store-processes.ts'

const SCHEMA = join(import.meta.dirname, '../../../src/stores/schema.sql')
const EXTRA = ['CREATE TABLE extra (a TEXT)', 'ALTER TABLE engine ADD COLUMN extra TEXT']
const extra: Migration = {
  number: MIGRATIONS.length + 1,
  name: 'extra',
  sql: { sqlite: EXTRA, postgres: EXTRA },
}

test('schema.sql is what the steps make (KONTROLER_REWRITE=1 writes it anew)', () =>
  withStore(async (store, file) => {
    await store.close()
    const made = schemaOf(file)
    if (process.env['KONTROLER_REWRITE'] === '1') writeFileSync(SCHEMA, made)
    assert.equal(readFileSync(SCHEMA, 'utf8'), made)
  }))

test('steps are numbered from 1 without a gap', () =>
  assert.deepEqual(
    MIGRATIONS.map(step => step.number),
    MIGRATIONS.map((_, index) => index + 1),
  ))

test('a checksum that is known beforehand is that of the statements', () => {
  for (const step of MIGRATIONS)
    for (const dialect of ['sqlite', 'postgres'] as const)
      assert.equal(step.checksums?.[dialect], checksumOf(step, dialect))
})

test('SCHEMA_TOO_NEW: an older program refuses a newer database and changes nothing', () =>
  inFolder(async folder => {
    const file = join(folder, 'k.db')
    await (await openSqliteStore(file, { migrations: [...MIGRATIONS, extra] })).close()
    const before = schemaOf(file)
    await refused('SCHEMA_TOO_NEW', openSqliteStore(file))
    assert.equal(schemaOf(file), before)
  }))

test('SCHEMA_CHANGED: a step that was edited after it was applied is refused', () =>
  withStore(async (store, file) => {
    await store.close()
    const [first] = MIGRATIONS
    assert.ok(first !== undefined)
    const edited = {
      number: first.number,
      name: first.name,
      sql: { ...first.sql, sqlite: [...first.sql.sqlite, 'CREATE TABLE more (a TEXT)'] },
    }
    await refused('SCHEMA_CHANGED', openSqliteStore(file, { migrations: [edited, ...MIGRATIONS.slice(1)] }))
  }))

test('a newer program brings an older database up, and keeps what is in it', () =>
  withStore(async (store, file) => {
    await store.append(append('r', 0))
    await store.close()
    const newer = await openSqliteStore(file, { migrations: [...MIGRATIONS, extra] })
    assert.equal((await newer.events('r')).length, 1)
    await newer.close()
    assert.match(schemaOf(file), /CREATE TABLE extra/)
  }))

test('who brings a database up tells nobody of what was in it before', () =>
  inFolder(async folder => {
    const file = join(folder, 'k.db')
    const before = await openSqliteStore(file, { migrations: MIGRATIONS.slice(0, -1) })
    await before.append(append('r', 0))
    await before.close()
    const after = await openSqliteStore(file)
    assert.equal(await after.feedEnd(), 1)
    assert.equal(await after.deliveries.position(), 1)
    await after.close()
  }))

test('a step that fails half way leaves the schema as it was', () =>
  withStore(async (store, file) => {
    await store.close()
    const before = schemaOf(file)
    const broken = { ...extra, sql: { ...extra.sql, sqlite: [...EXTRA, 'CREATE TABLE extra (again TEXT)'] } }
    await assert.rejects(openSqliteStore(file, { migrations: [...MIGRATIONS, broken] }), /already exists/)
    assert.equal(schemaOf(file), before)
  }))

test('killed at any of the statements of the start (every third is tried), it leaves the schema of a step', () =>
  inFolder(async folder => {
    const wanted = readFileSync(SCHEMA, 'utf8')
    const steps: string[] = []
    for (const { number } of MIGRATIONS) {
      const file = join(folder, `step-${number}.db`)
      await (await openSqliteStore(file, { migrations: MIGRATIONS.slice(0, number) })).close()
      steps.push(schemaOf(file))
    }
    assert.equal(steps.at(-1), wanted)
    const seen = new Set<string>()
    const ended: (number | null)[] = []
    const killedAt = async (statement: number): Promise<void> => {
      const file = join(folder, `${statement}.db`)
      ended.push(await child('openAndDieAt', file, String(statement)).end)
      const left = schemaOf(file)
      assert.ok(['', ...steps].includes(left), `killed at statement ${statement}`)
      seen.add(left === wanted ? 'new' : 'old')
      await (await openSqliteStore(file)).close()
      assert.equal(schemaOf(file), wanted)
    }
    for (let at = 1; !ended.includes(0); at += 6) await Promise.all([killedAt(at), killedAt(at + 3)])
    assert.ok(ended.length > 10)
    assert.deepEqual(seen, new Set(['old', 'new']))
  }))

test('six processes that make the same new database at once all succeed', () =>
  inFolder(async folder => {
    const file = join(folder, 'state', 'k.db')
    const children = Array.from({ length: 6 }, () => child('open', file))
    await Promise.all(children.map(({ end }) => end))
    assert.deepEqual(
      children.map(({ lines }) => lines),
      children.map(() => ['opened']),
    )
    assert.equal(schemaOf(file), readFileSync(SCHEMA, 'utf8'))
  }))

test('two that both saw an old schema: the second looks again inside its transaction', () =>
  inFolder(async folder => {
    const file = join(folder, 'k.db')
    const both = [0, 1].map(
      () => new Kysely<Tables>({ dialect: sqliteDialect(new SqliteConnection(file, 5_000)) }),
    )
    await Promise.all(both.map(db => migrate(db, sqliteSql, 1)))
    await Promise.all(both.map(db => db.destroy()))
    assert.equal(schemaOf(file), readFileSync(SCHEMA, 'utf8'))
  }))

test('the file of another program is refused and left alone', () =>
  inFolder(async folder => {
    const file = join(folder, 'other.db')
    const other = new DatabaseSync(file)
    other.exec('CREATE TABLE theirs (a TEXT)')
    other.close()
    await refused('DATABASE_CORRUPT', openSqliteStore(file))
    assert.match(schemaOf(file), /^CREATE TABLE theirs \(a TEXT\);\n$/)
  }))

test('the database itself refuses what no code may do: shorten, change or lengthen a closed log', () =>
  withStore(async (store, file) => {
    await store.append(append('r', 0))
    await store.putDag(dag('etl'), 'h', null, 1)
    await store.close()
    const database = new DatabaseSync(file)
    const refuses = (sql: string) =>
      assert.throws(() => database.exec(sql), /never changes|stays|within|shrinks/, sql)
    refuses(`DELETE FROM event`)
    refuses(`UPDATE event SET body = '{}'`)
    refuses(`INSERT INTO event VALUES ('r', 2, '{}')`)
    refuses(`INSERT INTO event VALUES ('nobody', 1, '{}')`)
    refuses(`UPDATE run SET version = 0`)
    refuses(`DELETE FROM run`)
    database.exec(`UPDATE run SET phase = 'failed'`)
    refuses(`UPDATE run SET phase = 'running'`)
    refuses(`UPDATE run SET version = 2`)
    database.close()
  }))

test('pages are read from indexes: no scan of a table, nothing sorted', () =>
  withStore(async (store, file) => {
    await store.close()
    const connection = new SqliteConnection(file, 0)
    const db = new Kysely<Tables>({ dialect: sqliteDialect(connection) })
    const after = Buffer.from('[1,"x"]').toString('base64url')
    const plans = [
      runsQuery(db, sqliteSql, {}, null, 51),
      runsQuery(db, sqliteSql, { after }, null, 51),
      runsQuery(db, sqliteSql, { namespace: 'a', phases: ['failed'], createdFrom: 1, after }, null, 51),
      runsQuery(db, sqliteSql, { dag: 'a', phases: ['failed', 'running'] }, null, 51),
      runsQuery(db, sqliteSql, { namespace: 'a', dag: 'b', after }, null, 51),
      runsQuery(db, sqliteSql, { parentRun: 'a' }, null, 51),
      runsQuery(db, sqliteSql, { labels: { a: 'b' }, after }, 'a', 51),
      runsQuery(db, sqliteSql, { labels: { a: 'b', c: 'd' }, dag: 'x' }, 'a', 51),
      tasksQuery(db, sqliteSql, { run: 'a', after }, 51),
      tasksQuery(db, sqliteSql, { run: 'a', states: ['failed', 'running'] }, 51),
    ].map(query => {
      const { sql, parameters } = query.compile()
      return { sql, plan: planOf(file, sql, parameters) }
    })
    for (const { sql, plan } of plans) {
      assert.match(plan, /SEARCH/, sql)
      assert.doesNotMatch(plan, /SCAN (?!page)|TEMP B-TREE/, `${sql}\n${plan}`)
    }
    await db.destroy()
  }))

async function withStore(body: (store: Store, file: string) => Promise<void>): Promise<void> {
  await inFolder(async folder => {
    const file = join(folder, 'k.db')
    await body(await openSqliteStore(file), file)
  })
}

function schemaOf(file: string): string {
  const database = new DatabaseSync(file)
  const rows = database
    .prepare(`SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type = 'trigger', rootpage, name`)
    .all()
  database.close()
  return rows.map(row => `${String(row['sql'])};\n`).join('')
}

function planOf(file: string, sql: string, parameters: readonly unknown[]): string {
  const database = new DatabaseSync(file)
  const values = parameters.map(value => (typeof value === 'number' ? value : String(value)))
  const rows = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values)
  database.close()
  return rows.map(row => String(row['detail'])).join('\n')
}
