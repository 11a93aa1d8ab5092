import { once } from 'node:events'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import { type ServerOptions, createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'

/** What a receiver got. */
export interface Received {
  readonly id: string
  readonly headers: IncomingMessage['headers']
  readonly body: Record<string, unknown>
  readonly text: string
}

/** What it does with a request: a status, or anything else with the answer in hand. */
export type Behaviour = (
  received: Received,
  response: ServerResponse,
) => number | undefined | Promise<number | undefined>

export interface Receiver {
  readonly url: string
  readonly port: number
  readonly received: readonly Received[]
  behaviour: Behaviour
  close(): Promise<void>
}

/** A real HTTP server that keeps what it is sent. @param tls  Certificate and key: it speaks TLS. */
export async function openReceiver(
  behaviour: Behaviour = () => 200,
  options: { readonly tls?: ServerOptions; readonly port?: number } = {},
): Promise<Receiver> {
  const received: Received[] = []
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8')
      const body = JSON.parse(text) as Record<string, unknown>
      const one = { id: String(request.headers['webhook-id']), headers: request.headers, body, text }
      received.push(one)
      void Promise.resolve(receiver.behaviour(one, response)).then(status => {
        if (status !== undefined) response.writeHead(status).end(status === 200 ? '' : 'not now')
      })
    })
  }
  const server: Server =
    options.tls === undefined ? createServer(answer) : createSecureServer(options.tls, answer)
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const receiver: Receiver = {
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/hook`,
    port,
    received,
    behaviour,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return receiver
}
