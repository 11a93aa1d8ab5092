import { CLIENT_LIMITS } from './limits.ts'
import { ApiProblem, type Effect, type ProblemCause, type ProblemKind } from './problem.ts'

/** An answer with a status of 400 or more. */
export interface Refusal {
  readonly status: number
  readonly body: string
  /** The value of the Retry-After header. */
  readonly retryAfter?: string | undefined
  /** `POST /api/v1/…` */
  readonly request: string
  /** A request that only reads has no effect, whatever became of it. */
  readonly reads: boolean
}

/** What an answer of the server means. The body is a `Status` object, or some text of a proxy. */
export function problemOfAnswer(refusal: Refusal): ApiProblem {
  const status = statusObject(refusal.body)
  const kind = kindOfStatus(refusal.status, text(status?.['reason']))
  return new ApiProblem({
    kind,
    effect: refusal.reads ? 'none' : effectOfStatus(refusal.status),
    message: text(status?.['message']) || refusal.body.trim().slice(0, 500) || `HTTP ${refusal.status}`,
    status: refusal.status,
    reason: text(status?.['reason']),
    causes: causesOf(status),
    retryAfterMs: retryAfterMs(refusal.retryAfter, status),
    request: refusal.request,
  })
}

/** What an ERROR event inside a watch means; its object is a `Status` that carries the code. */
export function problemOfEvent(object: unknown, request: string): ApiProblem {
  const status = record(object)
  const code = typeof status?.['code'] === 'number' ? status['code'] : 500
  return problemOfAnswer({ status: code, body: JSON.stringify(object), request, reads: true })
}

/** What a failed connection means. Everything that is not known to have failed before sending has an unknown effect. */
export function problemOfFailure(error: unknown, request: string, reads: boolean): ApiProblem {
  if (error instanceof ApiProblem) return error
  const code = codeOf(error)
  const untrusted = isCertificateCode(code)
  const effect: Effect = reads || untrusted || neverConnected(error, code) ? 'none' : 'unknown'
  return new ApiProblem({
    kind: untrusted
      ? 'untrusted'
      : CLOSED.has(code)
        ? 'aborted'
        : code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT'
          ? 'timeout'
          : 'unreachable',
    effect,
    message: messageOf(error, code),
    reason: code,
    request,
  })
}

function kindOfStatus(status: number, reason: string): ProblemKind {
  switch (status) {
    case 401:
      return 'unauthorized'
    case 403:
      return 'forbidden'
    case 404:
      return 'notFound'
    case 405:
      return 'methodNotAllowed'
    case 406:
    case 415:
      return 'notAcceptable'
    case 409:
      return reason === 'AlreadyExists' ? 'alreadyExists' : 'conflict'
    case 410:
      return 'gone'
    case 413:
      return 'tooLarge'
    case 422:
      return 'invalid'
    case 429:
      return 'tooManyRequests'
    case 502:
    case 503:
      return 'unavailable'
    case 504:
    case 408:
      return 'timeout'
    default:
      return status >= 500 ? 'internal' : 'badRequest'
  }
}

/**
 * A 4xx is said before anything is stored. There are two exceptions: 408, and 406 as an answer to a deletecollection,
 * which removes everything first and only then finds that it cannot say so.
 */
const effectOfStatus = (status: number): Effect =>
  status >= 500 || status === 406 || status === 408 ? 'unknown' : 'none'

function causesOf(status: Readonly<Record<string, unknown>> | null): ProblemCause[] {
  const causes = record(status?.['details'])?.['causes']
  if (!Array.isArray(causes)) return []
  return causes.map(record).map(cause => ({
    field: text(cause?.['field']),
    reason: text(cause?.['reason']),
    message: text(cause?.['message']),
  }))
}

/** Seconds, as the header or the body says. A date is not used by any API server. */
function retryAfterMs(
  header: string | undefined,
  status: Readonly<Record<string, unknown>> | null,
): number | null {
  const inBody = record(status?.['details'])?.['retryAfterSeconds']
  const seconds = header !== undefined && /^\d+$/.test(header) ? Number(header) : inBody
  if (typeof seconds !== 'number' || seconds < 0) return null
  return Math.min(seconds * 1_000, CLIENT_LIMITS.retryAfterMaxMs)
}

function statusObject(body: string): Readonly<Record<string, unknown>> | null {
  try {
    return record(JSON.parse(body))
  } catch {
    return null
  }
}

const record = (value: unknown): Readonly<Record<string, unknown>> | null =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : null
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** Errors that come before there is a connection to the server, whatever the system call says. */
const NOT_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_PRX_CONN',
  'UND_ERR_PRX_TLS',
])
/** The client itself was closed. */
const CLOSED = new Set(['UND_ERR_DESTROYED', 'UND_ERR_CLOSED'])
const CERTIFICATE = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_CHAIN_TOO_LONG',
  'CERT_REVOKED',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'HOSTNAME_MISMATCH',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])
const isCertificateCode = (code: string): boolean => CERTIFICATE.has(code)

/** A `read` on a connection that stood may fail with the same code as a `connect`; only the latter is harmless. */
function neverConnected(error: unknown, code: string): boolean {
  if (NOT_CONNECTED.has(code)) return true
  const call = record(error)?.['syscall']
  return call === 'connect' || call === 'getaddrinfo'
}

const codeOf = (error: unknown): string => {
  const code = record(error)?.['code']
  return typeof code === 'string' ? code : ''
}

/** Several addresses give an error without words of its own. */
function messageOf(error: unknown, code: string): string {
  const message = error instanceof Error ? error.message : String(error)
  if (message !== '') return message
  if (error instanceof AggregateError)
    return error.errors.map(one => (one instanceof Error ? one.message : String(one))).join(', ')
  return code || 'the connection failed'
}
