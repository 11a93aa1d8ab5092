import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import type { Client, LogQuery } from '../../src/kubernetes/client.ts'
import { isProblem } from '../../src/kubernetes/problem.ts'
import { CONFIG_MAPS, EVENTS, NODES, PODS, SECRETS } from '../../src/kubernetes/resource.ts'
import type { KubeObject } from '../../src/kubernetes/object.ts'
import type { Pod } from '../../src/executors/pod/pod.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { startFakeNode } from './fake-node.ts'
import { type Life, LIFE_ANNOTATION } from './fake-node/life.ts'
import type { FakeNode } from './fake-node/node.ts'
import { eventually } from './parts.ts'
import { clientOf } from './shared.ts'

const namespace = 'default'
const MANY = 500

describe('the fake node', { timeout: 300_000 }, () => {
  let cluster: Cluster
  let client: Client
  let node: FakeNode
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kontroler-fake-'))
    cluster = await startCluster({ mode: 'api', state: join(folder, 'state') })
    client = clientOf(cluster)
    node = await startFakeNode(cluster)
  })
  after(async () => {
    await node.close()
    await client.close()
    await cluster.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const make = async (name: string, life: Life, spec: object = {}): Promise<void> => {
    await client.createBrief(PODS, namespace, {
      metadata: { name, annotations: { [LIFE_ANNOTATION]: JSON.stringify(life) } },
      spec: { restartPolicy: 'Never', containers: [container('main')], ...spec },
    })
  }
  const container = (name: string, more: object = {}): object => ({ name, image: 'any:1', ...more })
  const look = (name: string): Promise<Pod> => client.get<Pod>(PODS, { namespace, name })
  const until = async (name: string, is: (pod: Pod) => boolean): Promise<Pod> => {
    let seen: Pod | null = null
    await eventually(
      `pod ${name}`,
      async () => is((seen = await look(name))),
      () => JSON.stringify(seen?.status),
    )
    return await look(name)
  }
  const phase = (name: string, wanted: string): Promise<Pod> =>
    until(name, pod => pod.status?.phase === wanted)
  const gone = (name: string): Promise<void> =>
    eventually(
      `${name} is gone`,
      () =>
        look(name).then(
          () => false,
          (error: unknown) => isProblem(error, 'notFound'),
        ),
      () => '',
    )
  const logOf = async (name: string, query: LogQuery = {}): Promise<string> => {
    const { body } = await client.logs({ namespace, name }, query)
    return await text(body)
  }
  const terminated = ({ status }: Pod, at = 0) => status?.containerStatuses?.[at]?.state?.terminated
  const waiting = ({ status }: Pod) => status?.containerStatuses?.[0]?.state?.waiting
  const condition = ({ status }: Pod, type: string) =>
    status?.conditions?.find(one => one.type === type && one.status === 'True')?.reason
  const events = async (name: string): Promise<string[]> => {
    const fieldSelector = `involvedObject.name=${name}`
    const { items } = await client.list<KubeObject & { reason: string; message: string }>(EVENTS, {
      namespace,
      fieldSelector,
    })
    return items.map(({ reason, message }) => `${reason}: ${message}`)
  }

  test('an ordinary pod succeeds at once, on the node, and its log can be read', async () => {
    await make('plain', { log: 'one\ntwo\n', message: 'a=1' })
    const pod = await phase('plain', 'Succeeded')
    assert.equal(pod.spec.nodeName, 'fake1')
    assert.deepEqual([terminated(pod)?.reason, terminated(pod)?.message], ['Completed', 'a=1'])
    assert.equal(await logOf('plain'), 'one\ntwo\n')
    assert.match(await logOf('plain', { timestamps: true, tailLines: 1 }), /^\d{4}-.*Z two\n$/)
  })

  test('runs as long as it is told, then exits with its code', async () => {
    await make('fails', { runMs: 500, exitCode: 3 })
    assert.ok((await phase('fails', 'Running')).status?.containerStatuses?.[0]?.state?.running)
    const stage = terminated(await phase('fails', 'Failed'))
    assert.deepEqual([stage?.exitCode, stage?.reason], [3, 'Error'])
  })

  test('its log is followed until it ends', async () => {
    await make('talks', { runMs: 1_000, log: 'said\n' })
    await phase('talks', 'Running')
    assert.equal(await logOf('talks', { follow: true }), 'said\n')
    // As with a kubelet, the log may end a moment before the status says so.
    assert.equal(terminated(await phase('talks', 'Succeeded'))?.exitCode, 0)
  })

  test('is killed for memory', async () => {
    await make('eats', { reason: 'OOMKilled' })
    const stage = terminated(await phase('eats', 'Failed'))
    assert.deepEqual([stage?.exitCode, stage?.reason], [137, 'OOMKilled'])
  })

  test('never gets its image, and says so in an Event', async () => {
    await make('pulls', { waiting: { reason: 'ErrImagePull', message: 'no such image' } })
    const pod = await until('pulls', one => waiting(one)?.reason === 'ErrImagePull')
    assert.equal(pod.status?.phase, 'Pending')
    await eventually(
      'the Event',
      async () => (await events('pulls')).includes('Failed: no such image'),
      () => '',
    )
  })

  test('finds no node', async () => {
    await make('waits', { unschedulable: '0/1 nodes are available: 1 Insufficient cpu.' })
    const pod = await until('waits', ({ status }) => (status?.conditions ?? []).length > 0)
    assert.deepEqual(
      [pod.spec.nodeName, pod.status?.conditions?.map(({ type, reason }) => [type, reason])],
      [undefined, [['PodScheduled', 'Unschedulable']]],
    )
    await client.remove(PODS, { namespace, name: 'waits' })
    await gone('waits')
  })

  test('is held back by a gate until that is taken away', async () => {
    await make('gated', {}, { schedulingGates: [{ name: 'test/gate' }] })
    await until('gated', ({ status }) => (status?.conditions ?? []).length > 0)
    assert.equal((await look('gated')).spec.nodeName, undefined)
    await client.mergePatch(PODS, { namespace, name: 'gated' }, { spec: { schedulingGates: null } })
    await phase('gated', 'Succeeded')
  })

  for (const [kind, source] of Object.entries({
    ConfigMap: { configMap: { name: 'fence' } },
    Secret: { secret: { secretName: 'fence' } },
    'projected ConfigMap': { projected: { sources: [{ configMap: { name: 'fence' } }] } },
  })) {
    test(`starts nothing before the ${kind} of its volume is there`, async () => {
      const name = `fenced-${kind.toLowerCase().replace(' ', '-')}`
      const volumeMounts = [{ name: 'fence', mountPath: '/fence' }]
      const resource = kind === 'Secret' ? SECRETS : CONFIG_MAPS
      const volumes = [{ name: 'fence', ...source }]
      await make(name, {}, { volumes, containers: [container('main', { volumeMounts })] })
      const pod = await until(name, one => waiting(one) !== undefined)
      assert.deepEqual([pod.status?.phase, waiting(pod)?.reason], ['Pending', 'ContainerCreating'])
      await eventually(
        'the Event',
        async () => /^FailedMount: .*"fence" not found/.test((await events(name)).join()),
        () => '',
      )
      assert.equal((await look(name)).status?.phase, 'Pending')
      await client.create(resource, namespace, { metadata: { name: 'fence' } })
      await phase(name, 'Succeeded')
      await client.remove(resource, { namespace, name: 'fence' })
    })
  }

  test('starts without an optional ConfigMap, and without one that no container mounts', async () => {
    const volumeMounts = [{ name: 'may', mountPath: '/may' }]
    const volumes = [
      { name: 'may', configMap: { name: 'nowhere', optional: true } },
      { name: 'unused', configMap: { name: 'nowhere' } },
    ]
    await make('unfenced', {}, { volumes, containers: [container('main', { volumeMounts })] })
    await phase('unfenced', 'Succeeded')
  })

  test('waits with CreateContainerConfigError for the Secret of a variable', async () => {
    const env = [{ name: 'A', valueFrom: { secretKeyRef: { name: 'later', key: 'a' } } }]
    await make('secretive', {}, { containers: [container('main', { env })] })
    const pod = await until('secretive', one => waiting(one)?.reason === 'CreateContainerConfigError')
    assert.equal(waiting(pod)?.message, 'secret "later" not found')
    await client.create(SECRETS, namespace, { metadata: { name: 'later' } })
    await phase('secretive', 'Succeeded')
  })

  test('is evicted: it fails where it stands', async () => {
    await make('evicted', { disrupted: { by: 'evicted' } })
    const pod = await phase('evicted', 'Failed')
    assert.deepEqual(
      [pod.status?.reason, condition(pod, 'DisruptionTarget'), terminated(pod)?.exitCode],
      ['Evicted', 'TerminationByKubelet', 137],
    )
  })

  for (const [by, reason] of [
    ['preempted', 'PreemptionByScheduler'],
    ['drained', 'EvictionByEvictionAPI'],
    ['deleted', undefined],
  ] as const) {
    test(`is ${by}: it is told to end, fails and goes`, async () => {
      await make(by, { disrupted: { by }, stopMs: 1_000 })
      const pod = await until(by, ({ metadata }) => metadata.deletionTimestamp !== undefined)
      assert.equal(condition(pod, 'DisruptionTarget'), reason)
      await gone(by)
    })
  }

  test('its node is lost: it is deleted, and nobody confirms that', async () => {
    await make('lost', { disrupted: { by: 'nodeLost' } })
    const pod = await until('lost', ({ metadata }) => metadata.deletionTimestamp !== undefined)
    assert.equal(condition(pod, 'DisruptionTarget'), 'DeletionByTaintManager')
    assert.equal(pod.status?.phase, 'Running')
    await client.remove(PODS, { namespace, name: 'lost' }, { gracePeriodSeconds: 0 })
    await gone('lost')
  })

  test('a deadline that comes later ends it', async () => {
    await make('late', { runMs: null })
    await phase('late', 'Running')
    await client.mergePatch(PODS, { namespace, name: 'late' }, { spec: { activeDeadlineSeconds: 1 } })
    const pod = await phase('late', 'Failed')
    assert.deepEqual([pod.status?.reason, terminated(pod)?.exitCode], ['DeadlineExceeded', 143])
  })

  test('init containers come first, sidecars go last and hold nothing up', async () => {
    const initContainers = [container('first'), container('beside', { restartPolicy: 'Always' })]
    const life = { runMs: 300, containers: { beside: { runMs: null, exitCode: 1 } } }
    await make('company', life, { initContainers })
    const pod = await phase('company', 'Succeeded')
    assert.deepEqual(
      pod.status?.initContainerStatuses?.map(({ state }) => state?.terminated?.exitCode),
      [0, 1],
    )
    await make('unlucky', { containers: { first: { exitCode: 4 } } }, { initContainers })
    assert.equal(waiting(await phase('unlucky', 'Failed'))?.reason, 'PodInitializing')
  })

  test('a container that never ends keeps the pod running', async () => {
    const containers = [container('main'), container('hangs')]
    await make('hung', { containers: { hangs: { runMs: null } } }, { containers })
    const pod = await until('hung', one => terminated(one) !== undefined)
    assert.equal(pod.status?.phase, 'Running')
  })

  test('thousands a minute', async () => {
    const began = performance.now()
    const names = Array.from({ length: MANY }, (_, index) => `many-${index}`)
    await Promise.all(names.map(name => make(name, {}, { automountServiceAccountToken: false })))
    await eventually(
      'all have succeeded',
      async () => {
        const fieldSelector = 'status.phase!=Succeeded'
        const { items } = await client.list(PODS, { namespace, fieldSelector }, { metadataOnly: true })
        return !items.some(({ metadata }) => metadata.name.startsWith('many-'))
      },
      () => `${node.pods} pods`,
      180_000,
    )
    console.log(`# ${Math.round((MANY / (performance.now() - began)) * 60_000)} pods a minute`)
  })

  test('a node that is not heard of is tainted, and is not when it is back', async () => {
    interface Node extends KubeObject {
      readonly spec: { readonly taints?: readonly { readonly key: string }[] }
    }
    const taints = async (): Promise<string[]> => {
      const { spec } = await client.get<Node>(NODES, { name: node.name })
      return (spec.taints ?? []).map(({ key }) => key)
    }
    await node.lose()
    const is = async (): Promise<boolean> => (await taints()).includes('node.kubernetes.io/unreachable')
    await eventually('the taint', is, () => '')
    await node.recover()
    await eventually(
      'no taint',
      async () => (await taints()).length === 0,
      () => '',
    )
  })
})
