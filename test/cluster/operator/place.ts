import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext } from 'node:test'
import type { OperatorSettings } from '../../../src/operator/parts.ts'
import { type Cluster, startCluster } from '../cluster.ts'
import { OperatorHouse } from './house.ts'

export interface OperatorPlace {
  readonly cluster: Cluster
  /** A controller with a namespace of its own; it ends with the test. */
  house(t: TestContext, settings?: Partial<OperatorSettings>): Promise<OperatorHouse>
}

/** An API server that knows the CRDs. Call it at the top of a file; everything ends with the file's last test. */
export async function startOperatorPlace(): Promise<OperatorPlace> {
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-operators-'))
  const cluster = await startCluster({ mode: 'api', state: join(folder, 'state') })
  after(async () => {
    await cluster.stop()
    await rm(folder, { recursive: true, force: true })
  })
  cluster.kubectl('apply', '--server-side', '-f', 'deploy/crds')
  cluster.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s')
  let count = 0
  return {
    cluster,
    async house(t, settings = {}) {
      count += 1
      const house = await OperatorHouse.open(cluster, `house-${count}`, settings)
      t.after(() => house.remove())
      return house
    },
  }
}
