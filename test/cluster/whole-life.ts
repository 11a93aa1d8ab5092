/**
 * `unshare --net --mount node whole-life.ts STATE`: starts a cluster with a node, has it do a little of everything,
 * stops it, and looks for what is left of it.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findCluster, startCluster } from './cluster.ts'
import { hostName } from './host.ts'
import { makeImage } from './images.ts'
import { eventually } from './parts.ts'
import { hostPathVolume } from './volumes.ts'

const [, , state = ''] = process.argv
const namespace = 'default'

execFileSync('ip', ['link', 'set', 'lo', 'up'])
// What kubelets and networks of pods keep in one place for the whole machine.
for (const folder of ['/var/lib/kubelet', '/var/log/containers', '/run/netns']) {
  mkdirSync(folder, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', folder])
}
execFileSync('mount', ['--make-shared', '/run/netns'])

const cluster = await startCluster({ mode: 'full', state })
const kubectl = (...args: readonly string[]): string => cluster.kubectl('-n', namespace, ...args)
const phase = (name: string): string => kubectl('get', 'pod', name, '-o', 'jsonpath={.status.phase}')
const becomes = (name: string, wanted: string): Promise<void> =>
  eventually(
    `pod ${name}`,
    () => phase(name) === wanted,
    () => kubectl('describe', 'pod', name),
  )
const run = (name: string, spec: object): void => {
  const metadata = { name, namespace }
  cluster.apply({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { restartPolicy: 'Never', ...spec } })
}

try {
  const pids = cluster.status()
  assert.ok(pids.every(({ pid }) => pid !== null))
  await startCluster({ mode: 'full', state })
  assert.deepEqual(cluster.status(), pids)

  await assert.rejects(
    startCluster({ mode: 'full', state: `${state}-other` }),
    new RegExp(`is taken by the cluster in ${state}, .*down --state ${state}`),
  )
  assert.ok(!existsSync(`${state}-other`))

  await makeImage(cluster, {
    name: 'docker.io/local/engine:1',
    base: 'node',
    files: { '/app/main.js': 'console.log(process.version, process.getuid(), process.env.WHO)' },
    entrypoint: ['node', '/app/main.js'],
    env: { WHO: 'me' },
    user: '65532',
  })
  run('node', { containers: [{ name: 'main', image: 'local/engine:1' }] })
  await becomes('node', 'Succeeded')
  assert.match(kubectl('logs', 'node'), /^v24\.\d+\.\d+ 65532 me\n$/)

  const spec = {
    storageClassName: 'tests',
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Mi' } },
  }
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'keep', namespace },
    spec,
  }
  cluster.apply(hostPathVolume('keep', 'tests', join(dirname(state), 'volume')), claim)
  const volumes = [{ name: 'keep', persistentVolumeClaim: { claimName: 'keep' } }]
  const volumeMounts = [{ name: 'keep', mountPath: '/keep' }]
  const command = ['sh', '-c', 'echo kept > /keep/file']
  run('writes', { volumes, containers: [{ name: 'main', image: 'busybox:1.36', command, volumeMounts }] })
  await becomes('writes', 'Succeeded')
  assert.equal(readFileSync(join(dirname(state), 'volume', 'file'), 'utf8'), 'kept\n')

  run('stays', { containers: [{ name: 'main', image: 'busybox:1.36', command: ['sleep', '1000'] }] })
  await becomes('stays', 'Running')
  await cluster.killKubelet()
  assert.equal(await cluster.isHealthy('kubelet'), false)
  await cluster.startKubelet()
  assert.equal(phase('stays'), 'Running')
} finally {
  await cluster.stop()
}

assert.equal(await findCluster(state), null)
assert.ok(!existsSync(state))
const commands = globSync('/proc/[0-9]*/cmdline').flatMap(file => {
  try {
    return [readFileSync(file, 'utf8').replaceAll('\0', ' ')]
  } catch {
    return []
  }
})
const isOurs = (line: string): boolean => line.includes(`${state}/`)
assert.deepEqual(commands.filter(isOurs), [])
assert.deepEqual(readFileSync('/proc/mounts', 'utf8').split('\n').filter(isOurs), [])
assert.deepEqual(globSync('/run/netns/*'), [])
assert.doesNotMatch(execFileSync('ip', ['link'], { encoding: 'utf8' }), /kt0|kbr0/)
assert.deepEqual(globSync(`/sys/fs/cgroup/**/${hostName(state)}`), [])
