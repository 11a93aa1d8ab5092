import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CreateBucketCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3'
import { createFilesystemLogStore } from '../../src/archives/filesystem/store.ts'
import type { S3Problem } from '../../src/archives/s3/problem.ts'
import { createS3LogStore, type S3LogStore, type S3LogStoreOptions } from '../../src/archives/s3/store.ts'
import { systemClock } from '../../src/host/clock.ts'
import type { LogRef } from '../../src/ports/logs.ts'
import { type S3Server, startS3Server } from './s3-server.ts'

export const MIB = 1024 * 1024
export const log: LogRef = { run: 'run-1', task: 'build', attempt: 1 }

/** A bucket of one's own, with the spool of an engine. */
export interface House {
  readonly spoolDir: string
  readonly bucket: string
  readonly troubles: S3Problem[]
  readonly open: (options?: Partial<S3LogStoreOptions>) => Promise<S3LogStore>
  readonly keys: () => Promise<readonly string[]>
  /** Uploads in parts that were begun and not ended. */
  readonly uploads: () => Promise<number>
  readonly spooled: () => Promise<number>
}

export interface S3House {
  readonly server: S3Server
  readonly client: S3Client
  readonly house: () => Promise<House>
}

/** The server of a test file; it and everything on it goes when the tests are over. */
export function s3House(): () => S3House {
  let opened: S3House | null = null
  const folders: string[] = []
  const stores: S3LogStore[] = []
  before(async () => {
    const server = await startS3Server()
    const { endpoint, accessKeyId, secretAccessKey } = server
    const credentials = { accessKeyId, secretAccessKey }
    const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
    let buckets = 0
    const house = async (): Promise<House> => {
      const spoolDir = await mkdtemp(join(tmpdir(), 'kontroler-spool-'))
      folders.push(spoolDir)
      buckets += 1
      const bucket = `logs-${buckets}`
      await client.send(new CreateBucketCommand({ Bucket: bucket }))
      const troubles: S3Problem[] = []
      return {
        spoolDir,
        bucket,
        troubles,
        async open(options = {}) {
          const store = await createS3LogStore({
            ...plainOptions(server, bucket),
            spool: createFilesystemLogStore(spoolDir),
            clock: systemClock,
            random: Math.random,
            trouble: (_, problem) => troubles.push(problem),
            ...options,
          })
          stores.push(store)
          return store
        },
        async keys() {
          const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: bucket }))
          return (Contents ?? []).flatMap(({ Key }) => Key ?? [])
        },
        async uploads() {
          const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
          return Uploads?.length ?? 0
        },
        async spooled() {
          const entries = await readdir(spoolDir, { recursive: true, withFileTypes: true })
          return entries.filter(entry => entry.isFile()).length
        },
      }
    }
    opened = { server, client, house }
  })
  after(async () => {
    for (const store of stores) store.close()
    opened?.client.destroy()
    await opened?.server.close()
    for (const folder of folders) await rm(folder, { recursive: true, force: true })
  })
  return () => {
    if (opened === null) throw new Error('the server has not started yet')
    return opened
  }
}

/** What can be said in JSON, to a child too. */
export const plainOptions = ({ endpoint, accessKeyId, secretAccessKey }: S3Server, bucket: string) => ({
  bucket,
  endpoint,
  prefix: '/some/logs/',
  installation: 'Inst-1',
  credentials: { accessKeyId, secretAccessKey },
})

export async function write(store: S3LogStore, ref: LogRef, text: string): Promise<void> {
  const writer = await store.writer(ref)
  try {
    await writer.write(Buffer.from(text))
    await writer.finish('end')
  } finally {
    await writer.close()
  }
}

/** Waits until it holds; the test's own time limit ends it otherwise. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await sleep(20)
}
