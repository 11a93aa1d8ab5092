import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startCluster } from '../cluster.ts'
import { task } from '../operator/house.ts'
import { startOperatorPlace } from '../operator/place.ts'
import { person } from './place.ts'

const place = await startOperatorPlace()
const { kubeconfig } = place.cluster

test('the context says which user and namespace; -n wins over it', async t => {
  const house = await place.house(t)
  await using who = await person(kubeconfig)
  house.apply({ kind: 'DAG', name: 'one', spec: { task: [task('a')] } })
  const server = place.cluster.server
  const more = await who.file(
    'more.yaml',
    `apiVersion: v1
kind: Config
contexts: [{name: mine, context: {cluster: test, user: admin, namespace: ${house.namespace}}}]
current-context: mine
`,
  )
  // Of several files the first one that says it counts.
  const listed = await who.start(['--context', 'mine', 'list', 'dags', '-o', 'name'], {
    KUBECONFIG: `${more}:${kubeconfig}:/not/there`,
  }).ended
  assert.deepEqual([listed.code, listed.stdout], [0, 'one\n'], listed.stderr)
  const current = await who.start(['submit', 'one', '-o', 'name'], { KUBECONFIG: `${more}:${kubeconfig}` })
    .ended
  assert.match(current.stdout, /^dagrun\/one-/)
  const other = await who.start(['list', 'dags', '-n', 'default'], { KUBECONFIG: `${more}:${kubeconfig}` })
    .ended
  assert.match(other.stdout, /^namespace default has no DAG/)
  assert.ok(server.startsWith('https://'))
})

test('a credential plugin logs in', async t => {
  const house = await place.house(t)
  await using who = await person(kubeconfig)
  const credential = JSON.stringify({
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token: 'admin-token' },
  })
  const file = await who.file(
    'plugin.yaml',
    `apiVersion: v1
kind: Config
users: [{name: asked, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: echo, args: ['${credential}'], interactiveMode: Never}}}]
contexts: [{name: plugin, context: {cluster: test, user: asked, namespace: ${house.namespace}}}]
`,
  )
  const words = ['--context', 'plugin', 'list']
  const { code, stdout, stderr } = await who.start(words, { KUBECONFIG: `${file}:${kubeconfig}` }).ended
  assert.equal(code, 0, stderr)
  assert.match(stdout, /has no DagRun/)
})

test('what names no cluster is told', async () => {
  await using who = await person(kubeconfig)
  const none = await who.start(['submit', 'x'], { KUBECONFIG: '' }).ended
  assert.equal(none.code, 2)
  assert.match(
    none.stderr,
    /^error NO_KUBECONFIG: there is no kubeconfig: \S+\/\.kube\/config is not there\n/,
  )
  const unknown = await who.kontroler('--context', 'prod', 'list')
  assert.equal(unknown.code, 2)
  assert.match(
    unknown.stderr,
    /^error NO_CREDENTIALS: there is no context "prod"; there is admin, alice, bob\n/,
  )
  const file = await who.kontroler('--kubeconfig', 'nowhere', 'list', '-o', 'json')
  assert.match(
    file.stderr,
    /^\{"code":"NO_KUBECONFIG","message":"there is no kubeconfig: nowhere is not there"/,
  )
})

test('rights that are missing are told with verb, resource and namespace', async t => {
  const house = await place.house(t)
  await using who = await person(kubeconfig)
  const cli = (...words: readonly string[]) =>
    who.kontroler('--context', 'alice', '-n', house.namespace, ...words)
  const { code, stderr } = await cli('list')
  assert.equal(code, 1)
  assert.match(
    stderr,
    new RegExp(
      `^error NO_RIGHTS: it is not allowed to list dagruns in namespace ${house.namespace}: .*"alice"`,
    ),
  )
  assert.match(stderr, /fix: .*kubectl auth can-i list dagruns\.kontroler\.greedykomodo -n /)
  house.kubectl(
    'create',
    'role',
    'looks',
    '--verb=get,list',
    '--resource=dags.kontroler.greedykomodo,dagruns.kontroler.greedykomodo',
  )
  house.kubectl('create', 'rolebinding', 'looks', '--role=looks', '--user=alice')
  house.apply({ kind: 'DAG', name: 'one', spec: { task: [task('a')] } })
  house.apply({ kind: 'DagRun', name: 'first', spec: { dagName: 'one' } })
  await house.ended('first', 'succeeded')
  assert.equal((await cli('get', 'first')).code, 0)
  assert.match(
    (await cli('submit', 'one')).stderr,
    /^error NO_RIGHTS: it is not allowed to create dagruns in/,
  )
  assert.match((await cli('logs', 'first')).stderr, /^error NO_RIGHTS: it is not allowed to list pods in/)
  house.machine.script = () => 'runs'
  house.apply({ kind: 'DagRun', name: 'second', spec: { dagName: 'one' } })
  await house.until('second', ({ phase }) => phase === 'running')
  assert.match(
    (await cli('watch', 'second')).stderr,
    /^error NO_RIGHTS: it is not allowed to watch dagruns in/,
  )
  assert.match(
    (await cli('cancel', 'second')).stderr,
    /^error NO_RIGHTS: it is not allowed to patch dagruns in/,
  )
  // Whoever may impersonate acts as somebody else.
  const as = await who.kontroler('-n', house.namespace, '--as', 'bob', 'list')
  assert.match(as.stderr, /User "bob" cannot list/)
  const asGroup = ['--as', 'bob', '--as-group', 'system:masters', 'list', '-o', 'name']
  assert.equal((await who.kontroler('-n', house.namespace, ...asGroup)).code, 0)
})

test('a cluster without the CRDs, and one that is not there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-bare-'))
  const bare = await startCluster({ mode: 'api', state: join(folder, 'state') })
  after(() => rm(folder, { recursive: true, force: true }))
  await using who = await person(bare.kubeconfig)
  try {
    for (const words of [
      ['list'],
      ['submit', 'x'],
      ['get', 'x'],
      ['plan', '-f', await who.file('x.yaml', DAG)],
    ]) {
      const { code, stderr } = await who.kontroler('-n', 'default', ...words)
      assert.equal(code, 1, `${words.join(' ')}: ${stderr}`)
      assert.match(stderr, /^error NO_CRDS: this cluster does not know DAGs and DagRuns/)
    }
  } finally {
    await bare.stop()
  }
  const cluster = '{name: gone, cluster: {server: "https://127.0.0.1:1"}}'
  const context = '{name: gone, context: {cluster: gone, user: ""}}'
  const file = await who.file(
    'gone.yaml',
    `apiVersion: v1\nkind: Config\nclusters: [${cluster}]\ncontexts: [${context}]\ncurrent-context: gone\n`,
  )
  const { code, stderr } = await who.kontroler('--kubeconfig', file, 'list')
  assert.equal(code, 1)
  assert.match(stderr, /^error CLUSTER_UNREACHABLE: the API server cannot be reached: /)
})

test('commands about this machine say that they are', async () => {
  await using who = await person(kubeconfig)
  const { code, stderr } = await who.kontroler('-n', 'default', 'run', 'x.yaml', '--grace', '1s')
  assert.equal(code, 2)
  assert.match(stderr, /^error NOT_FOR_CLUSTERS: run is not for clusters\n {2}fix: submit a DAG/)
  const local = await who.kontroler('--state', join(who.folder, 'state'), 'list', '-n', 'default')
  assert.match(local.stderr, /^error NO_STATE/)
  const file = await who.file('x.yaml', DAG)
  assert.equal((await who.kontroler('validate', '-n', 'other', file)).code, 0)
})

const DAG = `apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata: {name: x}
spec: {task: [{name: a, image: busybox, command: ["true"]}]}
`
