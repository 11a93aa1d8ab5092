import { type IncomingMessage, request } from 'node:http'
import { codeOf } from '../error-code.ts'

/** The container engine could not be reached, or the connection broke off before it had answered. */
export class EngineUnreachable extends Error {
  readonly code = 'CONTAINER_ENGINE_UNREACHABLE'
  /** Whether the request may have arrived, so that its effect may or may not come. */
  readonly sent: boolean

  constructor(message: string, sent: boolean) {
    super(message)
    this.sent = sent
  }
}

/** The container engine refused, in its own words. */
export class EngineRefused extends Error {
  readonly code = 'CONTAINER_ENGINE_REFUSED'
  /** The HTTP status: 404 is "no such", 409 is "not in this state, or the name is taken". */
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE' | 'HEAD'
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** Errors of a connection that was never made. */
const NOT_CONNECTED: readonly string[] = ['ENOENT', 'ECONNREFUSED', 'EACCES', 'EPERM', 'ENOTDIR', 'EAGAIN']
/** Most of an error's text that is read. */
const ERROR_BYTES_MAX = 64 * 1024

/**
 * Sends one request over the socket and gives its answer while it is still coming in. Each request has a connection of
 * its own: on a kept one a request may be lost without a word, and starting a container cannot be tried twice.
 *
 * @throws {EngineUnreachable}
 * @throws {EngineRefused} For every status from 400 on.
 */
export async function open(socket: string, call: Call): Promise<IncomingMessage> {
  const answer = await send(socket, call)
  const status = answer.statusCode ?? 0
  if (status < 400) return answer
  throw new EngineRefused(status, messageOf(await text(answer, ERROR_BYTES_MAX)) || `HTTP ${status}`)
}

/**
 * An engine that hangs is an engine that cannot be reached. Long enough for one that starts many containers at
 * once.
 */
const ANSWER_MS_MAX = 120_000

/** The same for an answer in JSON, or none at all, that comes within a time. */
export async function ask(socket: string, given: Call): Promise<unknown> {
  const call = { signal: AbortSignal.timeout(ANSWER_MS_MAX), ...given }
  const body = await text(await open(socket, call), Number.POSITIVE_INFINITY)
  return body.trim() === '' ? null : (JSON.parse(body) as unknown)
}

function send(socket: string, { method, path, body, headers, signal }: Call): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
    const sending = request({
      socketPath: socket,
      agent: false,
      method,
      path,
      headers: {
        host: 'localhost',
        ...(payload === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': payload.length }),
        ...headers,
      },
      ...(signal === undefined ? {} : { signal }),
    })
    sending.once('response', resolve)
    sending.once('error', error => reject(broken(error, socket)))
    sending.end(payload)
  })
}

const broken = (error: unknown, socket: string): EngineUnreachable => {
  const code = codeOf(error)
  return new EngineUnreachable(`${socket}: ${code || String(error)}`, !NOT_CONNECTED.includes(code))
}

async function text(answer: IncomingMessage, bytesMax: number): Promise<string> {
  const parts: Buffer[] = []
  let length = 0
  try {
    for await (const part of answer as AsyncIterable<Buffer>) {
      parts.push(part)
      length += part.length
      if (length > bytesMax) break
    }
  } catch (error) {
    throw new EngineUnreachable(`the answer broke off: ${codeOf(error) || String(error)}`, true)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** Docker says `{"message": …}`, Podman adds a `cause`. */
function messageOf(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body)
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) return String(parsed.message)
  } catch {
    // Plain text then.
  }
  return body.trim()
}
