import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { loadDocuments } from '../../../src/spec/load.ts'
import type { Store } from '../../../src/ports/store.ts'
import { openSqliteStore } from '../../../src/stores/sqlite/open.ts'
import type { Kubernetes } from '../kubernetes.ts'
import { fullCluster } from '../shared.ts'
import { hostPathVolume } from '../volumes.ts'
import { ControllerHouse, knowKinds } from './house.ts'

/** What the same manifests need that no test cluster has, and what their run says of it. */
const CANNOT: Readonly<Record<string, RegExp>> = {
  'pod-template': /gvisor|runner|low/,
}
/** What a sample expects to be there. */
const exampleClaim = (namespace: string): object => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'example-claim', namespace },
  spec: {
    storageClassName: '',
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Mi' } },
  },
})
const VOLUMES = 8
const WITHIN_MS = 60_000

/** The manifests of `test/accepted.test.ts`, applied unchanged: what they say of their end holds as pods too. */
describe('accepted manifests end in a cluster as they say', { concurrency: 4 }, () => {
  let cluster: Kubernetes
  let house: ControllerHouse
  let store: Store
  const volumes = (): readonly string[] =>
    Array.from({ length: VOLUMES }, (_, index) => `${house.namespace}-${index}`)
  before(async () => {
    cluster = await fullCluster()
    knowKinds(cluster)
    house = await ControllerHouse.make(cluster)
    await chmod(house.folder, 0o755)
    const labels = { disk: 'fast' }
    const made = volumes().map((name, index) => {
      const volume = hostPathVolume(name, index % 2 === 0 ? 'standard' : '', join(house.folder, name))
      return { ...volume, metadata: { name, labels } }
    })
    cluster.apply(...made, exampleClaim(house.namespace))
    house.start()
    await house.runs()
    store = await openSqliteStore(join(house.stateDir, 'kontroler.db'))
  })
  after(async () => {
    await store.close()
    await house.remove()
    cluster.kubectl('delete', 'pv', '--wait=false', ...volumes())
  })

  for (const file of globSync('test/accepted/*.yaml').toSorted()) {
    const text = readFileSync(file, 'utf8')
    const expected = /^# expect-run: (\w+)/m.exec(text)?.[1]
    const name = basename(file, '.yaml')
    if (expected === 'none') {
      test(`${name}: taken`, () => {
        cluster.kubectl('-n', house.namespace, 'apply', '--dry-run=server', '-f', resolve(file))
      })
      continue
    }
    test(`${name}: ${expected}`, async () => {
      cluster.kubectl('-n', house.namespace, 'apply', '-f', resolve(file))
      const { dags, dagRuns } = loadDocuments([{ name: file, text }])
      const run = dagRuns[0]?.name ?? `by-hand-${name}`
      if (dagRuns.length === 0) await house.apply('DagRun', run, { dagName: dags[0]?.dag.name })
      const cannot = CANNOT[name]
      if (cannot !== undefined) {
        await house.until(run, ({ message }) => cannot.test(message ?? ''), WITHIN_MS)
        return
      }
      const ended = ({ completionTime }: { completionTime?: unknown }) => completionTime !== undefined
      const { phase, message, runId = '' } = await house.until(run, ended, WITHIN_MS)
      assert.equal(phase, expected, message)
      const tasks = (await store.tasks({ run: runId })).items
      for (const [, task, state, , attempts] of text.matchAll(
        /^# expect-task: (\S+) (\w+)( attempts=(\d+))?$/gm,
      )) {
        const row = tasks.find(one => one.task === task)
        assert.equal(row?.state, state, `${task}: ${row?.message ?? ''}`)
        if (attempts !== undefined) assert.equal(row?.attempts, Number(attempts), `attempts of ${task}`)
      }
    })
  }
})
