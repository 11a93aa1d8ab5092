import assert from 'node:assert/strict'
import type { Store } from '../../../src/ports/store.ts'
import { openPostgresStore } from '../../../src/stores/postgres/open.ts'
import { refused } from '../store.ts'
import { feedFitsLogs } from '../store-fits.ts'
import { append, dag, event, runRow } from '../store-records.ts'
import { type Cut, type Proxy, startProxy } from './proxy.ts'
import type { PostgresServer } from './server.ts'
import { freshSchema, withServer } from './with-server.ts'

/** `KONTROLER_LONG=1` does it hundreds of times. */
const ROUNDS = process.env['KONTROLER_LONG'] === '1' ? 500 : 16
const file = withServer(18)

const kinds: Readonly<Record<string, (round: number) => Cut>> = {
  'before the commit reaches the server': () => ({ kind: 'beforeCommit' }),
  'when the commit has been sent': () => ({ kind: 'atCommit' }),
  'before the answer to the commit reaches us': () => ({ kind: 'afterCommit' }),
  'while the commit is still on its way': round => ({ kind: 'lateCommit', delayMs: round % 40 }),
  'before any message of a transaction': round => ({ kind: 'message', number: 1 + (round % 30) }),
}

for (const [when, cutIn] of Object.entries(kinds))
  file.test(`a line cut ${when}: every write is told the truth, nothing is lost or doubled`, server =>
    throughProxy(server, async (proxy, store, direct) => {
      const logs = new Map<string, number>()
      for (let round = 0; round < ROUNDS; round += 1) {
        proxy.cutNext(cutIn(round))
        const run = `r${round % 3}`
        const version = logs.get(run) ?? 0
        const twin = `twin${round}`
        const writes = await Promise.all([
          store.append(append(run, version, { events: [event(round)] })),
          store.append(append(twin, 0, { rows: { run: runRow(twin), tasks: [], attempts: [] } })),
          store.putDag(dag('etl', { priority: round }), `h${round}`, null, round),
          store.claim(twin, null, 'me'),
        ])
        logs.set(run, version + 1)
        assert.deepEqual(writes.slice(2), [{ version: round + 1, created: true }, true])
        assert.equal((await direct.run(twin))?.owner, 'me')
        assert.equal((await direct.run(run))?.version, version + 1)
      }
      proxy.cutNext({ kind: 'none' })
      for (const [run, version] of logs) assert.equal((await direct.events(run)).length, version)
      assert.equal((await direct.dag('default', 'etl'))?.version, ROUNDS)
      assert.equal(await direct.feedEnd(), ROUNDS * 2)
      await feedFitsLogs(direct)
      assert.ok(proxy.cuts() > ROUNDS / 3, `${proxy.cuts()} cuts`)
    }),
  )

file.test('a commit that nobody can be asked about is said to be unknown, and the store goes on', server =>
  throughProxy(
    server,
    async (proxy, store, direct) => {
      await store.append(append('r', 0))
      proxy.cutNext({ kind: 'afterCommit' })
      const lost = refused('DATABASE_UNAVAILABLE', store.append(append('r', 1)))
      while (proxy.cuts() === 0) await new Promise(setImmediate)
      proxy.block(true)
      const error = await lost
      assert.match(error.message, /not known/)
      await refused('DATABASE_UNAVAILABLE', store.append(append('r', 2)))
      await refused('DATABASE_UNAVAILABLE', store.events('r'))
      proxy.block(false)
      assert.equal((await direct.run('r'))?.version, 2)
      await store.append(append('r', 2))
      assert.deepEqual(await store.events('r'), [event(1), event(2), event(3)])
    },
    { askMs: 50 },
  ),
)

file.test('a session that was closed while nobody used it is replaced without a word', server =>
  throughProxy(server, async (proxy, store) => {
    await store.append(append('r', 0))
    await store.events('r')
    proxy.block(true)
    proxy.block(false)
    await store.append(append('r', 1))
    assert.equal((await store.events('r')).length, 2)
  }),
)

async function throughProxy(
  server: PostgresServer,
  body: (proxy: Proxy, store: Store, direct: Store) => Promise<void>,
  options: { readonly askMs?: number } = {},
): Promise<void> {
  const proxy = await startProxy(server.port)
  const url = freshSchema(server)
  const store = await openPostgresStore(url.replace(`:${server.port}/`, `:${proxy.port}/`), options)
  const direct = await openPostgresStore(url)
  try {
    await body(proxy, store, direct)
  } finally {
    await store.close()
    await direct.close()
    await proxy.close()
  }
}
