import assert from 'node:assert/strict'
import { CompiledQuery, type Kysely } from 'kysely'
import { openPostgresStore } from '../../../src/stores/postgres/open.ts'
import { readAddress } from '../../../src/stores/postgres/address.ts'
import { sessions } from '../../../src/stores/postgres/sessions.ts'
import { postgresSql } from '../../../src/stores/dialect.ts'
import { MIGRATIONS } from '../../../src/stores/migrate.ts'
import type { Migration } from '../../../src/stores/migration.ts'
import { runsQuery } from '../../../src/stores/run-pages.ts'
import type { Tables } from '../../../src/stores/tables.ts'
import { tasksQuery } from '../../../src/stores/task-pages.ts'
import { refused } from '../store.ts'
import { child } from '../store-processes.ts'
import { append, dag } from '../store-records.ts'
import { type PostgresServer, ROLE } from './server.ts'
import { freshSchema, withServer, withStore } from './with-server.ts'

const file = withServer(16)
const RUNS = 20_000
const DIALECT = postgresSql('any')
const LIMITS = { connectMs: 5_000, statementMs: 60_000, lockMs: 5_000, idleMs: 60_000 }
const EXTRA = ['CREATE TABLE extra (a TEXT)', 'ALTER TABLE engine ADD COLUMN extra TEXT']
const extra: Migration = {
  number: MIGRATIONS.length + 1,
  name: 'extra',
  sql: { sqlite: EXTRA, postgres: EXTRA },
}

file.test('six processes that make the same new schema at once all succeed', async server => {
  const url = freshSchema(server)
  const children = Array.from({ length: 6 }, () => child('open', url))
  await Promise.all(children.map(({ end }) => end))
  assert.deepEqual(
    children.map(({ lines }) => lines),
    children.map(() => ['opened']),
  )
  assert.deepEqual(await tablesOf(server, url), await tablesOf(server, await opened(server)))
})

file.test(
  'SCHEMA_TOO_NEW and SCHEMA_CHANGED: a schema of another program version is refused and left alone',
  async server => {
    const url = await opened(server)
    const [first] = MIGRATIONS
    assert.ok(first !== undefined)
    const { number, name, sql } = first
    const edited = { number, name, sql: { ...sql, postgres: [...sql.postgres, ...EXTRA] } }
    await refused('SCHEMA_CHANGED', openPostgresStore(url, { migrations: [edited, ...MIGRATIONS.slice(1)] }))
    await (await openPostgresStore(url, { migrations: [...MIGRATIONS, extra] })).close()
    const before = await tablesOf(server, url)
    assert.ok(before.includes('extra'))
    await refused('SCHEMA_TOO_NEW', openPostgresStore(url))
    assert.deepEqual(await tablesOf(server, url), before)
  },
)

file.test('a step that fails half way leaves the schema as it was', async server => {
  const url = await opened(server)
  const before = await tablesOf(server, url)
  const broken = { ...extra, sql: { ...extra.sql, postgres: [...EXTRA, ...EXTRA] } }
  await assert.rejects(openPostgresStore(url, { migrations: [...MIGRATIONS, broken] }), /already exists/)
  assert.deepEqual(await tablesOf(server, url), before)
})

file.test('a schema with tables of another program is refused and left alone', async server => {
  const url = freshSchema(server)
  const schema = new URL(url).searchParams.get('schema')
  await inDatabase(url, async db => {
    await db.executeQuery(CompiledQuery.raw(`CREATE SCHEMA ${schema}`))
    await db.executeQuery(CompiledQuery.raw(`CREATE TABLE ${schema}.theirs (a TEXT)`))
  })
  const error = await refused('DATABASE_CORRUPT', openPostgresStore(url))
  assert.match(error.message, /another program/)
  assert.deepEqual(await tablesOf(server, url), ['theirs'])
})

file.test(
  'it needs no extension and no right beyond its schema; without one to make it, it says so',
  async server => {
    const [{ superuser, extensions } = {}] = await server.admin(
      `SELECT rolsuper AS superuser, (SELECT string_agg(extname, ' ') FROM pg_extension) AS extensions
     FROM pg_roles WHERE rolname = '${ROLE}'`,
    )
    assert.deepEqual([superuser, extensions], [false, 'plpgsql'])
    await server.admin(`CREATE DATABASE theirs`)
    const theirs = (schema: string) => server.urlWith({ schema }).replace(`/${ROLE}?`, '/theirs?')
    const error = await refused('DATABASE_UNAVAILABLE', openPostgresStore(theirs('mine')))
    assert.match(error.message, /permission denied/)
  },
)

file.test('stores of several schemas in one database do not see each other', server =>
  withStore(server, async store => {
    await store.append(append('r', 0))
    await withStore(server, async other => {
      assert.equal(await other.run('r'), null)
      assert.equal(await other.feedEnd(), 0)
    })
  }),
)

file.test(
  'the database itself refuses what no code may do: shorten, change or lengthen a closed log',
  server =>
    withStore(server, async (store, url) => {
      await store.append(append('r', 0))
      await store.putDag(dag('etl'), 'h', null, 1)
      await inDatabase(url, async db => {
        const refuses = async (sql: string): Promise<void> => {
          await refused('TERMINAL', db.executeQuery(CompiledQuery.raw(sql)))
        }
        await refuses(`DELETE FROM event`)
        await refuses(`UPDATE event SET body = '{}'`)
        await refuses(`INSERT INTO event VALUES ('r', 2, '{}')`)
        await refuses(`INSERT INTO event VALUES ('nobody', 1, '{}')`)
        await refuses(`UPDATE run SET version = 0`).catch(() => refuses(`DELETE FROM run`))
        await refuses(`DELETE FROM run`)
        await db.executeQuery(CompiledQuery.raw(`UPDATE run SET phase = 'failed'`))
        await refuses(`UPDATE run SET phase = 'running'`)
        await refuses(`UPDATE run SET version = 2`)
      })
    }),
)

file.test(
  `pages of ${RUNS} runs are read from indexes: no scan of a table, nothing sorted but a page`,
  server =>
    withStore(server, (_, url) =>
      inDatabase(url, async db => {
        await seed(db)
        const after = Buffer.from('[5000,"x"]').toString('base64url')
        for (const query of [
          runsQuery(db, DIALECT, {}, null, 51),
          runsQuery(db, DIALECT, { after }, null, 51),
          runsQuery(db, DIALECT, { namespace: 'n1', phases: ['failed'], createdFrom: 1, after }, null, 51),
          runsQuery(db, DIALECT, { dag: 'd1', phases: ['failed', 'running'] }, null, 51),
          runsQuery(db, DIALECT, { namespace: 'n1', dag: 'd2', after }, null, 51),
          runsQuery(db, DIALECT, { labels: { team: 't1' }, after }, 'team', 51),
          runsQuery(db, DIALECT, { labels: { team: 't2', tier: 'x' }, namespace: 'n1' }, 'team', 51),
          tasksQuery(db, DIALECT, { run: 'r1', after }, 51),
          tasksQuery(db, DIALECT, { run: 'r1', states: ['failed', 'running'] }, 51),
        ]) {
          const { sql, parameters } = query.compile()
          const plan = await planOf(db, sql, parameters)
          assert.deepEqual(
            plan.filter(({ node }) => node === 'Seq Scan'),
            [],
            `${sql}\n${JSON.stringify(plan)}`,
          )
          const rows = Math.max(...plan.map(one => one.rows))
          assert.ok(rows <= 400, `${rows} rows\n${sql}\n${JSON.stringify(plan, null, 1)}`)
        }
      }),
    ),
)

async function opened(server: PostgresServer): Promise<string> {
  const url = freshSchema(server)
  await (await openPostgresStore(url)).close()
  return url
}

async function inDatabase(url: string, body: (db: Kysely<Tables>) => Promise<void>): Promise<void> {
  const db = sessions(readAddress(url), LIMITS, 1)
  try {
    await body(db)
  } finally {
    await db.destroy()
  }
}

async function tablesOf(_server: PostgresServer, url: string): Promise<readonly unknown[]> {
  let names: readonly unknown[] = []
  await inDatabase(url, async db => {
    const { rows } = await db.executeQuery<{ relname: string }>(
      CompiledQuery.raw(`SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace
        AND relkind = 'r' ORDER BY relname`),
    )
    names = rows.map(({ relname }) => relname)
  })
  return names
}

async function seed(db: Kysely<Tables>): Promise<void> {
  for (const statement of [
    `INSERT INTO run SELECT 'r' || n, 'n' || n % 3, 'd' || n % 10, 'h', 'name' || n,
       (ARRAY['succeeded', 'failed', 'succeeded', 'running', 'cancelled'])[1 + n % 5], NULL, '', '{}', '{}',
       NULL, NULL, n / 2, NULL, NULL, 0, 1, 1, NULL FROM generate_series(1, ${RUNS}) AS n`,
    `INSERT INTO run_label SELECT id, 'team', 't' || created_at % 5, phase, created_at, namespace, dag FROM run`,
    `INSERT INTO run_label SELECT id, 'tier', 'x', phase, created_at, namespace, dag FROM run WHERE created_at % 2 = 0`,
    `INSERT INTO task SELECT 'r' || n % 4, n, 't' || n, (ARRAY['failed', 'running', 'pending'])[1 + n % 3], NULL, NULL,
       1, NULL, NULL, NULL FROM generate_series(1, ${RUNS}) AS n`,
    'ANALYZE',
  ])
    await db.executeQuery(CompiledQuery.raw(statement))
}

interface PlanNode {
  readonly node: string
  /** Rows that it gave in all. */
  readonly rows: number
}

async function planOf(
  db: Kysely<Tables>,
  sql: string,
  parameters: readonly unknown[],
): Promise<readonly PlanNode[]> {
  const { rows } = await db.executeQuery<{ 'QUERY PLAN': readonly [{ Plan: Plan }] }>(
    CompiledQuery.raw(`EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`, [...parameters]),
  )
  const flat = (plan: Plan): PlanNode[] => [
    { node: plan['Node Type'], rows: plan['Actual Rows'] * plan['Actual Loops'] },
    ...(plan.Plans ?? []).flatMap(flat),
  ]
  return rows.flatMap(row => flat(row['QUERY PLAN'][0].Plan))
}

interface Plan {
  readonly 'Node Type': string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly Plans?: readonly Plan[]
}
