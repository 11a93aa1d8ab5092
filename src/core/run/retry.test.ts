import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { RetryPolicy } from '../dag/dag.ts'
import { delayMs } from './retry.ts'

const POLICY: RetryPolicy = {
  limit: 9,
  delayMs: 10_000,
  factor: 2,
  maxDelayMs: 60_000,
  jitter: 0,
  retryCodes: null,
}

suite('the delay before a retry', () => {
  test('grows by the factor up to the longest', () => {
    assert.deepEqual(
      [0, 1, 2, 3, 4].map(retries => delayMs(POLICY, retries, 0.5)),
      [10_000, 20_000, 40_000, 60_000, 60_000],
    )
  })

  test('is shortened by at most the share of jitter, and never made longer', () => {
    const policy = { ...POLICY, jitter: 0.2 }
    assert.equal(delayMs(policy, 0, 0), 10_000)
    assert.equal(delayMs(policy, 0, 0.5), 9_000)
    assert.ok(delayMs(policy, 0, 0.999) >= 8_000)
  })

  test('is a number of milliseconds, whatever the policy and however many retries', () => {
    const policies = fc.record({
      limit: fc.nat(),
      delayMs: fc.nat(),
      factor: fc.double({ min: 1, max: 100, noNaN: true }),
      maxDelayMs: fc.nat(),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
      retryCodes: fc.constant(null),
    })
    fc.assert(
      fc.property(
        policies,
        fc.nat(5_000),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (policy, retries, draw) => {
          const delay = delayMs(policy, retries, draw)
          assert.ok(Number.isInteger(delay) && delay >= 0 && delay <= policy.maxDelayMs, String(delay))
        },
      ),
    )
  })
})
