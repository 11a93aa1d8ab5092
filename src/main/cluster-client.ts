import type { Config, Variables } from '../config.ts'
import type { Client } from '../kubernetes/client.ts'
import type { Identity } from '../kubernetes/identity.ts'
import { inClusterIdentity } from '../kubernetes/in-cluster.ts'
import { kubeconfigIdentity } from '../kubernetes/kubeconfig.ts'
import { isProblem } from '../kubernetes/problem.ts'
import { PODS } from '../kubernetes/resource.ts'
import { installationSelector } from '../executors/pod/names.ts'

/**
 * Who the controller is in the cluster.
 *
 * @param env  For credential plugins of a kubeconfig.
 * @throws {ApiProblem} `credentials`
 */
export async function identityOf(kube: Config['kube'], env: Variables): Promise<Identity> {
  if (kube.kind === 'inCluster') return await inClusterIdentity(kube)
  return await kubeconfigIdentity({
    files: [kube.file],
    missing: 'isError',
    context: kube.context ?? undefined,
    plugins: { env, interactive: false },
  })
}

/** Namespaces that are looked after; null for all. */
export function namespacesOf({ namespaces }: Config, identity: Identity): readonly string[] | null {
  if (namespaces === 'all') return null
  return namespaces === 'own' ? [identity.namespace] : namespaces
}

/** Which of the namespaces let us look at our pods. */
export interface Greeting {
  /** Null for all. */
  readonly namespaces: readonly string[] | null
  /** Those that may not be looked at: they are gone, or nobody gave us the right. */
  readonly refused: readonly string[]
}

/** Then it is told that the cluster is away; asking goes on. */
const GREETING_MS = 5_000

/**
 * Whether the cluster answers and lets us look at our pods, asked before anything depends on it. A namespace of several
 * that was deleted, with the role in it, is no reason to leave the others alone.
 *
 * @throws {ApiProblem} `forbidden` when it lets us look at none.
 */
export async function greet(
  client: Client,
  installation: string,
  namespaces: readonly string[] | null,
): Promise<Greeting> {
  if (namespaces === null) {
    await askFor(client, installation, undefined)
    return { namespaces, refused: [] }
  }
  const [open, refused]: [string[], string[]] = [[], []]
  for (const namespace of namespaces) {
    try {
      await askFor(client, installation, namespace)
      open.push(namespace)
    } catch (error) {
      if (!isProblem(error, 'forbidden') || (open.length === 0 && namespace === namespaces.at(-1)))
        throw error
      refused.push(namespace)
    }
  }
  return { namespaces: open, refused }
}

/** @throws {ApiProblem} */
export async function askFor(
  client: Client,
  installation: string,
  namespace: string | undefined,
): Promise<void> {
  const query = { namespace, labelSelector: installationSelector(installation), pageSize: 1 }
  const pages = client.pages(PODS, query, { metadataOnly: true, deadlineMs: GREETING_MS })
  await pages.next()
  await pages.return(undefined)
}

/** Rights come and servers come back; a kubeconfig that is wrong is put right by somebody who starts us again. */
export const clusterMayPass = (error: unknown): boolean => isProblem(error) && error.kind !== 'credentials'
