import { LIMITS } from '../core/limits.ts'
import {
  bytes,
  duration,
  flag,
  label,
  list,
  listenAddress,
  mapOf,
  oneOf,
  text,
  url,
  type ValueType,
  whole,
  words,
} from './values.ts'

/** One setting: its key in the file (dots between levels), its variable, and what it means. */
export interface Setting<T, D = T> {
  readonly env: string
  readonly type: ValueType<T>
  readonly default: D
  /** The default for people, where it is not the value itself. */
  readonly shown?: string
  readonly meaning: string
  /** Its value is never shown. */
  readonly secret?: true
}

const setting = <T, const D>(one: Setting<T, D>): Setting<T, D> => one

/** Longest name of an installation: names of fences hold it. */
const INSTALLATION_LENGTH_MAX = 30
const NAMESPACE_LENGTH_MAX = 63
const path = words('the path of a file')
/** A range, an address or a name; `notifiers/webhook/policy.ts` reads it. */
const receiver = text('a range of addresses, an address or a name', value =>
  /^(?:[0-9a-fA-F:.]+(?:\/\d{1,3})?|(?:\*\.)?[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?)$/.test(value),
)

/** Every setting of the controller. The page docs/reference/configuration.md is made from this table. */
export const SETTINGS = {
  installation: setting({
    env: 'KONTROLER_INSTALLATION',
    type: label(INSTALLATION_LENGTH_MAX),
    default: 'kontroler',
    meaning:
      'Name of this installation. Everything that the controller makes in a cluster is marked with it, and the ' +
      'controller adopts and removes only what has its mark. Two installations that share a namespace need ' +
      'different names; changing it leaves behind what the old name made.',
  }),
  namespaces: setting({
    env: 'KONTROLER_NAMESPACES',
    type: namespacesType(),
    default: 'own',
    shown: 'the namespace of the controller',
    meaning: 'Namespaces in which DAGs are looked after: a list, or `*` for all of the cluster.',
  }),
  stateDir: setting({
    env: 'KONTROLER_STATE',
    type: words('the path of a folder'),
    default: '.kontroler',
    meaning: 'Folder for the SQLite file, logs kept as files, and logs on their way to S3. A local disk.',
  }),
  'database.url': setting({
    env: 'KONTROLER_DATABASE',
    type: url('postgres', 'postgresql'),
    default: null,
    shown: 'the SQLite file `kontroler.db` in `stateDir`',
    secret: true,
    meaning: 'URL of a PostgreSQL database (version 16 or newer); see [databases](../guide/databases.md).',
  }),
  'database.urlFile': setting({
    env: 'KONTROLER_DATABASE_FILE',
    type: path,
    default: null,
    meaning: 'File with that URL, such as a mounted Secret. Excludes `database.url`.',
  }),
  'database.passwordFile': setting({
    env: 'KONTROLER_DATABASE_PASSWORD_FILE',
    type: path,
    default: null,
    meaning: 'File with the password, when it is not in the URL; a line break at its end does not count.',
  }),
  listen: setting({
    env: 'KONTROLER_LISTEN',
    type: listenAddress,
    default: { host: '0.0.0.0', port: 8080 },
    shown: '`0.0.0.0:8080`',
    meaning: 'Where `/livez`, `/readyz` and `/metrics` are served.',
  }),
  maxParallel: setting({
    env: 'KONTROLER_MAX_PARALLEL',
    type: whole(1, 100_000),
    default: 1000,
    meaning: 'Most attempts that are started and not ended at one time.',
  }),
  pools: setting({
    env: 'KONTROLER_POOLS',
    type: mapOf(label(LIMITS.nameLengthMax), whole(1, 100_000), 'a map of names of pools and their slots'),
    default: new Map<string, number>(),
    shown: 'none',
    meaning: `Slots of pools. A pool that is not named here has ${LIMITS.poolSizeDefault}: it is a lock.`,
  }),
  stopGrace: setting({
    env: 'KONTROLER_STOP_GRACE',
    type: duration(0),
    default: LIMITS.stopGraceMs,
    shown: `\`${LIMITS.stopGraceMs / 1_000}s\``,
    meaning: 'Time between TERM and KILL when an attempt is stopped.',
  }),
  fenceSize: setting({
    env: 'KONTROLER_FENCE_SIZE',
    type: whole(1, 5_000),
    default: 500,
    meaning:
      'Most attempts that share a fence. Ended pods stay until all attempts of their fence have ended, so that ' +
      'small clusters and quotas on pods want smaller ones.',
  }),
  'logs.kind': setting({
    env: 'KONTROLER_LOGS',
    type: oneOf('files', 's3'),
    default: 'files',
    meaning: 'Where the output of tasks is kept: files below `stateDir`, or S3.',
  }),
  'logs.maxBytes': setting({
    env: 'KONTROLER_LOGS_MAX_BYTES',
    type: bytes(1024 ** 2),
    default: 2 * 1024 ** 3,
    shown: '`2Gi`',
    meaning:
      'Most that is kept of one log. One that is longer is cut, and says so; the task goes on. It keeps a task that ' +
      'runs wild from filling the disk.',
  }),
  'logs.s3.bucket': setting({
    env: 'KONTROLER_LOGS_S3_BUCKET',
    type: words('the name of a bucket'),
    default: null,
    meaning: 'The bucket. Needed with `logs.kind: s3`; credentials come from the usual AWS chain.',
  }),
  'logs.s3.prefix': setting({
    env: 'KONTROLER_LOGS_S3_PREFIX',
    type: words('the beginning of keys, such as kontroler/production'),
    default: null,
    shown: 'nothing',
    meaning: 'What the keys of all objects begin with; the name of the installation follows.',
  }),
  'logs.s3.endpoint': setting({
    env: 'KONTROLER_LOGS_S3_ENDPOINT',
    type: url('https', 'http'),
    default: null,
    shown: 'that of AWS for the region',
    meaning: 'Address of another S3 server.',
  }),
  'logs.s3.region': setting({
    env: 'KONTROLER_LOGS_S3_REGION',
    type: words('the name of a region, such as eu-central-1'),
    default: null,
    shown: 'what the AWS chain says',
    meaning: 'Region of the bucket.',
  }),
  'logs.s3.pathStyle': setting({
    env: 'KONTROLER_LOGS_S3_PATH_STYLE',
    type: flag,
    default: null,
    shown: '`true` with an `endpoint`, else `false`',
    meaning: 'Puts the bucket into the path of addresses, not into the name of the host.',
  }),
  'retention.runs': setting({
    env: 'KONTROLER_RETENTION_RUNS',
    type: whole(1, 10_000_000),
    default: null,
    shown: 'all',
    meaning: 'Ended runs of a DAG that are kept, when the DAG says nothing of it.',
  }),
  'retention.age': setting({
    env: 'KONTROLER_RETENTION_AGE',
    type: duration(60_000),
    default: 30 * 86_400_000,
    shown: '`30d`',
    meaning: 'How long ended runs are kept, with their logs, when the DAG says nothing of it.',
  }),
  'webhooks.allow': setting({
    env: 'KONTROLER_WEBHOOKS_ALLOW',
    type: list(receiver, 'ranges such as 10.0.0.0/8, and names such as hooks.team.svc or *.example.com'),
    default: [],
    shown: 'none: only public addresses',
    meaning:
      'Receivers of webhooks that may have an address which is not public, by their ranges or their names. ' +
      'Link-local addresses need a range of their own, those of metadata services an entry each.',
  }),
  'webhooks.ports': setting({
    env: 'KONTROLER_WEBHOOKS_PORTS',
    type: list(whole(1, 65_535), 'ports'),
    default: [80, 443, 8080, 8443],
    shown: '`80,443,8080,8443`',
    meaning: 'Ports that messages of webhooks are sent to.',
  }),
  'kube.config': setting({
    env: 'KONTROLER_KUBECONFIG',
    type: path,
    default: null,
    shown: 'the service account of the pod',
    meaning: 'Path of a kubeconfig, for a controller that runs outside of the cluster.',
  }),
  'kube.context': setting({
    env: 'KONTROLER_KUBE_CONTEXT',
    type: words('the name of a context'),
    default: null,
    shown: 'the current one',
    meaning: 'Context of that kubeconfig.',
  }),
  'log.level': setting({
    env: 'KONTROLER_LOG_LEVEL',
    type: oneOf('error', 'warn', 'info', 'debug'),
    default: 'info',
    meaning: "The controller's own log, JSON lines on standard output: the least that is written.",
  }),
} as const

export type SettingKey = keyof typeof SETTINGS

/** What a setting can hold. */
export type SettingValue<K extends SettingKey> =
  (typeof SETTINGS)[K] extends Setting<infer T, infer D> ? T | D : never

/** `own` is the namespace of the controller itself. */
export type Namespaces = 'own' | 'all' | readonly string[]

function namespacesType(): ValueType<Namespaces> {
  const names = list(label(NAMESPACE_LENGTH_MAX), 'names of namespaces')
  return {
    allowed: `${names.allowed}, or *`,
    read: value =>
      value === '*' || (Array.isArray(value) && value.length === 1 && value[0] === '*')
        ? 'all'
        : names.read(value),
  }
}
