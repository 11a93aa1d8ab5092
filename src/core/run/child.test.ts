import assert from 'node:assert/strict'
import { test } from 'node:test'
import { childOutcome, childRunId, childRunName } from './child.ts'

test('the run of a task has an id and a name that follow from the attempt, and no two attempts share one', () => {
  const attempts = [1, 2].flatMap(attempt => ['a', 'a[0]', 'a[1]'].map(task => [task, attempt] as const))
  const ids = attempts.map(([task, attempt]) =>
    childRunId('01a210b7-5406-76de-9b96-c514a9b7ecbb', task, attempt),
  )
  const names = attempts.map(([task, attempt]) => childRunName('nightly-x7k2p', task, attempt))
  assert.deepEqual(new Set(ids).size, attempts.length)
  assert.deepEqual(names, [
    'nightly-x7k2p-a',
    'nightly-x7k2p-a-0',
    'nightly-x7k2p-a-1',
    'nightly-x7k2p-a-attempt-2',
    'nightly-x7k2p-a-0-attempt-2',
    'nightly-x7k2p-a-1-attempt-2',
  ])
})

test('the task says of its run what a person can look up', () => {
  const outcome = childOutcome({ phase: 'failed', name: 'nightly-a', message: 'dump exited with code 1' })
  assert.deepEqual([outcome.kind, outcome.message], ['exitCode', 'run nightly-a: dump exited with code 1'])
})
