import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readDocuments } from './read.ts'

const read = (text: string, found = false): ReturnType<typeof readDocuments> =>
  readDocuments([{ name: 'f.yaml', text, found }], 'default')

test('Secrets and ConfigMaps are kept apart, by namespace, name and key', () => {
  const { secrets, configMaps, problems } = read(`apiVersion: v1
kind: Secret
metadata: {name: s}
data: {a: aHVzaA==, b: "aHV\\n zaA=="}
stringData: {a: plain wins, empty: }
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: team}
data: {colour: blue}
`)
  assert.deepEqual(problems, [])
  assert.deepEqual(
    [...secrets],
    [
      ['default/s/a', 'plain wins'],
      ['default/s/b', 'hush'],
      ['default/s/empty', ''],
    ],
  )
  assert.deepEqual([...configMaps], [['team/c/colour', 'blue']])
})

test('a broken Secret is told without its value', () => {
  const { problems } = read('apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: hunter2!}\n')
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['VALUES_INVALID'],
  )
  assert.doesNotMatch(JSON.stringify(problems), /hunter2/)
})

test('a List is taken apart, lists inside lists too', () => {
  const run = { apiVersion: 'kontroler.greedykomodo/v1alpha1', kind: 'DagRun' }
  const list = {
    apiVersion: 'v1',
    kind: 'List',
    items: [run, { apiVersion: 'v1', kind: 'List', items: [run] }],
  }
  assert.equal(read(JSON.stringify(list)).dagRuns.length, 2)
  assert.equal(read(JSON.stringify({ ...list, kind: 'DagRunList' })).dagRuns.length, 2)
})

test('a byte order mark and Windows line ends shift no place', () => {
  const { problems } = read('\ufeffapiVersion: nope\r\nkind: DAG\r\n')
  assert.deepEqual(problems[0]?.at, { file: 'f.yaml', line: 1, column: 13 })
})

test('a file that was only found may be anything; one that was named must make sense', () => {
  for (const text of ['{"name": "package", "version": "1"}', 'just: values\n', 'not: [yaml', '']) {
    assert.deepEqual(read(text, true).problems, [], text)
    assert.notEqual(read(text).problems.length, 0, text)
  }
})

test('a broken document in a found file that is ours is told', () => {
  const { problems } = read('apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n---\na: [b\n', true)
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['YAML_SYNTAX'],
  )
})
