import type { ProblemCode } from '../core/problem-codes.ts'
import type { Problem } from '../core/problem.ts'
import { AccountError, type AccountErrorCode } from '../ports/accounts.ts'
import { StoreError, type StoreErrorCode } from '../ports/store.ts'
import { API_CODES, type ApiCode } from './problem-codes.ts'
import type { ProblemAnswer } from './schemas/problem.ts'

export type AnyCode = ApiCode | ProblemCode | StoreErrorCode

/** What is wrong with a request, on its way to becoming an answer. */
export class RequestProblem extends Error {
  readonly code: AnyCode
  readonly status: number
  readonly fix: string
  readonly problems: readonly Problem[]
  readonly headers: Readonly<Record<string, string>>
  /** Of what is not allowed: what it was about. Never told to who asks. */
  denied: { readonly namespace: string | null } | null = null

  constructor(
    code: AnyCode,
    message: string,
    fix: string,
    more: {
      readonly problems?: readonly Problem[]
      readonly headers?: Readonly<Record<string, string>>
    } = {},
  ) {
    super(message)
    this.name = 'RequestProblem'
    this.code = code
    this.status = statusOf(code)
    this.fix = fix
    this.problems = more.problems ?? []
    this.headers = more.headers ?? {}
  }

  denying(namespace: string | null): this {
    this.denied = { namespace }
    return this
  }
}

/** The answer of one that is not there, or is somebody else's: nothing tells the two apart. */
export function notThere(what: 'run' | 'DAG' | 'task', name: string): RequestProblem {
  const code = ({ run: 'UNKNOWN_RUN', DAG: 'UNKNOWN_DAG', task: 'UNKNOWN_TASK' } as const)[what]
  return new RequestProblem(code, `there is no ${what} ${name}`, 'check the name, or see the list')
}

/** Problems of what was asked for as one: its code is that of the first. */
export function refusedFor(problems: readonly Problem[]): RequestProblem {
  const [first] = problems
  if (first === undefined) throw new Error('refused for no reason')
  if (problems.length === 1) return new RequestProblem(first.code, first.message, first.fix, { problems })
  const more = `${first.message}, and ${problems.length - 1} more`
  return new RequestProblem(first.code, more, first.fix, { problems })
}

/** Any error as a problem. What is not known is a bug, of which nothing is told but its number in the log. */
export function problemOf(error: unknown): RequestProblem {
  if (error instanceof RequestProblem) return error
  if (error instanceof StoreError) return storeProblem(error)
  if (error instanceof AccountError)
    return new RequestProblem(error.code, error.message, ACCOUNT_FIXES[error.code])
  return (
    FASTIFY[codeOf(error)]?.() ??
    new RequestProblem('INTERNAL', 'something went wrong here', 'report it, with the correlation id')
  )
}

export function answerOf(problem: RequestProblem, correlationId: string): ProblemAnswer {
  const { code, status, message, fix, problems } = problem
  return {
    type: `urn:kontroler:problem:${code}`,
    title: titleOf(status),
    status,
    code,
    detail: message,
    fix,
    correlationId,
    problems: problems.map(({ at, ...rest }) => ({
      ...rest,
      path: [...rest.path],
      ...(at === undefined ? {} : { at: { line: at.line, column: at.column } }),
    })),
  }
}

const STATUS: Partial<Record<AnyCode, number>> = {
  UNKNOWN_RUN: 404,
  UNKNOWN_DAG: 404,
  UNKNOWN_TASK: 404,
  RUN_GONE: 404,
  RUN_FINISHED: 409,
  RUN_NOT_FINISHED: 409,
  NOTHING_TO_RETRY: 409,
  NOT_WAITING: 409,
  RUN_EXISTS: 409,
  DAG_OWNED: 409,
  DAG_CHANGED: 412,
  BAD_CURSOR: 400,
  VERSION_CONFLICT: 409,
}

/** Codes of the store that mean that the same request may do later. */
const LATER: ReadonlySet<AnyCode> = new Set<StoreErrorCode>([
  'DISK_FULL',
  'READ_ONLY',
  'DATABASE_BUSY',
  'DATABASE_UNAVAILABLE',
  'POOL_FULL',
])

function statusOf(code: AnyCode): number {
  if (code in API_CODES) return API_CODES[code as ApiCode][0]
  return STATUS[code] ?? (LATER.has(code) ? 503 : code in STORE_BUGS ? 500 : 422)
}

const STORE_BUGS: Partial<Record<AnyCode, true>> = {
  DATABASE_CORRUPT: true,
  SCHEMA_CHANGED: true,
  SCHEMA_TOO_NEW: true,
  UNSUPPORTED_FILESYSTEM: true,
}

const ACCOUNT_FIXES: Readonly<Record<AccountErrorCode, string>> = {
  USER_EXISTS: 'give another name',
  UNKNOWN_USER: 'check the name, or see the list',
  USER_CHANGED: 'read it again, and make your change to what it is now',
  LAST_ADMIN: 'give another user the role admin for all namespaces first',
  TOO_MANY_TOKENS: 'revoke those that are not used',
}

/** Messages of the store may name files; what is told here names none. */
function storeProblem({ code }: StoreError): RequestProblem {
  if (code === 'BAD_CURSOR') {
    const message = 'the cursor is not one that a page gave'
    return new RequestProblem(code, message, 'take `next` of the page before, or start from the first page')
  }
  if (LATER.has(code)) {
    const message = 'the database cannot take this now'
    return new RequestProblem(code, message, 'try again in a moment', { headers: { 'retry-after': '2' } })
  }
  return new RequestProblem(code, 'the database refused this', 'see the log of the server')
}

const titles: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Not signed in',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  406: 'Not acceptable',
  408: 'Too slow',
  409: 'Conflict',
  412: 'Changed meanwhile',
  413: 'Too large',
  415: 'Form not taken',
  421: 'Wrong host',
  422: 'Cannot be done as asked',
  428: 'Say what you change',
  429: 'Too many',
  431: 'Headers too large',
  500: 'Internal error',
  503: 'Not now',
}

const titleOf = (status: number): string => titles[status] ?? 'Error'

/** What the HTTP library refuses before a route is asked. */
const FASTIFY: Readonly<Record<string, () => RequestProblem>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () =>
    new RequestProblem('BODY_TOO_LARGE', 'the body is larger than 1 MiB', 'send less'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => unsupported('such a body'),
  FST_ERR_CTP_EMPTY_TYPE: () => unsupported('a body without a content-type'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () =>
    new RequestProblem('MALFORMED_BODY', 'the body is not as long as it says', 'send a right content-length'),
  FST_ERR_BAD_URL: () => noAddress(),
  FST_ERR_MAX_PARAM_LENGTH: () => noAddress(),
  // The client has gone; nobody reads this.
  ECONNRESET: () => new RequestProblem('MALFORMED_BODY', 'the body broke off', 'send it again'),
}

export function tooMany(): RequestProblem {
  return new RequestProblem('TOO_MANY_REQUESTS', 'too much comes from there', 'send less, and later', {
    headers: { 'retry-after': '10' },
  })
}

export function noAddress(): RequestProblem {
  return new RequestProblem('NOT_FOUND', 'there is nothing of that address', 'see /api/v1/openapi.json')
}

export function unsupported(what: string, forms = 'application/json'): RequestProblem {
  return new RequestProblem(
    'UNSUPPORTED_MEDIA_TYPE',
    `${what} is not taken here`,
    `send it with content-type: ${forms}`,
  )
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
