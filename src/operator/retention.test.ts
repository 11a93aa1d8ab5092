import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aDag } from '../../test/model/dags.ts'
import type { StoredRun } from '../ports/store.ts'
import { isOver, retentionOf } from './retention.ts'

const DAY = 86_400_000
const PRESET = { runs: 100, ageMs: 30 * DAY }
const ended = (endedAt: number): StoredRun => ({ endedAt }) as unknown as StoredRun

test('what a DAG says of its history goes before what is set for all, each part by itself', () => {
  assert.deepEqual(retentionOf(aDag({}), PRESET), PRESET)
  assert.deepEqual(retentionOf(aDag({ extra: { retention: { runs: 3 } } }), PRESET), { ...PRESET, runs: 3 })
  assert.deepEqual(retentionOf(aDag({ extra: { retention: { age: '7d' } } }), PRESET), {
    runs: 100,
    ageMs: 7 * DAY,
  })
})

test('a run is over when it is behind so many newer ones, or ended so long ago', () => {
  const rule = { runs: 2, ageMs: DAY }
  assert.equal(isOver(ended(0), 2, rule, DAY), false)
  assert.equal(isOver(ended(0), 3, rule, DAY), true)
  assert.equal(isOver(ended(0), 1, rule, DAY + 1), true)
})

test('without bounds nothing is ever over', () =>
  assert.equal(isOver(ended(0), 1_000_000, { runs: null, ageMs: null }, Number.MAX_SAFE_INTEGER), false))
