import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { Readable } from 'node:stream'
import { VERSION } from '../../host/version.ts'
import { CommandError, EXIT } from '../exit.ts'
import { type ServerTarget, isLoopback } from './target.ts'

/** A server's streams say every 15 s that they live. */
const IDLE_MS = 60_000
const CONNECT_MS = 10_000
/** Answers that have no body, by the standard. */
const EMPTY: ReadonlySet<number> = new Set([204, 205, 304])

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Requests to one server, over connections that are kept. */
export interface Connection {
  readonly fetch: typeof fetch
  close(): void
}

/**
 * The `fetch` of Node takes neither certificates nor a proxy for one server, so this one is made of `node:https`.
 *
 * @throws {CommandError} `INSECURE_SERVER` a token would go over the network for all to read; `BAD_CA_FILE`
 */
export function openConnection({ url, token, caFile }: ServerTarget): Connection {
  const isSecure = url.startsWith('https:')
  if (!isSecure && token !== null && !isLoopback(url)) {
    throw new CommandError(
      'INSECURE_SERVER',
      `${url} is not encrypted: everybody on the way could read the token`,
      'use https://, or a tunnel to this machine (ssh -L, kubectl port-forward)',
    )
  }
  const agent = agentOf(url, caFile)
  const send = isSecure ? httpsRequest : httpRequest
  return {
    async fetch(input, init = {}) {
      const headers = Object.fromEntries(new Headers(init.headers ?? {}))
      const address = input instanceof Request ? input.url : input
      const request = send(address, {
        method: init.method ?? 'GET',
        headers: { 'user-agent': `kontroler-cli/${VERSION}`, ...headers },
        agent,
        timeout: IDLE_MS,
        ...(init.signal === undefined || init.signal === null ? {} : { signal: init.signal }),
      })
      request.on('timeout', () => request.destroy(slow('said nothing', IDLE_MS)))
      request.on('socket', socket => {
        if (!socket.connecting) return
        const timer = setTimeout(() => request.destroy(slow('was not reached', CONNECT_MS)), CONNECT_MS)
        socket.once('close', () => clearTimeout(timer)).once('connect', () => clearTimeout(timer))
      })
      request.end(typeof init.body === 'string' ? init.body : undefined)
      const [message] = (await once(request, 'response')) as [IncomingMessage]
      const response = responseOf(message)
      if (REDIRECTS.has(response.status)) throw redirected(url, response.headers.get('location'))
      return response
    },
    close: () => agent.destroy(),
  }
}

function agentOf(url: string, caFile: string | null): HttpAgent {
  // A proxy has no way to this machine.
  const proxy = isLoopback(url) ? {} : { proxyEnv: process.env }
  const options = { keepAlive: true, ...proxy }
  if (!url.startsWith('https:')) return new HttpAgent(options)
  return new HttpsAgent(caFile === null ? options : { ...options, ca: certificatesIn(caFile) })
}

function certificatesIn(file: string): string {
  let text = ''
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError(
      'BAD_CA_FILE',
      `the certificates cannot be read: ${reason}`,
      'name another with --ca-file',
    )
  }
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  throw new CommandError('BAD_CA_FILE', `${file} holds no certificate`, 'it has to be in PEM form')
}

function responseOf(message: IncomingMessage): Response {
  const headers = new Headers()
  for (const [name, value] of Object.entries(message.headers)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) headers.append(name, one)
  }
  const status = message.statusCode ?? 0
  const isEmpty = EMPTY.has(status)
  if (isEmpty) message.resume()
  const body = isEmpty ? null : (Readable.toWeb(message) as ReadableStream<Uint8Array>)
  return new Response(body, { status, statusText: message.statusMessage ?? '', headers })
}

/** It is not followed, as a token would go where nobody meant it to. */
function redirected(url: string, to: string | null): CommandError {
  const fix = to === null ? 'see that the address is right' : `if that is right, name it: ${to.slice(0, 200)}`
  return new CommandError('NOT_A_SERVER', `${url} sends everybody elsewhere`, fix, EXIT.failed)
}

function slow(how: string, ms: number): Error {
  return Object.assign(new Error(`it ${how} within ${ms / 1_000} s`), { code: 'ETIMEDOUT' })
}
