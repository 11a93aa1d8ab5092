import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { eventually, task } from './house.ts'
import { startOperatorPlace } from './place.ts'

const place = await startOperatorPlace()
const ONE = { task: [task('a')] }

test('a restart begins nothing again, and goes on with what runs', async t => {
  const house = await place.house(t)
  const runId = await house.underWay('one', ONE)
  await house.stop()
  house.machine.end(`${runId}/a/1`)
  await house.start()
  await house.ended('x', 'succeeded')
  assert.deepEqual(house.machine.started, [`${runId}/a/1`])
})

test('what says that it is finished is never run again, even with an empty database', async t => {
  const house = await place.house(t)
  house.apply(
    { kind: 'DAG', name: 'one', spec: ONE },
    { kind: 'DagRun', name: 'x', spec: { dagName: 'one' } },
  )
  await house.ended('x', 'succeeded')
  const before = (await house.dagRun('x')).metadata.resourceVersion
  await house.stop()
  await house.start('empty.db')
  await house.dagIs('one', ({ version }) => version === 1)
  await house.calm()
  assert.equal(house.machine.started.length, 1)
  assert.equal((await house.dagRun('x')).metadata.resourceVersion, before, 'nor is it written')
})

test('with an empty database a run under way is the same run: its attempt is not started again', async t => {
  const house = await place.house(t)
  const runId = await house.underWay('one', ONE)
  await house.stop()
  await house.start('empty.db')
  await eventually('the run', async () => house.store.run(runId))
  house.machine.end(`${runId}/a/1`)
  await house.ended('x', 'succeeded')
  assert.deepEqual(house.machine.started, [`${runId}/a/1`])
})

test('a DagRun made for a run does not run when the database is lost', async t => {
  const house = await place.house(t)
  await house.shown('one', ONE, 'by-hand')
  await house.stop()
  await house.start('empty.db')
  await house.until('by-hand', ({ reason }) => reason === 'RUN_GONE')
  assert.equal(house.machine.started.length, 1)
})

test('objects that were deleted while nobody looked: the run is cancelled, the schedule ends', async t => {
  const house = await place.house(t)
  const runId = await house.underWay('one', { ...ONE, schedule: '0 0 1 1 *' })
  await house.stop()
  house.kubectl('delete', 'dr/x', 'dag/one')
  await house.start()
  await eventually('its end', async () =>
    (await house.store.run(runId))?.phase === 'cancelled' ? true : null,
  )
  await eventually('no DAG', async () => ((await house.store.dags()).length === 0 ? true : null))
})

test('what was changed while nobody looked counts', async t => {
  const house = await place.house(t)
  await house.underWay('one', ONE)
  await house.stop()
  house.kubectl('patch', 'dr', 'x', '--type=merge', '-p', '{"spec":{"cancel":true}}')
  house.apply({ kind: 'DAG', name: 'one', spec: { task: [task('a'), task('b')] } })
  await house.start()
  await house.ended('x', 'cancelled')
  await house.dagIs('one', ({ version }) => version === 2)
})

test('an API server that goes and comes back is waited for', { timeout: 120_000 }, async t => {
  const house = await place.house(t)
  const runId = await house.underWay('one', ONE)
  await place.cluster.part('apiserver').kill()
  // What happens meanwhile is told afterwards.
  house.machine.end(`${runId}/a/1`)
  await eventually('its end', async () =>
    (await house.store.run(runId))?.phase === 'succeeded' ? true : null,
  )
  await delay(1_000)
  await place.cluster.startApiServer()
  await house.wait('--for=condition=Succeeded', 'dr/x', '--timeout=60s')
  house.machine.script = () => ({
    kind: 'succeeded',
    reason: 'SUCCEEDED',
    exitCode: 0,
    signal: null,
    message: null,
    outputs: {},
  })
  house.apply({ kind: 'DagRun', name: 'y', spec: { dagName: 'one' } })
  await house.wait('--for=condition=Succeeded', 'dr/y', '--timeout=60s')
})

test('a namespace with runs under way can be deleted, and its runs end', { timeout: 120_000 }, async t => {
  const house = await place.house(t)
  const runId = await house.underWay('one', { ...ONE, schedule: '0 0 1 1 *' })
  place.cluster.kubectl('delete', 'namespace', house.namespace, '--wait=false')
  await eventually('its end', async () =>
    (await house.store.run(runId))?.phase === 'cancelled' ? true : null,
  )
  const gone = async (): Promise<true | null> => {
    const left = place.cluster.kubectl(
      'get',
      'namespace',
      house.namespace,
      '--ignore-not-found',
      '-o',
      'name',
    )
    return left === '' ? true : null
  }
  await eventually('no namespace', gone, 60_000)
  await eventually('no DAG', async () => ((await house.store.dags()).length === 0 ? true : null), 5_000)
  // A run that somebody still starts there has nowhere to be shown.
  const run = await house.submit('one', 'late')
  await eventually('the end of it', async () =>
    (await house.store.run(run))?.phase === 'cancelled' ? true : null,
  )
})

test('a thousand DagRuns give a thousand runs, each once, over a restart', { timeout: 300_000 }, async t => {
  const house = await place.house(t)
  const names = Array.from({ length: 1_000 }, (_, index) => `many-${index}`)
  house.apply({ kind: 'DAG', name: 'one', spec: ONE })
  await house.dagIs('one', ({ version }) => version === 1)
  await house.createDagRuns(names, 'one')
  await eventually('some of them', async () => (house.machine.started.length > 100 ? true : null), 60_000)
  await house.stop()
  await house.start()
  const open = async (): Promise<true | null> =>
    (await house.dagRuns()).every(({ status }) => status?.phase === 'succeeded') ? true : null
  await eventually('a thousand ends', open, 240_000)
  assert.equal(house.machine.started.length, 1_000)
  assert.equal(new Set(house.machine.started).size, 1_000)
  assert.deepEqual(house.troubles, [])
})
