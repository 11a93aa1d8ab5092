import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anObject } from '../../test/model/cluster-objects.ts'
import { numberOfRun } from '../engine/run-number.ts'
import { MADE_FOR, runOfObject } from './names.ts'

const madeFor = (text: string) => runOfObject(anObject('x', {}, { annotations: { [MADE_FOR]: text } }))

test('a DagRun that a person made is its own run', () =>
  assert.deepEqual(runOfObject(anObject('x', {})), { run: 'uid-of-x', mirror: false }))

test('one that was made for a run is about that run', () =>
  assert.deepEqual(madeFor('space/x/run-7'), { run: 'run-7', mirror: true }))

for (const [what, text] of [
  ['of a copy under another name', 'space/y/run-7'],
  ['of a copy in another namespace', 'other/x/run-7'],
  ['that names no run', 'space/x/'],
  ['with more in it than there should be', 'space/x/run-7/8'],
  ['that is empty', ''],
] as const) {
  test(`an annotation ${what} says nothing`, () =>
    assert.deepEqual(madeFor(text), { run: 'uid-of-x', mirror: false }))
}

test('the number of a run is the same each time, safe to be read as JSON, and grows with time', () => {
  const [first, second] = [numberOfRun('a', 1_800_000_000_000), numberOfRun('b', 1_800_000_000_001)]
  assert.equal(first, numberOfRun('a', 1_800_000_000_000))
  assert.ok(Number.isSafeInteger(second) && second > first)
  assert.ok(Number.isSafeInteger(numberOfRun('c', Date.UTC(2200, 0, 1))))
})
