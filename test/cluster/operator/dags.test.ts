import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { conditionOf, eventually, task } from './house.ts'
import { startOperatorPlace } from './place.ts'

const place = await startOperatorPlace()

test('a DAG that is right is in force, and its status says when it runs', async t => {
  const house = await place.house(t)
  house.apply({ kind: 'DAG', name: 'nightly', spec: { schedule: '30 2 * * *', task: [task('a')] } })
  const status = await house.dagIs('nightly', ({ version }) => version === 1)
  assert.equal(status.schedule, 'every day at 02:30 (UTC)')
  assert.match(status.nextScheduleTime ?? '', /T02:30:00Z$/)
  assert.equal(status.phase, 'Successful')
  assert.equal(status.observedGeneration, 1)
  assert.deepEqual(
    ['Ready', 'Reconciling', 'Stalled'].map(type => conditionOf(status, type)),
    ['True', 'False', 'False'],
  )
})

test('a DAG that is wrong says so with the codes of validate, and heals when it is corrected', async t => {
  const house = await place.house(t)
  const circle = [task('a', { runAfter: ['b'] }), task('b', { runAfter: ['a'] })]
  house.apply({ kind: 'DAG', name: 'circle', spec: { task: circle } })
  const wrong = await house.dagIs('circle', ({ phase }) => phase === 'Failed')
  assert.deepEqual(
    ['Ready', 'Reconciling', 'Stalled'].map(type => conditionOf(wrong, type)),
    ['False', 'False', 'True'],
  )
  const ready = wrong.conditions?.find(({ type }) => type === 'Ready')
  assert.equal(ready?.reason, 'DAG_CYCLE')
  assert.match(ready?.message ?? '', /DAG_CYCLE at spec\.task\[\d\]\.runAfter/)
  await eventually('an Event', async () =>
    house.kubectl('get', 'events').includes('DAG_CYCLE') ? true : null,
  )
  house.apply({ kind: 'DAG', name: 'circle', spec: { task: [task('a'), task('b')] } })
  const right = await house.dagIs('circle', ({ phase }) => phase === 'Successful')
  assert.equal(right.observedGeneration, 2)
})

test('a broken text leaves the version before it in force, but a suspension counts at once', async t => {
  const house = await place.house(t)
  house.apply({ kind: 'DAG', name: 'kept', spec: { schedule: '0 0 1 1 *', task: [task('a')] } })
  await house.dagIs('kept', ({ version }) => version === 1)
  const broken = { schedule: '0 0 1 1 *', suspended: true, task: [task('a', { runAfter: ['none'] })] }
  house.apply({ kind: 'DAG', name: 'kept', spec: broken })
  const status = await house.dagIs('kept', ({ phase }) => phase === 'Failed')
  assert.match(status.message ?? '', /version 1 stays in force/)
  assert.equal(status.nextScheduleTime, undefined)
  assert.equal((await house.store.dag(house.namespace, 'kept'))?.dag.suspended, true)
  house.apply({ kind: 'DagRun', name: 'still', spec: { dagName: 'kept' } })
  assert.equal((await house.ended('still', 'succeeded')).dagVersion, 1)
})

test('who applies on the server goes on after a status was written: no field of theirs was touched', async t => {
  const house = await place.house(t)
  const apply = (image: string): string =>
    place.cluster.kubectl(
      'apply',
      '--server-side',
      '--field-manager=git',
      '-f',
      house.file('dag.json', {
        apiVersion: 'kontroler.greedykomodo/v1alpha1',
        kind: 'DAG',
        metadata: { name: 'ours', namespace: house.namespace },
        spec: { task: [{ ...task('a'), image }] },
      }),
    )
  apply('busybox:1')
  await house.dagIs('ours', ({ version }) => version === 1)
  assert.match(apply('busybox:2'), /serverside-applied/)
  await house.dagIs('ours', ({ version }) => version === 2)
  const { metadata } = JSON.parse(house.kubectl('get', 'dag', 'ours', '-o', 'json', '--show-managed-fields'))
  const owners = (metadata.managedFields as { manager: string; subresource?: string }[]).map(
    ({ manager, subresource }) => `${manager} ${subresource ?? 'spec'}`,
  )
  assert.deepEqual(owners.toSorted(), ['git spec', 'kontroler status'])
})

test('two tasks of one name are taken by the API server, and told in the status', async t => {
  const house = await place.house(t)
  house.apply({ kind: 'DAG', name: 'twins', spec: { task: [task('a'), task('a')] } })
  const status = await house.dagIs('twins', ({ phase }) => phase === 'Failed')
  assert.match(status.message ?? '', /TASK_DUPLICATE/)
})

test('suspending is no new version; another task is', async t => {
  const house = await place.house(t)
  const spec = { schedule: '0 0 1 1 *', task: [task('a')] }
  house.apply({ kind: 'DAG', name: 'calm', spec })
  await house.dagIs('calm', ({ version }) => version === 1)
  house.apply({ kind: 'DAG', name: 'calm', spec: { ...spec, suspended: true } })
  const suspended = await house.dagIs('calm', ({ observedGeneration }) => observedGeneration === 2)
  assert.equal(suspended.version, 1)
  assert.equal(suspended.nextScheduleTime, undefined)
  house.apply({ kind: 'DAG', name: 'calm', spec: { ...spec, task: [task('a'), task('b')] } })
  await house.dagIs('calm', ({ version }) => version === 2)
})

test('a DAG waits for its DagTask, and heals when that comes; each changed text is a version', async t => {
  const house = await place.house(t)
  const spec = { task: [{ name: 'a', taskRef: { name: 'shared', version: 1 } }] }
  house.apply({ kind: 'DAG', name: 'needs', spec })
  const waits = await house.dagIs('needs', ({ phase }) => phase === 'Pending')
  // It is on its way, so tools that deploy from Git go on waiting.
  assert.equal(conditionOf(waits, 'Reconciling'), 'True')
  assert.match(waits.message ?? '', /TASK_REF_UNKNOWN/)
  house.apply({ kind: 'DagTask', name: 'shared', spec: { image: 'busybox', command: ['true'] } })
  await house.dagIs('needs', ({ phase }) => phase === 'Successful')
  house.apply({ kind: 'DagTask', name: 'shared', spec: { image: 'busybox', command: ['false'] } })
  await eventually('version 2', async () =>
    (await house.dagTask('shared')).status?.version === 2 ? true : null,
  )
  house.apply({ kind: 'DagTask', name: 'shared', spec: { image: 'busybox', command: ['true'] } })
  const back = await eventually('version 1 again', async () => {
    const { status } = await house.dagTask('shared')
    return status?.version === 1 ? status : null
  })
  assert.equal(back.versions, 2)
  house.apply({ kind: 'DagTask', name: 'shared', spec: { image: 'busybox' } })
  const broken = await eventually('a broken DagTask', async () => {
    const { status } = await house.dagTask('shared')
    return conditionOf(status, 'Stalled') === 'True' ? status : null
  })
  assert.match(broken?.message ?? '', /COMMAND_MISSING/)
})

test('names are those of the own namespace: a DagTask and a DAG next door are not there', async t => {
  const [house, other] = [await place.house(t), await place.house(t)]
  other.apply({ kind: 'DagTask', name: 'shared', spec: { image: 'busybox', command: ['true'] } })
  other.apply({ kind: 'DAG', name: 'theirs', spec: { task: [task('a')] } })
  await other.dagIs('theirs', ({ version }) => version === 1)
  house.apply({
    kind: 'DAG',
    name: 'needs',
    spec: { task: [{ name: 'a', taskRef: { name: 'shared', version: 1 } }] },
  })
  house.apply({ kind: 'DagRun', name: 'needs', spec: { dagName: 'theirs' } })
  await house.dagIs('needs', ({ phase }) => phase === 'Pending')
  const status = await house.until('needs', ({ phase }) => phase === 'pending')
  assert.equal(status.reason, 'UNKNOWN_DAG')
})

test('DAGs that call each other in a circle are told as validate tells them', async t => {
  const house = await place.house(t)
  const calls = (name: string): object => ({ task: [{ name: 'call', dag: { name } }] })
  house.apply({ kind: 'DAG', name: 'one', spec: calls('two') })
  await house.dagIs('one', ({ phase }) => phase === 'Successful')
  house.apply({ kind: 'DAG', name: 'two', spec: calls('one') })
  const status = await Promise.any([
    house.dagIs('one', ({ phase }) => phase === 'Failed'),
    house.dagIs('two', ({ phase }) => phase === 'Failed'),
  ])
  assert.match(status.message ?? '', /DAG_CALLS_ITSELF/)
})

test('a tick starts a run, which gets a DagRun that is told by the DAG', { timeout: 120_000 }, async t => {
  const house = await place.house(t)
  house.apply({
    kind: 'DAG',
    name: 'tick',
    labels: { team: 'data', 'app.kubernetes.io/instance': 'argo' },
    spec: { schedule: '* * * * *', parameters: [{ name: 'p', defaultValue: '1' }], task: [task('a')] },
  })
  const run = await eventually(
    'the DagRun of a tick',
    async () => (await house.dagRuns()).find(({ status }) => status?.phase === 'succeeded') ?? null,
    90_000,
  )
  assert.match(run.metadata.name, /^tick-\d{8}$/)
  assert.equal(run.metadata.labels?.['team'], 'data')
  assert.equal(run.metadata.labels?.['kontroler.greedykomodo/trigger'], 'schedule')
  // Tools that prune what is not in Git must not find it.
  assert.equal(run.metadata.labels?.['app.kubernetes.io/instance'], undefined)
  assert.equal(run.metadata.ownerReferences, undefined)
  assert.deepEqual(run.spec, { dagName: 'tick', parameters: [{ name: 'p', value: '1' }] })
  const status = await house.dagIs('tick', ({ lastRunPhase }) => lastRunPhase === 'succeeded')
  assert.equal(status.lastRuns?.[0]?.name, run.metadata.name)
  assert.match(status.lastScheduleTime ?? '', /:00Z$/)
  assert.match(house.kubectl('get', 'dag'), /tick\s+every minute\s+True\s+0\s+succeeded/)
})

test('deleting a DAG ends its schedules and nothing else; made anew, it makes up for nothing', async t => {
  const house = await place.house(t)
  house.machine.script = () => 'runs'
  house.apply({ kind: 'DAG', name: 'short', spec: { schedule: '* * * * *', task: [task('a')] } })
  await house.dagIs('short', ({ version }) => version === 1)
  house.apply({ kind: 'DagRun', name: 'lasts', spec: { dagName: 'short' } })
  await house.until('lasts', ({ phase }) => phase === 'running')
  house.kubectl('delete', 'dag', 'short')
  await eventually('no schedule', async () => ((await house.store.dags()).length === 0 ? true : null))
  assert.equal((await house.dagRun('lasts')).status?.phase, 'running')
  // As if it had been away for long.
  const mark = await house.store.highWater(house.namespace, 'short')
  await delay(1_100)
  house.apply({ kind: 'DAG', name: 'short', spec: { schedule: '* * * * *', task: [task('a')] } })
  await house.dagIs('short', ({ version }) => version === 1)
  assert.ok(((await house.store.highWater(house.namespace, 'short')) ?? 0) > (mark ?? 0))
  house.machine.end(`${(await house.dagRun('lasts')).metadata.uid}/a/1`)
  await house.ended('lasts', 'succeeded')
})
