import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Access, type Identity, NO_TLS } from '../../src/kubernetes/identity.ts'

/** A request as the server saw it. */
export interface Seen {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export type Reply = (request: Seen, response: ServerResponse) => void

/** A server that answers as a test says, for what no real API server can be made to do on command. */
export interface ScriptedServer extends AsyncDisposable {
  readonly url: string
  readonly seen: readonly Seen[]
}

/** Each request gets the next reply of the script; the last one is for all that follow. */
export async function scriptedServer(...script: readonly Reply[]): Promise<ScriptedServer> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString('utf8')))
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://server')
      const one: Seen = {
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body,
      }
      const reply = script[Math.min(seen.length, script.length - 1)]
      seen.push(one)
      reply?.(one, response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export const json =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Reply =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  }

export const refusal = (
  code: number,
  reason: string,
  headers: Readonly<Record<string, string>> = {},
): Reply =>
  json(code, { kind: 'Status', status: 'Failure', code, reason, message: `it is ${reason}` }, headers)

/** Takes the request and breaks the connection. */
export const hangUp: Reply = (_, response) => {
  response.socket?.destroy()
}

/** Takes the request and never answers. */
export const silence: Reply = () => undefined

/** A watch that tells these events and ends, or stays open. */
export const events =
  (list: readonly unknown[], then: 'end' | 'stay' | 'break' = 'end'): Reply =>
  (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.write(list.map(event => `${JSON.stringify(event)}\n`).join(''), () => {
      if (then === 'end') response.end()
      if (then === 'break') response.socket?.destroy()
    })
    response.flushHeaders()
  }

export const object = (name: string, version: number, uid = `uid-${name}`) => ({
  metadata: { namespace: 'a', name, uid, resourceVersion: String(version) },
})

export const listOf = (version: number, ...items: readonly unknown[]): Reply =>
  json(200, { kind: 'PodList', metadata: { resourceVersion: String(version) }, items })

/** An identity without TLS, with a token that a refresh replaces. */
export function plainIdentity(
  server: string,
  tokens: readonly string[] = ['token'],
): Identity & { refreshes(): number } {
  let refreshes = 0
  const accessOf = (index: number): Access => ({
    authorization: `Bearer ${tokens[Math.min(index, tokens.length - 1)]}`,
    headers: {},
    tls: NO_TLS,
  })
  let access = accessOf(0)
  return {
    server,
    namespace: 'a',
    refreshes: () => refreshes,
    access: () => Promise.resolve(access),
    refresh(used) {
      if (used === access) {
        refreshes += 1
        access = accessOf(refreshes)
      }
      return Promise.resolve()
    },
  }
}
