import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DURATION_MS_MAX, parseDuration } from './duration.ts'

test('a duration is whole numbers with units, largest first', () => {
  assert.equal(parseDuration('500ms'), 500)
  assert.equal(parseDuration('90s'), 90_000)
  assert.equal(parseDuration('10m'), 600_000)
  assert.equal(parseDuration('1h30m'), 5_400_000)
  assert.equal(parseDuration('2d1h1m1s1ms'), 176_461_001)
  assert.equal(parseDuration('0s'), 0)
})

test('anything else is none', () => {
  for (const text of [
    '',
    ' ',
    '90',
    '1.5h',
    '-5s',
    '+5s',
    '30m1h',
    '5 m',
    '1H',
    '1m1m',
    'm',
    '1hr',
    '∞',
    '1e3s',
  ])
    assert.equal(parseDuration(text), null, text)
})

test('a duration ends at ten years', () => {
  assert.equal(parseDuration('3660d'), DURATION_MS_MAX)
  assert.equal(parseDuration('3661d'), null)
  assert.equal(parseDuration(`${'9'.repeat(400)}h`), null)
})
