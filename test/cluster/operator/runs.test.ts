import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anOutcome } from '../../model/machine.ts'
import { conditionOf, eventually, task } from './house.ts'
import { startOperatorPlace } from './place.ts'

const place = await startOperatorPlace()
const CHAIN = { task: [task('a'), task('b', { runAfter: ['a'] })] }

test('a DagRun becomes a run; kubectl can wait for its success', async t => {
  const house = await place.house(t)
  house.apply(
    { kind: 'DAG', name: 'chain', spec: CHAIN },
    { kind: 'DagRun', name: 'one', spec: { dagName: 'chain' } },
  )
  await house.wait('--for=condition=Succeeded', 'dr/one', '--timeout=30s')
  const { status, metadata } = await house.dagRun('one')
  assert.equal(status?.runId, metadata.uid)
  assert.equal(status?.progress, '2/2')
  assert.equal(status?.dagVersion, 1)
  assert.ok(Number.isSafeInteger(status?.dagRunId))
  assert.deepEqual(
    ['Ready', 'Reconciling', 'Stalled', 'Succeeded', 'Complete'].map(type => conditionOf(status, type)),
    ['True', 'False', 'False', 'True', 'True'],
  )
  assert.match(
    house.kubectl('get', 'dr'),
    /NAME\s+DAG\s+PHASE\s+PROGRESS\s+STARTED\s+DURATION\s+AGE\s+one\s+chain\s+succeeded\s+2\/2/,
  )
  assert.deepEqual(house.machine.started, [`${metadata.uid}/a/1`, `${metadata.uid}/b/1`])
  const events = await eventually('Events', async () => {
    const text = house.kubectl('describe', 'dr', 'one')
    return text.includes('Normal  Succeeded') ? text : null
  })
  assert.match(events, /Normal {2}Started/)
})

test('a run that failed says where it began; either end can be waited for', async t => {
  const house = await place.house(t)
  house.machine.script = ({ task: name }) => (name === 'a' ? anOutcome({ exitCode: 3 }) : 'runs')
  house.apply(
    { kind: 'DAG', name: 'chain', spec: CHAIN },
    { kind: 'DagRun', name: 'bad', spec: { dagName: 'chain' } },
  )
  await house.wait('--for=condition=Complete', 'dr/bad', '--timeout=30s')
  const { status } = await house.dagRun('bad')
  assert.equal(status?.phase, 'failed')
  assert.match(status?.message ?? '', /^a exited with code 3/)
  assert.deepEqual(status?.tasks, [
    { name: 'a', state: 'failed', reason: 'EXIT_CODE', exitCode: 3, attempts: 1 },
  ])
  assert.deepEqual(
    ['Ready', 'Reconciling', 'Stalled', 'Succeeded', 'Complete'].map(type => conditionOf(status, type)),
    ['False', 'False', 'True', 'False', 'True'],
  )
  await eventually('a Warning', async () =>
    /Warning\s+TaskFailed/u.test(house.kubectl('get', 'events')) ? true : null,
  )
})

test('a run under way says what it is at, and is in progress for tools', async t => {
  const house = await place.house(t)
  house.machine.script = () => 'runs'
  house.apply(
    { kind: 'DAG', name: 'chain', spec: CHAIN },
    { kind: 'DagRun', name: 'goes', spec: { dagName: 'chain' } },
  )
  const status = await house.until('goes', ({ tasks }) => tasks?.[0]?.state === 'running')
  assert.match(status.message ?? '', /0 of 2 tasks are done; a is running/)
  assert.equal(status.progress, '0/2')
  assert.deepEqual(
    ['Ready', 'Reconciling', 'Succeeded', 'Complete'].map(type => conditionOf(status, type)),
    ['False', 'True', 'Unknown', 'False'],
  )
})

test('a DagRun waits for its DAG and begins when that comes', async t => {
  const house = await place.house(t)
  house.apply({ kind: 'DagRun', name: 'early', spec: { dagName: 'later' } })
  const waits = await house.until('early', ({ reason }) => reason === 'UNKNOWN_DAG')
  assert.equal(conditionOf(waits, 'Reconciling'), 'True')
  house.apply({ kind: 'DAG', name: 'later', spec: { task: [task('a', { runAfter: ['none'] })] } })
  await house.until('early', ({ message = '' }) => message.includes('has problems'))
  house.apply({ kind: 'DAG', name: 'later', spec: CHAIN })
  await house.ended('early', 'succeeded')
})

test('wrong parameters are told by their codes, and healed by an edit', async t => {
  const house = await place.house(t)
  const parameters = [
    { name: 'count', type: 'integer', required: true },
    { name: 'who', defaultValue: 'you' },
  ]
  house.apply({
    kind: 'DAG',
    name: 'asks',
    spec: { parameters, task: [task('a', { parameters: ['count', 'who'] })] },
  })
  house.apply({ kind: 'DagRun', name: 'none', spec: { dagName: 'asks' } })
  assert.equal((await house.until('none', ({ phase }) => phase === 'pending')).phase, 'pending')
  const missing = await house.until('none', ({ reason }) => reason === 'PARAMETER_REQUIRED')
  assert.equal(conditionOf(missing, 'Stalled'), 'True')
  house.apply({
    kind: 'DagRun',
    name: 'none',
    spec: { dagName: 'asks', parameters: [{ name: 'count', value: 'x' }] },
  })
  await house.until('none', ({ reason }) => reason === 'PARAMETER_TYPE')
  house.apply({
    kind: 'DagRun',
    name: 'none',
    spec: { dagName: 'asks', parameters: [{ name: 'cuont', value: '1' }] },
  })
  await house.until('none', ({ reason }) => reason === 'PARAMETER_UNKNOWN')
  const given = [
    { name: 'count', value: '1' },
    { name: 'who', fromSecret: 'names' },
  ]
  house.apply({ kind: 'DagRun', name: 'none', spec: { dagName: 'asks', parameters: given } })
  const { runId = '' } = await house.ended('none', 'succeeded')
  const [created] = await house.store.events(runId)
  assert.ok(created?.type === 'runCreated')
  assert.deepEqual(created.parameters, [
    { name: 'count', value: { kind: 'value', value: '1' } },
    { name: 'who', value: { kind: 'secret', secret: { name: 'names', key: 'secret' } } },
  ])
})

test('cancel and pause are fields', async t => {
  const house = await place.house(t)
  const runId = await house.underWay('chain', CHAIN)
  const patch = (spec: object): string =>
    house.kubectl('patch', 'dr', 'x', '--type=merge', '-p', JSON.stringify({ spec }))
  patch({ paused: true })
  await house.until('x', ({ phase }) => phase === 'paused')
  house.machine.end(`${runId}/a/1`)
  await house.until('x', ({ progress }) => progress === '1/2')
  assert.deepEqual(house.machine.running(), [])
  patch({ paused: null })
  await house.until('x', ({ phase }) => phase === 'running')
  await eventually('b', async () => (house.machine.running().length === 1 ? true : null))
  patch({ cancel: true })
  const status = await house.ended('x', 'cancelled')
  assert.equal(conditionOf(status, 'Complete'), 'True')
  assert.equal(conditionOf(status, 'Succeeded'), 'False')
})

test('a pause that somebody else asked for is left alone by a spec that says nothing', async t => {
  const house = await place.house(t)
  const runId = await house.underWay('chain', CHAIN)
  await house.engine.request(runId, { kind: 'pause', by: 'anna' })
  await house.until('x', ({ phase }) => phase === 'paused')
  house.kubectl('label', 'dr', 'x', 'look=again')
  house.machine.end(`${runId}/a/1`)
  const status = await house.until('x', ({ progress }) => progress === '1/2')
  assert.equal(status.phase, 'paused')
})

test('what is made paused or cancelled does not begin', async t => {
  const house = await place.house(t)
  house.apply({ kind: 'DAG', name: 'chain', spec: CHAIN })
  house.apply({ kind: 'DagRun', name: 'paused', spec: { dagName: 'chain', paused: true } })
  house.apply({ kind: 'DagRun', name: 'never', spec: { dagName: 'chain', cancel: true } })
  await house.until('paused', ({ reason }) => reason === 'Paused')
  await house.ended('never', 'cancelled')
  assert.deepEqual(house.machine.started, [])
  house.kubectl('patch', 'dr', 'paused', '--type=merge', '-p', '{"spec":{"paused":false}}')
  await house.ended('paused', 'succeeded')
})

test('a retry continues a run that ended, by the name of its DagRun, and waits until it has', async t => {
  const house = await place.house(t)
  house.machine.script = ({ task: name }) =>
    name === 'b' ? 'runs' : anOutcome({ kind: 'succeeded', reason: 'SUCCEEDED', exitCode: 0 })
  house.apply(
    { kind: 'DAG', name: 'chain', spec: CHAIN },
    { kind: 'DagRun', name: 'one', spec: { dagName: 'chain' } },
  )
  const { runId = '' } = await house.until('one', ({ progress }) => progress === '1/2')
  house.apply({
    kind: 'DagRun',
    name: 'again',
    spec: { dagName: 'chain', action: { type: 'retry', run: 'one' } },
  })
  await house.until('again', ({ reason }) => reason === 'RUN_NOT_FINISHED')
  house.machine.end(`${runId}/b/1`, anOutcome())
  await house.ended('one', 'failed')
  const again = await house.until('again', ({ phase }) => phase === 'running')
  assert.equal((await house.store.run(again.runId ?? ''))?.continues, runId)
  house.machine.end(`${again.runId ?? ''}/b/1`)
  await house.ended('again', 'succeeded')
  assert.equal(house.machine.started.filter(key => key.endsWith('/a/1')).length, 1, 'a is reused')
  house.apply({
    kind: 'DagRun',
    name: 'vain',
    spec: { dagName: 'chain', action: { type: 'retry', run: 'again' } },
  })
  await house.until('vain', ({ reason }) => reason === 'NOTHING_TO_RETRY')
})

test('a fork runs again from a task on; one of another DAG, of no task or of itself is refused', async t => {
  const house = await place.house(t)
  house.apply({ kind: 'DAG', name: 'chain', spec: CHAIN }, { kind: 'DAG', name: 'other', spec: CHAIN })
  house.apply({ kind: 'DagRun', name: 'one', spec: { dagName: 'chain' } })
  const { runId = '' } = await house.ended('one', 'succeeded')
  const fork = (name: string, dagName: string, run: string, from: string): void =>
    house.apply({ kind: 'DagRun', name, spec: { dagName, action: { type: 'fork', run, task: from } } })
  fork('two', 'chain', runId, 'b')
  const two = await house.ended('two', 'succeeded')
  assert.deepEqual(
    house.machine.started.filter(key => key.startsWith(two.runId ?? '-')),
    [`${two.runId ?? ''}/b/1`],
  )
  fork('wrong-dag', 'other', 'one', 'b')
  fork('wrong-task', 'chain', 'one', 'c')
  fork('itself', 'chain', 'itself', 'b')
  fork('nobody', 'chain', 'nobody-there', 'b')
  await house.until('wrong-dag', ({ reason }) => reason === 'RUN_OF_OTHER_DAG')
  await house.until('wrong-task', ({ reason }) => reason === 'UNKNOWN_TASK')
  await house.until('itself', ({ reason }) => reason === 'UNKNOWN_RUN')
  const nobody = await house.until('nobody', ({ reason }) => reason === 'UNKNOWN_RUN')
  assert.equal(conditionOf(nobody, 'Reconciling'), 'True')
})

test('deleting a DagRun cancels its run, and nothing of it starts any more', async t => {
  const house = await place.house(t)
  const runId = await house.underWay('chain', { ...CHAIN, finally: [task('last')] })
  house.kubectl('delete', 'dr', 'x', '--timeout=5s')
  const run = await eventually(
    'its end',
    async () => {
      const row = await house.store.run(runId)
      return row === null || row.endedAt === null ? null : row
    },
    5_000,
  )
  assert.equal(run.phase, 'cancelled')
  assert.deepEqual(house.machine.running(), [])
  assert.deepEqual(house.machine.started, [`${runId}/a/1`])
})

test('a run from elsewhere gets a DagRun; deleting that cancels it, and no other is made', async t => {
  const house = await place.house(t)
  const run = await house.shown('chain', CHAIN, 'by-hand')
  const status = await house.until('by-hand', () => true)
  assert.equal(status.runId, run)
  house.kubectl('delete', 'dr', 'by-hand')
  await eventually('its end', async () => ((await house.store.run(run))?.phase === 'cancelled' ? true : null))
  await house.calm()
  assert.equal(await house.isThere('DagRun', 'by-hand'), false)
})

test('a copy of a DagRun that was made for a run is a new wish', async t => {
  const house = await place.house(t)
  house.apply({ kind: 'DAG', name: 'chain', spec: CHAIN })
  await house.dagIs('chain', ({ version }) => version === 1)
  const run = await house.submit('chain', 'by-hand')
  await eventually('its DagRun', async () => ((await house.isThere('DagRun', 'by-hand')) ? true : null))
  const { metadata, spec } = await house.dagRun('by-hand')
  place.cluster.apply({
    apiVersion: 'kontroler.greedykomodo/v1alpha1',
    kind: 'DagRun',
    metadata: { name: 'copy', namespace: house.namespace, annotations: metadata.annotations },
    spec,
  })
  assert.notEqual((await house.ended('copy', 'succeeded')).runId, run)
})

test('a DagRun that claims a run of another namespace, which the same controller looks after, gets nothing of it', async t => {
  place.cluster.kubectl('create', 'namespace', 'thieves')
  const house = await place.house(t, { namespaces: ['thieves'] })
  const run = await house.shown('chain', CHAIN, 'theirs')
  const thief = (name: string, spec: object, annotations: object): void => {
    const metadata = { name, namespace: 'thieves', annotations }
    place.cluster.apply({ apiVersion: 'kontroler.greedykomodo/v1alpha1', kind: 'DagRun', metadata, spec })
  }
  thief(
    'thief',
    { dagName: 'chain', cancel: true },
    { 'kontroler.greedykomodo/made-for': `thieves/thief/${run}` },
  )
  thief('heir', { dagName: 'chain', action: { type: 'retry', run } }, {})
  const told = async (name: string): Promise<string> =>
    await eventually(`status of ${name}`, async () => {
      const text = place.cluster.kubectl('-n', 'thieves', 'get', 'dr', name, '-o', 'jsonpath={.status}')
      return text === '' ? null : text
    })
  const [theft, inheritance] = [await told('thief'), await told('heir')]
  assert.match(theft, /RUN_GONE/)
  assert.match(inheritance, /UNKNOWN_RUN/)
  for (const text of [theft, inheritance]) assert.doesNotMatch(text, /runId|0\/2/)
  place.cluster.kubectl('-n', 'thieves', 'delete', 'dr', 'thief')
  await house.calm()
  assert.equal((await house.store.run(run))?.phase, 'running')
})

test('a status stays small, whatever the tasks say', async t => {
  const house = await place.house(t)
  const names = Array.from({ length: 200 }, (_, index) => `task-${index}`)
  house.machine.script = () => anOutcome({ message: '€'.repeat(2_000) })
  house.apply({ kind: 'DAG', name: 'wide', spec: { task: names.map(name => task(name)) } })
  house.apply({ kind: 'DagRun', name: 'wide', spec: { dagName: 'wide' } })
  const status = await house.ended('wide', 'failed')
  assert.ok(Buffer.byteLength(JSON.stringify(status)) <= 32_768)
  assert.equal(status.tasks?.length, 20)
  const events = house.kubectl('get', 'events', '-o', 'name').trim().split('\n')
  assert.ok(events.length < 60, `${events.length} Events`)
})

test('retention removes what is over: the DagRun, its logs and its rows', async t => {
  const house = await place.house(t)
  house.apply({ kind: 'DAG', name: 'few', spec: { ...CHAIN, retention: { runs: 2 } } })
  for (const name of ['r1', 'r2', 'r3', 'r4']) {
    house.apply({ kind: 'DagRun', name, spec: { dagName: 'few' } })
    await house.ended(name, 'succeeded')
  }
  const { metadata } = await house.dagRun('r1')
  await house.operator.sweep()
  assert.deepEqual((await house.dagRuns()).map(run => run.metadata.name).toSorted(), ['r3', 'r4'])
  assert.equal(await house.store.run(metadata.uid), null)
  assert.ok(house.logsRemoved.includes(metadata.uid))
})
