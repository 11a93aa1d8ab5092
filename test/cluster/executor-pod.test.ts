import { after, before, describe } from 'node:test'
import type { Client } from '../../src/kubernetes/client.ts'
import { executorContract } from '../contracts/executor.ts'
import type { Cluster } from './cluster.ts'
import { podPlace } from './pod-place.ts'
import { clientOf, fullCluster } from './shared.ts'

/** Rounds of what may go wrong by chance; each starts a pod. `KONTROLER_TEST_ROUNDS=50` tries harder. */
const ROUNDS = Number(process.env['KONTROLER_TEST_ROUNDS'] ?? '5')

describe('pods of a real kubelet', () => {
  let cluster: Cluster
  let client: Client
  before(async () => {
    cluster = await fullCluster()
    client = clientOf(cluster)
  })
  after(() => client.close())
  executorContract('pod', () => podPlace(client), {
    rounds: ROUNDS,
    piped: true,
    concurrency: 4,
    first: true,
    logBytes: 4 * 1024 * 1024,
  })
})
