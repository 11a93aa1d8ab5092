/**
 * What becomes of attempts when something is done to the node itself. The last tests that should run on a shared
 * cluster: for some seconds no pod of anybody starts there.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Client } from '../../src/kubernetes/client.ts'
import { NODES } from '../../src/kubernetes/resource.ts'
import { KEYS } from '../../src/executors/pod/names.ts'
import type { AttemptSpec } from '../../src/ports/executor.ts'
import { logHolds, type Watched } from '../contracts/executor-harness.ts'
import { Cluster } from './cluster.ts'
import { ahead, type OutcomeHouse, outcomeHouse, said } from './outcome-house.ts'
import { eventually } from './parts.ts'
import { clientOf, fullCluster, NEEDS_OWN } from './shared.ts'

describe('outcomes when the node is worked on', { timeout: 180_000, skip: NEEDS_OWN }, () => {
  let cluster: Cluster
  let client: Client
  let house: OutcomeHouse
  let engine: Watched
  let node = ''
  const signal = (name: 'SIGSTOP' | 'SIGCONT'): void => {
    const { pid } = cluster.part('kubelet')
    assert.ok(pid !== null)
    process.kill(pid, name)
  }
  before(async () => {
    const found = await fullCluster()
    assert.ok(found instanceof Cluster)
    cluster = found
    client = clientOf(cluster)
    node = (await client.list(NODES)).items[0]?.metadata.name ?? ''
    house = await outcomeHouse(client)
    engine = house.open()
  })
  after(async () => {
    signal('SIGCONT')
    cluster.kubectl('uncordon', node)
    await house.close()
    await client.close()
  })

  const running = async (sh: string): Promise<AttemptSpec> => {
    const spec = house.task({ sh: `echo up; ${sh}` })
    engine.executor.start(spec)
    await logHolds(house.place, spec, 'up')
    return spec
  }

  test('cordoned, the next pod waits, and starts when it is not any more', async () => {
    const earlier = await running('sleep 8; exit 2')
    cluster.kubectl('cordon', node)
    const spec = house.task({ sh: 'exit 3' })
    engine.executor.start(spec)
    await house.waits(engine, spec, 'UNSCHEDULABLE', /unschedulable/u)
    cluster.kubectl('uncordon', node)
    assert.equal(said(await engine.ended(spec)), 'exitCode EXIT_CODE 3')
    assert.equal(said(await engine.ended(earlier)), 'exitCode EXIT_CODE 2')
  })

  test('drained with kubectl → disrupted DRAINED, and the next attempt waits for a node', async () => {
    const spec = await running('sleep 300')
    const mine = `${KEYS.installation}=${house.place.installation}`
    const how = ['--force', '--ignore-daemonsets', '--timeout=60s']
    cluster.kubectl('drain', node, `--pod-selector=${mine}`, ...how)
    assert.equal((await engine.ended(spec)).reason, 'DRAINED')
    const next = { ...spec, attempt: 2 }
    engine.executor.start(next)
    await house.waits(engine, next, 'UNSCHEDULABLE', /unschedulable/u)
    cluster.kubectl('uncordon', node)
    await engine.running(next)
    engine.executor.stop(next, 0)
    await engine.ended(next)
  })

  test('its kubelet stopped: ends are told late, and what is deleted meanwhile is lost in time', async () => {
    const [late, deleted] = [await running('sleep 2; exit 6'), await running('sleep 300')]
    const patient = house.open(ahead(3 * 60_000))
    assert.equal(await patient.executor.adopt(late), true)
    assert.equal(await patient.executor.adopt(deleted), true)
    await patient.running(deleted)
    signal('SIGSTOP')
    try {
      await house.delete(deleted)
      const outcome = await patient.ended(deleted)
      assert.equal(said(outcome), 'lost POD_DELETED null')
      assert.match(outcome.message ?? '', /does not confirm/u)
      assert.ok(!(await house.isGone(deleted)), 'its name is held')
      assert.deepEqual(engine.kinds(deleted), ['running'])
      assert.deepEqual(patient.kinds(late), ['running'])
    } finally {
      signal('SIGCONT')
    }
    assert.equal(said(await engine.ended(late)), 'exitCode EXIT_CODE 6')
    assert.equal(said(await patient.ended(late)), 'exitCode EXIT_CODE 6')
    await eventually('the node ends what was deleted', () => house.isGone(deleted))
    assert.equal((await engine.ended(deleted)).reason, 'POD_DELETED')
  })
})
