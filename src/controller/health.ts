import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Listen } from '../config/values.ts'
import type { Check } from './checks.ts'

/** What is told of a controller over HTTP. */
export interface HealthParts {
  readonly listen: Listen
  /** All must be well, or the process is to be started anew. */
  readonly live: readonly Check[]
  /** All must be well, or the controller cannot do its work now. */
  readonly ready: readonly Check[]
  readonly metrics: { readonly contentType: string; text(): Promise<string> }
  /** Milliseconds that never jump. */
  readonly now: () => number
}

export interface HealthServer extends AsyncDisposable {
  /** Where it listens; the port is a real one even when 0 was asked for. */
  readonly address: Listen
  close(): Promise<void>
}

/** A check that takes longer has failed. */
const CHECK_MS = 2_000
/** Answers are used again for so long: whoever asks often must not be felt. */
const FRESH_MS = 1_000
const CONNECTIONS_MAX = 64
const REQUEST_MS = 10_000

interface Report {
  readonly status: 'ok' | 'failing'
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly message?: string }[]
}

/**
 * Serves `/livez`, `/readyz` and `/metrics`. The first two answer 200 or 503 with a JSON body that names every check
 * and says of each that failed why.
 *
 * @throws The address cannot be listened on.
 */
export async function openHealthServer(parts: HealthParts): Promise<HealthServer> {
  const routes: Readonly<Record<string, (response: ServerResponse) => Promise<void>>> = {
    '/livez': reporting(parts.live, parts.now),
    '/readyz': reporting(parts.ready, parts.now),
    '/metrics': async response => {
      const text = await parts.metrics.text()
      response.setHeader('content-type', parts.metrics.contentType)
      response.end(text)
    },
  }
  const server = createServer(
    { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS },
    (request, response) => {
      answer(routes, request, response).catch(() => {
        // What went wrong is for the log of whoever made the answer; a stranger need not know it.
        if (!response.headersSent) response.writeHead(500)
        response.end()
      })
    },
  )
  server.maxConnections = CONNECTIONS_MAX
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(parts.listen.port, parts.listen.host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const { port } = server.address() as AddressInfo
  const close = (): Promise<void> =>
    new Promise(resolve => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { address: { host: parts.listen.host, port }, close, [Symbol.asyncDispose]: close }
}

async function answer(
  routes: Readonly<Record<string, (response: ServerResponse) => Promise<void>>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.setHeader('cache-control', 'no-store')
  response.setHeader('x-content-type-options', 'nosniff')
  const path = (request.url ?? '').replace(/\?.*$/s, '')
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined
  if (route === undefined) response.writeHead(404).end()
  else if (request.method !== 'GET' && request.method !== 'HEAD')
    response.writeHead(405, { allow: 'GET, HEAD' }).end()
  else await route(response)
}

function reporting(checks: readonly Check[], now: () => number): (response: ServerResponse) => Promise<void> {
  let last: { readonly at: number; readonly report: Promise<Report> } | null = null
  return async response => {
    if (last === null || now() - last.at > FRESH_MS) last = { at: now(), report: reportOf(checks) }
    const report = await last.report
    response.writeHead(report.status === 'ok' ? 200 : 503, { 'content-type': 'application/json' })
    response.end(`${JSON.stringify(report)}\n`)
  }
}

async function reportOf(checks: readonly Check[]): Promise<Report> {
  const results = await Promise.all(
    checks.map(async check => {
      const message = await inTime(check)
      return message === null ? { name: check.name, ok: true } : { name: check.name, ok: false, message }
    }),
  )
  return { status: results.every(({ ok }) => ok) ? 'ok' : 'failing', checks: results }
}

async function inTime(check: Check): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const timer = setTimeout(() => resolve(`no answer within ${CHECK_MS / 1_000} s`), CHECK_MS)
  try {
    return await Promise.race([check.look(), promise])
  } catch (error) {
    // Of our own errors the code says enough, and nothing about hosts and users.
    return error instanceof Error && 'code' in error ? String(error.code) : 'it failed'
  } finally {
    clearTimeout(timer)
  }
}
