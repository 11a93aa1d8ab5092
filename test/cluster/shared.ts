import type { Client } from '../../src/kubernetes/client.ts'
import { NO_TLS } from '../../src/kubernetes/identity.ts'
import { openClient } from '../../src/kubernetes/open-client.ts'
import { type Cluster, USERS, startCluster } from './cluster.ts'

/** The machine's one cluster with a node, started when it does not run; whoever uses it makes namespaces of its own. */
export const fullCluster = (): Promise<Cluster> => {
  const state = process.env['KONTROLER_CLUSTER_STATE']
  return startCluster({ mode: 'full', ...(state === undefined ? {} : { state }) })
}

/** A client of the cluster as one of its users. Close it when done. */
export function clientOf(cluster: Cluster, user: keyof typeof USERS = 'admin'): Client {
  const tls = { ...NO_TLS, ca: cluster.ca }
  const access = { authorization: `Bearer ${USERS[user]}`, headers: {}, tls }
  return openClient({
    identity: {
      server: cluster.server,
      namespace: 'default',
      access: async () => access,
      refresh: async () => undefined,
    },
  })
}
