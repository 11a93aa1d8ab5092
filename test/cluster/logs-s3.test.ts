import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { createFilesystemLogStore } from '../../src/archives/filesystem/store.ts'
import type { LogRef } from '../../src/ports/logs.ts'
import { logStoreContract, whole } from '../contracts/log-store.ts'
import { log, MIB, s3House, write } from './logs-s3-house.ts'

const s3 = s3House()

logStoreContract('S3 (versitygw)', async () => {
  const { open } = await s3().house()
  return { store: await open(), again: () => open(), close: async () => undefined }
})

describe('logs in a bucket', () => {
  test('are objects whose names are safe in a URL and tell installation, run, task and attempt', async () => {
    const { open, keys, spooled } = await s3().house()
    const store = await open()
    await write(store, { ...log, task: 'build[3]' }, 'x')
    await write(store, { ...log, container: 'proxy' }, 'x')
    assert.deepEqual((await keys()).toSorted(), [
      'some/logs/_0049nst-1/run-1/build.3/1.log',
      'some/logs/_0049nst-1/run-1/build/1.proxy.log',
    ])
    assert.equal(await spooled(), 0, 'the spool keeps nothing of what is in the bucket')
  })

  test('are kept apart from those of another installation, and of a run whose name begins alike', async () => {
    const { open, keys } = await s3().house()
    const store = await open()
    await write(store, log, 'one')
    await write(store, { ...log, run: 'run-11' }, 'two')
    const other = await open({ installation: 'Inst-2' })
    assert.equal(await other.size(log), null)
    await write(other, log, 'three')
    await store.remove('run-1')
    assert.equal(await store.size(log), null)
    assert.equal(await whole(other, log), 'three')
    assert.equal((await keys()).length, 2)
  })

  test('are there once when two ask for them to be stored at the same time', async () => {
    const { open, spoolDir, keys, spooled } = await s3().house()
    const spool = createFilesystemLogStore(spoolDir)
    const writer = await spool.writer(log)
    await writer.write(Buffer.from('whole'))
    await writer.finish('end')
    await writer.close()
    const discarded = Promise.withResolvers<void>()
    let asked = 0
    const store = await open({
      spool: {
        ...spool,
        // The second of two would look a second time when the first is done.
        async size(ref) {
          asked += 1
          if (asked === 4) await discarded.promise
          return await spool.size(ref)
        },
        async discard(ref) {
          await spool.discard(ref)
          discarded.resolve()
        },
      },
    })
    const writers = await Promise.all([store.writer(log), store.writer(log)])
    await Promise.all(writers.map(one => one.finish('end')))
    assert.equal(await whole(store, log), 'whole')
    assert.equal((await keys()).length, 1)
    assert.equal(await spooled(), 0)
  })

  test('are removed by pages', async () => {
    const { open, keys, bucket } = await s3().house()
    const store = await open()
    for (let count = 0; count < 1050; count += 1) {
      const Key = `some/logs/_0049nst-1/run-1/task-${count}/1.log`
      await s3().client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' }))
    }
    await store.remove('run-1')
    assert.deepEqual(await keys(), [])
  })

  test('that the first Kontroler left in the bucket are read by its numbers and UIDs', async () => {
    const { open, bucket } = await s3().house()
    const first: LogRef = { run: '7', task: '6c2f1a60-6c0e-4f53-9d5a-0d6f6c1b7a11', attempt: 1 }
    const Key = '7/6c2f1a60-6c0e-4f53-9d5a-0d6f6c1b7a11-log.txt'
    await s3().client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: '0123456789' }))
    const store = await open()
    assert.equal(await store.size(first), 10)
    assert.equal(Buffer.from(await store.read(first, 8, 10)).toString(), '89')
    assert.equal(await store.size(log), null)
  })

  test('of a gigabyte go up and come back whole, in flat memory', { timeout: 300_000 }, async () => {
    const { open, spoolDir } = await s3().house()
    const store = await open()
    const block = Buffer.alloc(MIB)
    for (let at = 0; at < MIB; at += 4) block.writeUInt32LE((at * 2_654_435_761) % 2 ** 32, at)
    const writer = await store.writer(log)
    for (let count = 0; count < 1024; count += 1) {
      block.writeUInt32LE(count, 0)
      await writer.write(block)
    }
    const first = process.memoryUsage.rss()
    let most = first
    const timer = setInterval(() => {
      most = Math.max(most, process.memoryUsage.rss())
    }, 20)
    await writer.finish('end')
    await writer.close()
    assert.equal(await createFilesystemLogStore(spoolDir).size(log), null)
    assert.equal(await store.size(log), 1024 * MIB)
    for (let count = 0; count < 1024; count += 37) {
      const bytes = Buffer.from(await store.read(log, count * MIB, MIB))
      block.writeUInt32LE(count, 0)
      assert.ok(bytes.equals(block), `block ${count}`)
    }
    clearInterval(timer)
    assert.ok(most - first < 160 * MIB, `${Math.round((most - first) / MIB)} MiB more`)
  })
})
