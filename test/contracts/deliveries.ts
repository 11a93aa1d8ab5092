import assert from 'node:assert/strict'
import type {
  ClaimedDelivery,
  DeliveryAttempt,
  DeliveryClaim,
  DeliveryResult,
} from '../../src/ports/deliveries.ts'
import type { Store } from '../../src/ports/store.ts'
import { refused, type WithStore } from './store.ts'
import { append, runRow, settle } from './store-records.ts'

/** What any outbox must do. */
export function deliveriesContract(withStore: WithStore): void {
  withStore('messages are put in line once for each place in the feed', async store => {
    await withRun(store, 'r')
    const { deliveries } = store
    assert.equal(await deliveries.position(), 0)
    assert.equal(await deliveries.enqueue(batch(0, 5, ['r', 'a'], ['r', 'b'])), true)
    assert.equal(await deliveries.enqueue(batch(0, 5, ['r', 'a'], ['r', 'b'])), false)
    assert.equal(await deliveries.enqueue(batch(5, 6, ['r', 'c'])), true)
    assert.equal(await deliveries.position(), 6)
    const { items } = await deliveries.list({ run: 'r' })
    assert.deepEqual(
      items.map(({ number, event, state }) => [number, event, state]),
      [
        [1, 'a', 'waiting'],
        [2, 'b', 'waiting'],
        [3, 'c', 'waiting'],
      ],
    )
    assert.equal(await deliveries.waiting('r'), 3)
  })

  withStore('of several that make the same messages at once, one does', async (store, { beside }) => {
    if (beside === null) return
    await withRun(store, 'r')
    const other = await beside()
    try {
      const made = await Promise.all(
        [store, other, store, other].map(one => one.deliveries.enqueue(batch(0, 1, ['r', 'a']))),
      )
      assert.equal(made.filter(one => one).length, 1)
      assert.equal(await store.deliveries.waiting('r'), 1)
    } finally {
      await other.close()
    }
  })

  withStore('messages of one run go one after the other, in their order', async store => {
    await withRun(store, 'r')
    const { deliveries } = store
    await deliveries.enqueue(batch(0, 1, ['r', 'a'], ['r', 'b']))
    const [first, ...others] = await deliveries.claim(claim(10))
    assert.equal(first?.event, 'a')
    assert.deepEqual(others, [])
    assert.deepEqual(await deliveries.claim(claim(20)), [])
    await deliveries.record(result(first, { state: 'delivered' }))
    const [second] = await deliveries.claim(claim(2_000))
    assert.equal(second?.event, 'b')
    await deliveries.record(result(second, { state: 'failed' }))
    assert.deepEqual(await deliveries.hosts(), [])
    assert.deepEqual(await states(store), ['delivered', 'failed'])
  })

  withStore('a claim whose owner died ends, and its late report changes nothing', async store => {
    await withRun(store, 'r')
    const { deliveries } = store
    await deliveries.enqueue(batch(0, 1, ['r', 'a']))
    const [first] = await deliveries.claim(claim(10, { claim: 'dead', until: 500 }))
    assert.deepEqual(await deliveries.hosts(), [{ host: 'h', dueAt: 500 }])
    const [second] = await deliveries.claim(claim(500, { claim: 'alive', until: 900 }))
    assert.equal(second?.number, first?.number)
    await deliveries.record(result(first, { state: 'failed' }))
    assert.deepEqual(await states(store), ['waiting'])
    await deliveries.record(result(second, { state: 'delivered' }))
    assert.deepEqual(await states(store), ['delivered'])
    assert.equal((await deliveries.delivery('r', 1))?.attempts, 1)
  })

  withStore('two that claim at once never get the same run', async (store, { beside }) => {
    if (beside === null) return
    const runs = Array.from({ length: 20 }, (_, index) => `r${index}`)
    for (const run of runs) await withRun(store, run)
    await store.deliveries.enqueue(batch(0, 1, ...runs.map(run => [run, 'a'] as const)))
    const other = await beside()
    try {
      const taken = await Promise.all(
        [store, other, store, other].map((one, index) =>
          one.deliveries.claim(claim(10, { claim: `c${index}`, limit: 20 })),
        ),
      )
      const names = taken.flat().map(({ run }) => run)
      assert.equal(new Set(names).size, names.length)
    } finally {
      await other.close()
    }
  })

  withStore('one that was not taken is due again when it is said, with its attempts', async store => {
    await withRun(store, 'r')
    const { deliveries } = store
    await deliveries.enqueue(batch(0, 1, ['r', 'a'], ['r', 'b']))
    const [first] = await deliveries.claim(claim(10))
    await deliveries.record(result(first, { state: 'waiting', at: 5_000 }))
    assert.deepEqual(await deliveries.hosts(), [{ host: 'h', dueAt: 5_000 }])
    assert.deepEqual(await deliveries.claim(claim(4_999)), [])
    const [again] = await deliveries.claim(claim(5_000))
    assert.deepEqual([again?.number, again?.attempts], [1, 1])
    const found = await deliveries.delivery('r', 1)
    assert.deepEqual(found?.log, [attempt()])
  })

  withStore('what is given back is due again, with no attempt counted', async store => {
    await withRun(store, 'r')
    const { deliveries } = store
    await deliveries.enqueue(batch(0, 1, ['r', 'a']))
    const claimed = await deliveries.claim(claim(10))
    await deliveries.release(claimed, 70)
    assert.deepEqual(await deliveries.hosts(), [{ host: 'h', dueAt: 70 }])
    const [again] = await deliveries.claim(claim(70, { claim: 'other' }))
    assert.equal(again?.attempts, 0)
    await deliveries.release(claimed, 80)
    assert.deepEqual(await deliveries.claim(claim(90)), [])
  })

  withStore('a receiver that wants no more of a run is sent nothing more of it', async store => {
    await withRun(store, 'r')
    await withRun(store, 's')
    const { deliveries } = store
    await deliveries.enqueue(batch(0, 1, ['r', 'a'], ['r', 'b'], ['s', 'a']))
    const claimed = await deliveries.claim(claim(10))
    const mine = claimed.find(({ run }) => run === 'r')
    await deliveries.record(result(mine, { state: 'gone' }))
    await deliveries.enqueue(batch(1, 2, ['r', 'c']))
    assert.deepEqual(await states(store), ['gone', 'gone', 'gone'])
    assert.deepEqual(
      (await deliveries.hosts()).map(({ host }) => host),
      ['h'],
    )
    assert.equal(await deliveries.waiting('s'), 1)
  })

  withStore(
    'one is sent again on demand, before those behind it, and even to one that is gone',
    async store => {
      await withRun(store, 'r')
      const { deliveries } = store
      await deliveries.enqueue(batch(0, 1, ['r', 'a'], ['r', 'b']))
      const [first] = await deliveries.claim(claim(10))
      await deliveries.record(result(first, { state: 'gone' }))
      assert.equal(await deliveries.again('r', 1, 3_000), true)
      assert.equal(await deliveries.again('r', 7, 3_000), false)
      assert.equal(await deliveries.again('nobody', 1, 3_000), false)
      const [again] = await deliveries.claim(claim(3_000))
      assert.deepEqual([again?.number, again?.since, again?.attempts], [1, 3_000, 0])
      await deliveries.record(result(again, { state: 'delivered' }))
      assert.deepEqual(await states(store), ['delivered', 'gone'])
      assert.deepEqual(await deliveries.hosts(), [])
    },
  )

  withStore('one that waits is tried at once on demand', async store => {
    await withRun(store, 'r')
    const { deliveries } = store
    await deliveries.enqueue(batch(0, 1, ['r', 'a']))
    const [first] = await deliveries.claim(claim(10))
    await deliveries.record(result(first, { state: 'waiting', at: 90_000 }))
    await deliveries.again('r', 1, 2_000)
    assert.deepEqual(await deliveries.hosts(), [{ host: 'h', dueAt: 2_000 }])
  })

  withStore('hosts are told apart, each with what is due first', async store => {
    for (const run of ['r', 's', 't']) await withRun(store, run)
    const { deliveries } = store
    const on = (run: string, host: string) => ({ ...message(run, 'a'), host })
    await deliveries.enqueue({ from: 0, to: 1, now: 10, deliveries: [on('r', 'one'), on('s', 'two')] })
    await deliveries.enqueue({ from: 1, to: 2, now: 20, deliveries: [on('t', 'one')] })
    assert.deepEqual(await deliveries.hosts(), [
      { host: 'one', dueAt: 10 },
      { host: 'two', dueAt: 10 },
    ])
    const claimed = await deliveries.claim(claim(30, { host: 'one', limit: 9 }))
    assert.deepEqual(new Set(claimed.map(({ run, host }) => `${run} ${host}`)), new Set(['r one', 't one']))
  })

  withStore('runs that other engines drive are left to them', async store => {
    const mine = { ...append('r', 0), engine: 'me' }
    await store.append(mine)
    await store.append({ ...append('s', 0), engine: 'other' })
    const { deliveries } = store
    await deliveries.enqueue(batch(0, 1, ['r', 'a'], ['s', 'a']))
    const claimed = await deliveries.claim(claim(10, { leftTo: ['other'] }))
    assert.deepEqual(
      claimed.map(({ run }) => run),
      ['r'],
    )
    assert.equal((await deliveries.claim(claim(10))).length, 1)
  })

  withStore('messages go with their run, and none is made for one that is gone', async store => {
    await withRun(store, 'r')
    const { deliveries } = store
    await deliveries.enqueue(batch(0, 1, ['r', 'a'], ['r', 'b']))
    await store.append(settle('r', 1))
    assert.equal(await store.removeRun('r'), true)
    await deliveries.enqueue(batch(1, 2, ['r', 'c']))
    assert.deepEqual((await deliveries.list({})).items, [])
    assert.deepEqual(await deliveries.hosts(), [])
    assert.equal(await deliveries.delivery('r', 1), null)
    assert.equal(await deliveries.waiting('r'), 0)
  })

  withStore('pages of a run are in order, those of a DAG newest first, and nothing is twice', async store => {
    for (const run of ['r', 's']) await withRun(store, run)
    const { deliveries } = store
    await deliveries.enqueue({ ...batch(0, 1, ['r', 'a'], ['r', 'b']), now: 10 })
    await deliveries.enqueue({ ...batch(1, 2, ['s', 'a'], ['r', 'c']), now: 20 })
    const read = async (query: Parameters<typeof deliveries.list>[0]): Promise<string[]> => {
      const found: string[] = []
      for (let after: string | null = ''; after !== null; ) {
        const page = await deliveries.list({ ...query, limit: 1, ...(after === '' ? {} : { after }) })
        found.push(...page.items.map(({ run, number }) => `${run}${number}`))
        after = page.next
      }
      return found
    }
    assert.deepEqual(await read({ run: 'r' }), ['r1', 'r2', 'r3'])
    assert.deepEqual(await read({ namespace: 'default', dag: 'etl' }), ['s1', 'r3', 'r2', 'r1'])
    assert.deepEqual(await read({ namespace: 'default', dag: 'other' }), [])
    assert.deepEqual(await read({ run: 'r', states: ['delivered'] }), [])
    assert.deepEqual(await read({ run: 'r', states: [] }), [])
    await refused('BAD_CURSOR', deliveries.list({ after: 'x' }))
  })

  withStore('a thousand messages of one event are put in line together', async store => {
    await withRun(store, 'r')
    const many = Array.from({ length: 1_001 }, (_, index) => ['r', `e${index}`] as const)
    await store.deliveries.enqueue(batch(0, 1, ...many))
    assert.equal(await store.deliveries.waiting('r'), 1_001)
    assert.equal((await store.deliveries.delivery('r', 1_001))?.event, 'e1000')
  })
}

async function withRun(store: Store, run: string): Promise<void> {
  await store.append(append(run, 0, { rows: { run: runRow(run), tasks: [], attempts: [] } }))
}

const message = (run: string, event: string) => ({
  run,
  namespace: 'default',
  dag: 'etl',
  event,
  host: 'h',
  body: '{}',
})

function batch(from: number, to: number, ...messages: readonly (readonly [run: string, event: string])[]) {
  return { from, to, now: 10, deliveries: messages.map(([run, event]) => message(run, event)) }
}

function claim(now: number, over: Partial<DeliveryClaim> = {}): DeliveryClaim {
  return { host: 'h', now, until: now + 30_000, limit: 4, claim: `claim ${now}`, leftTo: [], ...over }
}

const attempt = (): DeliveryAttempt => ({
  at: 1_000,
  durationMs: 5,
  code: 'RECEIVER_REFUSED',
  status: 500,
  address: '127.0.0.1',
  verified: null,
  response: 'no',
})

function result(claimed: ClaimedDelivery | undefined, follows: DeliveryResult['follows']): DeliveryResult {
  assert.ok(claimed !== undefined)
  return { run: claimed.run, number: claimed.number, claim: claimed.claim, attempt: attempt(), follows }
}

async function states(store: Store): Promise<readonly string[]> {
  return (await store.deliveries.list({ run: 'r' })).items.map(({ state }) => state)
}
