import { createPluginLogin, type PluginSurroundings } from './credential-plugin.ts'
import type { Access, Identity, Tls } from './identity.ts'
import { credential, noCredentials } from './in-cluster.ts'
import { type ClusterEntry, type Kubeconfig, readKubeconfig, type UserEntry } from './kubeconfig-file.ts'
import { renewedAccess } from './renewed-access.ts'
import { REAL_TIMING, type Timing } from './timing.ts'

export interface KubeconfigChoice {
  /** From `kubeconfigFiles`. */
  readonly files: readonly string[]
  readonly missing: 'isError' | 'isEmpty'
  /** Default: the kubeconfig's `current-context`. */
  readonly context?: string | undefined
  /** In place of the context's. */
  readonly cluster?: string | undefined
  readonly user?: string | undefined
  readonly namespace?: string | undefined
  /** Where credential plugins run. */
  readonly plugins: PluginSurroundings
}

/**
 * The identity that a kubeconfig names: client certificates, tokens, token files, basic passwords, impersonation and
 * credential plugins, TLS server names, skipped checks and proxies. Files are read again every minute.
 *
 * @throws {ApiProblem} `credentials`, with a sentence that says which entry of which name is missing or wrong.
 */
export async function kubeconfigIdentity(
  choice: KubeconfigChoice,
  timing: Timing = REAL_TIMING,
): Promise<Identity> {
  const config = await readKubeconfig(choice.files, choice.missing)
  const { cluster, user, namespace } = chosen(config, choice)
  const login = user.plugin === null ? null : createPluginLogin(user.plugin, cluster, choice.plugins)
  const renewed = renewedAccess(timing, async refused => {
    const got = login === null ? null : await login(refused, timing.wall())
    const tls: Tls = {
      ca: cluster.insecure ? null : await pem(cluster.caBase64, cluster.caFile),
      certificate: got?.certificate ?? (await pem(user.certificateBase64, user.certificateFile)),
      key: got?.key ?? (await pem(user.keyBase64, user.keyFile)),
      serverName: cluster.serverName === '' ? null : cluster.serverName,
      insecure: cluster.insecure,
      proxy: cluster.proxy === '' ? null : cluster.proxy,
    }
    const authorization = got?.token === undefined ? await authorizationOf(user) : `Bearer ${got.token}`
    const access: Access = { authorization, headers: user.impersonate, tls }
    return { access, until: got?.until ?? null }
  })
  await renewed.access()
  return { server: cluster.server, namespace, ...renewed }
}

function chosen(config: Kubeconfig, choice: KubeconfigChoice) {
  const name = choice.context ?? config.currentContext
  const context = config.contexts.get(name)
  if (
    context === undefined &&
    (choice.context !== undefined || (name !== '' && choice.cluster === undefined))
  )
    throw noCredentials(`there is no context "${name}"${options(config.contexts)}`)
  const clusterName = choice.cluster ?? context?.cluster ?? ''
  const userName = choice.user ?? context?.user ?? ''
  if (clusterName === '')
    throw noCredentials(`no cluster is chosen: ${choice.files.join(', ')} names no current context`)
  const cluster = config.clusters.get(clusterName)
  if (cluster === undefined)
    throw noCredentials(`there is no cluster "${clusterName}"${options(config.clusters)}`)
  const user = userName === '' ? NOBODY : config.users.get(userName)
  if (user === undefined) throw noCredentials(`there is no user "${userName}"${options(config.users)}`)
  if (user.authProvider !== '')
    throw noCredentials(
      `user "${userName}" logs in by auth-provider "${user.authProvider}", which Kubernetes has removed; ` +
        'use a credential plugin (exec)',
    )
  const namespace = choice.namespace ?? (context?.namespace || 'default')
  return { cluster: { ...cluster, server: serverOf(cluster, clusterName) }, user, namespace }
}

const options = (entries: ReadonlyMap<string, unknown>): string =>
  entries.size === 0 ? '' : `; there is ${[...entries.keys()].toSorted().join(', ')}`

function serverOf(cluster: ClusterEntry, name: string): string {
  const server = /^https?:\/\//.test(cluster.server) ? cluster.server : `https://${cluster.server}`
  if (cluster.server === '' || !URL.canParse(server))
    throw noCredentials(`cluster "${name}" has no usable server address`)
  return server
}

async function authorizationOf(user: UserEntry): Promise<string | null> {
  const token = await tokenOf(user)
  if (token !== '') return `Bearer ${token}`
  if (user.username !== '')
    return `Basic ${Buffer.from(`${user.username}:${user.password}`).toString('base64')}`
  return null
}

/** As for kubectl, a file goes before the token beside it, which is for when it cannot be read. */
async function tokenOf({ token, tokenFile }: UserEntry): Promise<string> {
  if (tokenFile === '') return token
  try {
    return await credential(tokenFile)
  } catch (error) {
    if (token === '') throw error
    return token
  }
}

/** What stands in the kubeconfig itself goes before a file. */
async function pem(base64: string, file: string): Promise<string | null> {
  if (base64 !== '') return Buffer.from(base64, 'base64').toString('utf8')
  return file === '' ? null : credential(file)
}

const NOBODY: UserEntry = {
  certificateFile: '',
  certificateBase64: '',
  keyFile: '',
  keyBase64: '',
  token: '',
  tokenFile: '',
  username: '',
  password: '',
  impersonate: {},
  plugin: null,
  authProvider: '',
}
