import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { isIP } from 'node:net'
import type { DeliveryCode } from '../../ports/deliveries.ts'
import { type AddressPolicy, mayConnect, mayUsePort } from './policy.ts'

/** Bytes of an answer that are read at most; what comes then is not waited for. */
const ANSWER_BYTES_MAX = 65_536
/** Characters of an answer that are kept. */
const ANSWER_KEPT = 512
/** What these are made of. */
const ANSWER_BYTES_KEPT = 4 * ANSWER_KEPT
/** How long the rest of an answer is waited for, once its status is known. */
const ANSWER_MS = 1_000
const HEADER_BYTES_MAX = 16_384

/** All addresses of a name, as texts. A name without any is an error. */
export type Resolve = (name: string) => Promise<readonly string[]>

export interface Post {
  readonly url: string
  readonly verifyTls: boolean
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface PostOptions {
  readonly policy: AddressPolicy
  readonly resolve: Resolve
  /** From the look-up of the name to the status. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export interface Posted {
  readonly code: DeliveryCode
  readonly status: number | null
  readonly address: string | null
  readonly verified: boolean | null
  readonly response: string
  readonly retryAfter: string | null
}

/**
 * Sends one POST. The name is looked up once, each of its addresses checked, and the connection made to these very
 * addresses under the original name, so that a name that leads elsewhere a moment later leads nobody there. Nothing is
 * followed, no proxy of the environment is asked, and nothing is sent but what is given. Never throws.
 */
export async function post(message: Post, options: PostOptions): Promise<Posted> {
  const url = URL.parse(message.url)
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.hostname === '')
    return failed('URL_INVALID')
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  if (!mayUsePort(options.policy, port)) return failed('PORT_REFUSED')
  const late = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)])
  const name = url.hostname.replace(/^\[|\]$/g, '')
  const found = await addressesOf(name, options, late)
  if (typeof found === 'string') return failed(found)
  const refused = found.find(address => !mayConnect(options.policy, name, address))
  if (refused !== undefined) return { ...failed('ADDRESS_REFUSED'), address: refused }
  return await sent(message, url, found, late)
}

async function addressesOf(
  name: string,
  { resolve }: PostOptions,
  late: AbortSignal,
): Promise<readonly string[] | DeliveryCode> {
  if (isIP(name) !== 0) return [name]
  try {
    const found = await Promise.race([resolve(name), aborted(late)])
    if (found === null) return 'TIMED_OUT'
    return found.length === 0 ? 'NAME_NOT_FOUND' : found
  } catch {
    return 'NAME_NOT_FOUND'
  }
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise(resolve => {
    if (signal.aborted) resolve(null)
    signal.addEventListener('abort', () => resolve(null), { once: true })
  })
}

async function sent(
  message: Post,
  url: URL,
  addresses: readonly string[],
  late: AbortSignal,
): Promise<Posted> {
  const secure = url.protocol === 'https:'
  const verified = secure ? message.verifyTls : null
  let address: string | null = addresses[0] ?? null
  const { promise, resolve } = Promise.withResolvers<Posted>()
  let request: ClientRequest
  try {
    request = requestOf(message, url, addresses)
  } catch (error) {
    return { ...failed(codeOf(error) === 'ERR_INVALID_CHAR' ? 'HEADER_INVALID' : 'URL_INVALID'), verified }
  }
  const stop = (): void => {
    resolve({ ...failed('TIMED_OUT'), address, verified })
    request.destroy()
  }
  if (late.aborted) stop()
  late.addEventListener('abort', stop, { once: true })
  request.on('socket', socket => {
    socket.on('connect', () => {
      address = socket.remoteAddress ?? address
    })
  })
  request.on('error', error => resolve({ ...failed(reasonOf(error, secure)), address, verified }))
  request.on('response', response => {
    void textOf(response).then(text => {
      const { statusCode: status = 0, headers } = response
      const code = statusCodeOf(status)
      const kept = code === 'DELIVERED' ? '' : printable(text)
      const retryAfter = headers['retry-after'] ?? null
      resolve({ code, status, address, verified, response: kept, retryAfter })
      request.destroy()
    })
  })
  request.end(message.body)
  try {
    return await promise
  } finally {
    late.removeEventListener('abort', stop)
  }
}

function requestOf(
  { headers, body, verifyTls }: Post,
  url: URL,
  addresses: readonly string[],
): ClientRequest {
  const lookup: LookupFunction = (_name, options, found) => {
    const all = addresses.map(address => ({ address, family: isIP(address) }))
    const [first] = all
    if (options.all === true) found(null, all)
    else found(null, first?.address ?? '', first?.family ?? 4)
  }
  const secure = url.protocol === 'https:'
  const options = {
    method: 'POST',
    lookup,
    maxHeaderSize: HEADER_BYTES_MAX,
    headers: {
      ...headers,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    },
  }
  // An agent of its own: the connection is used once, and nothing set for other requests applies to it.
  return secure
    ? httpsRequest(url, { ...options, agent: new HttpsAgent(), rejectUnauthorized: verifyTls })
    : httpRequest(url, { ...options, agent: new HttpAgent() })
}

/** What there is of an answer, as far as it is read. */
async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ANSWER_MS)
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes - chunk.length < ANSWER_BYTES_KEPT) chunks.push(chunk)
    if (bytes > ANSWER_BYTES_MAX) resolve()
  })
  for (const event of ['end', 'error', 'close']) response.on(event, () => resolve())
  await promise
  clearTimeout(timer)
  return Buffer.concat(chunks).subarray(0, ANSWER_BYTES_KEPT).toString('utf8')
}

/** One line that holds nothing but what can be read. */
export function printable(text: string): string {
  return text
    .replace(/[\p{C}\p{Z}\ufffd]+/gu, ' ')
    .trim()
    .slice(0, ANSWER_KEPT)
}

function statusCodeOf(status: number): DeliveryCode {
  if (status >= 200 && status <= 299) return 'DELIVERED'
  if (status >= 300 && status <= 399) return 'REDIRECTED'
  if (status === 410) return 'RECEIVER_GONE'
  return status === 429 || status === 503 ? 'RECEIVER_BUSY' : 'RECEIVER_REFUSED'
}

function reasonOf(error: Error, secure: boolean): DeliveryCode {
  const code = codeOf(error)
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'NAME_NOT_FOUND'
  return secure && (TLS.test(code) || code === 'EPROTO') ? 'TLS_FAILED' : 'CONNECTION_FAILED'
}

/** How OpenSSL and Node call what is wrong with a certificate. */
const TLS = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_)/

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : ''

const failed = (code: DeliveryCode): Posted => ({
  code,
  status: null,
  address: null,
  verified: null,
  response: '',
  retryAfter: null,
})
