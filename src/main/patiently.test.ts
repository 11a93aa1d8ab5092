import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { patiently } from './patiently.ts'

const clock = {
  now: () => 0,
  soon: setImmediate,
  after(_: number, call: () => void) {
    const soon = setImmediate(call)
    return () => clearImmediate(soon)
  },
}

test('a step is done again until it works, waiting twice as long each time; nothing is left behind', async () => {
  const closing = new AbortController()
  const waits: number[] = []
  let tries = 0
  const step = async (): Promise<string> => {
    tries += 1
    if (tries < 8) throw new Error('away')
    return 'there'
  }
  const failed = (_: unknown, againInMs: number): void => void waits.push(againInMs)
  const patience = { clock, chance: () => 0.5, closing: closing.signal, mayPass: () => true, failed }
  assert.equal(await patiently(step, patience), 'there')
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000])
  assert.equal(getEventListeners(closing.signal, 'abort').length, 0)
})

test('closing ends the wait with what failed last', async () => {
  const closing = new AbortController()
  const step = (): Promise<never> => Promise.reject(new Error('away'))
  const patience = { clock, chance: () => 0, closing: closing.signal, mayPass: () => true }
  await assert.rejects(patiently(step, { ...patience, failed: () => closing.abort() }), /away/)
})
