import { ApiProblem } from '../../client/problem.ts'
import { PROBLEM_CODES } from '../../core/problem-codes.ts'
import type { Problem } from '../../core/problem.ts'
import { STORE_CODES } from '../../ports/store.ts'
import { API_CODES } from '../../server/problem-codes.ts'
import { COMMAND_CODES } from '../command-codes.ts'
import { CommandError, EXIT } from '../exit.ts'

/**
 * What a server refused, or why it could not be asked, as a sentence and a way out; other errors as they are.
 *
 * @param exitCode  Of a refusal that is about what was asked for.
 */
export function serverTrouble(error: unknown, url: string, exitCode: number = EXIT.usage): unknown {
  if (error instanceof ApiProblem) return refused(error, url, exitCode)
  if (error instanceof SyntaxError) return noKontroler(url, 'its answer is no JSON')
  const code = networkCode(error)
  if (code === null) return error
  const reason = reasonOf(error)
  if (code.startsWith('ERR_TLS') || CERTIFICATE.has(code) || code.startsWith('CERT_')) {
    return new CommandError(
      'SERVER_UNTRUSTED',
      `the certificate of ${url} is not trusted: ${reason}`,
      'name the certificates that it is signed by with --ca-file; see that the address is right',
      EXIT.failed,
    )
  }
  if (code.startsWith('ERR_SSL') || code === 'EPROTO' || code.startsWith('HPE_')) {
    return noKontroler(url, `it does not speak ${url.startsWith('https:') ? 'TLS' : 'HTTP'} there`)
  }
  return new CommandError(
    'SERVER_UNREACHABLE',
    `${url} cannot be reached: ${reason}`,
    'see that the server runs, that the address is right, and that the network is there',
    EXIT.failed,
  )
}

/** Whether somebody did not answer at all; null when the error is about something else. */
export function networkCode(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  if (error instanceof ApiProblem || error instanceof CommandError) return null
  // The body of an answer that broke off: what it was is told below it.
  if (error instanceof TypeError && error.cause instanceof Error) return networkCode(error.cause)
  const code = 'code' in error ? String(error.code) : ''
  return NETWORK.test(code) || CERTIFICATE.has(code) ? code : null
}

const NETWORK =
  /^(?:E[A-Z]{3,}|ERR_TLS_\w+|ERR_SSL_\w+|ERR_PROXY_\w+|ERR_STREAM_PREMATURE_CLOSE|HPE_\w+|CERT_\w+)$/
const CERTIFICATE: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'INVALID_CA',
  'INVALID_PURPOSE',
])

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError) return reasonOf(error.errors[0])
  if ('code' in error && error.code === 'ECONNRESET') return 'the connection broke off'
  return error.message === '' ? error.name : error.message
}

function refused(error: ApiProblem, url: string, exitCode: number): CommandError {
  const { status, code } = error
  const { detail, fix, correlationId } = error.problem
  if (code === 'UNKNOWN_ANSWER') return unknownAnswer(status, url)
  if (status === 401) {
    const message = `${url} does not know who asks: ${detail}`
    return new CommandError('UNAUTHENTICATED', message, `kontroler login ${url}`, EXIT.failed)
  }
  const known = isKnown(code) ? code : 'SERVER_REFUSED'
  const more = known === code ? '' : ` (${code})`
  const number = status >= 500 ? `; it knows more under ${correlationId}` : ''
  const isUsage = status === 400 || status === 404 || status === 422
  const exit = isUsage || status === 409 ? exitCode : EXIT.failed
  const trouble = new CommandError(known, `${detail}${more}${number}`, fix, exit)
  return error.problem.problems.length === 0 ? trouble : new Refused(trouble, problemsOf(error))
}

/** A refusal with everything that is wrong with what was asked for. */
export class Refused extends CommandError {
  readonly problems: readonly Problem[]

  constructor(like: CommandError, problems: readonly Problem[]) {
    super(like.code, like.message, like.fix, like.exitCode)
    this.problems = problems
  }
}

/** Something else than the server spoke, or the server is no Kontroler. */
function unknownAnswer(status: number, url: string): CommandError {
  if (status === 407)
    return new CommandError(
      'SERVER_UNREACHABLE',
      'the proxy asks who you are',
      'see HTTPS_PROXY',
      EXIT.failed,
    )
  if (status === 502 || status === 503 || status === 504) {
    return new CommandError(
      'SERVER_UNREACHABLE',
      `what stands before ${url} says that it is not there (${status})`,
      'try again in a moment; see that the server runs',
      EXIT.failed,
    )
  }
  return noKontroler(url, `its answer is ${status}`)
}

export function noKontroler(url: string, why: string): CommandError {
  const fix = 'see that the address is right, with the path that it is served under'
  return new CommandError('NOT_A_SERVER', `${url} is not a Kontroler: ${why}`, fix, EXIT.failed)
}

const KNOWN = { ...COMMAND_CODES, ...PROBLEM_CODES, ...STORE_CODES, ...API_CODES }

function isKnown(code: string): code is keyof typeof KNOWN {
  return Object.hasOwn(KNOWN, code)
}

/** Places are those in the text that was sent. */
function problemsOf({ problem: { problems } }: ApiProblem): readonly Problem[] {
  return problems.map(({ code, severity, path, message, fix, at }) => ({
    code: code as Problem['code'],
    severity,
    path,
    message,
    fix,
    ...(at === undefined ? {} : { at: { file: SENT, line: at.line, column: at.column } }),
  }))
}

/** Name of a text that was sent, in the places of its problems. */
export const SENT = 'document'
