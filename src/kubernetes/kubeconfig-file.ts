import { readFile } from 'node:fs/promises'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import { load } from 'js-yaml'
import type { Headers } from './identity.ts'
import { noCredentials } from './in-cluster.ts'

/** What a kubeconfig says of a cluster; paths are absolute. */
export interface ClusterEntry {
  readonly server: string
  readonly caFile: string
  /** Base64, as in the file. */
  readonly caBase64: string
  readonly serverName: string
  readonly insecure: boolean
  readonly proxy: string
  /** What the extension `client.authentication.k8s.io/exec` holds for credential plugins. */
  readonly pluginConfig: unknown
}

export interface UserEntry {
  readonly certificateFile: string
  readonly certificateBase64: string
  readonly keyFile: string
  readonly keyBase64: string
  readonly token: string
  readonly tokenFile: string
  readonly username: string
  readonly password: string
  readonly impersonate: Headers
  readonly plugin: PluginEntry | null
  /** A way of logging in that kubectl itself has given up: its name. */
  readonly authProvider: string
}

/** A credential plugin, as `users[].user.exec` names it. */
export interface PluginEntry {
  readonly apiVersion: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly installHint: string
  readonly provideClusterInfo: boolean
  readonly interactiveMode: 'Never' | 'IfAvailable' | 'Always'
  /** A relative command with a slash in it is looked for here: where the kubeconfig is. */
  readonly folder: string
}

export interface ContextEntry {
  readonly cluster: string
  readonly user: string
  readonly namespace: string
}

export interface Kubeconfig {
  readonly currentContext: string
  readonly clusters: ReadonlyMap<string, ClusterEntry>
  readonly users: ReadonlyMap<string, UserEntry>
  readonly contexts: ReadonlyMap<string, ContextEntry>
}

/**
 * Reads and merges kubeconfig files as kubectl does: of entries with the same name the first file's counts, whole; so
 * does the first `current-context`. Relative paths belong to the file they stand in.
 *
 * @param missing Whether a file that is not there is an error, or just left out (as it is in a `KUBECONFIG` list).
 * @throws {ApiProblem} `credentials`
 */
export async function readKubeconfig(
  files: readonly string[],
  missing: 'isError' | 'isEmpty',
): Promise<Kubeconfig> {
  const clusters = new Map<string, ClusterEntry>()
  const users = new Map<string, UserEntry>()
  const contexts = new Map<string, ContextEntry>()
  let currentContext = ''
  for (const file of files) {
    const text = await textOf(file, missing)
    const read = text === null ? {} : fieldsOf(parse(text, file))
    const folder = dirname(file)
    for (const [name, entry] of named(read['clusters'], 'cluster'))
      if (!clusters.has(name)) clusters.set(name, clusterOf(entry, folder))
    for (const [name, entry] of named(read['users'], 'user'))
      if (!users.has(name)) users.set(name, userOf(entry, folder))
    for (const [name, entry] of named(read['contexts'], 'context'))
      if (!contexts.has(name)) contexts.set(name, contextOf(entry))
    currentContext ||= scalar(read['current-context'])
  }
  return { currentContext, clusters, users, contexts }
}

/**
 * Where kubeconfig files are: the given one; else those of `KUBECONFIG`; else `~/.kube/config`.
 *
 * @param variable The value of `KUBECONFIG`.
 */
export function kubeconfigFiles(
  given: string | undefined,
  variable: string | undefined,
  home: string,
): { readonly files: readonly string[]; readonly missing: 'isError' | 'isEmpty' } {
  if (given !== undefined) return { files: [given], missing: 'isError' }
  const listed = [...new Set((variable ?? '').split(delimiter).filter(file => file !== ''))]
  return { files: listed.length > 0 ? listed : [join(home, '.kube', 'config')], missing: 'isEmpty' }
}

const clusterOf = (entry: Fields, folder: string): ClusterEntry => ({
  server: scalar(entry['server']),
  caFile: path(entry['certificate-authority'], folder),
  caBase64: scalar(entry['certificate-authority-data']),
  serverName: scalar(entry['tls-server-name']),
  insecure: entry['insecure-skip-tls-verify'] === true,
  proxy: scalar(entry['proxy-url']),
  pluginConfig: named(entry['extensions'], 'extension').find(
    ([name]) => name === 'client.authentication.k8s.io/exec',
  )?.[1],
})

const userOf = (entry: Fields, folder: string): UserEntry => ({
  certificateFile: path(entry['client-certificate'], folder),
  certificateBase64: scalar(entry['client-certificate-data']),
  keyFile: path(entry['client-key'], folder),
  keyBase64: scalar(entry['client-key-data']),
  token: scalar(entry['token']),
  tokenFile: path(entry['tokenFile'], folder),
  username: scalar(entry['username']),
  password: scalar(entry['password']),
  impersonate: impersonation(entry),
  plugin:
    entry['exec'] === undefined || entry['exec'] === null ? null : pluginOf(fieldsOf(entry['exec']), folder),
  authProvider: scalar(fieldsOf(entry['auth-provider'])['name']),
})

const contextOf = (entry: Fields): ContextEntry => ({
  cluster: scalar(entry['cluster']),
  user: scalar(entry['user']),
  namespace: scalar(entry['namespace']),
})

function pluginOf(entry: Fields, folder: string): PluginEntry {
  const mode = entry['interactiveMode']
  return {
    apiVersion: scalar(entry['apiVersion']),
    command: scalar(entry['command']),
    args: listOf(entry['args']).map(scalar),
    env: Object.fromEntries(
      listOf(entry['env'])
        .map(fieldsOf)
        .map(one => [scalar(one['name']), scalar(one['value'])]),
    ),
    installHint: scalar(entry['installHint']),
    provideClusterInfo: entry['provideClusterInfo'] === true,
    interactiveMode: mode === 'Never' || mode === 'Always' ? mode : 'IfAvailable',
    folder,
  }
}

function impersonation(entry: Fields): Headers {
  const headers: Record<string, string | readonly string[]> = {}
  if (scalar(entry['as']) !== '') headers['impersonate-user'] = scalar(entry['as'])
  if (scalar(entry['as-uid']) !== '') headers['impersonate-uid'] = scalar(entry['as-uid'])
  const groups = listOf(entry['as-groups']).map(scalar)
  if (groups.length > 0) headers['impersonate-group'] = groups
  for (const [name, values] of Object.entries(fieldsOf(entry['as-user-extra'])))
    headers[`impersonate-extra-${encodeURIComponent(name)}`] = listOf(values).map(scalar)
  return headers
}

async function textOf(file: string, missing: 'isError' | 'isEmpty'): Promise<string | null> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (absent && missing === 'isEmpty') return null
    throw noCredentials(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function parse(text: string, file: string): unknown {
  try {
    return load(text)
  } catch (error) {
    // Only the reason: the text around it may be a secret.
    const reason = error instanceof Error && 'reason' in error ? String(error.reason) : 'not YAML'
    throw noCredentials(`${file} is not a kubeconfig: ${reason}`)
  }
}

type Fields = Readonly<Record<string, unknown>>
const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null ? (value as Fields) : {}
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const scalar = (value: unknown): string =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
const path = (value: unknown, folder: string): string => {
  const given = scalar(value)
  return given === '' || isAbsolute(given) ? given : join(folder, given)
}
const named = (value: unknown, field: string): (readonly [string, Fields])[] =>
  listOf(value)
    .map(fieldsOf)
    .map(one => [scalar(one['name']), fieldsOf(one[field])] as const)
