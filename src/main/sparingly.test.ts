import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sparingly } from './sparingly.ts'

test('the same trouble is told once a minute, with how often it came', () => {
  const told: string[] = []
  const clock = { now: () => at }
  let at = 0
  const trouble = sparingly((code, message) => told.push(`${code} ${message}`), clock)
  trouble('A', 'one')
  trouble('A', 'two')
  trouble('B', 'three')
  trouble('A', 'four')
  assert.deepEqual(told, ['A one', 'B three'])
  at = 60_000
  trouble('A', 'five')
  at = 120_000
  trouble('A', 'six')
  assert.deepEqual(told.slice(2), ['A five (and 2 more before)', 'A six'])
})
