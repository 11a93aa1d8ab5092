import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Needs } from './needs.ts'
import { Waiting } from './waiting.ts'

test('who waits is found by what it waits for, as it was last said', () => {
  const waiting = new Waiting()
  waiting.set('a', ['x', 'y'])
  waiting.set('b', ['x'])
  assert.deepEqual(waiting.of('x'), ['a', 'b'])
  waiting.set('a', ['y'])
  assert.deepEqual([waiting.of('x'), waiting.of('y')], [['b'], ['a']])
  waiting.set('b', [])
  assert.deepEqual(waiting.of('x'), [])
})

test('a DAG is found by what it needs, in its own namespace', () => {
  const needs = new Needs()
  const references = { dagTasks: [{ name: 't', version: 1 }], dags: ['d'] }
  needs.add('space', 'x', references)
  assert.deepEqual(needs.users('space', 't'), ['space/x'])
  assert.deepEqual(needs.callers('space', 'd'), ['space/x'])
  assert.deepEqual(needs.callers('other', 'd'), [])
  needs.remove('space', 'x', references)
  assert.deepEqual(needs.users('space', 't'), [])
})
