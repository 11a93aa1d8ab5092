import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Client } from '../../src/kubernetes/client.ts'
import { kubeconfigIdentity } from '../../src/kubernetes/kubeconfig.ts'
import { openClient } from '../../src/kubernetes/open-client.ts'
import { ApiProblem } from '../../src/kubernetes/problem.ts'
import { resourceOf } from '../../src/operator/kubernetes-cluster.ts'
import { type Manifest, rendered, VALUE_SETS, type Values, valueArgs } from '../chart/helm.ts'
import { CONTROLLER_MAY, FORBIDDEN, VERBS } from '../chart/rules.ts'
import { kubectlPrograms } from './programs.ts'
import { fullCluster } from './shared.ts'

const named = (name: string): string => `chart-${name}-${process.pid}`
const [CONTROLLER, TEAM_A, TEAM_B, OTHER] = [named('own'), named('a'), named('b'), named('other')]
const NAMESPACES = [CONTROLLER, TEAM_A, TEAM_B, OTHER]
/** CRDs may be there, and another release's. */
const TAKE = ['--take-ownership']
const APPLY = ['apply', '--dry-run=server', '--server-side', '--force-conflicts', '--validate=strict']

describe('the chart in a real cluster', () => {
  let kubeconfig = ''
  let folders: readonly string[] = []
  let foreign: readonly string[] = []
  const path = (name: 'kubectl' | 'helm'): string => join(folders[name === 'kubectl' ? 0 : 1] ?? '', name)
  const program = (name: 'kubectl' | 'helm', args: readonly string[], input = ''): string =>
    execFileSync(path(name), ['--kubeconfig', kubeconfig, ...args], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      stdio: ['pipe', 'pipe', 'pipe'],
      input,
    })
  const kubectl = (...args: readonly string[]): string => program('kubectl', args)
  const helm = (...args: readonly string[]): string => program('helm', args)
  const crds = (): readonly string[] =>
    kubectl('get', 'crd', '-o', 'name')
      .split('\n')
      .filter(name => name.endsWith('.kontroler.greedykomodo'))
  const listOf = (items: readonly object[]): string =>
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items })

  before(async () => {
    folders = await kubectlPrograms()
    kubeconfig = process.env['KUBECONFIG'] ?? (await fullCluster()).kubeconfig
    foreign = crds()
    for (const namespace of NAMESPACES) kubectl('create', 'namespace', namespace)
  })
  // CRDs outlive their release; those that were there before are somebody else's.
  after(() => {
    spawnSync(path('helm'), ['--kubeconfig', kubeconfig, 'uninstall', '-n', CONTROLLER, 'kontroler'])
    kubectl('delete', 'namespace', ...NAMESPACES, '--wait=false')
    const own = crds().filter(name => !foreign.includes(name))
    if (own.length > 0) kubectl('delete', ...own)
  })

  for (const [name, values] of Object.entries(VALUE_SETS))
    test(`${name}: the API server takes every object, with no field unknown`, () => {
      const known: Readonly<Record<string, string>> = { 'team-a': TEAM_A, 'team-b': TEAM_B }
      const placed = (one: Manifest): Manifest => {
        const { namespace } = one.metadata
        if (namespace === undefined) return one
        return { ...one, metadata: { ...one.metadata, namespace: known[namespace] ?? CONTROLLER } }
      }
      const objects = rendered(helm, values).map(placed)
      const said = program('kubectl', [...APPLY, '-f', '-'], listOf(objects))
      assert.equal(said.trim().split('\n').length, objects.length, said)
    })

  test('the bundle for kubectl is taken as it stands', () => {
    const args = ['--kubeconfig', kubeconfig, ...APPLY, '-f', 'deploy/kontroler.yaml']
    const said = spawnSync(path('kubectl'), args, { encoding: 'utf8' })
    // Its namespace is not there, and in a dry run is not made.
    const lines = said.stderr.split('\n').filter(line => line !== '')
    assert.deepEqual(
      lines.filter(line => !/namespaces "kontroler" not found/.test(line)),
      [],
    )
    assert.match(said.stdout, /customresourcedefinition.apiextensions.k8s.io\/dags.kontroler.greedykomodo/)
  })

  describe('installed', () => {
    const user = `system:serviceaccount:${CONTROLLER}:kontroler`
    const account = ['system:serviceaccounts', `system:serviceaccounts:${CONTROLLER}`, 'system:authenticated']
    const values: Values = { namespaces: [TEAM_A, TEAM_B], 'rbac.userRoles': true }
    // Nothing waits for the pod: its image is another test's.
    const install = (): string =>
      helm(
        'upgrade',
        '--install',
        'kontroler',
        'deploy/chart',
        '-n',
        CONTROLLER,
        ...TAKE,
        ...valueArgs(values),
      )

    before(() => {
      install()
      kubectl('wait', '--for=condition=Established', 'crd/dags.kontroler.greedykomodo', '--timeout=30s')
    })

    /** What somebody may do in a namespace, of everything that is tried, as the API server says itself. */
    const allowed = (who: string, groups: readonly string[], namespace: string): Record<string, string[]> => {
      const tried = [...Object.keys(CONTROLLER_MAY), ...FORBIDDEN].flatMap(place =>
        VERBS.map(verb => ({ place, verb })),
      )
      const reviews = tried.map(({ place, verb }) => {
        const [group = '', resource = '', subresource = ''] = place.split('/')
        const resourceAttributes = { namespace, group, resource, subresource, verb }
        return {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SubjectAccessReview',
          spec: { user: who, groups, resourceAttributes },
        }
      })
      const text = reviews.map(review => JSON.stringify(review)).join('\n---\n')
      const results = verdictsOf(program('kubectl', ['create', '-f', '-', '-o', 'json'], text))
      assert.equal(results.length, tried.length)
      const may: Record<string, string[]> = {}
      tried.forEach(({ place, verb }, index) => {
        if (results[index] === true) (may[place] ??= []).push(verb)
      })
      return sorted(may)
    }

    for (const [what, namespace] of [
      ['one', TEAM_A],
      ['the other', TEAM_B],
    ] as const)
      test(`in ${what} namespace of its DAGs the controller may do what it does, and nothing else`, () =>
        assert.deepEqual(allowed(user, account, namespace), sorted(CONTROLLER_MAY)))

    for (const [what, namespace] of [
      ['its own namespace', CONTROLLER],
      ['a stranger', OTHER],
      ['default', 'default'],
      ['kube-system', 'kube-system'],
      ['the cluster as a whole', ''],
    ] as const)
      test(`in ${what} it may do nothing`, () => assert.deepEqual(allowed(user, account, namespace), {}))

    test('impersonated, it is refused everything else, and everything elsewhere', () => {
      const groups = account.flatMap(group => ['--as-group', group])
      const as = (...args: readonly string[]): string => kubectl('--as', user, ...groups, ...args)
      const pod = ['run', 'tried', '--image=busybox', '--dry-run=server']
      assert.match(as('-n', TEAM_A, ...pod), /tried created/)
      assert.match(as('-n', TEAM_A, 'create', 'configmap', 'fence'), /created/)
      assert.match(as('-n', TEAM_A, 'delete', 'configmap', 'fence'), /deleted/)
      const more = ['create', 'rolebinding', 'more', '--clusterrole=admin', '--user=anna']
      for (const refused of [
        ['-n', OTHER, ...pod],
        ['-n', CONTROLLER, ...pod],
        ['-n', OTHER, 'get', 'dags'],
        ['-n', TEAM_A, 'get', 'secrets'],
        ['get', 'pods', '--all-namespaces'],
        ['-n', TEAM_A, ...more],
        ['-n', TEAM_A, 'create', 'token', 'default'],
      ])
        assert.throws(() => as(...refused), /[Ff]orbidden/, refused.join(' '))
    })

    test('a user with the roles of the chart has the DAGs of one namespace, no status, and nothing of the next', () => {
      for (const role of ['view', 'edit']) {
        const name = `--clusterrole=${CONTROLLER}-kontroler-${role}`
        kubectl('create', 'rolebinding', `anna-${role}`, '-n', TEAM_A, '--user=anna', name)
      }
      const kinds = ['dags', 'dagruns', 'dagtasks'].map(kind => `kontroler.greedykomodo/${kind}`)
      const all = Object.fromEntries(kinds.map(kind => [kind, VERBS]))
      assert.deepEqual(allowed('anna', ['system:authenticated'], TEAM_A), sorted(all))
      assert.deepEqual(allowed('anna', ['system:authenticated'], TEAM_B), {})
    })

    test('impersonated, she is refused every verb on every kind of the next namespace', async () => {
      const client = await impersonating(kubectl, 'anna')
      try {
        const { items } = await client.list(resourceOf('DAG'), { namespace: TEAM_A })
        assert.deepEqual(items, [])
        const letIn: string[] = []
        for (const place of [...Object.keys(CONTROLLER_MAY), ...FORBIDDEN])
          for (const verb of VERBS) {
            const answer = await client.raw(...requestOf(place, verb, TEAM_B)).then(
              () => 'taken',
              (error: unknown) => (error instanceof ApiProblem ? error.kind : String(error)),
            )
            if (answer !== 'forbidden') letIn.push(`${verb} ${place}: ${answer}`)
          }
        assert.deepEqual(letIn, [])
      } finally {
        await client.close()
      }
    })

    test('uninstalled, its rights are gone, and CRDs and the volume are there for the next release', () => {
      const uid = (): string =>
        kubectl('get', 'crd', 'dags.kontroler.greedykomodo', '-o', 'jsonpath={.metadata.uid}')
      const before = uid()
      helm('uninstall', 'kontroler', '-n', CONTROLLER)
      assert.equal(uid(), before)
      assert.match(kubectl('get', 'pvc', '-n', CONTROLLER, '-o', 'name'), /kontroler-state/)
      assert.deepEqual(allowed(user, account, TEAM_A), {})
      assert.match(install(), /STATUS: deployed/)
      assert.equal(uid(), before)
    })
  })
})

/** A client that acts as somebody else, as `kubectl --as` does. */
async function impersonating(kubectl: (...args: readonly string[]) => string, user: string): Promise<Client> {
  const config = JSON.parse(kubectl('config', 'view', '--raw', '--flatten', '--minify', '-o', 'json')) as {
    users: { user: object }[]
  }
  const users = config.users.map(one => ({ ...one, user: { ...one.user, as: user } }))
  const folder = mkdtempSync(join(tmpdir(), 'kontroler-as-'))
  try {
    const file = join(folder, 'config')
    writeFileSync(file, JSON.stringify({ ...config, users }), { mode: 0o600 })
    const plugins = { env: process.env, interactive: false }
    const identity = await kubeconfigIdentity({ files: [file], missing: 'isError', plugins })
    return openClient({ identity })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const METHODS = {
  get: 'GET',
  list: 'GET',
  watch: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
} as const

/** The request that a verb on a resource is. Authorization comes before the server looks whether it makes sense. */
function requestOf(
  place: string,
  verb: (typeof VERBS)[number],
  namespace: string,
): [method: (typeof METHODS)[typeof verb], path: string, body?: object] {
  const [group = '', resource = '', subresource] = place.split('/')
  const version = group === 'kontroler.greedykomodo' ? 'v1alpha1' : 'v1'
  const root = group === '' ? '/api/v1' : `/apis/${group}/${version}`
  const all = `${root}/namespaces/${namespace}/${resource}`
  const whole = verb === 'list' || verb === 'watch' || verb === 'deletecollection'
  const one = subresource === undefined ? `${all}/some` : `${all}/some/${subresource}`
  const path = whole ? all : verb === 'create' && subresource === undefined ? all : one
  const query = verb === 'watch' ? '?watch=true&timeoutSeconds=1' : ''
  const method = METHODS[verb]
  if (method === 'GET' || method === 'DELETE') return [method, `${path}${query}`]
  return [method, path, {}]
}

const sorted = (may: Readonly<Record<string, readonly string[]>>): Record<string, string[]> =>
  Object.fromEntries(
    Object.entries(may)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([place, verbs]) => [place, verbs.toSorted()]),
  )

/** kubectl prints what was answered as one list, or one after the other. */
function verdictsOf(text: string): (boolean | undefined)[] {
  interface Answer {
    readonly status?: { readonly allowed: boolean }
    readonly items?: readonly Answer[]
  }
  const answers = JSON.parse(`[${text.trim().replaceAll(/\}\s*\n\{/g, '},{')}]`) as readonly Answer[]
  return answers.flatMap(answer => answer.items ?? [answer]).map(({ status }) => status?.allowed)
}
