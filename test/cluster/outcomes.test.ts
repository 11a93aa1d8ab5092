/** How attempts end, and what holds them back, as the real kubelet and scheduler tell it. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Json } from '../../src/core/json.ts'
import { containerName } from '../../src/executors/pod/names.ts'
import type { Client } from '../../src/kubernetes/client.ts'
import { PODS } from '../../src/kubernetes/resource.ts'
import { logHolds, type TaskShape, type Watched } from '../contracts/executor-harness.ts'
import { ahead, type OutcomeHouse, outcomeHouse, said } from './outcome-house.ts'
import { eventually } from './parts.ts'
import { clientOf, fullCluster } from './shared.ts'

const MINUTES_AHEAD = ahead(3 * 60_000)
const env = (valueFrom: Json): Json => ({ env: [{ name: 'VALUE', valueFrom }] })
const beside = (name: string, sh: string, more: Json = {}): Json => ({
  name,
  image: 'busybox:1.36',
  command: ['sh', '-c', sh],
  ...(more as object),
})

describe('outcomes on a real kubelet', { timeout: 300_000 }, () => {
  let client: Client
  let house: OutcomeHouse
  let engine: Watched
  /** One that has waited for minutes already. */
  let patient: Watched
  before(async () => {
    client = clientOf(await fullCluster())
    house = await outcomeHouse(client)
    engine = house.open()
    patient = house.open(MINUTES_AHEAD)
  })
  after(async () => {
    await house.close()
    await client.close()
  })

  const ends = (says: string, expected: string, shape: () => TaskShape, message = /(?:)/u): void => {
    test(`${says} → ${expected}`, async () => {
      const outcome = await engine.run(house.task(shape()))
      assert.equal(said(outcome), expected, outcome.message ?? '')
      assert.match(outcome.message ?? '', message)
    })
  }

  describe('by its own doing', { concurrency: 4 }, () => {
    ends('success', 'succeeded SUCCEEDED 0', () => ({ sh: 'exit 0' }))
    ends('an exit code', 'exitCode EXIT_CODE 3', () => ({ sh: 'exit 3' }))
    ends('a signal', 'exitCode EXIT_CODE 139', () => ({ sh: "sh -c 'kill -SEGV $$'; exit $?" }))
    ends(
      'more memory than its limit',
      'oomKilled OOM_KILLED 137',
      () => ({ work: { command: ['tail', '/dev/zero'], resources: { limits: { memory: '24Mi' } } } }),
      /limit of 24Mi/u,
    )
    ends(
      'a command that is not there',
      'configError COMMAND_NOT_FOUND null',
      () => ({ work: { command: ['no-such-command'] } }),
      /no-such-command/u,
    )
    ends('a file that cannot be executed', 'configError NOT_EXECUTABLE null', () => ({
      work: { command: ['/etc/passwd'] },
    }))
    ends(
      'an init container that fails',
      'exitCode INIT_FAILED 7',
      () => ({ sh: 'true', work: { podTemplate: { initContainers: [beside('prepare', 'exit 7')] } } }),
      /init container prepare exited with code 7/u,
    )

    test('a signal that we sent → exitCode KILLED_BY_SIGNAL 143', async () => {
      const spec = house.task({ sh: 'trap "exit 143" TERM; echo up; sleep 60 & wait' })
      engine.executor.start(spec)
      await logHolds(house.place, spec, 'up')
      engine.executor.stop(spec, 60_000)
      const outcome = await engine.ended(spec)
      assert.equal(said(outcome), 'exitCode KILLED_BY_SIGNAL 143')
      assert.equal(outcome.signal, 'SIGTERM')
    })
  })

  describe('beside others in its pod', { concurrency: 4 }, () => {
    test('a sidecar that hangs holds nothing up, and is told to end', async () => {
      const spec = house.task({
        sh: 'exit 0',
        work: { podTemplate: { containers: [beside('proxy', 'sleep 600')] } },
      })
      assert.equal(said(await engine.run(spec)), 'succeeded SUCCEEDED 0')
      await eventually('the pod is over', async () => (await house.pod(spec)).status?.phase === 'Failed')
      assert.equal(said(await house.open().run(spec)), 'succeeded SUCCEEDED 0')
    })
    ends('a sidecar that fails', 'succeeded SUCCEEDED 0', () => ({
      sh: 'sleep 1',
      work: { podTemplate: { containers: [beside('proxy', 'exit 1')] } },
    }))
    ends('a native sidecar', 'succeeded SUCCEEDED 0', () => ({
      sh: 'exit 0',
      work: {
        podTemplate: { initContainers: [beside('proxy', 'sleep 600', { restartPolicy: 'Always' })] },
      },
    }))
    ends('a container that somebody injected before it', 'exitCode EXIT_CODE 5', () => ({
      sh: 'exit 5',
      work: { podTemplate: { containers: [beside('injected', 'exit 0')] } },
    }))
  })

  describe('for what it is made of', { concurrency: 4 }, () => {
    ends('no image name at all', 'imageError IMAGE_ERROR null', () => ({
      sh: 'true',
      work: { image: 'Not::An::Image' },
    }))
    ends('an image that may not be pulled', 'imageError IMAGE_ERROR null', () => ({
      sh: 'true',
      work: { image: 'nowhere.invalid/none:1', podTemplate: { imagePullPolicy: 'Never' } },
    }))

    const waitsAndEnds = (
      says: string,
      reason: 'IMAGE_PULL' | 'CONTAINER_CONFIG',
      expected: string,
      text: RegExp,
      shape: () => TaskShape,
    ): void => {
      test(`${says} → ${reason}, and after some minutes ${expected}`, async () => {
        const spec = house.task({ sh: 'true', ...shape() })
        engine.executor.start(spec)
        await house.waits(engine, spec, reason, text)
        const outcome = await patient.run(spec)
        assert.equal(said(outcome), expected)
        assert.match(outcome.message ?? '', text)
      })
    }
    waitsAndEnds(
      'an image that is not to be had',
      'IMAGE_PULL',
      'imageError IMAGE_ERROR null',
      /127\.0\.0\.1:1/u,
      () => ({ work: { image: '127.0.0.1:1/none:1' } }),
    )
    waitsAndEnds(
      'a variable from a Secret that is not there',
      'CONTAINER_CONFIG',
      'configError SECRET_MISSING null',
      /secret "none" not found/u,
      () => ({ work: { podTemplate: env({ secretKeyRef: { name: 'none', key: 'key' } }) } }),
    )
    waitsAndEnds(
      'a variable from a key that the ConfigMap lacks',
      'CONTAINER_CONFIG',
      'configError CONFIG_MISSING null',
      /couldn't find key none in ConfigMap/u,
      () => ({ work: { podTemplate: env({ configMapKeyRef: { name: 'kube-root-ca.crt', key: 'none' } }) } }),
    )
    waitsAndEnds(
      'a volume from a Secret that is not there, which only Events tell',
      'CONTAINER_CONFIG',
      'configError SECRET_MISSING null',
      /secret "keys" not found/u,
      () => ({
        work: {
          podTemplate: {
            volumes: [{ name: 'keys', secret: { secretName: 'keys' } }],
            volumeMounts: [{ name: 'keys', mountPath: '/keys' }],
          },
        },
      }),
    )
  })

  describe('while it waits', { concurrency: 4 }, () => {
    const waits = (
      says: string,
      reason: 'UNSCHEDULABLE' | 'VOLUME_PENDING',
      text: RegExp,
      podTemplate: Json,
    ): void => {
      test(`${says} → ${reason}; stopped for its pendingTimeout, it says so`, async () => {
        const spec = house.held(podTemplate)
        engine.executor.start(spec)
        await house.waits(engine, spec, reason, text)
        engine.executor.stop(spec, 2_000)
        const outcome = await engine.ended(spec)
        assert.equal(outcome.kind, 'cancelled')
        assert.match(outcome.message ?? '', text)
      })
    }
    waits('a node that nobody has', 'UNSCHEDULABLE', /node selector|affinity\/selector/u, {
      nodeSelector: { disk: 'none' },
    })
    waits('more than any node has', 'UNSCHEDULABLE', /Insufficient cpu/u, {
      resources: { requests: { cpu: '1000' } },
    })
    waits('a claim that is not there', 'VOLUME_PENDING', /persistentvolumeclaim "none" not found/u, {
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'none' } }],
      volumeMounts: [{ name: 'data', mountPath: '/data' }],
    })
    waits(
      'a volume that cannot be mounted, which only Events tell',
      'VOLUME_PENDING',
      /hostPath type check/u,
      {
        volumes: [{ name: 'data', hostPath: { path: '/no/such/folder', type: 'Directory' } }],
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
      },
    )
  })

  describe('from outside', { concurrency: 4 }, () => {
    const running = async (sh = 'echo up; sleep 300'): Promise<ReturnType<OutcomeHouse['task']>> => {
      const spec = house.task({ sh })
      engine.executor.start(spec)
      await logHolds(house.place, spec, 'up')
      return spec
    }

    test('deleted by hand → disrupted POD_DELETED, with the code it left with', async () => {
      const spec = await running()
      await house.delete(spec)
      assert.equal(said(await engine.ended(spec)), 'disrupted POD_DELETED 137')
    })

    test('deleted by hand, and done before its grace was over → succeeded', async () => {
      const spec = await running('trap "exit 0" TERM; echo up; sleep 300 & wait')
      await house.delete(spec)
      assert.equal(said(await engine.ended(spec)), 'succeeded SUCCEEDED 0')
    })

    test('deleted by force, so that nobody saw its end → lost POD_DELETED', async () => {
      const spec = await running()
      await house.delete(spec, 0)
      assert.equal(said(await engine.ended(spec)), 'lost POD_DELETED null')
    })

    test('evicted by the eviction API, as a drain does it → disrupted DRAINED', async () => {
      const spec = await running()
      await house.evict(spec)
      const outcome = await engine.ended(spec)
      assert.equal(said(outcome), 'disrupted DRAINED 137')
      assert.match(outcome.message ?? '', /node/u)
    })

    test('a deadline that somebody else sets on its pod → timedOut TIMED_OUT', async () => {
      const spec = await running()
      const patch = { spec: { activeDeadlineSeconds: 2 } }
      await client.mergePatch(PODS, house.placeOf(spec), patch)
      assert.equal((await engine.ended(spec)).reason, 'TIMED_OUT')
    })

    test('the deadline of a template is not the pod’s: the engine keeps the time', async () => {
      const spec = house.held({ activeDeadlineSeconds: 1 })
      engine.executor.start(spec)
      await engine.running(spec)
      assert.equal((await house.pod(spec)).spec.activeDeadlineSeconds, undefined)
      assert.equal((await house.pod(spec)).spec.containers?.[0]?.name, containerName(spec.task))
      engine.executor.stop(spec, 0)
      await engine.ended(spec)
    })
  })
})
