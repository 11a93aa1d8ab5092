import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anObject } from '../../test/model/cluster-objects.ts'
import { MemoryCluster } from '../../test/model/memory-cluster.ts'
import { restMs, writeStatus } from './status-fields.ts'

test('a status is written whole, since what is known of the object may be older than the last write', async () => {
  const cluster = new MemoryCluster()
  cluster.apply('DagTask', 'x', {})
  const known = cluster.find('DagTask', 'x')
  assert.equal(await writeStatus(cluster, 'DagTask', known, { versions: 1, message: 'one' }), true)
  assert.equal(await writeStatus(cluster, 'DagTask', known, { versions: 2 }), true)
  assert.deepEqual(cluster.find('DagTask', 'x').status, { versions: 2 })
})

test('what the object says already is not written', async () => {
  const cluster = new MemoryCluster()
  const object = anObject('x', {}, { status: { message: 'one', ours: false } })
  assert.equal(await writeStatus(cluster, 'DagTask', object, { message: 'one' }), false)
})

test('a status rests for a while after it was written; a clock that was set back holds up nothing', () => {
  assert.equal(restMs(undefined, 1_000, 50), 0)
  assert.equal(restMs(10_000, 1_000, 10_400), 600)
  assert.equal(restMs(10_000, 1_000, 11_000), 0)
  assert.equal(restMs(10_000, 1_000, 5_000), 0)
})
