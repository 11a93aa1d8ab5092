import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { aCreation, aDag, aTask } from '../../../test/model/dags.ts'
import type { Dag, Parameter, ParameterValue } from '../dag/dag.ts'
import { type RunOrder, createRun, reusable, reuseEvents } from './create.ts'
import type { RunEvent } from './events.ts'
import { evolve } from './evolve.ts'
import { newRunState, taskByKey } from './state.ts'

const SECRET = { kind: 'secret', secret: { name: 'db', key: 'password' } } as const

suite('the parameters of a new run', () => {
  test('are those given, else the defaults, in the order they are declared', () => {
    const parameters = [parameter('a', 'x'), parameter('b', 'y'), parameter('c', null), secretParameter('d')]
    const created = createRun(order(aDag({ parameters }), [given('b', 'z')]), 5)
    assert.ok(created.ok)
    assert.deepEqual(created.value.parameters, [
      given('a', 'x'),
      given('b', 'z'),
      { name: 'd', value: SECRET },
    ])
  })

  test('are refused all at once, each with what to do', () => {
    const parameters = [
      { ...parameter('count', null), type: 'integer' as const },
      { ...parameter('color', null), enum: ['red', 'blue'] },
      { ...parameter('must', null), required: true },
    ]
    const values = [
      given('count', 'many'),
      given('color', 'green'),
      given('colour', 'red'),
      given('count', '1'),
    ]
    const created = createRun(order(aDag({ parameters }), values), 5)
    assert.ok(!created.ok)
    assert.deepEqual(
      created.problems.map(({ code, fix }) => `${code}: ${fix}`),
      [
        'PARAMETER_UNKNOWN: did you mean color?',
        'PARAMETER_DUPLICATE: give it once',
        'PARAMETER_ENUM: use one of: red, blue',
        'PARAMETER_REQUIRED: give it with -p must=…',
      ],
    )
  })

  test('of each type are checked as that type', () => {
    const fits: readonly (readonly [Parameter['type'], string, boolean])[] = [
      ['string', '', true],
      ['integer', '-3', true],
      ['integer', '3.5', false],
      ['number', '3.5e2', true],
      ['number', ' ', false],
      ['boolean', 'true', true],
      ['boolean', 'yes', false],
      ['json', '{"a":[1]}', true],
      ['json', '{a}', false],
    ]
    for (const [type, value, ok] of fits) {
      const dag = aDag({ parameters: [{ ...parameter('p', null), type }] })
      assert.equal(createRun(order(dag, [given('p', value)]), 5).ok, ok, `${type} ${value}`)
    }
  })

  test('that are Secrets stay references', () => {
    const dag = aDag({ parameters: [{ ...parameter('p', null), type: 'integer' }] })
    const created = createRun(order(dag, [{ name: 'p', value: SECRET }]), 5)
    assert.ok(created.ok)
    assert.deepEqual(created.value.parameters, [{ name: 'p', value: SECRET }])
  })
})

suite('what a new run takes over', () => {
  test('holds no task under finally', () => {
    const dag = aDag({ tasks: [aTask({ name: 'a' })], finally: [aTask({ name: 'clean' })] })
    const state = newRunState(dag, aCreation())
    evolve(state, settled(['a'], 'succeeded'))
    evolve(state, { type: 'finallyStarted', at: 2 })
    evolve(state, settled(['clean'], 'succeeded'))
    const reused = reusable(state, null)
    assert.deepEqual(reused.ok && reused.value.map(({ task }) => task), ['a'])
  })

  test('of a whole fan-out is one result, its outputs as lists', () => {
    const fanOut = { over: { kind: 'list' as const, items: [1, 2] }, maxParallel: null }
    const state = newRunState(aDag({ tasks: [aTask({ name: 'f', fanOut, outputs: ['x'] })] }), aCreation())
    evolve(state, { type: 'taskExpanded', at: 1, task: 'f', items: [1, 2] })
    for (const index of [0, 1]) {
      taskByKey(state, `f[${index}]`).outputs = { x: `v${index}` }
      evolve(state, settled([`f[${index}]`], 'succeeded'))
    }
    evolve(state, settled(['f'], 'succeeded'))
    const reused = reusable(state, null)
    const expected = [{ task: 'f', state: 'succeeded', outputs: { x: '["v0","v1"]' }, exitCode: null }]
    assert.deepEqual(reused.ok && reused.value, expected)
  })

  test('of a run of 100,000 tasks that hang on one is found without a deep stack', () => {
    const names = Array.from({ length: 100_000 }, (_, index) => `t${index}`)
    const tasks = [aTask({ name: 'root' }), ...names.map(name => aTask({ name, runAfter: ['root'] }))]
    const state = newRunState(aDag({ tasks }), aCreation())
    const reused = reusable(state, null)
    assert.deepEqual(reused.ok && reused.value, [])
  })

  test('is written in events of bounded size', () => {
    const reused = ['a', 'b', 'c'].map(task => ({
      task,
      state: 'succeeded' as const,
      outputs: {},
      exitCode: 0,
    }))
    const events = reuseEvents(reused, 7, 2)
    assert.deepEqual(
      events.map(event => (event.type === 'tasksReused' ? event.tasks.map(({ task }) => task) : [])),
      [['a', 'b'], ['c']],
    )
  })
})

function settled(tasks: readonly string[], state: 'succeeded'): RunEvent {
  return { type: 'tasksSettled', at: 1, tasks, state, reason: 'SUCCEEDED', message: null }
}

function parameter(name: string, value: string | null): Parameter {
  const preset: Parameter['default'] = value === null ? { kind: 'none' } : { kind: 'value', value }
  return { name, type: 'string', description: null, required: false, enum: null, default: preset }
}

function secretParameter(name: string): Parameter {
  return { ...parameter(name, null), default: SECRET }
}

function given(name: string, value: string): ParameterValue {
  return { name, value: { kind: 'value', value } }
}

function order(dag: Dag, parameters: readonly ParameterValue[]): RunOrder {
  return {
    run: 'r1',
    name: 'flow-1',
    dag,
    dagHash: 'hash',
    parameters,
    labels: {},
    trigger: { kind: 'manual', key: 'k', by: 'anna' },
    workdir: null,
  }
}
