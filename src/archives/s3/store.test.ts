import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openSmallBucket } from '../../../test/model/small-bucket.ts'
import { systemClock } from '../../host/clock.ts'
import type { LogRef } from '../../ports/logs.ts'
import { createFilesystemLogStore } from '../filesystem/store.ts'
import type { S3Problem } from './problem.ts'
import { createS3LogStore } from './store.ts'

const LOG: LogRef = { run: 'run-1', task: 'build', attempt: 1 }
const UID = '6c2f1a60-6c0e-4f53-9d5a-0d6f6c1b7a11'

async function house(t: TestContext, trouble: (problem: S3Problem) => void = () => undefined) {
  const bucket = await openSmallBucket()
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-spool-'))
  const spool = createFilesystemLogStore(folder)
  const { endpoint, credentials, name } = bucket
  const store = await createS3LogStore({
    bucket: name,
    endpoint,
    credentials,
    installation: 'here',
    spool,
    clock: systemClock,
    random: () => 0,
    trouble: (_, problem) => trouble(problem),
  })
  t.after(async () => {
    store.close()
    await bucket[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })
  return { bucket, spool, store }
}

test('a log that is whole goes from the spool into the bucket', async t => {
  const { bucket, spool, store } = await house(t)
  const writer = await store.writer(LOG)
  await writer.write(Buffer.from('hello\n'))
  await writer.finish('end')
  assert.equal(bucket.objects.get('here/run-1/build/1.log')?.toString(), 'hello\n')
  assert.equal(await spool.size(LOG), null)
  assert.equal(Buffer.from(await store.read(LOG, 1, 3)).toString(), 'ell')
})

test('logs of the first Kontroler are read by the number of their run and the UID of their pod', async t => {
  const { bucket, store } = await house(t)
  bucket.objects.set(`7/${UID}-log.txt`, Buffer.from('0123456789'))
  const first: LogRef = { run: '7', task: UID, attempt: 1 }
  assert.equal(await store.size(first), 10)
  assert.equal(Buffer.from(await store.read(first, 8, 10)).toString(), '89')
  assert.equal(await store.size({ ...first, attempt: 2 }), null)
  assert.equal(await store.size({ ...first, container: 'proxy' }), null)
})

test('no other object of the bucket can be named by a run and a task', async t => {
  const { bucket, store } = await house(t)
  bucket.objects.set(`else/${UID}-log.txt`, Buffer.from('secret'))
  bucket.objects.set('7/../keys-log.txt', Buffer.from('secret'))
  assert.equal(await store.size({ run: 'else', task: UID, attempt: 1 }), null)
  assert.equal(await store.size({ run: '7', task: '../keys', attempt: 1 }), null)
})

test('what waits for a bucket that is away can be given up, and stays in the spool', async t => {
  const refused = Promise.withResolvers<void>()
  const { bucket, spool, store } = await house(t, () => refused.resolve())
  bucket.refuses = true
  const writer = await store.writer(LOG)
  await writer.write(Buffer.from('hello\n'))
  const finished = assert.rejects(writer.finish('end'), { code: 'LOG_S3_CLOSED' })
  await refused.promise
  store.giveUp(({ run }) => run === LOG.run)
  await finished
  assert.equal(await spool.size(LOG), 6)
})

test('a log whose run is removed while it waits is not tried for ever', async t => {
  const codes: string[] = []
  const refused = Promise.withResolvers<void>()
  const { bucket, spool, store } = await house(t, ({ code }) => {
    codes.push(code)
    refused.resolve()
  })
  bucket.refuses = true
  const writer = await store.writer(LOG)
  await writer.write(Buffer.from('hello\n'))
  const finished = writer.finish('end')
  await refused.promise
  await spool.remove(LOG.run)
  bucket.refuses = false
  await finished
  assert.deepEqual(codes, ['LOG_S3_DENIED'])
  assert.equal(bucket.objects.size, 0)
})
