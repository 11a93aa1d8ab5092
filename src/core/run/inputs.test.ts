import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { CONTAINER, aCreation, aDag, aTask } from '../../../test/model/dags.ts'
import { PLAIN_LANGUAGE } from '../../../test/model/plain-language.ts'
import type { EnvSource, EnvVar, Task } from '../dag/dag.ts'
import { evolve } from './evolve.ts'
import { attemptInputs, childParameters, itemsOf } from './inputs.ts'
import { type RunState, newRunState, taskByKey } from './state.ts'

const SECRET = { name: 'db', key: 'password' }

suite('the environment of an attempt', () => {
  test('is the DAG parameters, then its own, then what every task may count on', () => {
    const env = envOf(
      aTask({ name: 'a', work: { ...CONTAINER, env: [text('mine', 'x')] }, parameters: ['p', 's'] }),
    )
    assert.deepEqual(env.slice(0, 3), [
      { name: 'p', source: { kind: 'text', value: '1' } },
      { name: 's', source: { kind: 'secret', secret: SECRET, optional: false } },
      { name: 'mine', source: { kind: 'text', value: 'x' } },
    ])
    assert.deepEqual(
      env.slice(3).map(({ name, source }) => `${name}=${source.kind === 'text' ? source.value : '?'}`),
      [
        'KONTROLER_RUN_ID=r1',
        'KONTROLER_RUN_NAME=flow-1',
        'KONTROLER_DAG=flow',
        'KONTROLER_NAMESPACE=default',
        'KONTROLER_TASK=a',
        'KONTROLER_ATTEMPT=1',
      ],
    )
  })

  test('cannot forge what every task may count on: the last of a name wins', () => {
    const env = envOf(aTask({ name: 'a', work: { ...CONTAINER, env: [text('KONTROLER_RUN_ID', 'forged')] } }))
    const last = env.findLast(({ name }) => name === 'KONTROLER_RUN_ID')
    assert.deepEqual(last?.source, { kind: 'text', value: 'r1' })
  })

  test('of an item names the item and its place', () => {
    const fanOut = { over: { kind: 'list' as const, items: ['x', { k: 1 }] }, maxParallel: null }
    const state = run([aTask({ name: 'f', fanOut })])
    evolve(state, { type: 'taskExpanded', at: 1, task: 'f', items: ['x', { k: 1 }] })
    const shown = ['f[0]', 'f[1]'].map(key => {
      const inputs = attemptInputs(state, taskByKey(state, key), PLAIN_LANGUAGE)
      assert.ok(inputs.ok)
      return inputs.value.env.flatMap(({ name, source }) =>
        /ITEM|INDEX/.test(name) && source.kind === 'text' ? [`${name}=${source.value}`] : [],
      )
    })
    assert.deepEqual(shown, [
      ['KONTROLER_ITEM=x', 'KONTROLER_INDEX=0'],
      ['KONTROLER_ITEM={"k":1}', 'KONTROLER_INDEX=1'],
    ])
  })
})

suite('expressions in texts', () => {
  test('are rendered in command, args and env, and nowhere in a script', () => {
    const work = {
      ...CONTAINER,
      command: ['echo', '${{ yes }}'],
      args: ['<${{ items 2 }}>'],
      script: '${{ yes }}',
      env: [text('e', '${{ no }}')],
    }
    const state = run([aTask({ name: 'a', work })])
    const inputs = attemptInputs(state, taskByKey(state, 'a'), PLAIN_LANGUAGE)
    assert.ok(inputs.ok)
    assert.deepEqual(inputs.value.work.command, ['echo', 'true'])
    assert.deepEqual(inputs.value.work.args, ['<[0,1]>'])
    assert.equal(inputs.value.work.script, '${{ yes }}')
    assert.deepEqual(inputs.value.env[0]?.source, { kind: 'text', value: 'false' })
  })

  test('that give no value are told with their text', () => {
    const task = aTask({ name: 'a', work: { ...CONTAINER, args: ['${{ boom }}'] } })
    const state = run([task])
    assert.deepEqual(attemptInputs(state, taskByKey(state, 'a'), PLAIN_LANGUAGE), {
      ok: false,
      message: 'boom: it blew up',
    })
  })

  test('are rendered in the parameters of a run that a task starts; Secrets go on as references', () => {
    const parameters = [
      { name: 'x', value: { kind: 'value' as const, value: 'v-${{ yes }}' } },
      { name: 's', value: { kind: 'secret' as const, secret: SECRET } },
    ]
    const state = run([aTask({ name: 'a', work: { kind: 'dag', dag: 'other', parameters } })])
    const given = childParameters(state, taskByKey(state, 'a'), PLAIN_LANGUAGE)
    assert.deepEqual(given.ok && given.value, [
      { name: 'x', value: { kind: 'value', value: 'v-true' } },
      { name: 's', value: { kind: 'secret', secret: SECRET } },
    ])
  })
})

suite('the items of a fan-out', () => {
  test('stay within what a run may have, counting what others add at the same time', () => {
    const fanOut = { over: { kind: 'expression' as const, expression: 'items 40000' }, maxParallel: null }
    const state = run([aTask({ name: 'f', fanOut })])
    const task = taskByKey(state, 'f')
    assert.ok(itemsOf(state, task, PLAIN_LANGUAGE).ok)
    assert.deepEqual(itemsOf(state, task, PLAIN_LANGUAGE, 60_000), {
      ok: false,
      message: 'with 40000 more items the run would exceed 100000 tasks',
    })
  })

  test('of a matrix that is too large are not even made', () => {
    const axes = ['a', 'b', 'c'].map(name => ({ name, values: Array.from({ length: 100 }, (_, at) => at) }))
    const state = run([aTask({ name: 'f', fanOut: { over: { kind: 'matrix', axes }, maxParallel: null } })])
    const items = itemsOf(state, taskByKey(state, 'f'), PLAIN_LANGUAGE)
    assert.match(items.ok ? '' : items.message, /1000000 items/)
  })
})

const PARAMETERS = [
  { name: 'p', value: { kind: 'value' as const, value: '1' } },
  { name: 's', value: { kind: 'secret' as const, secret: SECRET } },
]

function run(tasks: readonly Task[]): RunState {
  return newRunState(aDag({ tasks }), aCreation({ parameters: PARAMETERS }))
}

function text(name: string, value: string): EnvVar {
  return { name, kind: 'text', value }
}

function envOf(task: Task): readonly { readonly name: string; readonly source: EnvSource }[] {
  const state = run([task])
  const inputs = attemptInputs(state, taskByKey(state, task.name), PLAIN_LANGUAGE)
  assert.ok(inputs.ok)
  return inputs.value.env
}
