/** What `startGuarantee`, `evidence` and fences promise, against hands that delete and engines that come late. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { podBody } from '../../src/executors/pod/body.ts'
import { fenceName, GATE, workspaceName } from '../../src/executors/pod/names.ts'
import type { Pod } from '../../src/executors/pod/pod.ts'
import type { Client } from '../../src/kubernetes/client.ts'
import { isProblem } from '../../src/kubernetes/problem.ts'
import { CONFIG_MAPS, NAMESPACES, PODS, VOLUME_CLAIMS } from '../../src/kubernetes/resource.ts'
import type { AttemptSpec } from '../../src/ports/executor.ts'
import { logHolds, logText, type TaskShape } from '../contracts/executor-harness.ts'
import { ahead, hasty, type OutcomeHouse, outcomeHouse, said } from './outcome-house.ts'
import { eventually } from './parts.ts'
import { clientOf, fullCluster } from './shared.ts'

const MINUTES_AHEAD = ahead(3 * 60_000)

describe('what is promised of a start and an end', { timeout: 300_000, concurrency: 3 }, () => {
  let client: Client
  let house: OutcomeHouse
  before(async () => {
    client = clientOf(await fullCluster())
    house = await outcomeHouse(client)
  })
  after(async () => {
    await house.close()
    await client.close()
  })

  const withPod = (pod: Partial<AttemptSpec['pod']>, shape: TaskShape): AttemptSpec =>
    house.task({ ...shape, pod: { ...house.task({}).pod, ...pod } })
  const gates = ({ spec }: Pod): readonly string[] => (spec.schedulingGates ?? []).map(({ name }) => name)

  describe('startGuarantee: strict', () => {
    const made = { reason: 'STARTING', text: /^$/u } as const
    const strict = (sh: string): AttemptSpec => withPod({ startGuarantee: 'strict' }, { sh })

    test('the pod goes on only when its UID is durable', async () => {
      const engine = house.open()
      const spec = strict('echo ran')
      engine.executor.start(spec)
      const { handle } = await house.waits(engine, spec, made.reason, made.text)
      const pod = await house.pod(spec)
      assert.deepEqual(gates(pod), [GATE])
      assert.ok(handle !== undefined && JSON.stringify(handle).includes(pod.metadata.uid))
      assert.equal(await engine.executor.adopt({ ...spec, handle }), true)
      assert.equal(said(await engine.ended(spec)), 'succeeded SUCCEEDED 0')
      assert.equal(await logText(house.place, spec), 'ran\n')
    })

    test('an engine that dies before that leaves it to the next, which goes on with the same pod', async () => {
      const first = house.open()
      const spec = strict('echo ran')
      first.executor.start(spec)
      const { handle } = await house.waits(first, spec, made.reason, made.text)
      await first.executor.close()
      const second = house.open()
      assert.equal(await second.executor.adopt(spec), true)
      assert.deepEqual((await house.waits(second, spec, made.reason, made.text)).handle, handle)
      await second.executor.adopt({ ...spec, handle: handle ?? null })
      assert.equal(said(await second.ended(spec)), 'succeeded SUCCEEDED 0')
    })

    test('a create that comes late, after somebody removed the pod, never starts', async () => {
      const engine = house.open()
      const spec = strict('echo ran; sleep 300')
      engine.executor.start(spec)
      const { handle = null } = await house.waits(engine, spec, made.reason, made.text)
      await engine.executor.adopt({ ...spec, handle })
      await logHolds(house.place, spec, 'ran')
      await house.delete(spec, 0)
      assert.equal(said(await engine.ended(spec)), 'lost POD_DELETED null')
      const { installation } = house.place
      const fence = engine.executor.era ?? 'any'
      const late = podBody(spec, { installation, fence, stopGraceSeconds: 2 })
      await client.create(PODS, spec.namespace, late)
      // An engine that starts anew, and reads in the database which pod was the attempt's.
      const next = house.open()
      await next.executor.adopt({ ...spec, handle })
      assert.equal(said(await next.ended(spec)), 'lost LOST null')
      await eventually('the late pod is removed', () => house.isGone(spec))
    })

    test('stopped before its UID is durable, it never starts', async () => {
      const engine = house.open()
      const spec = strict('echo ran')
      engine.executor.start(spec)
      await house.waits(engine, spec, made.reason, made.text)
      engine.executor.stop(spec, 1_000)
      assert.equal((await engine.ended(spec)).kind, 'cancelled')
      assert.equal((await house.open().run(spec)).kind, 'cancelled')
    })
  })

  describe('evidence: finalizer', () => {
    const watched = async (evidence: 'watch' | 'finalizer'): Promise<AttemptSpec> => {
      const engine = house.open()
      const spec = withPod({ evidence }, { sh: 'trap "exit 9" TERM; echo up; sleep 300 & wait' })
      engine.executor.start(spec)
      await logHolds(house.place, spec, 'up')
      await engine.executor.close()
      return spec
    }

    test('deleted by hand while no engine looks, its outcome is there for the next one; then it goes', async () => {
      const spec = await watched('finalizer')
      await house.delete(spec)
      await eventually('its end is told', async () => (await house.pod(spec)).status?.phase === 'Failed')
      const engine = house.open()
      assert.equal(said(await engine.run(spec)), 'disrupted POD_DELETED 9')
      assert.ok(!(await house.isGone(spec)), 'it stays until the outcome is recorded')
      house.recorded(engine, spec)
      await eventually('the pod is gone', () => house.isGone(spec))
    })

    test('recorded by an engine that died then, the next one lets it go', async () => {
      const spec = await watched('finalizer')
      house.ended.add(`${spec.run}/${spec.task}/${spec.attempt}`)
      await house.delete(spec)
      house.open(hasty(10))
      await eventually('the pod is gone', () => house.isGone(spec))
    })

    test('without it, such an attempt is lost', async () => {
      const spec = await watched('watch')
      await house.delete(spec)
      await eventually('the pod is gone', () => house.isGone(spec))
      const outcome = await house
        .open()
        .executor.adopt({ ...spec, handle: {} })
        .then(() => null)
      assert.equal(outcome, null)
      const engine = house.open()
      await engine.executor.adopt({ ...spec, handle: {} })
      assert.equal(said(await engine.ended(spec)), 'lost LOST null')
    })

    test('deleted before it had a node, it goes as well', async () => {
      const engine = house.open()
      const spec = withPod(
        { evidence: 'finalizer' },
        { sh: 'true', work: { podTemplate: { nodeSelector: { disk: 'none' } } } },
      )
      engine.executor.start(spec)
      await house.waits(engine, spec, 'UNSCHEDULABLE', /./u)
      await house.delete(spec)
      assert.equal(said(await engine.ended(spec)), 'disrupted POD_DELETED null')
      house.recorded(engine, spec)
      await eventually('the pod is gone', () => house.isGone(spec))
    })

    test('a namespace goes with such pods in it', async () => {
      const other = await outcomeHouse(client)
      const engine = other.open()
      const spec = other.task({
        sh: 'echo up; sleep 300',
        pod: { ...other.task({}).pod, evidence: 'finalizer' },
      })
      engine.executor.start(spec)
      await engine.running(spec)
      await client.remove(NAMESPACES, { name: other.place.namespace })
      assert.equal((await engine.ended(spec)).reason, 'POD_DELETED')
      other.recorded(engine, spec)
      const isGone = async (): Promise<boolean> =>
        await client.get(NAMESPACES, { name: other.place.namespace }).then(
          () => false,
          (error: unknown) => isProblem(error, 'notFound'),
        )
      await eventually('the namespace is gone', isGone)
      await other.close()
    })
  })

  describe('fences', () => {
    test('one that somebody removed: what waits for it says so and ends, and the next attempt gets another', async () => {
      const engine = house.open()
      const era = engine.executor.era
      const spec = house.held({ nodeSelector: { disk: 'none' } })
      engine.executor.start(spec)
      await house.waits(engine, spec, 'UNSCHEDULABLE', /./u)
      const pod = await house.pod(spec)
      const fence =
        Object.entries(pod.metadata.labels ?? {}).find(([key]) => key.endsWith('/fence'))?.[1] ?? ''
      const name = fenceName(house.place.installation, fence)
      await client.remove(CONFIG_MAPS, { namespace: house.place.namespace, name })
      const late = house.task({ sh: 'echo ran', ...(era === undefined ? {} : { era }) })
      engine.executor.start(late)
      await house.waits(engine, late, 'STARTING', /its fence is gone/u)
      const outcome = await house.open(MINUTES_AHEAD).run(late)
      assert.equal(said(outcome), 'startError START_ERROR null')
      assert.equal(said(await engine.run(house.task({ sh: 'true' }))), 'succeeded SUCCEEDED 0')
      engine.executor.stop(spec, 0)
      await engine.ended(spec)
    })

    test('a workspace’s claim goes soon after its run, though its tombstones hold it', async () => {
      const other = await outcomeHouse(client, {
        fences: { ageMinMs: 1_000, restMs: 1_000, waitMs: 1_000 },
        erasInUse: async () => new Set(),
      })
      const engine = other.open()
      const spec = other.task({ sh: 'echo kept > /workspace/file', workspace: true })
      assert.equal(said(await engine.run(spec)), 'succeeded SUCCEEDED 0')
      other.recorded(engine, spec)
      await engine.executor.endRun(spec.run, { removeWorkspace: true })
      const place = { namespace: other.place.namespace, name: workspaceName(spec.run) }
      await eventually('the claim is gone', () =>
        client.get(VOLUME_CLAIMS, place).then(
          () => false,
          (error: unknown) => isProblem(error, 'notFound'),
        ),
      )
      assert.ok(await other.isGone(spec))
      await other.close()
    })
  })
})
