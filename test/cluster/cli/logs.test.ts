import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { attemptId, attemptLabels, containerName, KEYS, podName } from '../../../src/executors/pod/names.ts'
import { NAMESPACES, PODS } from '../../../src/kubernetes/resource.ts'
import { resourceOf } from '../../../src/operator/kubernetes-cluster.ts'
import type { DagRunStatus } from '../../../src/spec/schema/status.ts'
import { until } from '../../cli/program.ts'
import type { DagRunObject } from '../operator/house.ts'
import { eventually, task } from '../operator/house.ts'
import { startWire } from '../client/wire.ts'
import { USERS } from '../credentials.ts'
import { clientOf, fullCluster } from '../shared.ts'
import { person } from './place.ts'

const cluster = await fullCluster()
cluster.kubectl('apply', '--server-side', '--force-conflicts', '-f', 'deploy/crds')
cluster.kubectl('wait', '--for=condition=Established', 'crd/dagruns.kontroler.greedykomodo', '--timeout=30s')
const client = clientOf(cluster)
const namespace = `cli-logs-${randomBytes(4).toString('hex')}`
await client.create(NAMESPACES, undefined, { metadata: { name: namespace } })
const who = await person(cluster.kubeconfig)
after(async () => {
  await client.remove(NAMESPACES, { name: namespace })
  await client.close()
  await who[Symbol.asyncDispose]()
})
const cli = (...words: readonly string[]) => who.kontroler('-n', namespace, ...words)

/** A run whose status the test says, as no controller looks after this namespace. */
async function aRun(
  name: string,
  tasks: readonly object[],
): Promise<{
  readonly id: string
  say(status: DagRunStatus): Promise<void>
  pod(of: string, attempt: number, script: string, more?: object): Promise<void>
}> {
  const apiVersion = 'kontroler.greedykomodo/v1alpha1'
  const dag = { apiVersion, kind: 'DAG', metadata: { name }, spec: { task: tasks } }
  const dags = resourceOf('DAG')
  await client.create(dags, namespace, dag)
  const patch = { status: { observedGeneration: 1, phase: 'Successful', version: 1 } }
  await client.mergePatch(dags, { namespace, name }, patch, { subresource: 'status' })
  const resource = resourceOf('DagRun')
  const body = { apiVersion, kind: 'DagRun', metadata: { name }, spec: { dagName: name } }
  const { metadata } = await client.create<DagRunObject>(resource, namespace, body)
  const run = metadata.uid
  const say = async (status: DagRunStatus): Promise<void> => {
    const whole = {
      observedGeneration: 1,
      runId: run,
      dagVersion: 1,
      startTime: '2026-01-01T00:00:00Z',
      ...status,
    }
    await client.mergePatch(resource, { namespace, name }, { status: whole }, { subresource: 'status' })
  }
  return {
    id: run,
    say,
    async pod(of, attempt, script, more = {}) {
      const ref = { run, task: of, attempt }
      await client.create(PODS, namespace, {
        metadata: {
          name: podName(ref),
          labels: { ...attemptLabels(ref), [KEYS.installation]: namespace },
          annotations: { [KEYS.attempt]: attemptId(ref) },
        },
        spec: {
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 1,
          containers: [container(containerName(of), script)],
          ...more,
        },
      })
    },
  }
}

const container = (name: string, script: string): object => ({
  name,
  image: 'busybox:1.36',
  imagePullPolicy: 'IfNotPresent',
  command: ['sh', '-c', script],
})

async function podsEnd(run: string): Promise<void> {
  await eventually('all pods have ended', async () => {
    const labelSelector = `${KEYS.run}=${run}`
    const { items } = await client.list(PODS, { namespace, labelSelector })
    const phases = items.map(pod => (pod as { readonly status?: { readonly phase?: string } }).status?.phase)
    return phases.every(phase => phase === 'Succeeded' || phase === 'Failed') ? true : null
  })
}

const ENDED = { phase: 'failed', completionTime: '2026-01-01T00:01:00Z', reason: 'TASK_FAILED' } as const

test('logs of a run: in order behind the names of tasks; of one task byte for byte; of any attempt and container', async () => {
  const run = await aRun('whole', [task('load'), task('report', { runAfter: ['load'] })])
  await run.pod('load', 1, 'echo first try; exit 1')
  await podsEnd(run.id)
  const sidecar = [container('load', 'echo one; echo two; printf three'), container('proxy', 'echo proxy')]
  await run.pod('load', 2, '', { containers: sidecar })
  await podsEnd(run.id)
  await run.pod('report', 1, 'echo bad >&2; exit 4')
  await podsEnd(run.id)
  await run.say({ ...ENDED, progress: '2/2', tasks: [{ name: 'report', state: 'failed', attempts: 1 }] })

  const all = await cli('logs', 'whole')
  assert.equal(all.stdout, 'load#2 | one\nload#2 | two\nload#2 | three\nreport | bad\n')
  assert.match(all.stderr, /^note: only of the tasks that failed: kontroler -n \S+ logs whole --failed\n$/)
  assert.equal((await cli('logs', 'whole', 'load')).stdout, 'one\ntwo\nthree')
  assert.equal((await cli('logs', 'whole', '--task', 'load', '--attempt', '1')).stdout, 'first try\n')
  assert.equal((await cli('logs', 'whole', 'load', '--since-start')).stdout, 'first try\none\ntwo\nthree')
  assert.equal((await cli('logs', 'whole', 'load', '--tail', '1')).stdout, 'three')
  assert.equal((await cli('logs', 'whole', '--failed')).stdout, 'report | bad\n')
  assert.equal((await cli('logs', 'whole', 'load', '-c', 'proxy')).stdout, 'proxy\n')
  const unknown = await cli('logs', 'whole', 'lod')
  assert.deepEqual([unknown.code, /did you mean load\?/.test(unknown.stderr)], [2, true])
})

test('logs -f begins with what is there, follows tasks that begin later, and ends with the run', async () => {
  const run = await aRun('live', [task('a'), task('b', { runAfter: ['a'] })])
  await run.pod('a', 1, 'echo a1; while [ ! -e /tmp/go ]; do sleep 0.2; done; echo a2')
  await run.say({ phase: 'running', progress: '0/2', tasks: [{ name: 'a', state: 'running', attempts: 1 }] })
  const following = who.start(['-n', namespace, 'logs', 'live', '-f'])
  await until(() => following.output().includes('a | a1\n'))
  const exec = [
    '-n',
    namespace,
    'exec',
    podName({ run: run.id, task: 'a', attempt: 1 }),
    '--',
    'touch',
    '/tmp/go',
  ]
  cluster.kubectl(...exec)
  await until(() => following.output().includes('a | a2\n'))
  await run.pod('b', 1, 'i=0; while [ $i -lt 5000 ]; do echo "line $i"; i=$((i+1)); done')
  await until(() => following.output().includes('b | line 4999\n'))
  await podsEnd(run.id)
  await run.say({ phase: 'succeeded', completionTime: '2026-01-01T00:01:00Z', progress: '2/2', tasks: [] })
  const { code, stdout } = await following.ended
  assert.equal(code, 0)
  const lines = Array.from({ length: 5_000 }, (_, index) => `b | line ${index}\n`)
  assert.equal(stdout, `a | a1\na | a2\n${lines.join('')}`)
})

test('logs whose pods are gone are said to be with the controller', async () => {
  const run = await aRun('gone', [task('a'), task('b', { runAfter: ['a'] })])
  await run.pod('b', 1, 'echo still here; exit 1')
  await podsEnd(run.id)
  await run.say({ ...ENDED, progress: '2/2', tasks: [{ name: 'b', state: 'failed', attempts: 1 }] })
  const some = await cli('logs', 'gone')
  assert.deepEqual([some.code, some.stdout], [0, 'b | still here\n'])
  assert.match(some.stderr, /^note: the pod of a is gone: .* the archived log is with the controller/)
  const one = await cli('logs', 'gone', 'a')
  assert.equal(one.code, 1)
  assert.match(one.stderr, /^error LOG_GONE: the pod of a is gone\n/)
})

test('a log that breaks off on the way is taken up where it was, without loss or repetition', async () => {
  const run = await aRun('broken', [task('a')])
  const { hostname, port } = new URL(cluster.server)
  await using wire = await startWire(Number(port), hostname)
  const file = await who.file(
    'wire.yaml',
    `apiVersion: v1
kind: Config
clusters: [{name: wire, cluster: {server: "${wire.url}", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: ${USERS.admin}}}]
contexts: [{name: wire, context: {cluster: wire, user: admin, namespace: ${namespace}}}]
current-context: wire
`,
  )
  await run.pod(
    'a',
    1,
    'i=0; while [ $i -lt 60 ]; do echo "line $i"; i=$((i+1)); sleep 0.1; done; printf end',
  )
  await run.say({ phase: 'running', progress: '0/1', tasks: [{ name: 'a', state: 'running', attempts: 1 }] })
  const following = who.start(['--kubeconfig', file, 'logs', 'broken', '-f'])
  for (const line of ['line 5\n', 'line 20\n']) {
    await until(() => following.output().includes(line))
    wire.set('cut')
    wire.set('open')
  }
  await podsEnd(run.id)
  await run.say({ phase: 'succeeded', completionTime: '2026-01-01T00:01:00Z', progress: '1/1', tasks: [] })
  const { code, stdout, stderr } = await following.ended
  assert.equal(code, 0, stderr)
  assert.equal(stdout, `${Array.from({ length: 60 }, (_, index) => `line ${index}\n`).join('')}end`)
  assert.ok(wire.lines() > 2)
})
