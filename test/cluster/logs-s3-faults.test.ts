import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createFilesystemLogStore } from '../../src/archives/filesystem/store.ts'
import type { S3Problem } from '../../src/archives/s3/problem.ts'
import { whole } from '../contracts/log-store.ts'
import { log, MIB, plainOptions, s3House, until, write } from './logs-s3-house.ts'

const s3 = s3House()

describe('a server that does not do what it should', () => {
  test('wrong keys are told in words, at the start and for each log, and the log waits', async () => {
    const { open, troubles, spooled } = await s3().house()
    const credentials = { accessKeyId: s3().server.accessKeyId, secretAccessKey: 'wrong' }
    const store = await open({ credentials })
    const told = { code: 'LOG_S3_DENIED', message: /refused these credentials.*SignatureDoesNotMatch/ }
    await assert.rejects(store.check(), told)
    const writer = await store.writer(log)
    await writer.write(Buffer.from('kept'))
    const finished = writer.finish('end').then(
      () => 'finished',
      (error: S3Problem) => error.code,
    )
    await until(() => troubles.length >= 2)
    assert.equal(troubles[0]?.code, 'LOG_S3_DENIED')
    assert.equal(await whole(store, log), 'kept')
    store.close()
    assert.equal(await finished, 'LOG_S3_CLOSED')
    await writer.close()
    const next = await (await open()).writer(log)
    assert.equal(next.cursor, 'end')
    await next.finish('end')
    await next.close()
    assert.equal(await spooled(), 0)
  })

  test('a bucket that is not there', async () => {
    const { open, troubles } = await s3().house()
    const store = await open({ bucket: 'no-such-bucket' })
    await assert.rejects(store.check(), { code: 'LOG_S3_NO_BUCKET' })
    const finished = write(store, log, 'x').catch((error: S3Problem) => error.code)
    await until(() => troubles.length > 0)
    assert.equal(troubles[0]?.code, 'LOG_S3_NO_BUCKET')
    store.close()
    assert.equal(await finished, 'LOG_S3_CLOSED')
  })

  test('one that is gone: logs are written, read and wait; when it is back they go up', async () => {
    const { open, troubles, keys } = await s3().house()
    const store = await open()
    await s3().server.stop()
    const refs = Array.from({ length: 30 }, (_, index) => ({ ...log, attempt: index + 1 }))
    const finished = refs.map(ref => write(store, ref, `log ${ref.attempt}`))
    try {
      await until(() => troubles.length >= 30)
      assert.equal(troubles[0]?.code, 'LOG_S3_UNREACHABLE')
      for (const ref of refs) assert.equal(await whole(store, ref), `log ${ref.attempt}`)
    } finally {
      await s3().server.start()
    }
    await Promise.all(finished)
    assert.equal((await keys()).length, 30)
    for (const ref of refs) assert.equal(await whole(store, ref), `log ${ref.attempt}`)
  })

  test('one that hangs holds up nothing but its own logs', async () => {
    const { open, spoolDir } = await s3().house()
    const store = await open({ limits: { smallUploadsMax: 2 } })
    const spool = createFilesystemLogStore(spoolDir)
    const attempts = Array.from({ length: 8 }, (_, index) => ({ ...log, attempt: index + 1 }))
    let finished = 0
    s3().server.freeze()
    const all = attempts.map(async ref => {
      await write(store, ref, 'x')
      finished += 1
    })
    try {
      for (const ref of attempts) {
        await until(() => spool.isComplete(ref))
        assert.equal(await whole(store, ref), 'x')
      }
      assert.equal(finished, 0)
    } finally {
      s3().server.thaw()
    }
    await Promise.all(all)
    assert.equal(finished, 8)
  })
})

describe('kill -9', () => {
  const at = (path: string): string => JSON.stringify(import.meta.resolve(path))
  const uploading = (bucket: string, spoolDir: string): string => `
    import { createS3LogStore } from ${at('../../src/archives/s3/store.ts')}
    import { createFilesystemLogStore } from ${at('../../src/archives/filesystem/store.ts')}
    import { systemClock } from ${at('../../src/host/clock.ts')}
    const store = await createS3LogStore({
      ...${JSON.stringify(plainOptions(s3().server, bucket))},
      spool: createFilesystemLogStore(${JSON.stringify(spoolDir)}), clock: systemClock, random: Math.random,
      limits: { partBytes: ${5 * MIB} },
    })
    const writer = await store.writer(${JSON.stringify(log)})
    if (writer.cursor === null)
      for (let count = 0; count < 100; count += 1) await writer.write(Buffer.alloc(${MIB}, 65 + count % 26))
    await writer.finish('end')
    await new Promise(() => setInterval(() => undefined, 1000))`

  test('in the middle of an upload: it is done again and nothing of the first is left', {
    timeout: 120_000,
  }, async () => {
    const { open, bucket, spoolDir, keys, uploads } = await s3().house()
    const limits = { partBytes: 5 * MIB }
    // A later one first removes what an earlier one left, and may die between that and its own.
    let halfDone = 0
    for (const waitMs of [0, 30, 80, 150]) {
      const words = ['--input-type=module', '-e', uploading(bucket, spoolDir)]
      const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] })
      const exit = once(child, 'exit')
      await until(async () => (await uploads()) > 0 || (await keys()).length > 0)
      await sleep(waitMs)
      child.kill('SIGKILL')
      await exit
      halfDone += await uploads()
    }
    assert.ok(halfDone > 0, 'something was left half done')
    const store = await open({ limits })
    if (!(await store.isComplete(log))) {
      const writer = await store.writer(log)
      assert.equal(writer.cursor, 'end', 'the source is not needed again')
      await writer.finish('end')
      await writer.close()
    }
    assert.equal(await uploads(), 0)
    assert.deepEqual(await keys(), ['some/logs/_0049nst-1/run-1/build/1.log'])
    assert.equal(await store.size(log), 100 * MIB)
    for (let count = 0; count < 100; count += 9) {
      const bytes = Buffer.from(await store.read(log, count * MIB, MIB))
      assert.ok(bytes.equals(Buffer.alloc(MIB, 65 + (count % 26))))
    }
  })

  test('between upload and clean-up: the log in the bucket stays as it is', async () => {
    const { open, spoolDir, keys, spooled } = await s3().house()
    const store = await open()
    await write(store, log, 'the whole log')
    const left = await createFilesystemLogStore(spoolDir).writer(log)
    await left.write(Buffer.from('the whole'))
    await left.finish('end')
    await left.close()
    const again = await open()
    assert.equal(await again.isComplete(log), true)
    const writer = await again.writer(log)
    await writer.finish('end')
    await writer.close()
    assert.equal(await whole(again, log), 'the whole log')
    assert.equal(await spooled(), 0)
    assert.equal((await keys()).length, 1)
  })
})
