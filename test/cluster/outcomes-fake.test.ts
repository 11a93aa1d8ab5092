/** Outcomes that no healthy node can give: they come from a fake one, in the words of Kubernetes. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { GATE } from '../../src/executors/pod/names.ts'
import type { Client } from '../../src/kubernetes/client.ts'
import { NODES } from '../../src/kubernetes/resource.ts'
import type { AttemptSpec } from '../../src/ports/executor.ts'
import type { Watched } from '../contracts/executor-harness.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { startFakeNode } from './fake-node.ts'
import { type Life, LIFE_VARIABLE } from './fake-node/life.ts'
import type { FakeNode } from './fake-node/node.ts'
import { hasty, type OutcomeHouse, outcomeHouse, said } from './outcome-house.ts'
import { eventually } from './parts.ts'
import { clientOf } from './shared.ts'

/** An engine for which a minute is two seconds, so that it takes nodes for gone while a test looks. */
const HASTE = 30

describe('outcomes on a fake node', { timeout: 240_000 }, () => {
  let folder = ''
  let cluster: Cluster
  let client: Client
  let node: FakeNode
  let house: OutcomeHouse
  let engine: Watched
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kontroler-outcomes-'))
    cluster = await startCluster({ mode: 'api', state: join(folder, 'state') })
    client = clientOf(cluster)
    node = await startFakeNode(cluster)
    house = await outcomeHouse(client)
    engine = house.open()
  })
  after(async () => {
    await house.close()
    await node.close()
    await client.close()
    await cluster.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const task = (life: Life, pod: Partial<AttemptSpec['pod']> = {}): AttemptSpec =>
    house.task({
      sh: 'true',
      env: [{ name: LIFE_VARIABLE, value: JSON.stringify(life) }],
      pod: { ...house.task({}).pod, ...pod },
    })
  const ends = (says: string, life: Life, expected: string, message: RegExp): void => {
    test(`${says} → ${expected}`, async () => {
      const outcome = await engine.run(task(life))
      assert.equal(said(outcome), expected)
      assert.match(outcome.message ?? '', message)
    })
  }
  /** The node says nothing of it any more. */
  const SILENT = { runMs: null, stopMs: null } as const

  describe('by what ends pods', { concurrency: 6 }, () => {
    ends(
      'evicted by its node, for want of memory',
      { disrupted: { by: 'evicted' } },
      'disrupted EVICTED 137',
      /low on resource: memory/u,
    )
    ends('preempted', { disrupted: { by: 'preempted' } }, 'disrupted PREEMPTED 143', /higher priority/u)
    ends('drained', { disrupted: { by: 'drained' } }, 'disrupted DRAINED 143', /node fake1/u)
    ends('its node shut down', { disrupted: { by: 'shutdown' } }, 'disrupted DISRUPTED 137', /node shutdown/u)
    ends(
      'its node removed',
      { disrupted: { by: 'nodeGone' } },
      'lost NODE_LOST null',
      /node no longer exists/u,
    )
    ends(
      'a container that cannot be made',
      { waiting: { reason: 'ErrImageNeverPull' } },
      'imageError IMAGE_ERROR null',
      /ErrImageNeverPull/u,
    )
  })

  describe('by a node that does not answer', { concurrency: 6 }, () => {
    const overdue = (
      says: string,
      life: Life,
      expected: string,
      message: RegExp,
      act?: (spec: AttemptSpec) => Promise<unknown>,
    ): void => {
      test(`${says} → ${expected}, and not before its time`, async () => {
        const spec = task(life)
        engine.executor.start(spec)
        await engine.running(spec)
        await act?.(spec)
        await eventually(
          'it is to go',
          async () => (await house.pod(spec)).metadata.deletionTimestamp !== undefined,
        )
        const hurried = house.open(hasty(HASTE))
        const outcome = await hurried.run(spec)
        assert.equal(said(outcome), expected)
        assert.match(outcome.message ?? '', message)
        // For whom the time is not up, it may still be heard of.
        assert.deepEqual(engine.kinds(spec), ['running'])
        assert.ok(!(await house.isGone(spec)), 'its name is held: it never starts twice')
      })
    }
    overdue(
      'lost: the taint manager deletes its pods',
      { disrupted: { by: 'nodeLost' } },
      'lost NODE_LOST null',
      /Taint manager.*node fake1 does not confirm/u,
    )
    overdue(
      'deleted by hand, and stuck',
      SILENT,
      'lost POD_DELETED null',
      /node fake1 does not confirm/u,
      spec => house.delete(spec),
    )
    overdue('evicted, and stuck', SILENT, 'lost DRAINED null', /node fake1 does not confirm/u, spec =>
      house.evict(spec),
    )

    test('asked by us to end, it is deleted when its node does not heed that, and then is lost', async () => {
      const spec = task(SILENT)
      const hurried = house.open(hasty(HASTE))
      hurried.executor.start(spec)
      await hurried.running(spec)
      hurried.executor.stop(spec, 60_000)
      const outcome = await hurried.ended(spec)
      assert.equal(said(outcome), 'lost LOST null')
      assert.match(outcome.message ?? '', /was asked to end.*node fake1 does not confirm/u)
    })

    test('with evidence: finalizer, its pod goes in the end', async () => {
      const spec = task(SILENT, { evidence: 'finalizer' })
      const hurried = house.open(hasty(HASTE))
      hurried.executor.start(spec)
      await hurried.running(spec)
      await house.delete(spec)
      assert.equal(said(await hurried.ended(spec)), 'lost POD_DELETED null')
      house.recorded(hurried, spec)
      // The node is removed, so the cluster gives its pods up.
      await house.delete(spec, 0)
      await eventually('the pod is gone', () => house.isGone(spec))
    })
  })

  test('a strict start on a node that a scheduler chooses', async () => {
    const spec = task({ runMs: 100 }, { startGuarantee: 'strict' })
    engine.executor.start(spec)
    const { handle = null } = await house.waits(engine, spec, 'STARTING', /^$/u)
    assert.deepEqual((await house.pod(spec)).spec.schedulingGates, [{ name: GATE }])
    await engine.executor.adopt({ ...spec, handle })
    assert.equal(said(await engine.ended(spec)), 'succeeded SUCCEEDED 0')
  })

  /** Where no node is left at all the cluster evicts nothing, as it then doubts itself. */
  const addHealthyNode = async (): Promise<void> => {
    const name = 'spare'
    await client.create(NODES, undefined, { metadata: { name } })
    const now = new Date().toISOString()
    const ready = { type: 'Ready', status: 'True', lastHeartbeatTime: now, lastTransitionTime: now }
    await client.mergePatch(NODES, { name }, { status: { conditions: [ready] } }, { subresource: 'status' })
  }

  // The last one: the node is lost for all.
  test('a node that is heard of no more → lost NODE_LOST, by the cluster’s own taint manager', async () => {
    const key = 'node.kubernetes.io/unreachable'
    const podTemplate = { tolerations: [{ key, effect: 'NoExecute', tolerationSeconds: 1 }] }
    const spec = { ...task(SILENT), work: { ...house.held(podTemplate).work } }
    engine.executor.start(spec)
    await engine.running(spec)
    await addHealthyNode()
    await node.lose()
    await eventually(
      'it is to go',
      async () => (await house.pod(spec)).metadata.deletionTimestamp !== undefined,
    )
    const outcome = await house.open(hasty(HASTE)).run(spec)
    assert.equal(said(outcome), 'lost NODE_LOST null')
    assert.match(outcome.message ?? '', /NoExecute taint.*does not confirm/u)
  })
})
