import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { type PostgresServer, startPostgres } from '../../contracts/postgres/server.ts'
import { NODE_ADDRESS } from '../node-config.ts'
import { type S3Server, startS3Server } from '../s3-server.ts'

const BUCKET = 'task-logs'

/** A PostgreSQL and an S3 server of somebody else, where pods reach them. */
export interface Servers {
  readonly postgres: PostgresServer
  readonly s3: S3Server
  readonly bucket: string
  readonly host: string
  /** Keys of the bucket. */
  keys(): Promise<readonly string[]>
  object(key: string): Promise<string>
  close(): Promise<void>
}

export async function startServers(): Promise<Servers> {
  const postgres = await startPostgres(18, {
    configuration: [`listen_addresses = '127.0.0.1, ${NODE_ADDRESS}'`],
    access: ['host kontroler kontroler 10.244.0.0/16 scram-sha-256'],
  })
  const s3 = await startS3Server(NODE_ADDRESS)
  const { endpoint, accessKeyId, secretAccessKey } = s3
  const credentials = { accessKeyId, secretAccessKey }
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
  return {
    postgres,
    s3,
    bucket: BUCKET,
    host: NODE_ADDRESS,
    async keys() {
      const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: BUCKET }))
      return (Contents ?? []).flatMap(({ Key }) => Key ?? [])
    },
    async object(key) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }))
      return (await Body?.transformToString()) ?? ''
    },
    async close() {
      client.destroy()
      await s3.close()
      await postgres.remove()
    },
  }
}
