import assert from 'node:assert/strict'
import type { Store } from '../../src/ports/store.ts'
import { child } from './store-processes.ts'

interface Won {
  readonly created: readonly string[]
  readonly claimed: readonly string[]
  readonly shared: number
  readonly own: number
  readonly mostLive: number
}

/**
 * Several processes use one new database at once, each doing what an engine does; then everything that only one may
 * win was won once, no log lost or doubled an event, and no pool had more than its slots.
 */
export async function competing(
  database: string,
  open: (database: string) => Promise<Store>,
  count: number,
  rounds: number,
): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `p${index}`)
  const children = names.map(name => child('compete', database, name, String(rounds)))
  assert.deepEqual(
    await Promise.all(children.map(({ end }) => end)),
    names.map(() => 0),
  )
  const won = children.map(({ lines }) => JSON.parse(lines[0] ?? '') as Won)

  const store = await open(database)
  const keys = Array.from({ length: rounds }, (_, index) => `key${index}`)
  const made = new Set(await Promise.all(keys.map(key => store.runOfTrigger('default', 'etl', 'event', key))))
  assert.equal(made.size, rounds)
  for (const what of ['created', 'claimed'] as const) {
    const once = won.flatMap(one => one[what])
    assert.equal(once.length, rounds, what)
    assert.deepEqual(new Set<string | null>(once), made, what)
  }
  assert.ok(won.every(({ mostLive }) => mostLive <= 2))
  assert.deepEqual(await store.poolUse(), new Map())
  for (const name of names) assert.equal((await store.events(`own-${name}`)).length, rounds)
  const shared = (await store.events('shared')).map(event => JSON.stringify(event))
  assert.equal(shared.length, rounds * count)
  assert.equal(new Set(shared).size, rounds * count)
  await feedFitsLogs(store)
  await store.close()
}

/** The rows say the same as the log, and both at least what was acknowledged. */
export async function fits(store: Store, id: string, acknowledged: number): Promise<void> {
  const run = await store.run(id)
  const version = run?.version ?? 0
  assert.ok(version >= acknowledged, `${id} is at ${version}, ${acknowledged} was acknowledged`)
  assert.deepEqual(
    (await store.events(id)).map(event => event.at),
    Array.from({ length: version }, (_, index) => index + 1),
  )
  assert.equal(run?.tasksDone, version)
  assert.equal((await store.attempts(id)).length, version)
  const { items } = await store.tasks({ run: id, limit: 5_000 })
  assert.deepEqual(
    items.map(task => task.attempts),
    Array.from({ length: Math.min(5_000, version) }, (_, index) => index + 1),
  )
}

/** Without a gap, and for each run every version once, in order. */
export async function feedFitsLogs(store: Store): Promise<void> {
  const versions = new Map<string, number>()
  let seq = 0
  for (;;) {
    const entries = await store.feed(seq, 10_000)
    if (entries.length === 0) break
    for (const entry of entries) {
      seq += 1
      assert.equal(entry.seq, seq)
      assert.equal(entry.version, (versions.get(entry.run) ?? 0) + 1)
      versions.set(entry.run, entry.version)
    }
  }
  assert.equal(await store.feedEnd(), seq)
  for (const [run, version] of versions) assert.equal((await store.run(run))?.version, version)
}
