import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { test } from 'node:test'
import { loadDocuments } from '../../../src/spec/load.ts'
import { startOperatorPlace } from './place.ts'

const { cluster } = await startOperatorPlace()
const API = 'kontroler.greedykomodo/v1alpha1'
const TASK = { name: 'a', image: 'busybox', command: ['true'] }

const object = (kind: string, name: string, spec: object): object => ({
  apiVersion: API,
  kind,
  metadata: { name, namespace: 'default' },
  spec,
})

test('an API server takes every kind, with its short name and its category', () => {
  for (const name of ['dag', 'dr', 'dt', 'kontroler'])
    assert.equal(cluster.kubectl('get', name, '-o', 'name'), '', name)
  const kinds = cluster.kubectl('api-resources', '--api-group=kontroler.greedykomodo', '-o', 'name')
  assert.deepEqual(kinds.trim().split('\n').toSorted(), [
    'dagruns.kontroler.greedykomodo',
    'dags.kontroler.greedykomodo',
    'dagtasks.kontroler.greedykomodo',
  ])
})

test('no schema breaks a rule of structural schemas or costs more than an API server allows', () => {
  const crds = JSON.parse(cluster.kubectl('get', 'crd', '-o', 'json')) as {
    items: { status: { conditions: { type: string; status: string; message: string }[] } }[]
  }
  assert.equal(crds.items.length, 3)
  for (const { status } of crds.items) {
    assert.equal(status.conditions.find(({ type }) => type === 'Established')?.status, 'True')
    assert.equal(
      status.conditions.find(({ type }) => type === 'NonStructuralSchema'),
      undefined,
    )
  }
})

for (const file of globSync('test/accepted/*').toSorted()) {
  test(`every object of ${basename(file)} is taken whole`, () => {
    const loaded = loadDocuments([{ name: file, text: readFileSync(file, 'utf8') }])
    const objects = [...loaded.dags, ...loaded.dagRuns, ...loaded.dagTasks]
    for (const { document } of objects) {
      const text = document as { metadata: { namespace?: string; name?: string; generateName?: string } }
      const name = text.metadata.name ?? `${text.metadata.generateName ?? ''}x`
      const { spec, kind } = document as { spec: object; kind: string }
      const [sent] = [object(kind, name, spec)]
      // Strict validation refuses what would be dropped.
      cluster.apply(sent ?? {})
      const kept = JSON.parse(cluster.kubectl('get', kind, name, '-o', 'json')) as { spec: object }
      assert.deepEqual(kept.spec, withoutNulls(spec))
    }
    cluster.kubectl('delete', 'dag,dr,dt', '--all')
  })
}

const refused: readonly (readonly [what: string, object: object, why: RegExp])[] = [
  [
    'tasks beside the arrow language',
    object('DAG', 'both', { dsl: 'graph { a }', task: [TASK] }),
    /a DAG has tasks or the arrow language \(dsl\), not both/,
  ],
  [
    'a name that no label can hold',
    object('DAG', 'n'.repeat(64), { task: [TASK] }),
    /has at most 63 characters/,
  ],
  [
    'a trigger with two sources',
    object('DAG', 'two', { task: [TASK], triggers: [{ dag: { name: 'x' }, s3: { bucket: 'b' } }] }),
    /a trigger has exactly one source/,
  ],
  [
    'a task that is a DAG and an approval',
    object('DAG', 'task', { task: [{ name: 'a', dag: { name: 'x' }, approval: { message: 'ok?' } }] }),
    /a task runs a DAG or waits for an approval, not both/,
  ],
  [
    'a word that is none of the list',
    object('DAG', 'word', { task: [TASK], catchUp: 'some' }),
    /Unsupported value/,
  ],
  [
    'a number out of range',
    object('DAG', 'range', { task: [TASK], maxParallelTasks: 0 }),
    /greater than or equal to 1/,
  ],
  ['an unknown field', object('DAG', 'field', { task: [TASK], tasks: [] }), /unknown field "(spec\.)?tasks"/],
  [
    'a DagRun without a DAG',
    object('DagRun', 'none', {}),
    /spec\.dagName: Required value|missing required field "dagName"/,
  ],
  [
    'a fork from nowhere',
    object('DagRun', 'fork', { dagName: 'a', action: { type: 'fork', run: 'x' } }),
    /a fork needs the task to start from/,
  ],
]
for (const [what, bad, why] of refused) {
  test(`refused: ${what}`, () => assert.throws(() => cluster.apply(bad), why))
}

test('a DagRun keeps its DAG', () => {
  cluster.apply(object('DagRun', 'kept', { dagName: 'a' }))
  assert.throws(() => cluster.apply(object('DagRun', 'kept', { dagName: 'b' })), /keeps its DAG/)
})

test('a run that has begun keeps its parameters and its action, and can be paused and cancelled', () => {
  const spec = { dagName: 'a', parameters: [{ name: 'p', value: '1' }] }
  cluster.apply(object('DagRun', 'begun', spec))
  status('begun', { runId: 'x', phase: 'running' })
  assert.throws(() => cluster.apply(object('DagRun', 'begun', { dagName: 'a' })), /keeps its parameters/)
  const action = { type: 'retry', run: 'y' }
  assert.throws(() => cluster.apply(object('DagRun', 'begun', { ...spec, action })), /keeps its action/)
  cluster.apply(object('DagRun', 'begun', { ...spec, paused: true }))
  cluster.apply(object('DagRun', 'begun', { ...spec, cancel: true }))
})

test('a DagRun that has not begun can be corrected', () => {
  cluster.apply(object('DagRun', 'waits', { dagName: 'a', parameters: [{ name: 'p' }] }))
  status('waits', { phase: 'pending' })
  cluster.apply(object('DagRun', 'waits', { dagName: 'a' }))
})

test('what has ended never changes, but its labels may and its status still can be read', () => {
  cluster.apply(object('DagRun', 'over', { dagName: 'a' }))
  status('over', { runId: 'x', phase: 'succeeded', completionTime: '2026-01-01T00:00:00Z' })
  assert.throws(() => cluster.apply(object('DagRun', 'over', { dagName: 'a', cancel: true })), /has ended/)
  cluster.kubectl('label', 'dr', 'over', 'team=a')
})

test('a status is written by its subresource alone', () => {
  cluster.apply({ ...object('DagRun', 'own', { dagName: 'a' }), status: { phase: 'succeeded' } })
  assert.equal(cluster.kubectl('get', 'dr', 'own', '-o', 'jsonpath={.status}'), '')
})

function status(name: string, value: object): void {
  const patch = JSON.stringify({ status: value })
  cluster.kubectl('patch', 'dr', name, '--subresource=status', '--type=merge', '-p', patch)
}

/** An empty field is an absent one for an API server. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, withoutNulls(item)]),
  )
}
