import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backOff } from './back-off.ts'

test('waits double up to the longest one', () => {
  const longest = [0, 1, 2, 3, 4, 50, 5_000].map(attempt => backOff(attempt, 100, 1_000, 1))
  assert.deepEqual(longest, [100, 200, 400, 800, 1_000, 1_000, 1_000])
})

test('chance shortens a wait by three quarters at most', () => {
  assert.equal(backOff(3, 100, 10_000, 0), 200)
})
