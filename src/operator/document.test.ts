import assert from 'node:assert/strict'
import { readFileSync, globSync } from 'node:fs'
import { basename } from 'node:path'
import { test } from 'node:test'
import { loadAll } from 'js-yaml'
import { anObject } from '../../test/model/cluster-objects.ts'
import type { Json } from '../core/json.ts'
import type { Problem } from '../core/problem.ts'
import { API_VERSION } from '../spec/api-version.ts'
import { loadDocuments } from '../spec/load.ts'
import { fieldOf } from './conditions.ts'
import { readDag, readDagRun, readDagTask, referencesOf } from './document.ts'
import { problemText } from './problem-text.ts'

const TASK = { name: 'a', image: 'busybox', command: ['true'] }
const none = () => null

test('an object means what its text means', () => {
  const { value } = readDag(anObject('x', { task: [TASK] }), [], none)
  assert.equal(value?.namespace, 'space')
  assert.equal(value?.tasks[0]?.name, 'a')
})

/** Texts of one DAG each that YAML readers agree about, and which are wrong for what they say. */
const broken = globSync('test/broken/*.yaml')
  .toSorted()
  .flatMap(file => {
    const text = readFileSync(file, 'utf8')
    const codes = errorsOf(loadDocuments([{ name: file, text }]).problems)
    const document = onlyDag(text)
    return document === null || codes.some(code => code.startsWith('YAML_'))
      ? []
      : [{ file, codes, document }]
  })

test('there are texts to compare with', () => assert.ok(broken.length > 150, String(broken.length)))

for (const { file, codes, document } of broken) {
  test(`${basename(file)}: the same codes as of its text`, () => {
    const { metadata, spec } = document
    const read = readDag(anObject(metadata.name, spec, { namespace: 'default' }), [], none)
    assert.deepEqual(errorsOf(read.problems), codes)
  })
}

test('what another DAG did wrong is not told of this one', () => {
  const other = anObject('other', { task: [{ ...TASK, runAfter: ['none'] }] })
  const calls = anObject('calls', { task: [{ name: 'call', dag: { name: 'other' } }] })
  assert.deepEqual(readDag(calls, [other], none).problems, [])
})

test('characters that YAML does not take are taken, since JSON does', () => {
  const odd = 'a\u0085\u2028\u007f\ufeffb'
  const { value, problems } = readDag(anObject('x', { task: [{ ...TASK, args: [odd] }] }), [], none)
  assert.deepEqual(problems, [])
  const work = value?.tasks[0]?.work
  assert.deepEqual(work?.kind === 'container' ? work.args : [], [odd])
})

test('DagTasks and DagRuns are read alike', () => {
  assert.equal(readDagTask(anObject('t', { image: 'busybox', command: ['true'] })).value?.image, 'busybox')
  assert.equal(readDagTask(anObject('t', { image: 'busybox' })).value, null)
  const run = readDagRun(anObject('r', { dagName: 'x', cancel: true, parameters: [{ name: 'p', value: 1 }] }))
  assert.deepEqual(run.value?.parameters, [{ name: 'p', value: { kind: 'value', value: '1' } }])
  assert.equal(readDagRun(anObject('r', {})).value, null)
  assert.equal(readDagRun(anObject('r', null)).value, null)
})

test('what a DAG needs is found in whatever stands there', () => {
  const spec = {
    task: [
      { taskRef: { name: 't', version: 2 } },
      { dag: { name: 'd' } },
      null,
      'x',
      { taskRef: { name: 1 } },
    ],
    finally: { not: 'a list' },
  }
  assert.deepEqual(referencesOf(spec), { dagTasks: [{ name: 't', version: 2 }], dags: ['d'] })
  assert.deepEqual(referencesOf(null), { dagTasks: [], dags: [] })
})

test('problems are told with code, place and fix, the first few of them', () => {
  const tasks = Array.from({ length: 9 }, (_, index) => ({ ...TASK, name: `t${index}`, runAfter: ['none'] }))
  const { reason, message } = problemText(readDag(anObject('x', { task: tasks }), [], none).problems)
  assert.equal(reason, 'TASK_UNKNOWN')
  assert.match(message, /^TASK_UNKNOWN at spec\.task\[0\]\.runAfter\[0\]: .* \(fix: .*\); /)
  assert.ok(message.length <= 800)
})

function errorsOf(problems: readonly Problem[]): readonly string[] {
  return problems.flatMap(({ severity, code }) => (severity === 'error' ? [code] : [])).toSorted()
}

function onlyDag(text: string): { readonly metadata: { readonly name: string }; readonly spec: Json } | null {
  const documents: unknown[] = []
  try {
    documents.push(...loadAll(text))
  } catch {
    return null
  }
  const [document] = documents
  const whole = fieldOf(document, 'apiVersion') === API_VERSION && fieldOf(document, 'kind') === 'DAG'
  const keys = Object.keys(document ?? {})
  const metadata = fieldOf(document, 'metadata')
  const plain =
    keys.every(key => ['apiVersion', 'kind', 'metadata', 'spec'].includes(key)) &&
    typeof fieldOf(metadata, 'name') === 'string' &&
    Object.keys(metadata as object).length === 1
  if (documents.length !== 1 || !whole || !plain || fieldOf(document, 'spec') === undefined) return null
  return document as { metadata: { name: string }; spec: Json }
}
