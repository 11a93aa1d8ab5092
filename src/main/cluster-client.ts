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

/**
 * Whether the cluster answers and lets us look at our pods, asked before anything depends on it.
 *
 * @throws {ApiProblem}
 */
export async function greet(
  client: Client,
  installation: string,
  namespaces: readonly string[] | null,
): Promise<void> {
  const labelSelector = installationSelector(installation)
  for (const namespace of namespaces ?? [undefined]) {
    const pages = client.pages(PODS, { namespace, labelSelector, pageSize: 1 }, { metadataOnly: true })
    await pages.next()
    await pages.return(undefined)
  }
}

/** Rights come and servers come back; a kubeconfig that is wrong is put right by somebody who starts us again. */
export const clusterMayPass = (error: unknown): boolean => isProblem(error) && error.kind !== 'credentials'
