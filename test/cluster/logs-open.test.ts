import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createFilesystemLogStore } from '../../src/archives/filesystem/store.ts'
import { systemClock } from '../../src/host/clock.ts'
import { openClient } from '../../src/kubernetes/open-client.ts'
import { type Logs, openLogs } from '../../src/main/logs.ts'
import type { LogRef, LogStore } from '../../src/ports/logs.ts'
import { whole } from '../contracts/log-store.ts'
import { type House, log, s3House, until } from './logs-s3-house.ts'

const s3 = s3House()

const NO_TLS = { ca: null, certificate: null, key: null, serverName: null, insecure: false, proxy: null }

interface Opened {
  readonly logs: Logs
  readonly troubles: string[]
}

/** Logs in a bucket, of a controller whose cluster is not asked for anything. */
async function withLogs(
  { spoolDir, bucket }: House,
  body: (opened: Opened) => Promise<void>,
  changes: { readonly endpoint?: string; readonly bucket?: string } = {},
): Promise<void> {
  const { endpoint, accessKeyId, secretAccessKey } = s3().server
  const troubles: string[] = []
  const client = openClient({
    identity: {
      server: 'https://127.0.0.1:9',
      namespace: 'default',
      access: async () => ({ authorization: null, headers: {}, tls: NO_TLS }),
      refresh: async () => undefined,
    },
  })
  const logs = await openLogs({
    logs: {
      kind: 's3',
      maxBytes: 2 ** 30,
      bucket,
      prefix: 'p',
      endpoint,
      region: null,
      pathStyle: true,
      ...changes,
    },
    credentials: { accessKeyId, secretAccessKey },
    stateDir: spoolDir,
    installation: 'blue',
    client,
    clock: systemClock,
    random: Math.random,
    trouble: code => troubles.push(code),
  })
  try {
    await body({ logs, troubles })
  } finally {
    await logs.close()
    await client.close()
  }
}

async function left(store: LogStore, ref: LogRef, text: string, complete: boolean): Promise<void> {
  const writer = await store.writer(ref)
  await writer.write(Buffer.from(text))
  if (complete) await writer.finish({ ended: true })
  else await writer.flush({ ended: false })
  await writer.close()
}

describe('what an engine left on its disk when it was killed', () => {
  test('goes to the bucket at the next start when it is whole, even if nobody asks for it', async () => {
    const house = await s3().house()
    await left(createFilesystemLogStore(house.spoolDir), log, 'whole', true)
    await left(createFilesystemLogStore(house.spoolDir), { ...log, container: 'proxy' }, 'whole, too', true)
    await withLogs(house, async ({ logs }) => {
      await until(async () => (await house.keys()).length === 2 && (await house.spooled()) === 0)
      assert.deepEqual((await house.keys()).toSorted(), [
        'p/blue/run-1/build/1.log',
        'p/blue/run-1/build/1.proxy.log',
      ])
      assert.equal(Buffer.from(await logs.archive.read(log, 0, 100)).toString(), 'whole')
      assert.equal(logs.backlog().items, 0)
    })
  })

  test('is named when it is not whole, is finished when its pod is gone, and goes when its run is', async () => {
    const house = await s3().house()
    const other = { ...log, task: 'test' }
    await left(createFilesystemLogStore(house.spoolDir), log, 'half\n', false)
    await left(createFilesystemLogStore(house.spoolDir), other, 'half\n', false)
    await withLogs(house, async ({ logs }) => {
      const found = await logs.pods.leftovers()
      assert.deepEqual(found.map(({ task }) => task).toSorted(), ['build', 'test'])
      await logs.pods.lost(log)
      await logs.pods.forget(other)
      assert.deepEqual(await house.keys(), ['p/blue/run-1/build/1.log'])
      assert.equal(await house.spooled(), 0)
      const text = Buffer.from(await logs.archive.read(log, 0, 1000)).toString()
      assert.match(text, /^half\n\[kontroler: the log is missing: .*\]\n$/)
    })
  })
})

describe('a bucket that is away', () => {
  test('is told at the start, and is no reason not to start; logs wait, are counted, and get there', async () => {
    const house = await s3().house()
    const spool = createFilesystemLogStore(house.spoolDir)
    await s3().server.stop()
    await left(spool, log, 'whole', true)
    await withLogs(house, async ({ logs, troubles }) => {
      await logs.check()
      await until(() => troubles.includes('LOG_S3_UNREACHABLE') && logs.backlog().items === 1)
      assert.equal(logs.backlog().queue, 'logs')
      assert.equal(await whole(spool, log), 'whole')
      await s3().server.start()
      await until(async () => (await house.keys()).length === 1 && logs.backlog().items === 0)
      assert.equal(logs.backlog().oldestMs, 0)
    })
  })

  test('or that is not there is told by its code', async () => {
    const house = await s3().house()
    await withLogs(
      house,
      async ({ logs, troubles }) => {
        await logs.check()
        await until(() => troubles.includes('LOG_S3_NO_BUCKET'))
      },
      { bucket: 'no-such-bucket' },
    )
  })

  test('holds up no close: what waits is kept for the next start', async () => {
    const house = await s3().house()
    await s3().server.stop()
    await left(createFilesystemLogStore(house.spoolDir), log, 'whole', true)
    await withLogs(house, async ({ logs }) => await until(() => logs.backlog().items === 1))
    await s3().server.start()
    await withLogs(house, async () => await until(async () => (await house.keys()).length === 1))
  })
})
