import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ago } from './text.ts'

test('how long ago is said in words that fit a sentence', () => {
  assert.deepEqual([0, 999, 1_000, 3_600_000].map(ago), ['just now', 'just now', '1s ago', '1h ago'])
})
