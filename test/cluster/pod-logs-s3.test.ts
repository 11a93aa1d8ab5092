import { after } from 'node:test'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { podLogsSuite } from './pod-logs.ts'
import { type S3Server, startS3Server } from './s3-server.ts'

let server: S3Server | null = null
after(() => server?.close())

podLogsSuite('S3 (versitygw)', async () => {
  server = await startS3Server()
  const { endpoint, accessKeyId, secretAccessKey } = server
  const credentials = { accessKeyId, secretAccessKey }
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
  await client.send(new CreateBucketCommand({ Bucket: 'logs' }))
  client.destroy()
  return { endpoint, accessKeyId, secretAccessKey, bucket: 'logs' }
})
