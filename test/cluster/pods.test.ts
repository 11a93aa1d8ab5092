import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Json } from '../../src/core/json.ts'
import { podBody, tombstone } from '../../src/executors/pod/body.ts'
import { podProblem } from '../../src/executors/pod/problem.ts'
import type { Client } from '../../src/kubernetes/client.ts'
import type { KubeObject } from '../../src/kubernetes/object.ts'
import { PODS } from '../../src/kubernetes/resource.ts'
import { attempt } from '../contracts/executor-harness.ts'
import { goldens, SURROUNDINGS } from '../pods/golden.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { clientOf } from './shared.ts'

/** What a pod has to agree with before it is let in, in a namespace that enforces nothing and in one that does. */
const NEEDED = [
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'builder', namespace: 'default' } },
  {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'batch' },
    value: 1,
    preemptionPolicy: 'Never',
  },
  { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: 'gvisor' }, handler: 'runsc' },
  ...['baseline', 'restricted'].map(level => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: level, labels: { 'pod-security.kubernetes.io/enforce': level } },
  })),
]

const own = (securityContext: Json): Json => ({ containerSecurityContext: securityContext })
const AGAINST_RESTRICTED: Readonly<Record<string, Json>> = {
  'user 0': { securityContext: { runAsUser: 0 } },
  'user 0 of the container': own({ runAsUser: 0 }),
  'perhaps root': { securityContext: { runAsNonRoot: null } },
  root: own({ runAsNonRoot: false }),
  'privilege escalation': own({ allowPrivilegeEscalation: true }),
  privileged: own({ privileged: true }),
  capabilities: own({ capabilities: { add: ['NET_ADMIN'] } }),
  'capabilities kept': own({ capabilities: { drop: ['CHOWN'] } }),
  'no seccomp': { securityContext: { seccompProfile: null } },
  'seccomp unconfined': own({ seccompProfile: { type: 'Unconfined' } }),
  'AppArmor unconfined': own({ appArmorProfile: { type: 'Unconfined' } }),
  'SELinux user': { securityContext: { seLinuxOptions: { user: 'root' } } },
  'a sysctl': { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } },
  'host path': { volumes: [{ name: 'host', hostPath: { path: '/' } }] },
  nfs: { volumes: [{ name: 'share', nfs: { server: 'nfs', path: '/' } }] },
  'host network': { hostNetwork: true },
  'host PID': { hostPID: true },
  'host IPC': { hostIPC: true },
  'a port of the node': { ports: [{ containerPort: 80, hostPort: 80 }] },
  'a probe of another host': { livenessProbe: { tcpSocket: { port: 80, host: 'db' } } },
  'a hook to another host': { lifecycle: { preStop: { httpGet: { port: 80, host: 'db' } } } },
  'a sidecar': { containers: [{ name: 'proxy', image: 'envoy:1', securityContext: { runAsUser: 0 } }] },
  'an init container': {
    initContainers: [{ name: 'prepare', image: 'busybox:1', securityContext: { privileged: true } }],
  },
}

describe('pods before a real API server', () => {
  let cluster: Cluster
  let client: Client
  let folder = ''

  const send = (namespace: string, pod: object): Promise<KubeObject> =>
    client.create<KubeObject>(PODS, namespace, pod, { dryRun: true })

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kontroler-pods-'))
    cluster = await startCluster({ mode: 'api', state: join(folder, 'state') })
    client = clientOf(cluster)
    cluster.apply(...NEEDED)
    for (const namespace of ['baseline', 'restricted'])
      cluster.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } })
  })
  after(async () => {
    await client.close()
    await cluster.stop()
    await rm(folder, { recursive: true, force: true })
  })

  for (const golden of goldens()) {
    test(`${golden.name} is accepted, and nothing of it is left out`, async () => {
      const answer = await send('default', golden.pod as object)
      assert.deepEqual(missing(golden.pod as Json, answer as unknown as Json), [])
    })
  }

  test('the default pod meets Pod Security baseline, a restricted one meets restricted', async () => {
    for (const { name, spec, pod } of goldens()) {
      if (['plain', 'script', 'workspace', 'sidecars', 'env'].includes(name))
        await send('baseline', pod as object)
      if (spec.pod.security === 'restricted') await send('restricted', pod as object)
    }
  })

  test('the pod that only takes a name is accepted by every level', async () => {
    const ref = { run: 'r', task: 'build', attempt: 1, namespace: 'restricted' }
    await send('restricted', tombstone(ref, SURROUNDINGS))
  })

  for (const [why, template] of Object.entries(AGAINST_RESTRICTED)) {
    test(`restricted: ${why} is refused here as it is there`, async () => {
      const spec = attempt(
        { workdir: '/', image: 'busybox:1.36' },
        {
          work: { podTemplate: template },
          pod: { workspaceClaim: null, startGuarantee: 'fence', evidence: 'watch', security: 'restricted' },
        },
      )
      assert.match(podProblem(spec) ?? '', /^podSecurity is restricted, and /)
      await assert.rejects(send('restricted', podBody(spec, SURROUNDINGS)), /violates PodSecurity/)
    })
  }
})

/** Paths of what was sent and did not come back; numbers may come back as text, as quantities do. */
function missing(sent: Json, back: Json | undefined, path = ''): readonly string[] {
  if (Array.isArray(sent))
    return sent.flatMap((item, index) => missing(item, at(back, index), `${path}/${index}`))
  if (sent !== null && typeof sent === 'object')
    return Object.entries(sent).flatMap(([key, value]) => missing(value, at(back, key), `${path}/${key}`))
  // What says "no" is what is meant when nothing is said.
  if (back === undefined && (sent === false || sent === '')) return []
  return String(sent) === String(back) ? [] : [`${path}: ${JSON.stringify(sent)} → ${JSON.stringify(back)}`]
}

const at = (value: Json | undefined, key: string | number): Json | undefined =>
  value !== null && typeof value === 'object' ? (value as Record<string | number, Json>)[key] : undefined
