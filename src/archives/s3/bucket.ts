import type { _Object, S3Client } from '@aws-sdk/client-s3'
import { isBehindEnd, isMissing, problemOf, S3Problem } from './problem.ts'

/** Where the bucket is, and how to sign. */
export interface S3BucketOptions {
  readonly bucket: string
  /** Default: what the environment or the profile says; `us-east-1` when an endpoint is given. */
  readonly region?: string
  /** Absent: AWS. */
  readonly endpoint?: string
  /**
   * The bucket stands in the path and not in the host's name, as most servers but AWS want it. Default: with an
   * endpoint.
   */
  readonly pathStyle?: boolean
  /**
   * Static keys. Absent: what the SDK finds, in its order: variables of the environment, profiles, the role of a
   * service account (IRSA), EKS Pod Identity or ECS, the instance's profile. They are renewed before they end.
   */
  readonly credentials?: {
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly sessionToken?: string
  }
}

/** No more than the few things that logs need of a bucket. All throw {@link S3Problem}. */
export interface S3Bucket {
  /** Bytes of an object; null when there is none. */
  size(key: string): Promise<number | null>
  /** Null when there is no such object. */
  read(key: string, offset: number, bytesMax: number): Promise<Uint8Array | null>
  put(key: string, bytes: Uint8Array): Promise<void>
  /** In parts, two of them in memory. Leaves nothing behind when it fails, but for what a kill leaves. */
  putParts(
    key: string,
    bytes: AsyncIterable<Uint8Array>,
    partBytes: number,
    signal: AbortSignal,
  ): Promise<void>
  /** Keys that begin with this, page by page. */
  list(prefix: string): AsyncIterable<readonly string[]>
  delete(keys: readonly string[]): Promise<void>
  /** Ends uploads in parts that somebody began and did not end. */
  abortUploads(prefix: string): Promise<void>
  close(): void
}

const CONNECT_MS = 5000
const IDLE_MS = 30_000
/** Somebody waits for what is read. */
const HEAD_MS = 10_000
const GET_MS = 60_000
const CONTENT_TYPE = 'text/plain; charset=utf-8'
const PART_WORKERS = 2

/** The SDK is loaded when a bucket is opened, and only then. */
export async function openBucket(options: S3BucketOptions): Promise<S3Bucket> {
  const sdk = await import('@aws-sdk/client-s3')
  const { bucket } = options
  const client = new sdk.S3Client({
    ...regionOf(options),
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    forcePathStyle: options.pathStyle ?? options.endpoint !== undefined,
    followRegionRedirects: options.endpoint === undefined,
    // What is sent has checksums, unless the SDK's own variable says that the server is too old for them.
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: IDLE_MS },
  })
  const at = (key: string) => ({ Bucket: bucket, Key: key })
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw problemOf(error, bucket)
    }
  }
  /** Null when there is no such object. */
  const orNull = <T>(work: () => Promise<T>): Promise<T | null> =>
    guarded(async () => {
      try {
        return await work()
      } catch (error) {
        if (isMissing(error)) return null
        throw error
      }
    })
  return {
    size: key =>
      orNull(
        async () =>
          (await client.send(new sdk.HeadObjectCommand(at(key)), within(HEAD_MS))).ContentLength ?? 0,
      ),
    read: (key, offset, bytesMax) =>
      orNull(async () => {
        const Range = `bytes=${offset}-${offset + bytesMax - 1}`
        try {
          const answer = await client.send(new sdk.GetObjectCommand({ ...at(key), Range }), within(GET_MS))
          return (await answer.Body?.transformToByteArray())?.subarray(0, bytesMax) ?? new Uint8Array()
        } catch (error) {
          if (isBehindEnd(error)) return new Uint8Array()
          throw error
        }
      }),
    put: (key, bytes) =>
      guarded(async () => {
        const object = { ...at(key), Body: bytes, ContentLength: bytes.length, ContentType: CONTENT_TYPE }
        await client.send(new sdk.PutObjectCommand(object))
      }),
    putParts: (key, bytes, partBytes, signal) =>
      guarded(() => uploadParts(client, at(key), bytes, partBytes, signal)),
    list: prefix => listKeys(sdk, client, bucket, prefix),
    delete: keys =>
      guarded(async () => {
        if (keys.length === 0) return
        const Delete = { Objects: keys.map(Key => ({ Key })), Quiet: true }
        const { Errors } = await client.send(new sdk.DeleteObjectsCommand({ Bucket: bucket, Delete }))
        const first = Errors?.[0]
        if (first === undefined) return
        throw new S3Problem(
          'LOG_S3_FAILED',
          `${Errors?.length} logs were not removed (${first.Code}: ${first.Message})`,
        )
      }),
    abortUploads: prefix =>
      guarded(async () => {
        const { Uploads } = await client.send(
          new sdk.ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix }),
        )
        for (const { Key, UploadId } of Uploads ?? []) {
          if (Key === undefined || UploadId === undefined || !Key.startsWith(prefix)) continue
          await client.send(new sdk.AbortMultipartUploadCommand({ ...at(Key), UploadId }))
        }
      }),
    close: () => client.destroy(),
  }
}

const within = (ms: number): { readonly abortSignal: AbortSignal } => ({
  abortSignal: AbortSignal.timeout(ms),
})

/** Without an endpoint the SDK looks for the region itself, and says so when it finds none. */
function regionOf({ region, endpoint }: S3BucketOptions): { readonly region?: string } {
  if (region !== undefined) return { region }
  return endpoint === undefined ? {} : { region: 'us-east-1' }
}

async function uploadParts(
  client: S3Client,
  place: { readonly Bucket: string; readonly Key: string },
  bytes: AsyncIterable<Uint8Array>,
  partSize: number,
  signal: AbortSignal,
): Promise<void> {
  const { Upload } = await import('@aws-sdk/lib-storage')
  const { Readable } = await import('node:stream')
  const body = Readable.from(bytes, { objectMode: false })
  const params = { ...place, Body: body, ContentType: CONTENT_TYPE }
  const upload = new Upload({ client, params, partSize, queueSize: PART_WORKERS })
  const stop = (): void => void upload.abort()
  signal.addEventListener('abort', stop)
  try {
    signal.throwIfAborted()
    await upload.done()
  } finally {
    signal.removeEventListener('abort', stop)
    body.destroy()
  }
}

async function* listKeys(
  sdk: typeof import('@aws-sdk/client-s3'),
  client: S3Client,
  bucket: string,
  prefix: string,
): AsyncGenerator<readonly string[]> {
  for (let token: string | undefined; ; ) {
    const page = {
      Bucket: bucket,
      Prefix: prefix,
      ...(token === undefined ? {} : { ContinuationToken: token }),
    }
    let answer
    try {
      answer = await client.send(new sdk.ListObjectsV2Command(page))
    } catch (error) {
      throw problemOf(error, bucket)
    }
    yield (answer.Contents ?? []).flatMap(({ Key }: _Object) => Key ?? [])
    token = answer.NextContinuationToken
    if (answer.IsTruncated !== true || token === undefined) return
  }
}
