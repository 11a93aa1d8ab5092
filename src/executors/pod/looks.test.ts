import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../test/model/manual-clock.ts'
import { Looks } from './looks.ts'

const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

function house(answer: (looks: Looks, count: number) => void) {
  const clock = new ManualClock()
  const times: number[] = []
  const begun = clock.now()
  const looks: Looks = new Looks({
    clock: clock.for('attempt'),
    look: async () => {
      times.push(clock.now() - begun)
      answer(looks, times.length)
    },
    failed: () => undefined,
  })
  const pass = async (ms: number): Promise<void> => {
    await settled()
    for (let left = ms; ; ) {
      const { passed, called } = clock.next(left)
      left -= passed
      await settled()
      if (!called) return
    }
  }
  return { looks, times, pass }
}

test('what has to be asked again is asked ever more rarely, and soon again after another answer', async () => {
  const { looks, times, pass } = house((of, count) => {
    if (count !== 8) of.retry()
  })
  looks.soon()
  await pass(12_000)
  assert.deepEqual(times, [0, 100, 300, 700, 1_500, 3_100, 6_300, 11_300])
  looks.soon()
  await pass(100)
  assert.deepEqual(times.slice(8), [12_000, 12_100])
})

test('a question that fails is asked again', async () => {
  const { looks, times, pass } = house((_, count) => {
    if (count < 3) throw new Error('away')
  })
  looks.soon()
  await pass(60_000)
  assert.deepEqual(times, [0, 100, 300])
})

test('the earliest time that was wished for counts, and a close calls all off', async () => {
  const { looks, times, pass } = house(() => undefined)
  looks.after(500)
  looks.after(200)
  looks.after(900)
  await pass(1_000)
  assert.deepEqual(times, [200])
  looks.after(10)
  await looks.close()
  await pass(1_000)
  looks.soon()
  await pass(1)
  assert.deepEqual(times, [200])
})
