import { type Cluster, startCluster } from './cluster.ts'

/** The machine's one cluster with a node, started when it does not run; whoever uses it makes namespaces of its own. */
export const fullCluster = (): Promise<Cluster> => {
  const state = process.env['KONTROLER_CLUSTER_STATE']
  return startCluster({ mode: 'full', ...(state === undefined ? {} : { state }) })
}
