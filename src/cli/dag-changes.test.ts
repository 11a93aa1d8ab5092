import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dag } from '../core/dag/dag.ts'
import { loadDocuments } from '../spec/load.ts'
import { dagChanges } from './dag-changes.ts'

function dagOf(spec: Readonly<Record<string, unknown>>): Dag {
  const document = {
    apiVersion: 'kontroler.greedykomodo/v1alpha1',
    kind: 'DAG',
    metadata: { name: 'x' },
    spec,
  }
  const { dags, problems } = loadDocuments([{ name: 'x.yaml', text: JSON.stringify(document) }])
  assert.ok(dags[0] !== undefined, JSON.stringify(problems))
  return dags[0].dag
}

const task = (name: string, more: object = {}): object => ({ name, image: 'i', script: 'true', ...more })
const told = (before: Dag, after: Dag): readonly string[] =>
  dagChanges(before, after).map(({ change, what, name, detail }) =>
    `${change} ${what} ${name} ${detail}`.trim(),
  )

test('nothing between equals, and nothing for what is no part of a version', () => {
  const dag = dagOf({ task: [task('a'), task('b', { runAfter: ['a'] })] })
  assert.deepEqual(told(dag, { ...dag, suspended: true }), [])
})

test('tasks by name, edges by both ends, settings by value', () => {
  const before = dagOf({ task: [task('a'), task('b', { runAfter: ['a'] })] })
  const after = dagOf({
    schedule: '@daily',
    task: [task('a', { script: 'false', backoff: { limit: 2 } }), task('c', { runAfter: ['a'] })],
  })
  assert.deepEqual(told(before, after), [
    'changed setting schedules [] → ["@daily"]',
    'changed task a retry, script',
    'added task c',
    'removed task b',
    'added edge a -> c',
    'removed edge a -> b',
  ])
})

test('a task that does something else now says what', () => {
  const before = dagOf({ task: [task('a')] })
  const after = dagOf({ task: [{ name: 'a', approval: { message: 'go?' } }] })
  assert.deepEqual(told(before, after), ['changed task a container → approval'])
})
