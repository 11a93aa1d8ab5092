import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, test } from 'node:test'
import { load as parseYaml } from 'js-yaml'
import { makeConfig } from '../../src/config.ts'
import { METRICS } from '../../src/controller/metric-table.ts'
import { chartFiles } from './bundle.ts'
import { CHART, helm, type Manifest, rendered, VALUE_SETS, type Values, valueArgs } from './helm.ts'
import { CONTROLLER_MAY } from './rules.ts'

const found = await helm()
const run = typeof found === 'string' ? (): string => assert.fail(found) : found
const skip = typeof found === 'string' && !process.env['CI'] ? found : false

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
  readonly resourceNames?: readonly string[]
}
const one = (all: readonly Manifest[], kind: string): Manifest =>
  all.find(manifest => manifest.kind === kind) ?? assert.fail(`there is no ${kind}`)
const at = (value: unknown, ...path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], value)

/** Rules as `group/resource` → verbs. */
function may(role: Manifest): Record<string, readonly string[]> {
  const rules = role['rules'] as readonly Rule[]
  return Object.fromEntries(
    rules.flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap(group => resources.map(resource => [`${group}/${resource}`, verbs] as const)),
    ),
  )
}

/** The configuration that the chart writes, read as the controller reads it. */
const configOf = (all: readonly Manifest[]): ReturnType<typeof makeConfig> => {
  const text = String(at(one(all, 'ConfigMap'), 'data', 'config.yaml'))
  return makeConfig({ KUBERNETES_SERVICE_HOST: 'x' }, { name: 'config.yaml', text })
}

describe('the chart', { skip }, () => {
  test('helm has nothing to say against it', () => {
    for (const values of Object.values(VALUE_SETS)) run('lint', '--strict', CHART, ...valueArgs(values))
  })

  test('files that are made from others are fresh', () => {
    for (const [path, text] of chartFiles(run))
      assert.equal(readFileSync(path, 'utf8'), text, `${path} is stale: npm run generate`)
  })

  test('its CRDs are those of the schema; they upgrade with it, and stay behind it', () => {
    const crds = rendered(run, {}).filter(({ kind }) => kind === 'CustomResourceDefinition')
    assert.equal(crds.length, globSync('deploy/crds/*.yaml').length)
    for (const crd of crds) {
      const file = `deploy/crds/${crd.metadata.name.replace(/\..*/, '')}.yaml`
      const own = parseYaml(readFileSync(file, 'utf8')) as Manifest
      assert.deepEqual(crd['spec'], own['spec'], basename(file))
      assert.equal(crd.metadata.annotations?.['helm.sh/resource-policy'], 'keep')
    }
    assert.ok(
      !rendered(run, { 'crds.install': false }).some(({ kind }) => kind === 'CustomResourceDefinition'),
    )
  })

  for (const [name, values] of Object.entries(VALUE_SETS))
    test(`${name}: the controller understands its configuration`, () => {
      // Files of Secrets are there only in the pod.
      const text = String(at(one(rendered(run, values), 'ConfigMap'), 'data', 'config.yaml'))
      const config = text
        .replaceAll(/^ +(urlFile|passwordFile): .*\n/gm, '')
        .replace(/^database:\n(?! )/m, '')
      makeConfig({ KUBERNETES_SERVICE_HOST: 'x' }, { name: 'config.yaml', text: config })
    })

  test('values become settings', () => {
    const config = configOf(rendered(run, VALUE_SETS['everything in one namespace'] ?? {}))
    assert.equal(config.installation, 'blue')
    assert.deepEqual(config.namespaces, ['kontroler'])
    assert.deepEqual([...config.pools], [['gpu', 2]])
    assert.deepEqual(config.retention, { runs: 500, ageMs: 7 * 86_400_000 })
    const other = rendered(run, {
      clusterWide: true,
      logs: { type: 's3', maxBytes: '500Mi', s3: { bucket: 'b', pathStyle: false } },
    })
    assert.equal(configOf(other).namespaces, 'all')
    assert.deepEqual(configOf(other).logs, {
      kind: 's3',
      bucket: 'b',
      maxBytes: 500 * 1024 ** 2,
      prefix: '',
      endpoint: null,
      region: null,
      pathStyle: false,
    })
    const url = String(
      at(
        one(rendered(run, VALUE_SETS['a list of namespaces, PostgreSQL and S3'] ?? {}), 'ConfigMap'),
        'data',
        'config.yaml',
      ),
    )
    assert.match(
      url,
      /url: "postgres:\/\/kontroler@db\.example:5432\/kontroler\?sslmode=verify-full&schema=kontroler&sslrootcert=/,
    )
  })

  test('the controller may do what it does, and nothing else, in the namespaces of its DAGs', () => {
    const all = rendered(run, { namespaces: ['team-a', 'team-b'] })
    const roles = all.filter(({ kind }) => kind === 'Role')
    assert.deepEqual(
      roles.map(({ metadata }) => metadata.namespace),
      ['team-a', 'team-b'],
    )
    for (const role of roles) assert.deepEqual(may(role), CONTROLLER_MAY)
    assert.ok(!all.some(({ kind }) => kind.startsWith('ClusterRole')))
    for (const binding of all.filter(({ kind }) => kind === 'RoleBinding'))
      assert.deepEqual(binding['subjects'], [
        { kind: 'ServiceAccount', name: 'kontroler', namespace: 'kontroler' },
      ])
  })

  test('cluster-wide it may do the same, everywhere', () => {
    const all = rendered(run, { clusterWide: true })
    assert.deepEqual(may(one(all, 'ClusterRole')), CONTROLLER_MAY)
    assert.ok(!all.some(({ kind }) => kind === 'Role'))
  })

  test('no rule of any role names everything', () => {
    for (const values of Object.values(VALUE_SETS))
      for (const role of rendered(run, values).filter(({ kind }) => kind.endsWith('Role')))
        assert.doesNotMatch(JSON.stringify(role['rules']), /\*|secrets|escalate|impersonate|bind"/)
  })

  test('roles for users add to view, edit and admin, and give no status', () => {
    const roles = rendered(run, { 'rbac.userRoles': true }).filter(({ kind }) => kind === 'ClusterRole')
    const verbs = (role: string): unknown => {
      const parts = roles.filter(
        ({ metadata }) => metadata.labels?.[`rbac.authorization.k8s.io/aggregate-to-${role}`] === 'true',
      )
      return parts.flatMap(part => may(part)['kontroler.greedykomodo/dagruns'] ?? []).toSorted()
    }
    assert.deepEqual(verbs('view'), ['get', 'list', 'watch'])
    const edit = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
    assert.deepEqual(verbs('edit'), edit)
    assert.deepEqual(verbs('admin'), edit)
    assert.ok(!roles.some(role => Object.keys(may(role)).some(resource => resource.endsWith('/status'))))
  })

  for (const [name, values] of Object.entries(VALUE_SETS))
    test(`${name}: the pod is restricted, and its root is read-only`, () => {
      const spec = at(one(rendered(run, values), 'Deployment'), 'spec', 'template', 'spec')
      assert.equal(at(spec, 'securityContext', 'runAsNonRoot'), true)
      assert.equal(at(spec, 'securityContext', 'seccompProfile', 'type'), 'RuntimeDefault')
      assert.deepEqual(at(spec, 'containers', 0, 'securityContext'), {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
        assert.match(String(at(spec, 'containers', 0, probe, 'httpGet', 'path')), /^\/(livez|readyz)$/)
    })

  test('there is one controller at a time, and a volume where something is to be kept', () => {
    const claims = (values: Values): number =>
      rendered(run, values).filter(({ kind }) => kind === 'PersistentVolumeClaim').length
    assert.equal(at(one(rendered(run, {}), 'Deployment'), 'spec', 'strategy', 'type'), 'Recreate')
    assert.equal(claims({}), 1)
    assert.equal(claims({ 'persistence.existingClaim': 'mine' }), 0)
    assert.equal(claims({ 'persistence.enabled': false }), 0)
    const both = { 'database.type': 'postgresql', 'database.postgresql.host': 'db' }
    assert.equal(claims(both), 1, 'logs are files')
    assert.equal(claims({ ...both, 'logs.type': 's3', 'logs.s3.bucket': 'b' }), 0)
  })

  test('a changed setting is a new pod, an equal one is not', () => {
    const note = (values: Values): unknown =>
      at(one(rendered(run, values), 'Deployment'), 'spec', 'template', 'metadata', 'annotations')
    assert.deepEqual(note({}), note({ maxParallel: 1000 }))
    assert.notDeepEqual(note({}), note({ maxParallel: 999 }))
  })

  const REFUSED: readonly (readonly [what: string, values: Values, said: RegExp])[] = [
    ['a value that is none', { maxParalel: 3 }, /maxParalel/],
    ['both scopes', { clusterWide: true, namespaces: ['a'] }, /exclude each other/],
    ['PostgreSQL without a host', { 'database.type': 'postgresql' }, /needs database\.postgresql\.host/],
    ['S3 without a bucket', { 'logs.type': 's3' }, /needs logs\.s3\.bucket/],
    ['a service account of nobody', { 'serviceAccount.create': false }, /serviceAccount\.name is needed/],
    ['a name that is too long', { installation: 'a'.repeat(31) }, /installation/],
    ['a duration without a unit', { stopGrace: '10' }, /stopGrace/],
    ['a password as a value', { 'database.postgresql.password': 'x' }, /password/],
  ]
  for (const [what, values, said] of REFUSED)
    test(`${what}: refused`, () => assert.throws(() => rendered(run, values), said))

  test('each value is in the schema, and the other way round', () => {
    const values = parseYaml(readFileSync(`${CHART}/values.yaml`, 'utf8')) as Values
    const schema = JSON.parse(readFileSync(`${CHART}/values.schema.json`, 'utf8')) as object
    const compare = (value: unknown, part: unknown, path: string): void => {
      const properties = at(part, 'properties') as Record<string, unknown> | undefined
      if (properties === undefined || typeof value !== 'object' || value === null) return
      const names = Object.keys(properties).filter(name => name !== 'global')
      assert.deepEqual(names.toSorted(), Object.keys(value).toSorted(), path)
      for (const name of names) compare(at(value, name), properties[name], `${path}.${name}`)
    }
    compare(values, schema, 'values')
  })

  test('the dashboard in the chart is the one beside it', () => {
    const all = rendered(run, { 'grafana.dashboard': true })
    const map = all.find(({ metadata }) => metadata.name === 'kontroler-dashboard')
    assert.deepEqual(
      JSON.parse(String(at(map, 'data', 'kontroler.json'))),
      JSON.parse(readFileSync('deploy/grafana/kontroler.json', 'utf8')),
    )
  })
})

test('the dashboard asks only for metrics that there are, by labels that they have', () => {
  const text = readFileSync('deploy/grafana/kontroler.json', 'utf8')
  const { panels } = JSON.parse(text) as { panels: { targets?: { expr: string }[] }[] }
  const asked = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  assert.ok(asked.length > 20)
  const seen = new Set<string>()
  for (const expr of asked)
    for (const [, name = ''] of expr.matchAll(
      /\b(kontroler_[a-z_]+?)(?:_bucket|_sum|_count)?\b(?=[{[)\s]|$)/g,
    )) {
      const row = (METRICS as Readonly<Record<string, { labels: readonly string[] }>>)[name]
      assert.ok(row !== undefined, `${name} in ${expr}`)
      seen.add(name)
      for (const [, by = ''] of expr.matchAll(/by \(([^)]*)\)/g))
        for (const label of by.split(', '))
          assert.ok(label === 'le' || row.labels.includes(label), `${label} in ${expr}`)
    }
  const unseen = Object.keys(METRICS).filter(name => !seen.has(name))
  // Shown by a metric beside it, or only of use in a query.
  assert.deepEqual(unseen, [
    'kontroler_build_info',
    'kontroler_runs_created_total',
    'kontroler_attempts_started_total',
    'kontroler_task_outcome_total',
    'kontroler_view_events_total',
  ])
})
