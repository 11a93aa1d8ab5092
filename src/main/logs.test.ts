import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { openSmallBucket } from '../../test/model/small-bucket.ts'
import { systemClock } from '../host/clock.ts'
import type { Client } from '../kubernetes/client.ts'
import { openLogs } from './logs.ts'

const LINE = '2026-01-01T00:00:00.000000000Z hello\n'
const POD = {
  attempt: { run: 'run-1', task: 'build', attempt: 1 },
  namespace: 'a',
  pod: 'build-1',
  uid: 'uid-1',
  own: 'build',
  others: [],
}

/** A client of which only logs are asked. */
const client = {
  logs: async () => ({ body: Readable.from([Buffer.from(LINE)]), problem: (error: unknown) => error }),
} as unknown as Client

test('a run can be removed while its logs wait for a bucket that is away, and nothing waits on', async t => {
  await using bucket = await openSmallBucket()
  const stateDir = await mkdtemp(join(tmpdir(), 'kontroler-logs-'))
  t.after(() => rm(stateDir, { recursive: true }))
  const { endpoint, name, credentials } = bucket
  const waits = Promise.withResolvers<void>()
  const logs = await openLogs({
    logs: { kind: 's3', maxBytes: 1e6, bucket: name, prefix: '', endpoint, region: null, pathStyle: true },
    stateDir,
    installation: 'here',
    client,
    clock: systemClock,
    random: () => 0,
    trouble: (code, message) => {
      if (code === 'LOG_S3_DENIED' && message.startsWith('the log of build')) waits.resolve()
    },
    credentials,
  })
  // The first look at the bucket is over with this one, and is not what is told below.
  await logs.check()
  bucket.refuses = true
  const ended = logs.pods.ended(POD)
  await waits.promise
  assert.equal(logs.backlog().items, 1)
  await assert.rejects(logs.archive.remove('run-1'), { code: 'LOG_S3_DENIED' })
  await ended
  assert.equal(logs.backlog().items, 0)
  assert.equal(await logs.archive.size(POD.attempt).catch(() => 'refused'), 'refused', 'its file is gone')
  await logs.close()
})
