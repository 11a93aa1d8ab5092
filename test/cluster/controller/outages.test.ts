import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { runSelector } from '../../../src/executors/pod/names.ts'
import { PODS } from '../../../src/kubernetes/resource.ts'
import type { DagRunStatus } from '../../../src/spec/schema/status.ts'
import { freshSchema, skips, withServer } from '../../contracts/postgres/with-server.ts'
import { type Cluster, startCluster } from '../cluster.ts'
import { LIFE_ANNOTATION } from '../fake-node/life.ts'
import { eventually } from '../operator/house.ts'
import { NEEDS_OWN } from '../shared.ts'
import { ControllerHouse, knowKinds } from './house.ts'

const WIDTH = 20
const AWAY_MS = 6_000
const lasts = (runMs: number): object => ({
  metadata: { annotations: { [LIFE_ANNOTATION]: JSON.stringify({ runMs }) } },
})
/** Pods that run for a while, then as many after them: an outage meets starts, ends and waits. */
const DAG = {
  task: [
    {
      name: 'first',
      image: 'busybox:1.36',
      command: ['true'],
      forEach: Array.from({ length: WIDTH }, (_, index) => String(index)),
      podTemplate: lasts(4_000),
    },
    {
      name: 'second',
      image: 'busybox:1.36',
      command: ['true'],
      runAfter: ['first'],
      forEach: Array.from({ length: WIDTH }, (_, index) => String(index)),
      podTemplate: lasts(500),
    },
  ],
}
const ended = ({ completionTime }: DagRunStatus): boolean => completionTime !== undefined

/** On a cluster of its own, with a fake node: what is away here is away for everybody. */
describe('what a controller needs goes away and comes back', { skip: NEEDS_OWN }, () => {
  const postgres = withServer(18)
  let folder: string
  let cluster: Cluster
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kontroler-outages-'))
    cluster = await startCluster({ mode: 'api', state: join(folder, 'state'), fakeNode: true })
    knowKinds(cluster)
  })
  after(async () => {
    await cluster.stop()
    await rm(folder, { recursive: true, force: true })
  })

  async function wholeRun(house: ControllerHouse, name: string, away: () => Promise<void>): Promise<void> {
    await house.apply('DAG', 'wide', DAG)
    await house.apply('DagRun', name, { dagName: 'wide' })
    await house.until(name, ({ phase }) => phase === 'running')
    await delay(1_000)
    await away()
    const { phase, message, runId = '' } = await house.until(name, ended, 90_000)
    assert.equal(phase, 'succeeded', message)
    const query = { namespace: house.namespace, labelSelector: runSelector(runId) }
    const pods = await house.client.list(PODS, query, { metadataOnly: true })
    assert.equal(pods.items.length, 2 * WIDTH, 'one pod for each attempt')
  }
  const ready = async (house: ControllerHouse): Promise<boolean> => (await fetch(`${house.url}/readyz`)).ok

  test('the API server, in the middle of a run', async t => {
    const house = await ControllerHouse.make(cluster)
    t.after(() => house.remove())
    house.start()
    await house.runs()
    await wholeRun(house, 'run', async () => {
      await cluster.stopApiServer()
      await delay(AWAY_MS)
      await cluster.startApiServer()
    })
    assert.equal(await house.end('SIGTERM'), 0)
  })

  test('the API server, when the controller starts', async t => {
    const house = await ControllerHouse.make(cluster)
    // Hooks run in this order, and the house is removed from a cluster.
    t.after(() => cluster.startApiServer())
    t.after(() => house.remove())
    await cluster.stopApiServer()
    house.start()
    await eventually('word of the wait', async () => (/waits for the cluster/.test(house.said) ? true : null))
    assert.equal((await fetch(`${house.url}/livez`)).status, 200)
    assert.equal(await ready(house), false)
    await cluster.startApiServer()
    await house.runs()
    await eventually('readiness', async () => ((await ready(house)) ? true : null))
  })

  test('the database, in the middle of a run', async t => {
    if (skips(t, postgres.missing())) return
    const server = postgres.server()
    const house = await ControllerHouse.make(cluster, { database: { url: freshSchema(server) } })
    t.after(() => house.remove())
    house.start()
    await house.runs()
    await wholeRun(house, 'run', async () => {
      await server.kill9()
      await eventually('unreadiness', async () => ((await ready(house)) ? null : true))
      await delay(AWAY_MS)
      await server.start()
    })
    await eventually('readiness', async () => ((await ready(house)) ? true : null))
    assert.equal(await house.end('SIGTERM'), 0)
  })

  test('the database, when the controller starts', async t => {
    if (skips(t, postgres.missing())) return
    const server = postgres.server()
    const house = await ControllerHouse.make(cluster, { database: { url: freshSchema(server) } })
    t.after(() => house.remove())
    await server.stop()
    house.start()
    await eventually('word of the wait', async () =>
      /waits for the database/.test(house.said) ? true : null,
    )
    await server.start()
    await house.runs()
  })
})
