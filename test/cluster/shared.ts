import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Client } from '../../src/kubernetes/client.ts'
import type { Identity } from '../../src/kubernetes/identity.ts'
import { kubeconfigIdentity } from '../../src/kubernetes/kubeconfig.ts'
import { openClient } from '../../src/kubernetes/open-client.ts'
import { startCluster } from './cluster.ts'
import type { USERS } from './credentials.ts'
import { givenKubernetes, type Kubernetes } from './kubernetes.ts'

/** The kubeconfig of a cluster that the tests are to use and that is not of `npm run cluster`; null when none is given. */
export function givenKubeconfig(): string | null {
  const file = process.env['KUBECONFIG'] ?? ''
  return file === '' || isOwn(file) ? null : file
}

const isOwn = (kubeconfig: string): boolean => existsSync(join(dirname(kubeconfig), 'cluster.json'))

/** For tests that stop parts of a cluster or have to choose how it is started: why they are skipped, else false. */
export const NEEDS_OWN: string | false =
  givenKubeconfig() === null ? false : 'needs a cluster of its own, and KUBECONFIG names one to be used'

/**
 * The cluster with a node that all tests share: the given one, or the machine's own, which is started when it does not
 * run. Whoever uses it makes namespaces of its own.
 */
export async function fullCluster(): Promise<Kubernetes> {
  const given = givenKubeconfig()
  if (given !== null) return await givenKubernetes(given)
  const state = process.env['KONTROLER_CLUSTER_STATE']
  return await startCluster({ mode: 'full', ...(state === undefined ? {} : { state }) })
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
