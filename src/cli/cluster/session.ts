import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import type { Client, RequestOptions } from '../../kubernetes/client.ts'
import type { Access, Headers, Identity } from '../../kubernetes/identity.ts'
import { inClusterIdentity } from '../../kubernetes/in-cluster.ts'
import { kubeconfigFiles } from '../../kubernetes/kubeconfig-file.ts'
import { kubeconfigIdentity } from '../../kubernetes/kubeconfig.ts'
import { openClient } from '../../kubernetes/open-client.ts'
import { CommandError, EXIT } from '../exit.ts'
import { programName } from '../program-name.ts'
import type { Environment, GlobalOptions } from '../settings.ts'
import { shellWord } from '../show/text.ts'
import { VERSION } from '../../host/version.ts'
import { isPluginProgram } from './asked.ts'

/** What says which cluster, and who asks. */
export interface ClusterOptions extends GlobalOptions {
  readonly context?: string
  readonly kubeconfig?: string
  readonly namespace?: string
  readonly as?: string
  readonly asGroup?: readonly string[]
}

/** A cluster as one person reaches it. */
export interface Session extends AsyncDisposable {
  readonly environment: Environment
  readonly client: Client
  readonly namespace: string
  /** `kontroler -n data watch nightly-x7k2p`: a command about the same cluster, to be copied. */
  readonly command: (...words: readonly string[]) => string
}

const NAMESPACE = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/u

/** A person waits: a server that cannot be reached is told soon. */
export const ASKED: RequestOptions = { priority: 'dependent', deadlineMs: 10_000, attemptMs: 10_000 }

/**
 * Opens the cluster that kubectl would mean with the same options and environment.
 *
 * @param given  The words that named it, for commands that are shown.
 * @throws {CommandError} There is no kubeconfig.
 * @throws {ApiProblem} `credentials`
 */
export async function openSession(
  options: ClusterOptions,
  environment: Environment,
  given: readonly string[],
): Promise<Session> {
  if (options.namespace !== undefined && !NAMESPACE.test(options.namespace))
    throw new CommandError(
      'BAD_OPTION',
      `"${options.namespace}" is no name of a namespace`,
      'small letters, digits and dashes; without -n it is that of the context',
    )
  const identity = impersonating(await identityOf(options), impersonation(options))
  const client = openClient({
    identity,
    fieldManager: 'kontroler-cli',
    userAgent: `kontroler-cli/${VERSION}`,
  })
  const namespace = options.namespace ?? identity.namespace
  // Without a word about a cluster the command would be about this machine.
  const needed = given.length > 0 || isPluginProgram() ? given : ['-n', namespace]
  return {
    environment,
    client,
    namespace,
    command: (...words) => [programName(), ...[...needed, ...words].map(shellWord)].join(' '),
    [Symbol.asyncDispose]: () => client.close(),
  }
}

/** The same cluster, in the namespace that a document names: the last `-n` counts. */
export function sessionIn(session: Session, namespace: string): Session {
  if (namespace === session.namespace) return session
  return { ...session, namespace, command: (...words) => session.command('-n', namespace, ...words) }
}

/** As kubectl does it: in a pod without a kubeconfig it is the pod's own service account. */
async function identityOf({ kubeconfig, context, namespace }: ClusterOptions): Promise<Identity> {
  const { env } = process
  const { files, missing } = kubeconfigFiles(kubeconfig, env['KUBECONFIG'], homedir())
  if (!files.some(file => existsSync(file))) {
    const [host, port] = [env['KUBERNETES_SERVICE_HOST'] ?? '', env['KUBERNETES_SERVICE_PORT'] ?? '']
    if (kubeconfig === undefined && context === undefined && host !== '' && port !== '') {
      return await inClusterIdentity({ host, port })
    }
    throw new CommandError(
      'NO_KUBECONFIG',
      `there is no kubeconfig: ${files.join(', ')} ${files.length === 1 ? 'is' : 'are'} not there`,
      'name one with --kubeconfig or KUBECONFIG; without a cluster, tasks run here with: kontroler run FILE',
      EXIT.usage,
    )
  }
  const interactive = process.stdin.isTTY === true
  return await kubeconfigIdentity({ files, missing, context, namespace, plugins: { env, interactive } })
}

/** Headers of `--as` and `--as-group`. */
function impersonation({ as, asGroup = [] }: ClusterOptions): Headers {
  if (as !== undefined)
    return { 'Impersonate-User': as, ...(asGroup.length > 0 ? { 'Impersonate-Group': asGroup } : {}) }
  if (asGroup.length === 0) return {}
  throw new CommandError('BAD_OPTION', '--as-group needs --as', 'say who, with --as USER')
}

function impersonating(identity: Identity, headers: Headers): Identity {
  if (Object.keys(headers).length === 0) return identity
  /** An access stays the same object for as long as nothing in it changes. */
  let last: { readonly own: Access; readonly as: Access } | null = null
  return {
    server: identity.server,
    namespace: identity.namespace,
    async access() {
      const own = await identity.access()
      if (last?.own !== own) last = { own, as: { ...own, headers: { ...own.headers, ...headers } } }
      return last.as
    },
    refresh: used => identity.refresh(last?.as === used ? last.own : used),
  }
}
