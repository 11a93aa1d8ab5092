import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../test/model/manual-clock.ts'
import { WorkQueue } from './work-queue.ts'

interface Given {
  readonly concurrency?: number
  readonly work?: (key: string) => Promise<number | null>
}

function aQueue({ concurrency = 10, work = async () => null }: Given = {}) {
  const clock = new ManualClock()
  const done: string[] = []
  const failed: string[] = []
  const queue = new WorkQueue({
    clock: clock.for('queue'),
    chance: () => 1,
    concurrency,
    work: async key => {
      done.push(key)
      return await work(key)
    },
    failed: key => failed.push(key),
  })
  return { queue, clock, done, failed }
}

const quiet = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise(resolve => setImmediate(resolve))
}

/** A promise that somebody settles from outside. */
function gate(): { readonly wait: Promise<null>; readonly open: () => void } {
  let open = (): void => undefined
  const wait = new Promise<null>(resolve => {
    open = () => resolve(null)
  })
  return { wait, open }
}

test('what is named often while it is looked at is looked at once more, and never by two at a time', async () => {
  const { wait, open } = gate()
  const { queue, done } = aQueue({ work: () => wait })
  for (let time = 0; time < 5; time += 1) queue.add('a')
  await quiet()
  assert.deepEqual(done, ['a'])
  queue.add('a')
  queue.add('a')
  open()
  await quiet()
  assert.deepEqual(done, ['a', 'a'])
  assert.equal(queue.busy, 0)
})

test('no more is looked at at once than is allowed', async () => {
  const { wait, open } = gate()
  const { queue, done } = aQueue({ concurrency: 2, work: () => wait })
  for (const key of ['a', 'b', 'c']) queue.add(key)
  await quiet()
  assert.deepEqual(done, ['a', 'b'])
  open()
  await quiet()
  assert.deepEqual(done, ['a', 'b', 'c'])
})

test('what fails is tried again, later each time, even if it is named meanwhile; others go on', async () => {
  const { queue, clock, done, failed } = aQueue({
    work: async key => {
      if (key === 'bad') throw new Error('no')
      return null
    },
  })
  queue.add('bad')
  queue.add('good')
  await quiet()
  assert.deepEqual([done, failed], [['bad', 'good'], ['bad']])
  for (const waitMs of [250, 500, 1_000]) {
    clock.next(waitMs - 1)
    await quiet()
    const before = done.length
    clock.next(1)
    await quiet()
    assert.equal(done.length, before + 1, `after ${waitMs} ms`)
  }
})

test('what asks for another look gets it at its time, or sooner when it is named', async () => {
  const { queue, clock, done } = aQueue({ work: async () => (done.length < 2 ? 1_000 : null) })
  queue.add('a')
  await quiet()
  clock.next(999)
  await quiet()
  assert.equal(done.length, 1)
  queue.add('a')
  await quiet()
  assert.equal(done.length, 2)
})

test('closed, it begins nothing, and is over when what was begun is', async () => {
  const { wait, open } = gate()
  const { queue, done } = aQueue({ concurrency: 1, work: () => wait })
  queue.add('a')
  queue.add('b')
  await quiet()
  const closing = queue.close()
  queue.add('c')
  open()
  await closing
  assert.deepEqual(done, ['a'])
})
