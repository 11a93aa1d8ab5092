import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Dag, Task } from '../core/dag/dag.ts'
import { loadDocuments, type Loaded, type LoadOptions } from './load.ts'

const HEAD = 'apiVersion: kontroler.greedykomodo/v1alpha1\n'
const dagText = (spec: string): string =>
  `${HEAD}kind: DAG\nmetadata: {name: d, labels: {team: x}}\nspec:\n${spec}`
const FINE = '    - {name: a, image: alpine, command: [x]}\n'
const load = (text: string, options?: LoadOptions): Loaded =>
  loadDocuments([{ name: 'f.yaml', text }], options)
const codes = ({ problems }: Loaded): string[] => problems.map(({ code }) => code)

function dagOf(text: string, options?: LoadOptions): Dag {
  const loaded = load(text, options)
  assert.deepEqual(loaded.problems, [])
  const [only] = loaded.dags
  assert.ok(only !== undefined)
  return only.dag
}

const taskOf = (fields: string): Task => {
  const [task] = dagOf(
    dagText(`  parameters: [{name: p, defaultValue: v}]\n  task:\n    - ${fields}\n`),
  ).tasks
  assert.ok(task !== undefined)
  return task
}

test('a DAG that says little has every default filled in', () => {
  assert.deepEqual(dagOf(dagText(`  task:\n${FINE}`)), {
    namespace: 'default',
    name: 'd',
    schedules: [],
    timeZone: 'UTC',
    catchUp: 'latest',
    startingDeadlineMs: null,
    concurrencyPolicy: 'Allow',
    suspended: false,
    parameters: [],
    tasks: [
      {
        name: 'a',
        runAfter: [],
        work: {
          kind: 'container',
          image: 'alpine',
          command: ['x'],
          args: [],
          script: null,
          scriptInjectorImage: null,
          env: [],
          resources: null,
          podTemplate: null,
        },
        when: null,
        triggerRule: 'allSucceeded',
        allowFailure: false,
        retry: { limit: 0, delayMs: 0, factor: 2, maxDelayMs: 3_600_000, jitter: 0, retryCodes: null },
        timeoutMs: null,
        pendingTimeoutMs: null,
        parameters: [],
        outputs: [],
        fanOut: null,
        pool: null,
        priority: null,
        onLost: 'retry',
      },
    ],
    finally: [],
    maxParallelTasks: null,
    timeoutMs: null,
    failFast: false,
    priority: 0,
    pool: null,
    workspace: null,
    labels: { team: 'x' },
    extra: {},
  })
})

test('durations become milliseconds; the deadline of the pod is the time-out unless there is one', () => {
  const pod = 'podTemplate: {activeDeadlineSeconds: 7}'
  assert.equal(taskOf(`{name: a, image: i, command: [x], ${pod}}`).timeoutMs, 7000)
  assert.equal(taskOf(`{name: a, image: i, command: [x], timeout: 1m30s, ${pod}}`).timeoutMs, 90_000)
  assert.equal(taskOf('{name: a, image: i, command: [x], pendingTimeout: 5m}').pendingTimeoutMs, 300_000)
})

test('retry codes count only while conditional is enabled', () => {
  const codesOf = (enabled: boolean): readonly number[] | null =>
    taskOf(`{name: a, image: i, command: [x], conditional: {enabled: ${enabled}, retryCodes: [1, 2]}}`).retry
      .retryCodes
  assert.deepEqual(codesOf(true), [1, 2])
  assert.equal(codesOf(false), null)
})

test('a delay longer than the default bound moves the bound', () => {
  const { retry } = taskOf('{name: a, image: i, command: [x], backoff: {limit: 1, delay: 2h}}')
  assert.deepEqual([retry.delayMs, retry.maxDelayMs], [7_200_000, 7_200_000])
})

test('a script wins over command and args, with a warning', () => {
  const loaded = load(dagText('  task:\n    - {name: a, image: i, command: [x], args: [y], script: echo}\n'))
  assert.deepEqual(codes(loaded), ['SCRIPT_WINS'])
  const work = loaded.dags[0]?.dag.tasks[0]?.work
  assert.ok(work?.kind === 'container')
  assert.deepEqual([work.command, work.args, work.script], [[], [], 'echo'])
})

test('variables keep their source; nothing reads a Secret here', () => {
  const { work } = taskOf(`name: a
      image: i
      command: [x]
      env:
        - {name: A}
        - {name: B, value: "\${{ parameters.p }}"}
        - {name: C, valueFrom: {secretKeyRef: {name: s, key: k}}}
        - {name: D, valueFrom: {configMapKeyRef: {name: c, key: k, optional: true}}}
        - {name: E, valueFrom: {fieldRef: {fieldPath: metadata.name}}}`)
  assert.ok(work.kind === 'container')
  assert.deepEqual(work.env, [
    { name: 'A', kind: 'text', value: '' },
    { name: 'B', kind: 'text', value: '${{ parameters.p }}' },
    { name: 'C', kind: 'secret', secret: { name: 's', key: 'k' }, optional: false },
    { name: 'D', kind: 'configMap', configMap: { name: 'c', key: 'k' }, optional: true },
    { name: 'E', kind: 'pod', source: { fieldRef: { fieldPath: 'metadata.name' } } },
  ])
})

test('parameters have texts for values, by their type; a Secret has the key `secret` unless it says another', () => {
  const { parameters } = dagOf(
    dagText(`  parameters:
    - {name: n, type: integer, defaultValue: 5, enum: [5, "6"]}
    - {name: j, type: json, defaultValue: {a: [1]}}
    - {name: e, defaultValue: ""}
    - {name: s, defaultFromSecret: one}
    - {name: k, defaultFromSecret: {name: one, key: two}}
    - {name: r, required: true, description: who}
    - {name: upstream, defaultValue: "", defaultFromSecret: one}
  task:
${FINE}`),
  )
  assert.deepEqual(
    parameters.map(parameter => parameter.default),
    [
      { kind: 'value', value: '5' },
      { kind: 'value', value: '{"a":[1]}' },
      { kind: 'value', value: '' },
      { kind: 'secret', secret: { name: 'one', key: 'secret' } },
      { kind: 'secret', secret: { name: 'one', key: 'two' } },
      { kind: 'none' },
      { kind: 'secret', secret: { name: 'one', key: 'secret' } },
    ],
  )
  assert.deepEqual(parameters[0]?.enum, [5, 6])
  assert.equal(parameters[5]?.required, true)
})

test('fan-out over a list, over CEL and over a matrix', () => {
  assert.deepEqual(taskOf('{name: a, image: i, command: [x], forEach: [1, {b: 2}], maxParallel: 3}').fanOut, {
    over: { kind: 'list', items: [1, { b: 2 }] },
    maxParallel: 3,
  })
  assert.deepEqual(taskOf('{name: a, image: i, command: [x], forEach: "[1, 2]"}').fanOut, {
    over: { kind: 'expression', expression: '[1, 2]' },
    maxParallel: null,
  })
  assert.deepEqual(taskOf('{name: a, image: i, command: [x], matrix: {x: [1], y: [a, b]}}').fanOut?.over, {
    kind: 'matrix',
    axes: [
      { name: 'x', values: [1] },
      { name: 'y', values: ['a', 'b'] },
    ],
  })
})

test('what only other rooms read is handed on as it is', () => {
  const dag = dagOf(dagText(`  retention: {runs: 3}\n  webhook: {url: "https://h"}\n  task:\n${FINE}`))
  assert.deepEqual(dag.extra, { webhook: { url: 'https://h' }, retention: { runs: 3 } })
})

test('the arrow language means the same as fields, but retries three times', () => {
  const dag = dagOf(
    dagText(
      '  dsl: |\n    schedule "@daily"\n    graph { a -> b }\n    task a { image "i" command ["x"] }\n    task b { image "i" script "y" backoff 0 retry [7] }\n',
    ),
  )
  assert.deepEqual(dag.schedules, ['@daily'])
  assert.deepEqual(
    dag.tasks.map(({ name, runAfter, retry }) => [name, runAfter, retry.limit, retry.retryCodes]),
    [
      ['a', [], 3, null],
      ['b', ['a'], 0, [7]],
    ],
  )
})

test('a problem in the arrow language has its line, and the path of the text it stands in', () => {
  const { problems } = load(dagText('  dsl: |\n    task A { image "i" command ["x"] }\n'))
  assert.deepEqual(
    problems.map(({ code, path, at }) => [code, path, at?.line, at?.column]),
    [['NAME_INVALID', ['spec', 'dsl'], 6, 10]],
  )
})

const dagTask = (command: string): string =>
  `---\n${HEAD}kind: DagTask\nmetadata: {name: t}\nspec: {image: shared, command: [${command}], when: "true"}\n`
const using = (version: number, more = ''): string =>
  dagText(`  task:\n    - {name: a, taskRef: {name: t, version: ${version}}${more}}\n`)

test('a taskRef brings what runs; what the task says of its place stays', () => {
  const [task] = dagOf(using(1, ', triggerRule: always') + dagTask('x')).tasks
  assert.ok(task?.work.kind === 'container')
  assert.deepEqual([task.work.image, task.when, task.triggerRule], ['shared', 'true', 'always'])
})

test('fields beside a taskRef are ignored with a warning, unless they say nothing', () => {
  const nothing =
    ', image: "", command: [], backoff: {limit: 0}, conditional: {enabled: false, retryCodes: []}'
  assert.deepEqual(codes(load(using(1, nothing) + dagTask('x'))), [])
  const loaded = load(using(1, ', image: other') + dagTask('x'))
  assert.deepEqual(codes(loaded), ['FIELD_IGNORED'])
  const work = loaded.dags[0]?.dag.tasks[0]?.work
  assert.ok(work?.kind === 'container' && work.image === 'shared')
})

test('an expression may name a task by any text, however odd', () => {
  const odd = '{name: "a(", image: i, command: [x]}'
  const loaded = load(
    dagText(
      `  task:\n    - ${odd}\n    - {name: b, image: i, command: [x], when: 'tasks["a("].state == "failed"'}\n`,
    ),
  )
  assert.deepEqual(codes(loaded), ['NAME_INVALID', 'CEL_DYNAMIC_NAME'])
})

test('DagTasks beside the DAG are numbered by content; the same content again is the same version', () => {
  const texts = dagTask('one') + dagTask('one') + dagTask('two')
  const { dagTasks } = load(texts)
  assert.deepEqual(
    dagTasks.map(({ version, spec }) => [version, spec.command]),
    [
      [1, ['one']],
      [2, ['two']],
    ],
  )
  const commandOf = (version: number): unknown => {
    const work = dagOf(using(version) + texts).tasks[0]?.work
    return work?.kind === 'container' ? work.command[0] : null
  }
  assert.deepEqual([commandOf(1), commandOf(2)], ['one', 'two'])
})

test('a DagTask that is not beside the DAG is looked up', () => {
  const asked: unknown[] = []
  const lookup: LoadOptions['lookup'] = (...question) => {
    asked.push(question)
    return question[2] === 4 ? { image: 'stored', command: ['x'] } : 'unknown version'
  }
  const { work } = dagOf(using(4), { lookup, namespace: 'team' }).tasks[0] ?? {}
  assert.ok(work?.kind === 'container' && work.image === 'stored')
  assert.deepEqual(asked, [['team', 't', 4]])
  assert.deepEqual(codes(load(using(5), { lookup })), ['TASK_REF_VERSION'])
})

test('a broken document does not hide a good one', () => {
  const loaded = load(
    `${dagText('  task: 5\n')}---\n${dagText(`  task:\n${FINE}`).replace('name: d', 'name: good')}`,
  )
  assert.deepEqual(
    loaded.dags.map(({ dag, at }) => [dag.name, at.line]),
    [['good', 7]],
  )
  assert.deepEqual(codes(loaded), ['FIELD_TYPE'])
})

test('problems of all passes come at once, in the order of the files and lines', () => {
  const bad = dagText('  foo: 1\n  task:\n    - {name: A, image: 3, command: [x], runAfter: [b]}\n')
  const loaded = loadDocuments([
    { name: 'z.yaml', text: bad },
    { name: 'a.yaml', text: bad },
  ])
  assert.deepEqual(
    loaded.problems.map(({ code, at }) => `${at?.file}:${at?.line} ${code}`),
    ['z.yaml', 'a.yaml']
      .flatMap(file => [
        `${file}:5 FIELD_UNKNOWN`,
        `${file}:7 NAME_INVALID`,
        `${file}:7 FIELD_NOT_TEXT`,
        `${file}:7 TASK_UNKNOWN`,
      ])
      .concat('a.yaml:3 DOCUMENT_DUPLICATE')
      .toSorted((a, b) => {
        const order = (line: string): number =>
          (line.startsWith('z') ? 0 : 100) + Number(/:(\d+)/.exec(line)?.[1])
        return order(a) - order(b)
      }),
  )
})

test('a flood of problems is cut, and still says that there are errors', () => {
  const { problems } = load(dagText(`  task:\n${'    - {name: A}\n'.repeat(2000)}`))
  assert.equal(problems.length, 1001)
  assert.deepEqual([problems.at(-1)?.code, problems.at(-1)?.severity], ['TOO_MANY_PROBLEMS', 'error'])
})

test('a DagRun has its values as texts and its Secrets as references', () => {
  const text = `${HEAD}kind: DagRun
metadata: {generateName: r-, namespace: team, labels: {a: b}}
spec:
  dagName: d
  parameters: [{name: a, value: 5}, {name: b, value: [x]}, {name: c, fromSecret: s}]
  action: {type: fork, run: old, task: t}
`
  const { dagRuns, problems } = load(text)
  assert.deepEqual(problems, [])
  const { document: _document, at: _at, ...run } = dagRuns[0] ?? assert.fail()
  assert.deepEqual(run, {
    namespace: 'team',
    name: null,
    dagName: 'd',
    parameters: [
      { name: 'a', value: { kind: 'value', value: '5' } },
      { name: 'b', value: { kind: 'value', value: '["x"]' } },
      { name: 'c', value: { kind: 'secret', secret: { name: 's', key: 'secret' } } },
    ],
    action: { type: 'fork', run: 'old', task: 't' },
    labels: { a: 'b' },
  })
})

test('a file of 1 MiB with thousands of tasks in a chain is read', () => {
  const tasks = Array.from({ length: 5000 }, (_, at) => {
    const after = at === 0 ? '' : `, runAfter: [task-${at - 1}]`
    return `    - {name: task-${at}, image: "registry.example.org/team/application:1.2.3", command: [sh, -c, "echo this is task number ${at} of them"], backoff: {limit: 3, delay: 10s}${after}}\n`
  })
  const { dags, problems } = load(dagText(`  task:\n${tasks.join('')}`))
  assert.deepEqual(problems, [])
  assert.equal(dags[0]?.dag.tasks.length, 5000)
})

test('a text that is too large is not read', () => {
  assert.deepEqual(codes(load(`# ${'x'.repeat(1_048_576)}`)), ['FILE_TOO_LARGE'])
})

const samples = globSync('test/{accepted,broken}/*.yaml').map(file => readFileSync(file, 'utf8'))
const pieces = [
  ':',
  '-',
  '{',
  '}',
  '[',
  '"',
  '|',
  '\n',
  '  ',
  '${{',
  'null',
  '1',
  '&a ',
  '*a',
  'task',
  'spec',
  '---\n',
]

test('whatever becomes of a text, there are documents or problems with a place, never an exception', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...samples),
      fc.array(fc.tuple(fc.nat(), fc.nat(40), fc.constantFrom('', ...pieces)), { maxLength: 4 }),
      (sample, edits) => {
        let text = sample
        for (const [at, length, piece] of edits) {
          const start = at % (text.length + 1)
          text = text.slice(0, start) + piece + text.slice(start + length)
        }
        const loaded = load(text)
        const lines = text.split('\n').length
        for (const { at, code } of loaded.problems) {
          assert.ok(at !== undefined && at.line >= 1 && at.line <= lines && at.column >= 1, code)
        }
        const count = loaded.dags.length + loaded.dagRuns.length + loaded.dagTasks.length
        assert.ok(
          count + loaded.problems.length + loaded.secrets.size + loaded.configMaps.size > 0 ||
            text.includes('kind'),
        )
      },
    ),
    { numRuns: 1500 },
  )
})
