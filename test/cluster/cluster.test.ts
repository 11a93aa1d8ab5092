import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Cluster, startCluster } from './cluster.ts'
import { fullCluster } from './shared.ts'

describe('a cluster of objects alone', () => {
  let cluster: Cluster
  let folder = ''

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kontroler-cluster-'))
    cluster = await startCluster({ mode: 'api', state: join(folder, 'state') })
  })
  after(() => rm(folder, { recursive: true, force: true }))

  test('starting it again changes nothing', async () => {
    const pids = cluster.status()
    await startCluster({ mode: 'api', state: cluster.state })
    assert.deepEqual(cluster.status(), pids)
  })

  test('it outlives its API server', async () => {
    cluster.kubectl('create', 'configmap', 'kept')
    await cluster.part('apiserver').kill()
    assert.throws(() => cluster.kubectl('get', 'configmap', 'kept'))
    await cluster.startApiServer()
    assert.match(cluster.kubectl('get', 'configmap', 'kept', '-o', 'name'), /kept/)
  })

  test('users are who they say, and may do nothing yet', () => {
    assert.match(cluster.kubectl('--context', 'alice', 'auth', 'whoami'), /alice/)
    assert.throws(() => cluster.kubectl('--context', 'alice', 'get', 'pods'), /forbidden/)
  })

  test('after it is stopped nothing of it is left', async () => {
    const pids = cluster.status().map(({ pid }) => pid)
    await cluster.stop()
    for (const pid of pids) assert.ok(!existsSync(`/proc/${pid}`))
    assert.ok(!existsSync(cluster.state))
  })
})

describe('a cluster with a node', () => {
  let cluster: Cluster
  before(async () => {
    cluster = await fullCluster()
    cluster.kubectl('create', 'namespace', namespace)
  })
  after(() => cluster.kubectl('delete', 'namespace', namespace, '--wait=false'))

  const namespace = `cluster-${process.pid}`
  const kubectl = (...args: readonly string[]): string => cluster.kubectl('-n', namespace, ...args)

  const run = (name: string, spec: object): void => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace },
      spec: { restartPolicy: 'Never', ...spec },
    }
    cluster.apply(pod)
  }
  const main = (more: object): object => ({ containers: [{ name: 'main', image: 'busybox:1.36', ...more }] })
  const state = (
    name: string,
  ): {
    phase: string
    containerStatuses?: { state: Record<string, { reason?: string; exitCode?: number }> }[]
  } => JSON.parse(kubectl('get', 'pod', name, '-o', 'json')).status
  const until = async (what: () => boolean): Promise<void> => {
    while (!what()) await delay(100)
  }

  test('a pod runs, and its log can be read', { timeout: 60_000 }, async () => {
    run('says', main({ command: ['echo', 'said'] }))
    await until(() => state('says').phase === 'Succeeded')
    assert.equal(kubectl('logs', 'says'), 'said\n')
  })

  test('a container that needs too much memory is killed for it', { timeout: 60_000 }, async () => {
    run(
      'eats',
      main({
        command: ['sh', '-c', 'x=x; while :; do x=$x$x; done'],
        resources: { limits: { memory: '16Mi' } },
      }),
    )
    await until(() => state('eats').phase === 'Failed')
    assert.equal(state('eats').containerStatuses?.[0]?.state['terminated']?.reason, 'OOMKilled')
  })

  test('a pod whose ConfigMap is not there does not start, and does when it comes', {
    timeout: 120_000,
  }, async () => {
    const volume = { name: 'fence', configMap: { name: 'fence' } }
    run('fenced', {
      volumes: [volume],
      ...main({ command: ['true'], volumeMounts: [{ name: 'fence', mountPath: '/fence' }] }),
    })
    await until(() => state('fenced').containerStatuses !== undefined)
    await delay(2_000)
    assert.equal(state('fenced').containerStatuses?.[0]?.state['waiting']?.reason, 'ContainerCreating')
    kubectl('create', 'configmap', 'fence')
    await until(() => state('fenced').phase === 'Succeeded')
  })

  test('the address of a Service leads to its pod', { timeout: 60_000 }, async () => {
    run('asks', main({ command: ['sh', '-c', 'nc -w 5 10.96.0.1 443 < /dev/null'] }))
    await until(() => ['Succeeded', 'Failed'].includes(state('asks').phase))
    assert.equal(state('asks').phase, 'Succeeded')
  })
})
