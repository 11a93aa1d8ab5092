import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Client } from 'pg'
import type { RunPhase } from '../../src/core/run/rows.ts'
import type { Append, RunQuery, Store } from '../../src/ports/store.ts'
import { openPostgresStore } from '../../src/stores/postgres/open.ts'
import { openSqliteStore } from '../../src/stores/sqlite/open.ts'
import { type PostgresServer, startPostgres } from '../contracts/postgres/server.ts'
import { append, attemptRow, ended, event, runRow, taskRow } from '../contracts/store-records.ts'
import { atLeast, atMost, type BenchOptions, type Figure, type Figures, figureOf, missing } from './figure.ts'

/** Runs that append at once, which is one batch, and appends of each in one sample. */
const RUNS = 200
const STEPS = 20
const STORED_RUNS = 100_000
const PAGES = 400
const PAGE_MS_SQLITE = 5
const PAGE_MS_POSTGRES = 8
const PHASES: readonly RunPhase[] = [
  'succeeded',
  'succeeded',
  'succeeded',
  'failed',
  'running',
  'cancelled',
  'queued',
]

/**
 * What the store costs: group-committed appends (run row, event, task row, attempt row, feed) against the same rows
 * written bare, in batches of the same size, into the same tables without guards; and pages out of many runs.
 */
export const figures: Figures = async options => {
  const folder = mkdtempSync(join(tmpdir(), 'kontroler-bench-'))
  try {
    return [...(await sqliteFigures(options, folder)), ...(await postgresFigures(options))]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function sqliteFigures(options: BenchOptions, folder: string): Promise<readonly Figure[]> {
  const file = (name: string) => join(folder, `${name}.db`)
  await (await openSqliteStore(file('raw'))).close()
  const raw = new DatabaseSync(file('raw'))
  raw.exec('PRAGMA synchronous = FULL')
  for (const row of raw.prepare(`SELECT name FROM sqlite_schema WHERE type = 'trigger'`).all())
    raw.exec(`DROP TRIGGER ${String(row['name'])}`)
  const store = await openSqliteStore(file('ours'))
  const appends = await appendFigure(options, 'sqlite', store, batch => rawSqlite(raw, batch))
  raw.close()
  await store.close()
  const pages = await openSqliteStore(file('pages'))
  const page = await pageFigure(options, 'sqlite', pages, PAGE_MS_SQLITE)
  await pages.close()
  return [...appends, ...page]
}

async function postgresFigures(options: BenchOptions): Promise<readonly Figure[]> {
  let server: PostgresServer
  try {
    server = await startPostgres(18)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return [
      missing('store-postgres/appends', '×', atLeast(0.5), why),
      missing('store-postgres/page-p99', 'ms', atMost(PAGE_MS_POSTGRES), why),
    ]
  }
  try {
    const { store, raw } = await postgresPair(server)
    const appends = await appendFigure(options, 'postgres', store, batch => rawPostgres(raw, batch))
    await raw.end()
    await store.close()
    const pages = await openPostgresStore(server.urlWith({ schema: 'pages' }))
    const page = await pageFigure(options, 'postgres', pages, PAGE_MS_POSTGRES)
    await pages.close()
    return [...appends, ...page]
  } finally {
    await server.remove()
  }
}

async function postgresPair(
  server: PostgresServer,
): Promise<{ readonly store: Store; readonly raw: Client }> {
  await (await openPostgresStore(server.urlWith({ schema: 'raw' }))).close()
  const raw = new Client({ connectionString: server.url, options: '-c search_path=raw' })
  await raw.connect()
  const { rows } = await raw.query<{ name: string; on: string }>(
    `SELECT tgname AS name, tgrelid::regclass::text AS on FROM pg_trigger WHERE NOT tgisinternal`,
  )
  for (const { name, on } of rows) await raw.query(`DROP TRIGGER IF EXISTS ${name} ON ${on}`)
  return { store: await openPostgresStore(server.urlWith({ schema: 'ours' })), raw }
}

/** Appends of one moment: one of each run. */
type Batch = readonly Append[]

async function appendFigure(
  options: BenchOptions,
  name: string,
  store: Store,
  raw: (batch: Batch) => Promise<void>,
): Promise<readonly Figure[]> {
  const ratios: number[] = []
  const rates: number[] = []
  for (let round = 0; round <= options.rounds; round += 1) {
    options.say(`store-${name}: round ${round} of ${options.rounds}`)
    const batches = Array.from({ length: STEPS }, (_, version) =>
      Array.from({ length: RUNS }, (_, run) => step(`r${round}-${run}`, version)),
    )
    const before = await perSecond(batches, raw)
    const ours = await perSecond(batches, async batch => {
      await Promise.all(batch.map(one => store.append(one)))
    })
    // Other rows, so that nothing of the first is still warm for the second alone.
    const again = batches.map(batch => batch.map(one => renamed(one)))
    const after = await perSecond(again, raw)
    if (round === 0) continue
    ratios.push(ours / ((before + after) / 2))
    rates.push(ours)
  }
  const rows = `batches of ${RUNS}, each append a run row, an event, a task, an attempt and a feed entry`
  return [
    figureOf(`store-${name}/appends`, ratios, '×', atLeast(0.5), `of the bare rate; ${rows}`),
    figureOf(`store-${name}/appends-rate`, rates, '/s', null, rows),
  ]
}

function step(run: string, version: number): Append {
  const attempt = attemptRow(run, `t${version >> 1}`, 1, { handle: { pid: version } })
  return append(run, version, {
    events: [event(version)],
    rows: {
      run: runRow(run, { tasksDone: version }),
      tasks: [taskRow(run, version >> 1, { state: version % 2 === 0 ? 'running' : 'succeeded' })],
      attempts: [version % 2 === 0 ? attempt : ended(attempt)],
    },
  })
}

function renamed(one: Append): Append {
  return step(`${one.run}-again`, one.version)
}

async function perSecond(batches: readonly Batch[], write: (batch: Batch) => Promise<void>): Promise<number> {
  const start = performance.now()
  for (const batch of batches) await write(batch)
  return (batches.length * RUNS * 1_000) / (performance.now() - start)
}

/** The quickest way that node:sqlite has: prepared statements, row by row, in one transaction. */
async function rawSqlite(database: DatabaseSync, batch: Batch): Promise<void> {
  const [first] = batch
  database.exec('BEGIN IMMEDIATE')
  const { key, insert, update, event: log, task, attempt, count, feed } = sqliteStatements(database)
  const end = Number(count.get(batch.length)?.['value'])
  for (const [index, { run, version, rows }] of batch.entries()) {
    if (first?.version === 0) {
      key.run(run)
      insert.run(run)
    } else update.run(rows.run.tasksDone, version + 1, run, version)
    log.run(run, version + 1, JSON.stringify(event(version)))
    const [taskOf, attemptOf] = [rows.tasks[0], rows.attempts[0]]
    if (taskOf !== undefined) task.run(run, taskOf.index, taskOf.task, taskOf.state)
    if (attemptOf !== undefined) attempt.run(run, attemptOf.task, attemptOf.phase, attemptOf.endedAt)
    feed.run(end - batch.length + index + 1, run, version + 1)
  }
  database.exec('COMMIT')
}

const prepared = new WeakMap<DatabaseSync, ReturnType<typeof prepare>>()

function sqliteStatements(database: DatabaseSync): ReturnType<typeof prepare> {
  const known = prepared.get(database) ?? prepare(database)
  prepared.set(database, known)
  return known
}

function prepare(database: DatabaseSync) {
  const sql = (text: string) => database.prepare(text)
  return {
    key: sql(`INSERT INTO trigger_key VALUES ('default', 'etl', 'manual', ?1, ?1, 1)`),
    insert: sql(`INSERT INTO run VALUES (?1, 'default', 'etl', 'hash', 'etl-' || ?1, 'running', NULL, '',
      '{"kind":"manual"}', '{}', NULL, NULL, 1000, NULL, NULL, 0, 1, 1, NULL)`),
    update:
      sql(`UPDATE run SET phase = 'running', reason = NULL, message = '', started_at = NULL, ended_at = NULL,
      tasks_done = ?, tasks_total = 1, version = ? WHERE id = ? AND version = ?`),
    event: sql('INSERT INTO event VALUES (?, ?, ?)'),
    task: sql(`INSERT INTO task VALUES (?, ?, ?, ?, NULL, NULL, 0, NULL, NULL, NULL)
      ON CONFLICT (run, idx) DO UPDATE SET state = excluded.state`),
    attempt:
      sql(`INSERT INTO attempt VALUES (?, ?, 1, ?, NULL, 1000, NULL, ?, NULL, NULL, NULL, NULL, '{"pid":1}')
      ON CONFLICT (run, task, attempt) DO UPDATE SET phase = excluded.phase, ended_at = excluded.ended_at`),
    count: sql(`UPDATE counter SET value = value + ? WHERE name = 'feed' RETURNING value`),
    feed: sql('INSERT INTO feed VALUES (?, ?, ?)'),
  }
}

/** The quickest way that pg has: one statement for a table, with an array for each column. */
async function rawPostgres(client: Client, batch: Batch): Promise<void> {
  const runs = batch.map(({ run }) => run)
  const versions = batch.map(({ version }) => version + 1)
  const tasks = batch.flatMap(({ rows }) => rows.tasks)
  const attempts = batch.flatMap(({ rows }) => rows.attempts)
  await client.query('BEGIN')
  if (batch[0]?.version === 0) {
    await client.query(
      `INSERT INTO trigger_key SELECT 'default', 'etl', 'manual', r, r, 1 FROM unnest($1::text[]) AS r`,
      [runs],
    )
    await client.query(
      `INSERT INTO run SELECT r, 'default', 'etl', 'hash', 'etl-' || r, 'running', NULL, '', '{"kind":"manual"}',
        '{}', NULL, NULL, 1000, NULL, NULL, 0, 1, 1, NULL FROM unnest($1::text[]) AS r`,
      [runs],
    )
  } else
    await client.query(
      `UPDATE run SET phase = 'running', reason = NULL, message = '', started_at = NULL, ended_at = NULL,
        tasks_done = v.version, tasks_total = 1, version = v.version
        FROM unnest($1::text[], $2::int8[]) AS v(run, version) WHERE id = v.run AND run.version = v.version - 1`,
      [runs, versions],
    )
  await client.query('INSERT INTO event SELECT * FROM unnest($1::text[], $2::int8[], $3::text[])', [
    runs,
    versions,
    batch.map(({ version }) => JSON.stringify(event(version))),
  ])
  await client.query(
    `INSERT INTO task SELECT r, i, t, s, NULL, NULL, 0, NULL, NULL, NULL
      FROM unnest($1::text[], $2::int8[], $3::text[], $4::text[]) AS v(r, i, t, s)
      ON CONFLICT (run, idx) DO UPDATE SET state = excluded.state`,
    [runs, tasks.map(({ index }) => index), tasks.map(({ task }) => task), tasks.map(({ state }) => state)],
  )
  await client.query(
    `INSERT INTO attempt SELECT r, t, 1, p, NULL, 1000, NULL, e, NULL, NULL, NULL, NULL, '{"pid":1}'
      FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[]) AS v(r, t, p, e)
      ON CONFLICT (run, task, attempt) DO UPDATE SET phase = excluded.phase, ended_at = excluded.ended_at`,
    [
      runs,
      attempts.map(({ task }) => task),
      attempts.map(({ phase }) => phase),
      attempts.map(({ endedAt }) => endedAt),
    ],
  )
  const { rows } = await client.query<{ value: string }>(
    `UPDATE counter SET value = value + $1 WHERE name = 'feed' RETURNING value`,
    [batch.length],
  )
  const end = Number(rows[0]?.value)
  await client.query('INSERT INTO feed SELECT * FROM unnest($1::int8[], $2::text[], $3::int8[])', [
    batch.map((_, index) => end - batch.length + index + 1),
    runs,
    versions,
  ])
  await client.query('COMMIT')
}

async function pageFigure(
  options: BenchOptions,
  name: string,
  store: Store,
  goalMs: number,
): Promise<readonly Figure[]> {
  options.say(`store-${name}: ${STORED_RUNS} runs`)
  for (let start = 0; start < STORED_RUNS; start += 1_000)
    await Promise.all(Array.from({ length: 1_000 }, (_, index) => store.append(stored(start + index))))
  const samples: number[] = []
  const processor: number[] = []
  for (let round = 0; round <= options.rounds; round += 1) {
    options.say(`store-${name}: pages, round ${round} of ${options.rounds}`)
    const times: number[] = []
    const work: number[] = []
    for (let page = 0; page < PAGES; page += 1) {
      const query = queryOf(round * PAGES + page)
      const [begin, before] = [performance.now(), process.cpuUsage()]
      await store.runs(query)
      times.push(performance.now() - begin)
      const { user, system } = process.cpuUsage(before)
      work.push((user + system) / 1_000)
    }
    if (round === 0) continue
    samples.push(p99(times))
    processor.push(p99(work))
  }
  const what = `${PAGES} pages of 50 out of ${STORED_RUNS.toLocaleString('en')} runs, each with other filters`
  return [
    figureOf(`store-${name}/page-p99`, samples, 'ms', atMost(goalMs), what),
    figureOf(
      `store-${name}/page-cpu-p99`,
      processor,
      'ms',
      null,
      'processor time of this process for the same',
    ),
  ]
}

function p99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1] ?? Number.NaN
}

function stored(index: number): Append {
  const id = `r${String(index).padStart(6, '0')}`
  const run = runRow(id, {
    namespace: `n${index % 4}`,
    dag: `d${index % 50}`,
    createdAt: index * 10,
    phase: PHASES[index % PHASES.length] ?? 'running',
    labels: index % 2 === 0 ? { team: `t${index % 20}`, tier: index % 3 === 0 ? 'gold' : 'plain' } : {},
  })
  return append(id, 0, { rows: { run, tasks: [], attempts: [] } })
}

/** Every filter a list has, alone and together, from the top and from the middle. */
function queryOf(index: number): RunQuery {
  const middle = Math.floor(((index * 7_919) % STORED_RUNS) * 10)
  const filters: readonly RunQuery[] = [
    {},
    { phases: ['failed'] },
    { namespace: `n${index % 4}`, phases: ['running', 'queued'] },
    { dag: `d${index % 50}` },
    { namespace: `n${index % 4}`, dag: `d${(index % 12) * 4 + (index % 4)}`, phases: ['failed'] },
    { labels: { team: `t${(index % 10) * 2}` } },
    { labels: { team: `t${(index % 10) * 2}`, tier: 'gold' }, phases: ['succeeded'] },
    { createdFrom: Math.max(0, middle - 100_000), createdBefore: middle },
    { namespace: `n${index % 4}`, labels: { tier: 'gold' }, createdBefore: middle },
  ]
  const after = Buffer.from(JSON.stringify([middle, 'r'])).toString('base64url')
  const filter = filters[index % filters.length] ?? {}
  return { limit: 50, ...filter, ...(index % 2 === 0 ? { after } : {}) }
}
