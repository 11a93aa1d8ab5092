import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Secret } from './config/secret.ts'
import { ConfigError, type ConfigProblem, readSettings } from './config/read.ts'
import { type Namespaces, SETTINGS } from './config/settings.ts'
import type { Listen } from './config/values.ts'

/** Everything the controller can be told, read once at its start. Nothing in it changes while it runs. */
export interface Config {
  readonly installation: string
  readonly namespaces: Namespaces
  /** An absolute path. */
  readonly stateDir: string
  readonly database: Database
  readonly listen: Listen
  readonly maxParallel: number
  readonly pools: ReadonlyMap<string, number>
  readonly stopGraceMs: number
  /** Attempts that share a fence, at most. */
  readonly fenceSize: number
  readonly logs: Logs
  /** For DAGs that say nothing of it; null for no bound. */
  readonly retention: { readonly runs: number | null; readonly ageMs: number | null }
  /** Where messages of webhooks may be sent, beside public addresses. */
  readonly webhooks: { readonly allow: readonly string[]; readonly ports: readonly number[] }
  readonly kube: Kube
  readonly logLevel: LogLevel
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug'

export type Database =
  | { readonly kind: 'sqlite'; readonly file: string }
  /** The URL has its password in it. */
  | { readonly kind: 'postgres'; readonly url: Secret }

export type Logs = {
  /** Of one log, at most. */
  readonly maxBytes: number
} & (
  | { readonly kind: 'files' }
  | {
      readonly kind: 's3'
      readonly bucket: string
      /** Without a slash at either end. What follows it is the installation's. */
      readonly prefix: string
      /** Null: AWS itself. */
      readonly endpoint: string | null
      readonly region: string | null
      readonly pathStyle: boolean
    }
)

export type Kube =
  | { readonly kind: 'inCluster'; readonly host: string; readonly port: string }
  | { readonly kind: 'kubeconfig'; readonly file: string; readonly context: string | null }

/** The environment as a map, so that a test can give another one. */
export type Variables = Readonly<Record<string, string | undefined>>

/**
 * The configuration of the controller: `--config FILE` if that is given, and the environment, which wins.
 *
 * @param args  Of the command line, without the program.
 * @throws {ConfigError} with everything that is wrong, not only the first of it.
 */
export function loadConfig(args: readonly string[], env: Variables = process.env): Config {
  const file = fileOf(args)
  return makeConfig(env, file === null ? null : { name: file, text: contents('--config', file) })
}

/** As {@link loadConfig}, with the file's text in hand. */
export function makeConfig(
  env: Variables,
  file: { readonly name: string; readonly text: string } | null,
): Config {
  const { values: of, problems } = readSettings(env, file)
  const made = {
    installation: of('installation'),
    namespaces: of('namespaces'),
    stateDir: resolve(of('stateDir')),
    database: attempt(problems, () => databaseOf(of('database.url'), of('database.urlFile'), of)),
    listen: of('listen'),
    maxParallel: of('maxParallel'),
    pools: of('pools'),
    stopGraceMs: of('stopGrace'),
    fenceSize: of('fenceSize'),
    logs: attempt(problems, () => logsOf(of)),
    retention: { runs: of('retention.runs'), ageMs: of('retention.age') },
    webhooks: { allow: of('webhooks.allow'), ports: of('webhooks.ports') },
    kube: attempt(problems, () => kubeOf(env, of)),
    logLevel: of('log.level'),
  }
  const { database, logs, kube } = made
  if (problems.length > 0 || database === null || logs === null || kube === null)
    throw new ConfigError(problems)
  return { ...made, database, logs, kube }
}

type Values = ReturnType<typeof readSettings>['values']

function databaseOf(given: string | null, urlFile: string | null, of: Values): Database {
  if (given !== null && urlFile !== null)
    throw wrong('database.urlFile', 'may not be set beside database.url', 'Keep one of the two.')
  const text = urlFile === null ? given : contents('database.urlFile', urlFile).trim()
  const passwordFile = of('database.passwordFile')
  if (text === null) {
    if (passwordFile !== null)
      throw wrong('database.passwordFile', 'is of no use without a URL', 'Set database.url too.')
    return { kind: 'sqlite', file: join(resolve(of('stateDir')), 'kontroler.db') }
  }
  const url = URL.parse(text)
  if (url === null || SETTINGS['database.url'].type.read(text) === undefined)
    throw wrong(
      'database.urlFile',
      'holds no usable URL',
      `It must hold ${SETTINGS['database.url'].type.allowed}.`,
    )
  if (passwordFile === null) return { kind: 'postgres', url: new Secret(text) }
  if (url.password !== '')
    throw wrong(
      'database.passwordFile',
      'may not be set beside a URL with a password',
      'Keep one of the two.',
    )
  if (url.username === '')
    throw wrong('database.url', 'names no user for the password', 'Write postgres://USER@HOST/DATABASE.')
  const password = contents('database.passwordFile', passwordFile).replace(/\r?\n$/, '')
  // `URL` would write the other parts anew, too.
  const at = text.indexOf('@')
  return {
    kind: 'postgres',
    url: new Secret(
      `${text.slice(0, at).replace(/:$/, '')}:${encodeURIComponent(password)}${text.slice(at)}`,
    ),
  }
}

function logsOf(of: Values): Logs {
  const bucket = of('logs.s3.bucket')
  const maxBytes = of('logs.maxBytes')
  if (of('logs.kind') === 'files') {
    if (bucket === null) return { kind: 'files', maxBytes }
    throw wrong('logs.s3.bucket', 'is of no use with logs.kind files', 'Set logs.kind to s3.')
  }
  if (bucket === null) throw wrong('logs.s3.bucket', 'is missing', 'With logs.kind s3 it must be set.')
  const endpoint = of('logs.s3.endpoint')
  return {
    kind: 's3',
    maxBytes,
    bucket,
    prefix: (of('logs.s3.prefix') ?? '').replace(/^\/+|\/+$/g, ''),
    endpoint,
    region: of('logs.s3.region'),
    pathStyle: of('logs.s3.pathStyle') ?? endpoint !== null,
  }
}

function kubeOf(env: Variables, of: Values): Kube {
  const [file, context] = [of('kube.config'), of('kube.context')]
  if (file !== null) return { kind: 'kubeconfig', file: resolve(file), context }
  if (context !== null)
    throw wrong('kube.context', 'is of no use without kube.config', 'Set kube.config too.')
  // What Kubernetes itself gives to every container; not a setting.
  const host = env['KUBERNETES_SERVICE_HOST'] ?? ''
  if (host === '')
    throw wrong(
      'kube.config',
      'is missing',
      'Outside of a cluster it must be set to the path of a kubeconfig.',
    )
  return { kind: 'inCluster', host, port: env['KUBERNETES_SERVICE_PORT'] ?? '443' }
}

function fileOf(args: readonly string[]): string | null {
  const [first = '', second] = args
  if (args.length === 0) return null
  if (first === '--config' && second !== undefined && args.length === 2) return second
  if (first.startsWith('--config=') && args.length === 1) return first.slice('--config='.length)
  throw new ConfigError([
    {
      key: '--config',
      place: 'command line',
      message: `cannot be read from "${args.join(' ')}"`,
      fix: 'Write --config FILE, and nothing else.',
    },
  ])
}

function contents(key: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'error'
    throw wrong(key, `names a file that cannot be read (${file}: ${code})`, 'Name a file that is there.')
  }
}

const wrong = (key: string, message: string, fix: string): ConfigError =>
  new ConfigError([{ key, place: null, message, fix }])

/** What is wrong with one part goes to the others, so that all of it is told at once. */
function attempt<T>(problems: ConfigProblem[], make: () => T): T | null {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    problems.push(...error.problems)
    return null
  }
}
