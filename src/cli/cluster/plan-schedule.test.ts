import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aDag, aTask } from '../../../test/model/dags.ts'
import type { Dag } from '../../core/dag/dag.ts'
import { scheduleOf } from './plan-schedule.ts'

const NOW = Date.UTC(2026, 0, 1)
const HOUR_MS = 3_600_000
const dag = (...schedules: readonly string[]): Dag =>
  aDag({ name: 'nightly', tasks: [aTask({ name: 'load' })], schedules })
const plan = (before: Dag | null, after: Dag, days = 7) => scheduleOf(before, after, { now: NOW, days })

test('ticks are compared one by one', () => {
  const found = plan(dag('0 3 * * *'), dag('0 3,4 * * *'), 2)
  assert.deepEqual([found?.stay, found?.added.length, found?.removed.length], [2, 2, 0])
  assert.equal(found?.until, null)
})

test('without a schedule there is nothing to plan; one that is new or goes is told', () => {
  assert.equal(plan(dag(), dag()), null)
  assert.equal(plan(null, dag('0 3 * * *'))?.added.length, 7)
  assert.equal(plan(dag('0 3 * * *'), dag())?.removed.length, 7)
})

test('two schedules are compared only as far as both were looked at, and that is told', () => {
  const found = plan(dag('* * * * *'), dag('0 * * * *'))
  assert.ok(found?.until !== null && found !== null && found.until < NOW + 7 * 24 * HOUR_MS)
  assert.deepEqual(found.added, [], 'each hour has a minute')
  assert.equal(found.stay, 50)
  assert.equal(found.removed.length, 2_950)
})
