import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { PodStatus } from '../../src/executors/pod/pod.ts'
import type { Kubernetes } from './kubernetes.ts'
import { eventually } from './parts.ts'
import { fullCluster } from './shared.ts'

describe('a cluster with a node', { timeout: 300_000 }, () => {
  let cluster: Kubernetes
  before(async () => {
    cluster = await fullCluster()
    cluster.kubectl('create', 'namespace', namespace)
  })
  after(() => cluster.kubectl('delete', 'namespace', namespace, '--wait=false'))

  const namespace = `cluster-${process.pid}`
  const kubectl = (...args: readonly string[]): string => cluster.kubectl('-n', namespace, ...args)

  const run = (name: string, spec: object): void => {
    const restartPolicy = 'Never'
    const metadata = { name, namespace }
    cluster.apply({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { restartPolicy, ...spec } })
  }
  const main = (more: object): object => ({ containers: [{ name: 'main', image: 'busybox:1.36', ...more }] })
  const look = (name: string): PodStatus => JSON.parse(kubectl('get', 'pod', name, '-o', 'json')).status
  const stateOf = (name: string) => look(name).containerStatuses?.[0]?.state
  const until = async (name: string, phase: string): Promise<void> => {
    await eventually(
      `pod ${name}`,
      () => look(name).phase === phase,
      () => kubectl('describe', 'pod', name),
    )
  }

  test('a pod runs, and its log can be read', async () => {
    run('says', main({ command: ['echo', 'said'] }))
    await until('says', 'Succeeded')
    assert.equal(kubectl('logs', 'says'), 'said\n')
  })

  test('a container that needs too much memory is killed for it', async () => {
    const command = ['sh', '-c', 'x=x; while :; do x=$x$x; done']
    run('eats', main({ command, resources: { limits: { memory: '16Mi' } } }))
    await until('eats', 'Failed')
    assert.equal(stateOf('eats')?.terminated?.reason, 'OOMKilled')
  })

  test('a variable comes from a Secret', async () => {
    kubectl('create', 'secret', 'generic', 'login', '--from-literal=word=swordfish')
    const env = [{ name: 'WORD', valueFrom: { secretKeyRef: { name: 'login', key: 'word' } } }]
    run('knows', main({ env, command: ['sh', '-c', 'echo "$WORD"'] }))
    await until('knows', 'Succeeded')
    assert.equal(kubectl('logs', 'knows'), 'swordfish\n')
  })

  test('a pod whose ConfigMap is not there does not start, and does when it comes', async () => {
    const volumes = [{ name: 'fence', configMap: { name: 'fence' } }]
    const volumeMounts = [{ name: 'fence', mountPath: '/fence' }]
    run('fenced', { volumes, ...main({ command: ['true'], volumeMounts }) })
    await eventually('the kubelet', () => stateOf('fenced') !== undefined)
    await delay(2_000)
    assert.equal(stateOf('fenced')?.waiting?.reason, 'ContainerCreating')
    kubectl('create', 'configmap', 'fence')
    await eventually(
      'its start',
      () => look('fenced').phase === 'Succeeded',
      () => kubectl('describe', 'pod', 'fenced'),
      120_000,
    )
  })

  test('the address of a Service leads to its pod', async () => {
    run('asks', main({ command: ['sh', '-c', 'nc -w 5 $KUBERNETES_SERVICE_HOST 443 < /dev/null'] }))
    await until('asks', 'Succeeded')
  })

  test('bash is bash', async () => {
    const command = ['bash', '-c', '[[ $BASH_VERSION = 5* ]] && names=(a b) && echo ${names[1]}']
    run('bashes', { containers: [{ name: 'main', image: 'bash:5', command }] })
    await until('bashes', 'Succeeded')
    assert.equal(kubectl('logs', 'bashes'), 'b\n')
  })
})
