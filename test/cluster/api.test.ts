import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Cluster, startCluster } from './cluster.ts'
import { LIFE_ANNOTATION } from './fake-node/life.ts'
import { NEEDS_OWN } from './shared.ts'

const COMMAND = join(import.meta.dirname, 'command.ts')
const STARTS = 3

describe('a cluster of objects alone', { skip: NEEDS_OWN, timeout: 300_000 }, () => {
  let cluster: Cluster
  let folder = ''

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kontroler-cluster-'))
    const state = join(folder, 'state')
    const starting = Array.from({ length: STARTS }, () => startCluster({ mode: 'api', state }))
    const [first] = await Promise.all(starting)
    assert.ok(first)
    cluster = first
  })
  after(() => rm(folder, { recursive: true, force: true }))

  const command = (...args: readonly string[]) =>
    spawnSync(process.execPath, [COMMAND, ...args, '--state', cluster.state], { encoding: 'utf8' })

  test('starting it again changes nothing, and tells the KUBECONFIG', () => {
    const pids = cluster.status()
    const { stdout, status } = command('up')
    assert.equal(status, 0)
    assert.match(stdout, new RegExp(`^export KUBECONFIG=${cluster.kubeconfig}(?: PATH=\\S+:"\\$PATH")?\n$`))
    assert.deepEqual(cluster.status(), pids)
  })

  test('another stands beside it', async () => {
    const other = await startCluster({ mode: 'api', state: join(folder, 'other') })
    other.kubectl('create', 'configmap', 'there')
    assert.throws(() => cluster.kubectl('get', 'configmap', 'there'))
    await other.stop()
  })

  test('it outlives its API server, and says what is not well', async () => {
    assert.equal(command('status').status, 0)
    cluster.kubectl('create', 'configmap', 'kept')
    await cluster.stopApiServer()
    assert.throws(() => cluster.kubectl('get', 'configmap', 'kept'))
    const { stdout, status } = command('status')
    assert.match(stdout, /^apiserver +not running/m)
    assert.equal(status, 1)
    await cluster.startApiServer()
    assert.match(cluster.kubectl('get', 'configmap', 'kept', '-o', 'name'), /kept/)
  })

  test('users are who they say, and may do nothing yet', () => {
    assert.match(cluster.kubectl('--context', 'alice', 'auth', 'whoami'), /alice/)
    assert.throws(() => cluster.kubectl('--context', 'alice', 'get', 'pods'), /forbidden/)
  })

  test('kubectl and helm are of the pinned versions', () => {
    assert.match(cluster.kubectl('version'), /Client Version: v1\.36\.[\s\S]*Server Version: v1\.36\.3/)
    assert.match(cluster.helm('version'), /v4\.2\./)
  })

  test('what cannot start shows the end of its log', async () => {
    await cluster.stopApiServer()
    await assert.rejects(cluster.startApiServer(['--no-such-flag']), /unknown flag: --no-such-flag/)
    await cluster.startApiServer()
  })

  test('after it is stopped nothing of it is left', () => {
    assert.equal(command('down').status, 0)
    const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
    assert.ok(!processes.split('\n').some(line => line.includes(`${cluster.state}/`)))
    assert.ok(!existsSync(cluster.state))
  })

  test('with a fake node beside it, a pod goes from apply to its end', async () => {
    const state = join(folder, 'with-node')
    const { status, stderr } = spawnSync(process.execPath, [COMMAND, 'up', '--fake-node', '--state', state], {
      encoding: 'utf8',
    })
    assert.equal(status, 0, stderr)
    const own = await startCluster({ mode: 'api', state })
    own.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'says',
        namespace: 'default',
        annotations: { [LIFE_ANNOTATION]: '{"runMs":100,"log":"said\\n"}' },
      },
      spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'any:1' }] },
    })
    own.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/says', '--timeout=30s')
    assert.equal(own.kubectl('logs', 'says'), 'said\n')
    await own.stop()
  })
})
