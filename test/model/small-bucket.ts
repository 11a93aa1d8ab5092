import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** As much of an S3 server as logs below 8 MiB need, in memory, which can refuse everything. */
export interface SmallBucket extends AsyncDisposable {
  readonly endpoint: string
  readonly name: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** By key. */
  readonly objects: Map<string, Buffer>
  refuses: boolean
}

export async function openSmallBucket(): Promise<SmallBucket> {
  const objects = new Map<string, Buffer>()
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => answer(bucket, request, Buffer.concat(parts), response))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bucket: SmallBucket = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    name: 'logs',
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    objects,
    refuses: false,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return bucket
}

function answer(
  { name, objects, refuses }: SmallBucket,
  { method, url, headers }: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
): void {
  const { pathname, searchParams } = new URL(url ?? '/', 'http://server')
  const key = decodeURIComponent(pathname).replace(new RegExp(`^/${name}/?`, 'u'), '')
  const end = (status: number, text: string | Buffer = '', more: Record<string, string> = {}): void => {
    response.writeHead(status, { 'content-length': String(Buffer.byteLength(text)), ...more })
    response.end(method === 'HEAD' ? undefined : text)
  }
  const error = (status: number, code: string): void => end(status, `<Error><Code>${code}</Code></Error>`)
  if (refuses) return error(403, 'AccessDenied')
  if (searchParams.has('uploads')) return end(200, '<ListMultipartUploadsResult/>')
  if (searchParams.has('list-type')) {
    const found = [...objects.keys()].filter(one => one.startsWith(searchParams.get('prefix') ?? ''))
    const contents = found.map(one => `<Contents><Key>${one}</Key></Contents>`).join('')
    return end(200, `<ListBucketResult>${contents}</ListBucketResult>`)
  }
  if (method === 'POST' && searchParams.has('delete')) {
    for (const [, gone = ''] of body.toString().matchAll(/<Key>(.*?)<\/Key>/gu)) objects.delete(gone)
    return end(200, '<DeleteResult/>')
  }
  if (method === 'PUT') {
    objects.set(key, body)
    return end(200)
  }
  const object = objects.get(key)
  if (object === undefined) return error(404, 'NoSuchKey')
  const [, from, to] = /^bytes=(\d+)-(\d+)$/u.exec(headers.range ?? '') ?? []
  if (from === undefined) return end(200, object, { 'content-length': String(object.length) })
  const part = object.subarray(Number(from), Number(to) + 1)
  return part.length === 0 ? error(416, 'InvalidRange') : end(206, part)
}
