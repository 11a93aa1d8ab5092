import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anOutcome } from '../../test/model/machine.ts'
import { dagText, openOperatorWorld } from '../../test/model/operator-world.ts'
import { conditionsOf } from './conditions.ts'

const calls = (name: string) => dagText({ name: 'a', dag: { name } })

test('it can be closed while the cluster is away', async t => {
  const { operator, world } = await openOperatorWorld(t, cluster => {
    cluster.away = true
  })
  const closed = operator.close().then(() => 'closed')
  await world.pass(1)
  assert.equal(await Promise.race([closed, world.pass(60_000)]), 'closed')
})

test('the status of a DagTask is that of its newest text, however fast texts follow each other', async t => {
  const { cluster, world, said } = bound(await openOperatorWorld(t))
  const good = { image: 'busybox', command: ['true'] }
  cluster.apply('DagTask', 'x', good)
  await world.pass(1_000)
  assert.equal(said('DagTask', 'x', 'message'), 'this text is version 1')
  cluster.apply('DagTask', 'x', { image: 'busybox', nonsense: 1 })
  cluster.apply('DagTask', 'x', good)
  await world.pass(1_000)
  assert.equal(said('DagTask', 'x', 'message'), 'this text is version 1')
  assert.equal(said('DagTask', 'x', 'observedGeneration'), 3)
})

test('a text that is changed as the run ends is observed, and changes nothing else', async t => {
  const { cluster, world, said } = bound(await openOperatorWorld(t))
  cluster.apply('DAG', 'd', dagText())
  cluster.apply('DagRun', 'x', { dagName: 'd' })
  await world.pass(5_000)
  const before = cluster.find('DagRun', 'x').status
  cluster.apply('DagRun', 'x', { dagName: 'd', cancel: true })
  await world.pass(5_000)
  const { status } = cluster.find('DagRun', 'x')
  assert.equal(said('DagRun', 'x', 'observedGeneration'), 2)
  assert.deepEqual(
    conditionsOf(status).map(({ observedGeneration, ...rest }) => [observedGeneration, rest]),
    conditionsOf(before).map(({ observedGeneration: _, ...rest }) => [2, rest]),
  )
  assert.equal(said('DagRun', 'x', 'phase'), 'succeeded')
})

test('a DagRun that is wrong is told once as an Event, and not looked at whenever its DAG has a run', async t => {
  const { cluster, world, actor, uid, said } = bound(await openOperatorWorld(t))
  cluster.apply('DAG', 'd', dagText())
  cluster.apply('DagRun', 'bad', { dagName: 'd', parameters: [{ name: 'nobody', value: '1' }] })
  await world.pass(5_000)
  assert.match(String(said('DagRun', 'bad', 'message')), /^PARAMETER_UNKNOWN/)
  const bad = uid('DagRun', 'bad')
  let looks = 0
  actor.fragile.fault = (method, [run]) => {
    if (method === 'run' && run === bad) looks += 1
    return null
  }
  for (const name of ['x', 'y', 'z']) {
    cluster.apply('DagRun', name, { dagName: 'd' })
    await world.pass(5_000)
    assert.equal(said('DagRun', name, 'phase'), 'succeeded')
  }
  assert.equal(looks, 0)
  assert.deepEqual(
    cluster.events.filter(({ about }) => about.name === 'bad').map(({ reason }) => reason),
    ['PARAMETER_UNKNOWN'],
  )
})

test('a DagRun that waits begins when its DAG is there; one that was deleted before is not looked for', async t => {
  const { cluster, world, actor, uid, said } = bound(await openOperatorWorld(t))
  cluster.apply('DagRun', 'x', { dagName: 'd' })
  cluster.apply('DagRun', 'y', { dagName: 'd' })
  await world.pass(5_000)
  assert.equal(said('DagRun', 'x', 'phase'), 'pending')
  const deleted = uid('DagRun', 'y')
  cluster.delete('DagRun', 'y')
  await world.pass(5_000)
  let looks = 0
  actor.fragile.fault = (method, [run]) => {
    if (method === 'run' && run === deleted) looks += 1
    return null
  }
  cluster.apply('DAG', 'd', dagText())
  await world.pass(5_000)
  assert.equal(said('DagRun', 'x', 'phase'), 'succeeded')
  assert.equal(looks, 0)
})

test('what ends while it is asked for is not waited for for ever', async t => {
  const { cluster, world, actor, uid, said } = bound(await openOperatorWorld(t))
  world.machine.script = () => 'runs'
  cluster.apply('DAG', 'd', dagText())
  cluster.apply('DagRun', 'x', { dagName: 'd' })
  await world.pass(5_000)
  const old = uid('DagRun', 'x')
  const itself = actor.fragile.hold('run', 'after')
  cluster.apply('DagRun', 'y', { dagName: 'd', action: { type: 'retry', run: 'x' } })
  await itself.reached
  // The answer is on its way, and says that the run has not ended.
  const held = actor.fragile.hold('run', 'after')
  itself.release()
  await held.reached
  world.machine.end(`${old}/a/1`)
  await world.pass(1_000)
  // Nobody hears of the status that is written then, and so nobody looks again because of it.
  cluster.away = true
  held.release()
  await world.pass(5_000)
  assert.equal(said('DagRun', 'y', 'reason'), 'NOTHING_TO_RETRY')
})

test('what waits for a DagRun that is deleted says so', async t => {
  const { cluster, world, said } = bound(await openOperatorWorld(t))
  cluster.apply('DagRun', 'x', { dagName: 'd' })
  cluster.apply('DagRun', 'y', { dagName: 'd', action: { type: 'retry', run: 'x' } })
  await world.pass(5_000)
  assert.equal(said('DagRun', 'y', 'reason'), 'RUN_NOT_FINISHED')
  cluster.delete('DagRun', 'x')
  await world.pass(5_000)
  assert.equal(said('DagRun', 'y', 'reason'), 'UNKNOWN_RUN')
})

test('a run whose DagRun is gone is found by its name, however many are called alike', async t => {
  const { cluster, world, said } = bound(await openOperatorWorld(t))
  world.machine.script = ({ attempt }) => (attempt === 1 ? anOutcome({ exitCode: 1 }) : 'runs')
  cluster.apply('DAG', 'd', dagText())
  cluster.apply('DagRun', 'run-1', { dagName: 'd' })
  await world.pass(5_000)
  cluster.delete('DagRun', 'run-1')
  for (let number = 100; number < 130; number += 1) cluster.apply('DagRun', `run-${number}`, { dagName: 'd' })
  await world.pass(5_000)
  cluster.apply('DagRun', 'again', { dagName: 'd', action: { type: 'retry', run: 'run-1' } })
  await world.pass(5_000)
  assert.equal(said('DagRun', 'again', 'phase'), 'failed')
})

test('while a run goes on, who waits for its end does not read all that happened in it', async t => {
  const { cluster, world, actor, uid, said } = bound(await openOperatorWorld(t))
  world.machine.script = () => 'runs'
  cluster.apply('DAG', 'd', dagText())
  cluster.apply('DagRun', 'x', { dagName: 'd' })
  await world.pass(5_000)
  const old = uid('DagRun', 'x')
  let read = 0
  actor.fragile.fault = (method, [run]) => {
    if (method === 'events' && run === old) read += 1
    return null
  }
  cluster.apply('DagRun', 'y', { dagName: 'd', action: { type: 'retry', run: 'x' } })
  await world.pass(5_000)
  assert.equal(said('DagRun', 'y', 'reason'), 'RUN_NOT_FINISHED')
  assert.equal(read, 0)
})

test('DAGs that call each other in a circle all heal when one of them is corrected', async t => {
  const { cluster, world, said } = bound(await openOperatorWorld(t))
  cluster.apply('DAG', 'a', calls('b'))
  cluster.apply('DAG', 'b', calls('c'))
  cluster.apply('DAG', 'c', calls('a'))
  await world.pass(5_000)
  const before = ['a', 'b', 'c'].map(name => String(said('DAG', name, 'message')))
  assert.ok(
    before.every(message => message.startsWith('DAG_CALLS_ITSELF')),
    before.join('\n'),
  )
  cluster.apply('DAG', 'c', dagText())
  await world.pass(5_000)
  const after = ['a', 'b', 'c'].map(name => said('DAG', name, 'phase'))
  assert.deepEqual(after, ['Successful', 'Successful', 'Successful'])
})

test('retention of one DAG that fails does not hold up the others; what is removed is not named any more', async t => {
  const retention = { runs: 0, ageMs: null }
  const { cluster, world, operator, logsStay, troubles, uid, said } = bound(
    await openOperatorWorld(t, () => undefined, { retention }),
  )
  for (const dag of ['bad', 'good']) {
    cluster.apply('DAG', dag, dagText())
    cluster.apply('DagRun', `of-${dag}`, { dagName: dag })
  }
  await world.pass(5_000)
  const [bad, good] = [uid('DagRun', 'of-bad'), uid('DagRun', 'of-good')]
  logsStay.add(bad)
  const swept = operator.sweep()
  await world.pass(5_000)
  await swept
  assert.deepEqual([(await world.store.run(bad))?.id, await world.store.run(good)], [bad, null])
  assert.deepEqual(troubles, ['RETENTION_FAILED runs of space/bad: Error: the archive is away'])
  assert.deepEqual(said('DAG', 'good', 'lastRuns'), [])
})

/** Its methods as functions. */
function bound(open: Awaited<ReturnType<typeof openOperatorWorld>>) {
  const { cluster, world, actor, operator, troubles, logsStay } = open
  const said: typeof open.said = (kind, name, field) => open.said(kind, name, field)
  const uid: typeof open.uid = (kind, name) => open.uid(kind, name)
  return { cluster, world, actor, operator, troubles, logsStay, said, uid }
}
