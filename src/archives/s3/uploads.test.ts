import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../test/model/manual-clock.ts'
import type { LogRef } from '../../ports/logs.ts'
import { Uploads } from './uploads.ts'

const logOf = (run: string): LogRef => ({ run, task: 'build', attempt: 1 })
const GIVEN_UP = { code: 'LOG_S3_CLOSED' }

function uploads(): Uploads {
  return new Uploads({
    bucket: 'logs',
    clock: new ManualClock().for('here'),
    random: () => 0,
    smallMax: 1,
    largeMax: 1,
    trouble: () => undefined,
  })
}

test('one that waits for its turn leaves the queue when it is given up; the next one has its turn', async () => {
  const all = uploads()
  const first = Promise.withResolvers<void>()
  const done: string[] = []
  const one = all.run(logOf('a'), 'small', () => first.promise)
  const two = assert.rejects(
    all.run(logOf('b'), 'small', async () => void done.push('b')),
    GIVEN_UP,
  )
  const three = all.run(logOf('c'), 'small', async () => void done.push('c'))
  all.giveUp(({ run }) => run === 'b')
  await two
  first.resolve()
  await Promise.all([one, three])
  assert.deepEqual(done, ['c'])
})

test('one that waits for its next try is given up at once', async () => {
  const all = uploads()
  const failed = Promise.withResolvers<void>()
  const one = assert.rejects(
    all.run(logOf('a'), 'large', async () => {
      failed.resolve()
      throw new Error('away')
    }),
    GIVEN_UP,
  )
  await failed.promise
  all.giveUp(() => true)
  await one
})

test('closing gives up all, those that come later too', async () => {
  const all = uploads()
  const work = (signal: AbortSignal): Promise<void> =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))))
  const under = ['a', 'b'].map(run => assert.rejects(all.run(logOf(run), 'small', work), GIVEN_UP))
  all.close()
  await Promise.all(under)
  await assert.rejects(all.run(logOf('c'), 'small', work), GIVEN_UP)
})
