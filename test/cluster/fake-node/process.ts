/** `node fake-node/process.ts STATE`: a fake node for the cluster of that folder, until it is told to end. */
import { findCluster } from '../cluster.ts'
import { startFakeNode } from '../fake-node.ts'

const cluster = await findCluster(process.argv[2] ?? '')
if (cluster === null) throw new Error(`there is no cluster in ${process.argv[2]}`)
const node = await startFakeNode(cluster)
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => void node.close().then(() => process.exit(0)))
