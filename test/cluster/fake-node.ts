/**
 * A node of the tests' own for a cluster of mode `api`: it takes every pod and reports the life that the test wants it
 * to have, and nothing of it ever runs. Like a kubelet it starts no pod before every ConfigMap and Secret of its mounted
 * volumes is there. Containers are never started again (`restartPolicy` is taken for `Never`), probes are not asked, and
 * claims and quantities are not looked at. `npm run cluster -- up --fake-node` runs one beside the cluster.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from './cluster.ts'
import { FakeNode, type FakeNodeOptions } from './fake-node/node.ts'
import { clientOf } from './shared.ts'

/** Resolves when the node is ready and has seen all pods that are there. Close it before the cluster is stopped. */
export async function startFakeNode(cluster: Cluster, options: FakeNodeOptions = {}): Promise<FakeNode> {
  const read = (name: string): string => readFileSync(join(cluster.state, 'certs', name), 'utf8')
  const node = new FakeNode(clientOf(cluster), options)
  await node.start({ cert: read('apiserver.crt'), key: read('apiserver.key') })
  return node
}
