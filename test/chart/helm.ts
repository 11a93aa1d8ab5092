import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { loadAll } from 'js-yaml'
import { kubectlPrograms } from '../cluster/programs.ts'

export const CHART = 'deploy/chart'

/** An object of Kubernetes, as far as tests of the chart look at it. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Record<string, string>
    readonly annotations?: Record<string, string>
  }
  readonly [field: string]: unknown
}

export type Values = Readonly<Record<string, unknown>>

/** Helm, or why it is not to be had here. */
export async function helm(): Promise<((...args: readonly string[]) => string) | string> {
  // The npm package that carries it has programs for one kind of processor only.
  if (process.arch !== 'x64') return 'helm is to be had for x86-64 only'
  try {
    const [, folder = ''] = await kubectlPrograms()
    return (...args) =>
      execFileSync(join(folder, 'helm'), args, {
        encoding: 'utf8',
        maxBuffer: 64 * 1024 * 1024,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
  } catch (error) {
    return `helm is not to be had: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`
  }
}

/** Arguments that give values to helm, each as JSON. */
export const valueArgs = (values: Values): string[] =>
  Object.entries(values).flatMap(([key, value]) => ['--set-json', `${key}=${JSON.stringify(value)}`])

/** What the chart makes of these values for a release `kontroler` in the namespace `kontroler`. */
export function rendered(run: (...args: readonly string[]) => string, values: Values): readonly Manifest[] {
  const text = run('template', 'kontroler', CHART, '--namespace', 'kontroler', ...valueArgs(values))
  return (loadAll(text) as (Manifest | null)[]).filter(document => document !== null)
}

/** Values with which every part of the chart is made at least once. */
export const VALUE_SETS: Readonly<Record<string, Values>> = {
  'as it comes': {},
  'everything in one namespace': {
    installation: 'blue',
    'serviceAccount.annotations': { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/logs' },
    pools: { gpu: 2 },
    retention: { runs: 500, age: '7d' },
    'rbac.userRoles': true,
    'grafana.dashboard': true,
    'networkPolicy.from': [
      { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } },
    ],
    'networkPolicy.egress': [{ ports: [{ port: 443 }, { port: 5432 }, { port: 53, protocol: 'UDP' }] }],
    podLabels: { team: 'platform' },
    podAnnotations: { 'example.com/scrape': 'no' },
    imagePullSecrets: [{ name: 'registry' }],
    priorityClassName: 'system-cluster-critical',
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    tolerations: [{ key: 'infra', operator: 'Exists' }],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'infra', operator: 'Exists' }] }],
        },
      },
    },
    extraEnv: [{ name: 'HTTPS_PROXY', value: 'http://proxy:3128' }],
    'persistence.storageClass': 'fast',
    'persistence.annotations': { 'example.com/backup': 'yes' },
    'image.digest': `sha256:${'0'.repeat(64)}`,
  },
  'a list of namespaces, PostgreSQL and S3': {
    namespaces: ['team-a', 'team-b'],
    'database.type': 'postgresql',
    'database.postgresql.host': 'db.example',
    'database.postgresql.passwordSecret.name': 'postgres',
    'database.postgresql.caSecret.name': 'postgres-ca',
    'logs.type': 's3',
    'logs.s3': {
      bucket: 'logs',
      prefix: 'kontroler/prod',
      endpoint: 'http://minio.minio:9000',
      region: 'eu-central-1',
      pathStyle: true,
      credentialsSecret: { name: 's3' },
    },
  },
  'the whole cluster, a URL from a Secret, nothing that is optional': {
    clusterWide: true,
    'database.type': 'postgresql',
    'database.postgresql.urlSecret.name': 'postgres-url',
    'logs.type': 's3',
    'logs.s3.bucket': 'logs',
    'crds.install': false,
    'networkPolicy.enabled': false,
    'podDisruptionBudget.enabled': false,
  },
}
