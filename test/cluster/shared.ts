import type { Client } from '../../src/kubernetes/client.ts'
import type { Identity } from '../../src/kubernetes/identity.ts'
import { kubeconfigIdentity } from '../../src/kubernetes/kubeconfig.ts'
import { openClient } from '../../src/kubernetes/open-client.ts'
import { findCluster, startCluster } from './cluster.ts'
import type { USERS } from './credentials.ts'
import { GIVEN, OWN } from './given.ts'
import { givenKubernetes, type Kubernetes } from './kubernetes.ts'

/** For tests that stop parts of a cluster or have to choose how it is started: why they are skipped, else false. */
export const NEEDS_OWN: string | false =
  GIVEN === null ? false : 'needs a cluster of its own, and KUBECONFIG names one to be used'

/**
 * The cluster with a node that all tests share: the given one, or the machine's own, which is started when it does not
 * run. Whoever uses it makes namespaces of its own.
 */
export async function fullCluster(): Promise<Kubernetes> {
  if (GIVEN !== null) return await givenKubernetes(GIVEN)
  const state = process.env['KONTROLER_CLUSTER_STATE']
  if (state !== undefined) return await startCluster({ mode: 'full', state })
  const own = OWN === null ? null : await findCluster(OWN)
  return await startCluster({ mode: 'full', ...(own?.mode === 'full' ? { state: own.state } : {}) })
}

/** A client of the cluster as one of its users; of a given cluster, as one of its contexts. Close it when done. */
export function clientOf(cluster: Kubernetes, user?: keyof typeof USERS): Client {
  let opened: Promise<Identity> | null = null
  const identity = (): Promise<Identity> =>
    (opened ??= kubeconfigIdentity({
      files: [cluster.kubeconfig],
      missing: 'isError',
      context: user,
      plugins: { env: process.env, interactive: false },
    }))
  return openClient({
    identity: {
      server: cluster.server,
      namespace: 'default',
      access: async () => (await identity()).access(),
      refresh: async used => (await identity()).refresh(used),
    },
  })
}
