import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BACK_OFF, nextAttemptAt, retryAfterOf } from './back-off.ts'

/** All attempts of a message whose receiver never takes it, in milliseconds from the first. */
function attemptsOf(id: string): readonly number[] {
  const times = [0]
  for (let now = 0; ; ) {
    const next = nextAttemptAt({ id, attempts: times.length, since: 0 }, now, null)
    if (next === null) return times
    times.push(next)
    now = next
  }
}

test('attempts are ever further apart, for three days and no longer', () => {
  const times = attemptsOf('m')
  assert.ok(times.length > 12 && times.length < 30, String(times.length))
  assert.ok((times.at(-1) ?? 0) <= BACK_OFF.givenUpAfterMs)
  assert.ok((times.at(-1) ?? 0) > BACK_OFF.givenUpAfterMs - 2 * BACK_OFF.mostMs)
  assert.ok((times[1] ?? 0) >= 4_000 && (times[1] ?? 0) <= 6_000)
})

test('messages that failed together do not come back together', () =>
  assert.ok(new Set(['a', 'b', 'c', 'd'].map(id => attemptsOf(id)[1])).size > 1))

test('a message has the same times wherever it is sent from', () =>
  assert.deepEqual(attemptsOf('m'), attemptsOf('m')))

test('Retry-After is honoured, up to a day', () => {
  const message = { id: 'm', attempts: 1, since: 0 }
  assert.equal(nextAttemptAt(message, 0, 60_000), 60_000)
  assert.equal(nextAttemptAt(message, 0, 10 * 86_400_000), BACK_OFF.retryAfterMaxMs)
  assert.ok((nextAttemptAt(message, 0, 10) ?? 0) > 10)
})

test('Retry-After is seconds or a date, and nothing else', () => {
  assert.equal(retryAfterOf('120', 1_000), 121_000)
  assert.equal(retryAfterOf('Thu, 01 Jan 1970 00:02:00 GMT', 5), 120_000)
  assert.equal(retryAfterOf('soon', 5), null)
  assert.equal(retryAfterOf(null, 5), null)
})
