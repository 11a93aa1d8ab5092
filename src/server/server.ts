import type { Socket } from 'node:net'
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from 'fastify'
import type { Principal } from '../ports/authenticator.ts'
import type { StoredDag } from '../ports/store.ts'
import { type Known, authorizedBy, knownOf, principalOf, stillMay } from './asked.ts'
import { checkAccept, checkContent, formsOf } from './accepts.ts'
import { jsonOf, textOf } from './body.ts'
import { checkAnswer } from './check-answer.ts'
import { etagOf } from './conditions.ts'
import { checkSender, credentialsOf } from './guard.ts'
import { invalid } from './invalid.ts'
import { Ledger } from './ledger.ts'
import { SERVER_LIMITS } from './limits.ts'
import { Live } from './live.ts'
import type { Limits, ServerOptions, ServerParts } from './parts.ts'
import { RequestProblem, answerOf, noAddress, problemOf, tooMany } from './problem.ts'
import type { AnyRoute, Answer, Call, Noted } from './route.ts'
import { shapeOf } from './shape-of.ts'
import { Rates } from './hooks/rates.ts'
import { checkRoutes } from './start-check.ts'
import { Turns } from './turns.ts'
import { askedOf, deny, written } from './written.ts'

/** A server that listens. */
export interface Server {
  /** `http://127.0.0.1:8080` */
  readonly url: string
  readonly port: number
  /** Ends streams, lets what is under way end, and closes. */
  close(): Promise<void>
}

/** Names under which a server of this machine may be asked, whatever a name server says. */
const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]']

/**
 * Serves the routes on 127.0.0.1.
 *
 * @param port  0 for any.
 * @throws {Error} `EADDRINUSE` the port is taken; and a route that does not say who may use it.
 */
export async function openServer(
  options: ServerOptions,
  routes: readonly AnyRoute[],
  port: number,
): Promise<Server> {
  checkRoutes(routes)
  const parts = partsOf(options)
  const app = fastifyOf(parts.limits, parts)
  const hosts = new Set<string>()
  const state = { closing: false }
  useGuards(app, parts, hosts, state)
  useProblems(app, parts, routes)
  for (const route of routes) useRoute(app, route, parts)
  await app.listen({ host: '127.0.0.1', port })
  const address = app.server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  for (const name of LOOPBACK) hosts.add(`${name}:${bound}`)
  if (options.accounts !== undefined) hosts.add(new URL(options.accounts.settings.publicUrl).host)
  app.server.maxConnections = parts.limits.connectionsMax
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    async close() {
      state.closing = true
      parts.live.close()
      await app.close()
    },
  }
}

function partsOf(options: ServerOptions): ServerParts {
  const limits: Limits = { ...SERVER_LIMITS, ...options.limits }
  const { store, probe, clock } = options
  const live = new Live({
    store,
    probe,
    clock,
    limits,
    trouble: error => options.trouble('stream', error),
  })
  const { hookEventsPerSecondMax: events, wrongProofsPerMinuteMax: wrong } = limits
  const rates = { events: new Rates(events, 10 * events), wrongProofs: new Rates(wrong / 60, wrong) }
  const { accounts } = options.accounts ?? {}
  const ledger = accounts === undefined ? null : new Ledger({ accounts, clock, limits })
  const replays = new Turns(limits.replaysMax)
  return { ...options, limits, live, ledger, replays, followers: { count: 0 }, rates }
}

function fastifyOf(limits: Limits, parts: ServerParts): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    trustProxy: [...(parts.trustedProxies ?? [])],
    // Said below, in the form of all problems.
    return503OnClosing: false,
    genReqId: () => parts.identity.id(),
    routerOptions: { maxParamLength: limits.pathPartLengthMax },
    http: {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, limits.requestTimeoutMs),
    },
    clientErrorHandler: (error, socket) => refuseRaw(error, socket, parts.identity.id()),
    frameworkErrors: (error, request, reply) => {
      void sendProblem(reply, problemOf(error), request.id)
    },
  })
  // Forms are checked by route; whatever comes through is bytes.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  return app
}

const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const

function useGuards(
  app: FastifyInstance,
  parts: ServerParts,
  hosts: ReadonlySet<string>,
  state: { readonly closing: boolean },
): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS).header('x-correlation-id', request.id)
    if (state.closing) {
      throw new RequestProblem('NOT_READY', 'the server is closing', 'try again in a moment', {
        headers: { 'retry-after': '2', connection: 'close' },
      })
    }
    try {
      checkSender(request.method, request.headers, hosts)
    } catch (error) {
      await deny(parts, null, askedOf(request, null), error)
      throw error
    }
  })
}

function useProblems(app: FastifyInstance, parts: ServerParts, routes: readonly AnyRoute[]): void {
  app.setErrorHandler((error: FastifyError | RequestProblem, request, reply) => {
    const problem = problemOf(error)
    if (problem.status === 500) parts.trouble(request.id, error)
    return sendProblem(reply, problem, request.id)
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? ''
    const methods = routes.filter(route => patternOf(route.path).test(path)).map(({ method }) => method)
    const problem =
      methods.length === 0
        ? noAddress()
        : new RequestProblem(
            'METHOD_NOT_ALLOWED',
            `${request.method} is not for this address`,
            `use ${methods.join(' or ')}`,
            { headers: { allow: methods.join(', ') } },
          )
    return sendProblem(reply, problem, request.id)
  })
}

const patternOf = (path: string): RegExp => new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`)

function useRoute(app: FastifyInstance, route: AnyRoute, parts: ServerParts): void {
  const known = new WeakMap<FastifyRequest, Known>()
  const forms = formsOf(route)
  const queryKeys = shapeOf(route.query)
  app.route({
    method: route.method,
    url: route.path.replace(/\{(\w+)\}/g, ':$1'),
    // Before a byte of the body is read.
    onRequest: async request => {
      if (route.access.kind === 'signed' && !parts.rates.events.take(request.ip, parts.clock.now()))
        throw tooMany()
      let principal: Principal | null = null
      try {
        principal = await principalOf(route, request, parts)
        known.set(request, await knownOf(route, principal, request, parts))
      } catch (error) {
        await deny(parts, route, askedOf(request, route.id, principal), error)
        throw error
      }
      checkAccept(request.headers.accept, forms)
      if (hasBody(request))
        checkContent(request.headers['content-type'], request.headers['content-encoding'], route)
    },
    handler: async (request, reply) => {
      const found = known.get(request) ?? bug()
      const asked = askedOf(request, route.id, found.principal)
      const answer = await written(parts, route, asked, async note => {
        const call = await callOf(route, request, found, { parts, queryKeys, note })
        const given = await route.handle(call)
        if (parts.checkAnswers === true) checkAnswer(route, given)
        return given
      })
      return await send(reply, request, answer)
    },
  })
}

interface Calling {
  readonly parts: ServerParts
  readonly queryKeys: readonly string[]
  readonly note: (more: Noted) => void
}

/** The body is there: it is read, and the right to what it names is checked. */
async function callOf(
  route: AnyRoute,
  request: FastifyRequest,
  found: Known,
  { parts, queryKeys, note }: Calling,
): Promise<Call<unknown, unknown, unknown, unknown>> {
  const { principal, params } = found
  const query = parsed('query', route.query, request.query, queryKeys)
  const body = bodyOf(route, request.body)
  const authorized = found.authorized ?? (await authorizedBy(route, principal, { params, body }, parts))
  note({ namespace: authorized.namespace, before: tagOfDag(authorized.object) })
  return {
    ...authorized,
    params,
    query,
    body,
    header: name => headerOf(request, name),
    headers: headersOf(request),
    address: request.ip,
    url: request.url,
    note,
    stillMay: () => stillMay(route, authorized, credentialsOf(request.headers), parts),
    parts,
  }
}

/** Of an object that is a DAG: what is in force before the request. */
function tagOfDag(object: unknown): string | null {
  const isDag = typeof object === 'object' && object !== null && 'dag' in object && 'hash' in object
  return isDag ? etagOf(object as Pick<StoredDag, 'dag' | 'hash'>).replaceAll('"', '') : null
}

function parsed(
  part: 'query' | 'body',
  schema: AnyRoute['query'],
  given: unknown,
  keys: readonly string[],
): unknown {
  if (schema === undefined) {
    const [unknown] = Object.keys(given ?? {})
    if (unknown === undefined) return {}
    throw new RequestProblem('INVALID_REQUEST', `the ${part} means nothing here`, 'leave it out')
  }
  const result = schema.safeParse(given, { reportInput: true })
  if (result.success) return result.data
  throw invalid(part, result.error, keys)
}

function bodyOf({ body: form }: AnyRoute, given: unknown): unknown {
  if (form === undefined) return undefined
  const bytes = given instanceof Uint8Array ? given : new Uint8Array()
  if (form.kind === 'bytes') return bytes
  if (form.kind === 'document') return textOf(bytes)
  const value = bytes.length === 0 && form.optional === true ? {} : jsonOf(bytes)
  return parsed('body', form.schema, value, shapeOf(form.schema))
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

function headersOf({ headers }: FastifyRequest): Readonly<Record<string, string>> {
  const single = Object.entries(headers).filter(([, value]) => typeof value === 'string')
  return Object.fromEntries(single) as Record<string, string>
}

function headerOf(request: FastifyRequest, name: string): string | null {
  const value = request.headers[name]
  return typeof value === 'string' ? value : null
}

async function send(reply: FastifyReply, request: FastifyRequest, answer: Answer): Promise<FastifyReply> {
  if (answer.take !== undefined) {
    reply.hijack()
    reply.raw.writeHead(answer.status, { ...(reply.getHeaders() as object), ...answer.headers })
    answer.take(request.raw, reply.raw)
    return reply
  }
  reply.code(answer.status).headers({ ...answer.headers })
  if (answer.stream !== undefined) return reply.send(answer.stream)
  if (answer.text !== undefined) return reply.send(answer.text)
  if (answer.body === undefined) return reply.send()
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(answer.body))
}

function sendProblem(reply: FastifyReply, problem: RequestProblem, id: string): FastifyReply {
  return reply
    .code(problem.status)
    .headers(HEADERS)
    .headers(problem.headers)
    .header('x-correlation-id', id)
    .type('application/problem+json; charset=utf-8')
    .send(JSON.stringify(answerOf(problem, id)))
}

/** What is no request of HTTP, or takes too long to become one, is answered on the bare connection. */
function refuseRaw(error: Error & { readonly code?: string }, socket: Socket, id: string): void {
  if (!socket.writable) return void socket.destroy()
  const problem = RAW[error.code ?? '']?.() ?? malformed()
  const text = JSON.stringify(answerOf(problem, id))
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.code}\r\ncontent-type: application/problem+json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  )
}

const RAW: Readonly<Record<string, () => RequestProblem>> = {
  ERR_HTTP_REQUEST_TIMEOUT: () =>
    new RequestProblem('REQUEST_TIMEOUT', 'the request did not arrive in time', 'send it faster'),
  HPE_HEADER_OVERFLOW: () =>
    new RequestProblem('HEADERS_TOO_LARGE', 'the headers are larger than 16 KiB', 'send less'),
}

function malformed(): RequestProblem {
  return new RequestProblem('INVALID_REQUEST', 'this is no HTTP request', 'speak HTTP/1.1')
}

function bug(): never {
  throw new Error('a request came to its handler that was not looked at')
}
