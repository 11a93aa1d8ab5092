import assert from 'node:assert/strict'
import { test } from 'node:test'
import { append } from '../../../test/contracts/store-records.ts'
import type { Store } from '../../ports/store.ts'
import { openSqliteStore } from './open.ts'

/** How many transactions some writes took: a store in memory has one connection, whose mark counts its commits. */
async function transactions(store: Store, writes: () => Promise<unknown>): Promise<number> {
  const before = await store.changeMark()
  await writes()
  return (await store.changeMark()) - before
}

const some = (store: Store, from: number, count: number): Promise<void>[] =>
  Array.from({ length: count }, (_, index) => store.append(append(`r${from + index}`, 0)))

test('appends of one turn share a transaction, up to 200 of them', async () => {
  await using store = await opened()
  assert.equal(await transactions(store.store, () => Promise.all(some(store.store, 0, 100))), 1)
  assert.equal(await transactions(store.store, () => Promise.all(some(store.store, 100, 401))), 3)
})

test('appends that come while a transaction runs share the next one', async () => {
  await using store = await opened()
  const late: Promise<void>[] = []
  const count = await transactions(store.store, async () => {
    // Writes begin when the turn is over; this one comes after that, in the midst of them.
    const first = some(store.store, 0, 50)
    setImmediate(() => late.push(...some(store.store, 50, 50)))
    await Promise.all(first)
    await new Promise(resolve => setImmediate(resolve))
    await Promise.all(late)
  })
  assert.equal(late.length, 50)
  assert.ok(count <= 2, `${count} transactions`)
})

test('a refused append takes back itself and not the others of its transaction', async () => {
  await using store = await opened()
  const count = await transactions(store.store, async () => {
    const results = await Promise.allSettled([...some(store.store, 0, 2), ...some(store.store, 1, 2)])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
    )
  })
  assert.equal(count, 1)
})

async function opened(): Promise<AsyncDisposable & { readonly store: Store }> {
  const store = await openSqliteStore(':memory:')
  return { store, [Symbol.asyncDispose]: () => store.close() }
}
