import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { inspect } from 'node:util'
import { type Config, loadConfig, makeConfig } from '../config.ts'
import { ConfigError } from './read.ts'
import { SETTINGS } from './settings.ts'

const folder = mkdtempSync(join(tmpdir(), 'kontroler-config-'))
after(() => rmSync(folder, { recursive: true }))
const POD = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' }

const config = (env: Record<string, string> = {}, yaml: string | null = null): Config =>
  makeConfig({ ...POD, ...env }, yaml === null ? null : { name: 'config.yaml', text: yaml })

function complaints(env: Record<string, string>, yaml: string | null = null): string[] {
  try {
    config(env, yaml)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.message.split('\n')
  }
  return []
}

const secretFile = (name: string, text: string): string => {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

test('in a pod nothing has to be said', () => {
  assert.deepEqual(config(), {
    installation: 'kontroler',
    namespaces: 'own',
    stateDir: resolve('.kontroler'),
    database: { kind: 'sqlite', file: resolve('.kontroler/kontroler.db') },
    listen: { host: '0.0.0.0', port: 8080 },
    maxParallel: 1000,
    pools: new Map(),
    stopGraceMs: 10_000,
    fenceSize: 500,
    logs: { kind: 'files', maxBytes: 2 * 1024 ** 3 },
    retention: { runs: null, ageMs: 30 * 86_400_000 },
    webhooks: { allow: [], ports: [80, 443, 8080, 8443] },
    kube: { kind: 'inCluster', host: '10.0.0.1', port: '443' },
    logLevel: 'info',
  })
})

test('receivers that are not public are listed by range or name', () => {
  const { webhooks } = config({ KONTROLER_WEBHOOKS_ALLOW: '10.96.0.0/12, *.svc, fd00::/8' })
  assert.deepEqual(webhooks.allow, ['10.96.0.0/12', '*.svc', 'fd00::/8'])
  for (const wrong of ['http://a', 'a b', '*', '10.0.0.0/'])
    assert.throws(() => config({ KONTROLER_WEBHOOKS_ALLOW: wrong }), wrong)
  assert.throws(() => config({ KONTROLER_WEBHOOKS_PORTS: '70000' }))
})

test('the file says it, and the environment wins', () => {
  const yaml = 'installation: blue\nmaxParallel: 7\npools: { gpu: 2 }\nlog: { level: warn }\n'
  const read = config({ KONTROLER_MAX_PARALLEL: '9', KONTROLER_POOLS: 'gpu=3, net=1' }, yaml)
  assert.equal(read.installation, 'blue')
  assert.equal(read.maxParallel, 9)
  assert.deepEqual(
    [...read.pools],
    [
      ['gpu', 3],
      ['net', 1],
    ],
  )
  assert.equal(read.logLevel, 'warn')
})

test('a variable that is set to nothing, and a key without a value, are not set', () => {
  assert.equal(config({ KONTROLER_INSTALLATION: '' }, 'installation: blue').installation, 'blue')
  assert.equal(config({}, 'installation:\nlogs:\n').installation, 'kontroler')
})

test('an empty file is a file that says nothing', () => assert.deepEqual(config({}, '# nothing\n'), config()))

test('namespaces are a list, or all', () => {
  assert.deepEqual(config({ KONTROLER_NAMESPACES: 'team-a, team-b,team-a' }).namespaces, ['team-a', 'team-b'])
  assert.equal(config({ KONTROLER_NAMESPACES: '*' }).namespaces, 'all')
  assert.equal(config({}, 'namespaces: ["*"]').namespaces, 'all')
  assert.deepEqual(config({}, 'namespaces: [team-a]').namespaces, ['team-a'])
})

test('a PostgreSQL password may come from a file, whatever is in it', () => {
  const file = secretFile('password', 'p@ss/w:rd %\n')
  const { database } = config({
    KONTROLER_DATABASE: 'postgres://kontroler@db.example/kontroler?sslmode=require',
    KONTROLER_DATABASE_PASSWORD_FILE: file,
  })
  assert.equal(database.kind, 'postgres')
  const url = new URL(database.kind === 'postgres' ? database.url.reveal() : '')
  assert.equal(decodeURIComponent(url.password), 'p@ss/w:rd %')
  assert.equal(url.host, 'db.example')
})

test('the whole URL may come from a file', () => {
  const file = secretFile('url', 'postgres://u:p@db/k\n')
  const { database } = config({ KONTROLER_DATABASE_FILE: file })
  assert.equal(database.kind === 'postgres' && database.url.reveal(), 'postgres://u:p@db/k')
})

test('a password is shown by nothing', () => {
  const env = { KONTROLER_DATABASE: 'postgres://u:geheim@db/k' }
  const read = config(env)
  for (const text of [
    inspect(read, { depth: 9 }),
    JSON.stringify(read),
    `${String(Object.values(read.database))}`,
  ])
    assert.doesNotMatch(text, /geheim/)
  const bad = [
    complaints({ KONTROLER_DATABASE: 'mysql://u:geheim@db/k' }),
    complaints({}, 'database:\n  url: [postgres://u:geheim@db/k'),
    complaints({ KONTROLER_DATABASE_FILE: secretFile('bad', 'u:geheim@db') }),
  ]
  for (const lines of bad) {
    assert.equal(lines.length, 1)
    assert.doesNotMatch(lines.join(), /geheim/)
  }
})

test('a bucket without logs in S3 is told: they would be kept elsewhere than somebody believes', () => {
  assert.deepEqual(complaints({ KONTROLER_LOGS_S3_BUCKET: 'b' }), [
    'logs.s3.bucket is of no use with logs.kind files. Set logs.kind to s3.',
  ])
})

test('logs in S3 need a bucket; the rest has defaults', () => {
  assert.deepEqual(complaints({ KONTROLER_LOGS: 's3' }), [
    'logs.s3.bucket is missing. With logs.kind s3 it must be set.',
  ])
  assert.deepEqual(config({ KONTROLER_LOGS: 's3', KONTROLER_LOGS_S3_BUCKET: 'b' }).logs, {
    kind: 's3',
    maxBytes: 2 * 1024 ** 3,
    bucket: 'b',
    prefix: '',
    endpoint: null,
    region: null,
    pathStyle: false,
  })
  const other = config(
    {},
    'logs: { kind: s3, maxBytes: 500Mi, s3: { bucket: b, prefix: /a/b/, endpoint: "http://minio:9000", region: r } }',
  ).logs
  assert.deepEqual(other, {
    kind: 's3',
    maxBytes: 500 * 1024 ** 2,
    bucket: 'b',
    prefix: 'a/b',
    endpoint: 'http://minio:9000',
    region: 'r',
    pathStyle: true,
  })
})

test('the bound on a log is an amount as Kubernetes writes it', () => {
  const given = (text: string) => config({ KONTROLER_LOGS_MAX_BYTES: text }).logs.maxBytes
  assert.deepEqual(['1048576', '1Mi', '3Gi', '1Ti'].map(given), [2 ** 20, 2 ** 20, 3 * 2 ** 30, 2 ** 40])
  for (const wrong of ['1Ki', '0', '-1Gi', '1.5Gi', '1G', 'Gi', '1gi', ' 1Gi', '99999999999999Ti'])
    assert.deepEqual(complaints({ KONTROLER_LOGS_MAX_BYTES: wrong }), [
      `logs.maxBytes ($KONTROLER_LOGS_MAX_BYTES) is "${wrong}". It must be a number of bytes such as 500Mi or 10Gi, at least 1Mi.`,
    ])
})

test('outside of a cluster a kubeconfig is needed', () => {
  assert.throws(() => makeConfig({}, null), /kube\.config is missing\. Outside of a cluster it must be set/)
  const { kube } = makeConfig({ KONTROLER_KUBECONFIG: '/k', KONTROLER_KUBE_CONTEXT: 'c' }, null)
  assert.deepEqual(kube, { kind: 'kubeconfig', file: '/k', context: 'c' })
})

test('everything that is wrong is told at once, with key, place, value and what is allowed', () => {
  const yaml = 'installation: Blue\nmaxParalel: 3\nlogs: files\nretention:\n  age: 3 weeks\n'
  assert.deepEqual(complaints({ KONTROLER_FENCE_SIZE: '0', KONTROLER_LISTEN: '8080' }, yaml), [
    'maxParalel (config.yaml:2:1) is no setting. Did you mean maxParallel?',
    'logs (config.yaml:3:1) is no map. It has the settings logs.kind, logs.maxBytes, logs.s3.bucket, logs.s3.prefix, logs.s3.endpoint, logs.s3.region, logs.s3.pathStyle.',
    'installation (config.yaml:1:1) is "Blue". It must be a DNS label: at most 30 small letters, digits and dashes, with no dash at either end.',
    'listen ($KONTROLER_LISTEN) is "8080". It must be HOST:PORT, such as 0.0.0.0:8080 or [::]:8080.',
    'fenceSize ($KONTROLER_FENCE_SIZE) is "0". It must be a whole number from 1 to 5000.',
    'retention.age (config.yaml:5:3) is "3 weeks". It must be a duration such as 500ms, 90s, 10m, 1h30m or 30d.',
  ])
})

const REFUSED: readonly (readonly [env: string, value: string])[] = [
  ['KONTROLER_INSTALLATION', 'a'.repeat(31)],
  ['KONTROLER_INSTALLATION', '-a'],
  ['KONTROLER_NAMESPACES', 'a,,b'],
  ['KONTROLER_NAMESPACES', 'a,*'],
  ['KONTROLER_LISTEN', 'localhost:99999'],
  ['KONTROLER_MAX_PARALLEL', '1e3'],
  ['KONTROLER_MAX_PARALLEL', '-1'],
  ['KONTROLER_POOLS', 'gpu'],
  ['KONTROLER_POOLS', 'gpu=1,gpu=2'],
  ['KONTROLER_STOP_GRACE', '10'],
  ['KONTROLER_LOGS', 'S3'],
  ['KONTROLER_LOGS_S3_PATH_STYLE', 'yes'],
  ['KONTROLER_LOGS_S3_ENDPOINT', 'minio:9000'],
  ['KONTROLER_LOG_LEVEL', 'trace'],
  ['KONTROLER_RETENTION_RUNS', '0'],
]
for (const [env, value] of REFUSED)
  test(`${env}=${value.slice(0, 24)} is refused`, () => {
    const lines = complaints({ [env]: value })
    assert.equal(lines.length, 1)
    assert.match(lines[0] ?? '', new RegExp(`\\(\\$${env}\\) is .* It must be `))
  })

const AT_ODDS: readonly (readonly [what: string, env: Record<string, string>])[] = [
  ['a URL and a file with one', { KONTROLER_DATABASE: 'postgres://u@h/d', KONTROLER_DATABASE_FILE: '/x' }],
  ['a password without a URL', { KONTROLER_DATABASE_PASSWORD_FILE: '/x' }],
  ['two passwords', { KONTROLER_DATABASE: 'postgres://u:p@h/d', KONTROLER_DATABASE_PASSWORD_FILE: '/x' }],
  ['a password for nobody', { KONTROLER_DATABASE: 'postgres://h/d', KONTROLER_DATABASE_PASSWORD_FILE: '/x' }],
  ['a file that is not there', { KONTROLER_DATABASE_FILE: '/not/there' }],
  ['a context without a kubeconfig', { KONTROLER_KUBE_CONTEXT: 'c' }],
]
for (const [what, env] of AT_ODDS) test(`${what}: refused`, () => assert.equal(complaints(env).length, 1))

test('a file that is no YAML, or no map, is refused with its place', () => {
  assert.match(complaints({}, 'a: [')[0] ?? '', /^--config \(config\.yaml:\d+:\d+\) is no YAML/)
  assert.match(complaints({}, '- a')[0] ?? '', /^--config \(config\.yaml:1:1\) is no map of settings/)
  assert.match(complaints({}, 'installation: a\ninstallation: b')[0] ?? '', /is no YAML \(DUPLICATE_KEY\)/)
})

test('--config names the file; anything else on the command line is refused', () => {
  const file = secretFile('config.yaml', 'installation: green')
  assert.equal(loadConfig(['--config', file], POD).installation, 'green')
  assert.equal(loadConfig([`--config=${file}`], POD).installation, 'green')
  assert.equal(loadConfig([], POD).installation, 'kontroler')
  for (const args of [['--conf', file], ['--config'], ['--config', file, 'x'], ['x']])
    assert.throws(() => loadConfig(args, POD), ConfigError)
  assert.throws(
    () => loadConfig(['--config', join(folder, 'none')], POD),
    /--config names a file that cannot be read/,
  )
})

test('no two settings share a variable, and none has the name of what Kubernetes sets for a Service', () => {
  const names = Object.values(SETTINGS).map(({ env }) => env)
  assert.equal(new Set(names).size, names.length)
  for (const name of names) assert.doesNotMatch(name, /_(SERVICE_HOST|SERVICE_PORT|PORT)(_|$)/)
})

test('the default of each setting is one that could be written', () => {
  for (const [key, { type, default: value }] of Object.entries(SETTINGS)) {
    if (value === null || value === 'own' || typeof value === 'object') continue
    const written = key === 'stopGrace' || key === 'retention.age' ? `${Number(value)}ms` : value
    assert.notEqual((type.read as (value: unknown) => unknown)(written), undefined, key)
  }
})
