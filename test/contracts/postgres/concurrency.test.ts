import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { Store } from '../../../src/ports/store.ts'
import { openPostgresStore } from '../../../src/stores/postgres/open.ts'
import { competing, feedFitsLogs, fits } from '../store-fits.ts'
import { fitsModel } from '../store-model.ts'
import { child, kill } from '../store-processes.ts'
import { append, attemptRow, dag, ended, runRow, settle, taskRow } from '../store-records.ts'
import type { PostgresServer } from './server.ts'
import { freshSchema, withServer, withStore } from './with-server.ts'

const LONG = process.env['KONTROLER_LONG'] === '1'
const file = withServer(16)

file.test('any interleaving of writes gives what a plain model in memory gives', server =>
  fitsModel(() => openPostgresStore(freshSchema(server)), LONG ? 150 : 3),
)

file.test('4 processes on one new database: nothing is lost, nothing doubled', server =>
  competing(freshSchema(server), openPostgresStore, 4, LONG ? 100 : 10),
)

file.test('kill -9 of a writer: what was acknowledged is there, logs have no gap, rows fit them', server =>
  withStore(server, async (store, url) => {
    const acknowledged = new Map<string, number>()
    for (let round = 0; round < (LONG ? 50 : 3); round += 1) {
      const writer = child('write', url, '3')
      await writer.said(1)
      await pause((round * 7) % 20)
      await kill(writer)
      for (const line of writer.lines) {
        const [run = '', version] = line.split(' ')
        acknowledged.set(run, Math.max(acknowledged.get(run) ?? 0, Number(version)))
      }
      // What it had sent before it died may still be on its way.
      await store.advance({ namespace: 'a', dag: 'b', highWater: round, skips: [] })
      for (const [run, version] of acknowledged) await fits(store, run, version)
      await feedFitsLogs(store)
    }
  }),
)

file.test('of starts that come at once, on as many connections, a pool takes exactly its limit', server =>
  onStores(server, 6, async stores => {
    for (let round = 0; round < (LONG ? 200 : 15); round += 1) {
      const rows = (run: string) => ({
        run: runRow(run),
        tasks: [],
        attempts: ['gpu', 'net'].map(pool => attemptRow(run, pool, 1, { pool })),
      })
      const pools = new Map([
        ['gpu', 3],
        ['net', 4],
      ])
      const runs = stores.map((_, index) => `r${round}-${index}`)
      const started = await Promise.allSettled(
        stores.map((store, index) => {
          const run = runs[index] ?? ''
          return store.append(append(run, 0, { rows: rows(run), pools }))
        }),
      )
      assert.equal(started.filter(({ status }) => status === 'fulfilled').length, 3)
      const [store] = stores
      assert.deepEqual(
        await store?.poolUse(),
        new Map([
          ['gpu', 3],
          ['net', 3],
        ]),
      )
      await Promise.all(
        started.map(async ({ status }, index) => {
          const run = runs[index] ?? ''
          const over = { ...rows(run), attempts: rows(run).attempts.map(row => ended(row)) }
          if (status === 'fulfilled') await store?.append(append(run, 1, { rows: over }))
        }),
      )
    }
  }),
)

file.test('of runs, versions, claims and marks that are wanted at once, each is had once', server =>
  onStores(server, 5, async stores => {
    for (let round = 0; round < (LONG ? 200 : 10); round += 1) {
      const trigger = { kind: 'event', key: `k${round}`, source: 's' } as const
      const made = await Promise.allSettled(
        stores.map((store, index) => {
          const run = runRow(`r${round}-${index}`, { trigger })
          return store.append(append(run.id, 0, { rows: { run, tasks: [], attempts: [] } }))
        }),
      )
      assert.equal(made.filter(({ status }) => status === 'fulfilled').length, 1)
      const run = (await stores[0]?.runOfTrigger('default', 'etl', 'event', trigger.key)) ?? ''
      const claims = await Promise.all(stores.map((store, index) => store.claim(run, null, `e${index}`)))
      assert.equal(claims.filter(Boolean).length, 1)
      const puts = await Promise.all(
        stores.map(store => store.putDag(dag('etl', { priority: round }), `h${round}`, null, 1)),
      )
      assert.deepEqual(new Set(puts.map(({ version }) => version)), new Set([round + 1]))
      assert.equal(puts.filter(({ created }) => created).length, 1)
      const skip = { from: round * 10 + 1, to: round * 10 + 9, count: 9, reason: 'CATCH_UP', at: 1 } as const
      const moved = await Promise.allSettled(
        stores.map(store =>
          store.advance({ namespace: 'default', dag: 'etl', highWater: round * 10 + 10, skips: [skip] }),
        ),
      )
      assert.equal(moved.filter(({ status }) => status === 'fulfilled').length, 1)
      assert.deepEqual(await stores[0]?.skips('default', 'etl', 1), [skip])
    }
  }),
)

file.test(
  'the order of the feed is the order of the commits: a reader never misses an entry behind it',
  server =>
    onStores(server, 5, async ([reader, ...writers]) => {
      assert.ok(reader !== undefined)
      let open = true
      const rounds = LONG ? 500 : 40
      const writing = Promise.all(
        writers.map(async (store, index) => {
          for (let version = 0; version < rounds; version += 1)
            await Promise.all([0, 1, 2].map(one => store.append(append(`r${index}-${one}`, version))))
        }),
      ).finally(() => {
        open = false
      })
      let seq = 0
      while (open || seq < (await reader.feedEnd())) {
        for (const entry of await reader.feed(seq, 1_000)) {
          assert.equal(entry.seq, seq + 1)
          seq = entry.seq
        }
      }
      await writing
      assert.equal(seq, writers.length * 3 * rounds)
      await feedFitsLogs(reader)
    }),
)

file.test('removing runs beside writers takes what is settled, and only that', server =>
  onStores(server, 3, async stores => {
    const [store] = stores
    assert.ok(store !== undefined)
    for (let round = 0; round < 5; round += 1) {
      const run = `r${round}`
      const tasks = Array.from({ length: 100 }, (_, index) => taskRow(run, index))
      await store.append(append(run, 0, { rows: { run: runRow(run), tasks, attempts: [] } }))
      const settled = store.append(settle(run, 1))
      const removed = await Promise.all(stores.map(one => one.removeRun(run)))
      await settled
      const later = await Promise.all(stores.map(one => one.removeRun(run)))
      assert.equal([...removed, ...later].filter(Boolean).length, 1)
      assert.equal(await store.run(run), null)
      assert.deepEqual(await store.events(run), [])
    }
  }),
)

async function onStores(
  server: PostgresServer,
  count: number,
  body: (stores: readonly Store[]) => Promise<void>,
): Promise<void> {
  const url = freshSchema(server)
  const stores = await Promise.all(
    Array.from({ length: count }, () => openPostgresStore(url, { readers: 1 })),
  )
  try {
    await body(stores)
  } finally {
    await Promise.all(stores.map(store => store.close()))
  }
}
