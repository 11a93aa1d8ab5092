import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from 'pg'
import { type Store, StoreError } from '../../../src/ports/store.ts'
import { openPostgresStore } from '../../../src/stores/postgres/open.ts'
import { refused } from '../store.ts'
import { feedFitsLogs } from '../store-fits.ts'
import { append, attemptRow, dag, runRow, taskRow } from '../store-records.ts'
import { ROLE, type PostgresServer } from './server.ts'
import { skips, withServer, withStore } from './with-server.ts'

const LONG = process.env['KONTROLER_LONG'] === '1'
const file = withServer(18)

for (const [what, end] of [
  ['a restart', (server: PostgresServer) => server.stop()],
  ['kill -9', (server: PostgresServer) => server.kill9()],
] as const)
  file.test(`${what} of the server under load: DATABASE_UNAVAILABLE, then it goes on by itself`, server =>
    withStore(server, async store => {
      let open = true
      const writers = ['a', 'b', 'c'].map(run => writeOn(store, run, () => open))
      for (let round = 0; round < (LONG ? 10 : 2); round += 1) {
        await pause(100)
        await end(server)
        await refused('DATABASE_UNAVAILABLE', store.feedEnd())
        await server.start()
      }
      await pause(100)
      open = false
      const logs = await Promise.all(writers)
      assert.ok(logs.some(({ unavailable }) => unavailable > 0))
      for (const { run, acknowledged } of logs) {
        const events = await store.events(run)
        assert.ok(acknowledged.length > 0)
        assert.deepEqual(
          events.map(event => event.at),
          events.map((_, index) => index + 1),
        )
        assert.ok(acknowledged.every(version => version <= events.length))
      }
      await feedFitsLogs(store)
    }),
  )

file.test('READ_ONLY: a database set to read-only is read, and written again when it may be', server =>
  withStore(server, async (store, url) => {
    await store.append(append('r', 0))
    await server.admin(`ALTER DATABASE ${ROLE} SET default_transaction_read_only = on`)
    await cutSessions(server)
    try {
      await refused('READ_ONLY', store.append(append('r', 1)))
      assert.equal((await store.events('r')).length, 1)
      const other = await openPostgresStore(url)
      await refused('READ_ONLY', other.putDag(dag('etl'), 'h', null, 1))
      assert.equal((await other.run('r'))?.version, 1)
      await other.close()
    } finally {
      await server.admin(`ALTER DATABASE ${ROLE} RESET default_transaction_read_only`)
      await cutSessions(server)
    }
    await store.append(append('r', 1))
  }),
)

file.test('READ_ONLY: a standby is read, and written as soon as it is promoted', server =>
  withStore(server, async (store, url) => {
    await store.append(append('r', 0))
    await server.stop()
    const signal = join(server.folder, 'data', 'standby.signal')
    writeFileSync(signal, '')
    const { uid, gid } = statSync(join(server.folder, 'data'))
    chownSync(signal, uid, gid)
    await server.start()
    await refused('READ_ONLY', store.append(append('r', 1)))
    const other = await openPostgresStore(url)
    let heard = 0
    const stop = other.onChange(() => (heard += 1))
    assert.equal((await other.events('r')).length, 1)
    await server.admin('SELECT pg_promote()')
    await store.append(append('r', 1))
    assert.equal((await other.events('r')).length, 2)
    stop()
    await other.close()
  }),
)

file.test('DATABASE_BUSY: a lock that is held too long is said, reads go on, and later writes work', server =>
  withStore(
    server,
    async (store, url) => {
      await store.append(append('r', 0))
      const other = await session(url)
      await other.query('BEGIN')
      await other.query('SELECT 1 FROM run FOR UPDATE')
      const refusals = Promise.all([
        refused('DATABASE_BUSY', store.append(append('r', 1))),
        refused('DATABASE_BUSY', store.append(append('q', 0))),
      ])
      assert.equal((await store.events('r')).length, 1)
      await refusals
      await other.query('ROLLBACK')
      await other.end()
      await store.append(append('r', 1))
      assert.equal((await store.events('r')).length, 2)
    },
    { lockMs: 100 },
  ),
)

file.test('an append waits for a claim that is under way, and then is NOT_OWNER', server =>
  withStore(server, async (store, url) => {
    await store.append(append('r', 0, { engine: 'e1' }))
    const other = await session(url)
    await other.query('BEGIN')
    await other.query(`UPDATE run SET owner = 'e2' WHERE id = 'r'`)
    const late = refused('NOT_OWNER', store.append(append('r', 1, { engine: 'e1' })))
    while (!(await isWaiting(server))) await pause(10)
    await other.query('COMMIT')
    await late
    await other.end()
    assert.equal((await store.run('r'))?.version, 1)
  }),
)

file.test('a writer that stops inside its transaction holds the others up for a bounded time', server =>
  withStore(server, async (store, url) => {
    const other = await session(url)
    await other.query(`SET idle_in_transaction_session_timeout = '200ms'`)
    await other.query('BEGIN')
    await other.query(`UPDATE counter SET value = value + 1 WHERE name = 'feed'`)
    await store.append(append('r', 0))
    assert.equal(await store.feedEnd(), 1)
    await assert.rejects(other.query('COMMIT'))
  }),
)

file.test(
  'two that wait for each other: the database ends one, it is run again, and both are written',
  server =>
    withStore(server, async (store, url) => {
      await Promise.all(['a', 'b'].map(run => store.append(append(run, 0))))
      const other = await session(url)
      for (let version = 1; version <= (LONG ? 20 : 2); version += 1) {
        await other.query('BEGIN')
        await other.query(`UPDATE run SET message = 'b' WHERE id = 'b'`)
        const both = Promise.all(['a', 'b'].map(run => store.append(append(run, version))))
        await pause(50)
        await other.query(`UPDATE run SET message = 'a' WHERE id = 'a'`).catch(() => undefined)
        await other.query('COMMIT')
        await both
      }
      await other.end()
      await feedFitsLogs(store)
    }),
)

file.test('a guard that refuses one write of a large batch takes back only that one', server =>
  withStore(server, async store => {
    await store.append(
      append('r', 0, {
        rows: { run: runRow('r'), tasks: [taskRow('r', 0, { state: 'failed' })], attempts: [] },
      }),
    )
    const revive = { run: runRow('r'), tasks: [taskRow('r', 0, { state: 'running' })], attempts: [] }
    const odd = { run: runRow('odd', { name: 'a\0b' }), tasks: [], attempts: [] }
    const outcomes = await Promise.allSettled([
      store.append(append('a', 0)),
      store.append(append('r', 1, { rows: revive })),
      store.append(append('odd', 0, { rows: odd })),
      store.claim('a', null, 'me'),
      store.append(
        append('b', 0, { rows: { run: runRow('b'), tasks: [], attempts: [attemptRow('b', 't', 1)] } }),
      ),
    ])
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled', 'fulfilled'],
    )
    assert.equal((await store.run('a'))?.owner, 'me')
    assert.equal(await store.feedEnd(), 3)
  }),
)

file.test('a change is seen without notices too, and heard with them', server =>
  withStore(server, async (store, url) => {
    const other = await openPostgresStore(url)
    let heard = Promise.withResolvers<void>()
    const stop = store.onChange(() => heard.resolve())
    await heard.promise
    heard = Promise.withResolvers<void>()
    await other.append(append('r', 0))
    await heard.promise
    const before = await store.changeMark()
    await cutSessions(server)
    await other.append(append('r', 1))
    assert.notEqual(await store.changeMark(), before)
    heard = Promise.withResolvers<void>()
    await heard.promise
    stop()
    await other.close()
  }),
)

file.test(
  'DISK_FULL: writes are refused, reads go on, it recovers by itself, and nothing acknowledged is lost',
  (server, context) =>
    onSmallDisk(server, context, async (store, filler) => {
      const acknowledged = new Map<string, number>()
      const message = 'x'.repeat(100_000)
      const write = async (run: string): Promise<string> => {
        const version = acknowledged.get(run) ?? 0
        try {
          await store.append(
            append(run, version, { events: [{ type: 'runPaused', at: version, by: noise(message) }] }),
          )
          acknowledged.set(run, version + 1)
          return 'written'
        } catch (error) {
          assert.ok(error instanceof StoreError, String(error))
          return error.code
        }
      }
      const runs = ['a', 'b', 'c']
      const outcomes = new Set<string>()
      for (let round = 0; round < 400 && !outcomes.has('DISK_FULL'); round += 1)
        for (const outcome of await Promise.all(runs.map(write))) outcomes.add(outcome)
      assert.deepEqual(outcomes, new Set(['written', 'DISK_FULL']))
      for (const [run, version] of acknowledged) assert.equal((await store.events(run)).length, version)
      rmSync(filler)
      assert.deepEqual(
        await Promise.all(runs.map(write)),
        runs.map(() => 'written'),
      )
      for (const [run, version] of acknowledged) assert.equal((await store.events(run)).length, version)
    }),
)

/** Text that does not compress, so that it takes the room it should. */
function noise(like: string): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)))
    .toString('base64')
    .slice(0, like.length)
}

/** Keeps the tables on a small disk of their own; the log of the server stays where it is. */
async function onSmallDisk(
  server: PostgresServer,
  context: TestContext,
  body: (store: Store, filler: string) => Promise<void>,
): Promise<void> {
  const disk = join(server.folder, 'disk')
  mkdirSync(disk)
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk], { encoding: 'utf8' })
  if (skips(context, mount.status === 0 ? null : 'the disk-full test needs root, to mount a small tmpfs'))
    return
  try {
    const { uid, gid } = statSync(join(server.folder, 'data'))
    const space = join(disk, 'space')
    mkdirSync(space)
    chmodSync(space, 0o700)
    chownSync(space, uid, gid)
    const filler = join(disk, 'filler')
    writeFileSync(filler, Buffer.alloc(8 * 1024 * 1024))
    await server.admin(`CREATE TABLESPACE small LOCATION '${space}'`)
    await server.admin(`CREATE DATABASE small OWNER ${ROLE} TABLESPACE small`)
    const store = await openPostgresStore(server.url.replace(`/${ROLE}?`, '/small?'))
    try {
      await body(store, filler)
    } finally {
      await store.close()
    }
    await server.admin('DROP DATABASE small WITH (FORCE)')
    await server.admin('DROP TABLESPACE small')
  } finally {
    spawnSync('umount', ['-l', disk])
  }
}

/** Appends without end, and looks at the log again when it does not know. */
async function writeOn(
  store: Store,
  run: string,
  open: () => boolean,
): Promise<{ readonly run: string; readonly acknowledged: readonly number[]; readonly unavailable: number }> {
  const acknowledged: number[] = []
  let unavailable = 0
  let version = 0
  while (open()) {
    try {
      await store.append(append(run, version))
      version += 1
      acknowledged.push(version)
    } catch (error) {
      assert.ok(error instanceof StoreError && error.code === 'DATABASE_UNAVAILABLE', String(error))
      unavailable += 1
      await pause(20)
      version = (await store.run(run).catch(() => null))?.version ?? version
    }
  }
  return { run, acknowledged, unavailable }
}

async function session(url: string): Promise<Client> {
  const { searchParams } = new URL(url)
  const client = new Client({
    connectionString: url,
    options: `-c search_path=${searchParams.get('schema')}`,
  })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

async function isWaiting(server: PostgresServer): Promise<boolean> {
  const waiting = await server.admin(`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`)
  return waiting.length > 0
}

async function cutSessions(server: PostgresServer): Promise<void> {
  await server.admin(`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '${ROLE}'`)
}
