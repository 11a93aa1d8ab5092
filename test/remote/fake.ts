import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export interface Fake {
  readonly url: string
  readonly port: number
  /** Method and address of everything that was asked, with what showed who asked. */
  readonly asked: readonly { readonly what: string; readonly authorization: string | undefined }[]
}

export interface FakeOptions {
  readonly tls?: { readonly key: string; readonly cert: string }
}

/** Something that answers where a server is looked for. */
export async function fake(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse, nth: number) => void,
  { tls }: FakeOptions = {},
): Promise<Fake> {
  const asked: { what: string; authorization: string | undefined }[] = []
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const { method, url, headers } = request
    asked.push({ what: `${method} ${url}`, authorization: headers.authorization })
    answer(request, response, asked.length)
  }
  const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`, port, asked }
}

export function json(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

/** A refusal as servers say it. */
export function problem(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
): void {
  const body = {
    type: `urn:kontroler:problem:${code}`,
    title: 'No',
    status,
    code,
    detail: `detail of ${code}`,
    fix: 'what to do',
    correlationId: 'number-17',
    problems: [],
  }
  json(response, body, status, { 'content-type': 'application/problem+json; charset=utf-8', ...headers })
}
