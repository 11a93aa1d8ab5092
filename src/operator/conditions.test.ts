import assert from 'node:assert/strict'
import { test } from 'node:test'
import { conditionsSince, moment, standingConditions } from './conditions.ts'

const of = (standing: Parameters<typeof standingConditions>[0]): Record<string, string> =>
  Object.fromEntries(standingConditions(standing, 'Why', 'words').map(({ type, status }) => [type, status]))

test('as kstatus reads them: ready, on its way, or stuck', () => {
  assert.deepEqual(of('current'), { Ready: 'True', Reconciling: 'False', Stalled: 'False' })
  assert.deepEqual(of('inProgress'), { Ready: 'False', Reconciling: 'True', Stalled: 'False' })
  assert.deepEqual(of('stalled'), { Ready: 'False', Reconciling: 'False', Stalled: 'True' })
})

test('a condition keeps its time as long as its status stays, whatever its words', () => {
  const first = conditionsSince(standingConditions('current', 'A', 'a'), undefined, 1, 0)
  const second = conditionsSince(standingConditions('current', 'B', 'b'), first, 2, 60_000)
  assert.deepEqual(
    second.map(({ lastTransitionTime }) => lastTransitionTime),
    [moment(0), moment(0), moment(0)],
  )
  const third = conditionsSince(standingConditions('stalled', 'C', 'c'), second, 3, 90_000)
  assert.deepEqual(
    third.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]),
    [
      ['Ready', moment(90_000)],
      ['Reconciling', moment(0)],
      ['Stalled', moment(90_000)],
    ],
  )
})

test('conditions that are none are passed over', () => {
  for (const before of [null, 'x', [1, {}, { type: 'Ready' }]])
    assert.equal(conditionsSince(standingConditions('current', 'A', ''), before, 1, 0).length, 3)
})

test('reasons are words that Kubernetes takes, and long messages are cut', () => {
  const [ready] = conditionsSince(standingConditions('current', 'DAG_CYCLE', 'x'.repeat(5_000)), null, 1, 0)
  assert.match(ready?.reason ?? '', /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
  assert.ok((ready?.message.length ?? 0) <= 800)
})
