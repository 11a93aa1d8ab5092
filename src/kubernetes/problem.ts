/**
 * What went wrong with a request, as a closed list:
 *
 * | kind | HTTP | meaning |
 * |---|---|---|
 * | `badRequest` | 400 and other 4xx | the request itself is wrong |
 * | `unauthorized` | 401 | no or bad credentials, also after they were read again |
 * | `forbidden` | 403 | RBAC, an admission plugin or a quota said no |
 * | `notFound` | 404 | no such object, resource or namespace |
 * | `methodNotAllowed`, `notAcceptable`, `tooLarge` | 405, 406 and 415, 413 | |
 * | `alreadyExists` | 409 | the name is taken |
 * | `conflict` | 409 | a resourceVersion, UID or field manager does not agree |
 * | `gone` | 410 | the resourceVersion or `continue` token is too old |
 * | `invalid` | 422 | refused field by field, see `causes` |
 * | `tooManyRequests` | 429 | the server throttles; also an eviction that a disruption budget forbids |
 * | `internal` | 500 and other 5xx | |
 * | `unavailable` | 502, 503 | the server starts, stops, or has no database |
 * | `timeout` | 504, or no answer in time | |
 * | `unreachable` | none | no connection, or one that broke |
 * | `untrusted` | none | the server's certificate does not fit the CA or the name |
 * | `credentials` | none | a file, plugin or kubeconfig gave nothing to log in with |
 * | `aborted` | none | the caller's signal, or the client was closed |
 * | `garbled` | 2xx | the answer is not what was asked for |
 */
export type ProblemKind =
  | 'badRequest'
  | 'unauthorized'
  | 'forbidden'
  | 'notFound'
  | 'methodNotAllowed'
  | 'notAcceptable'
  | 'tooLarge'
  | 'alreadyExists'
  | 'conflict'
  | 'gone'
  | 'invalid'
  | 'tooManyRequests'
  | 'internal'
  | 'unavailable'
  | 'timeout'
  | 'unreachable'
  | 'untrusted'
  | 'credentials'
  | 'aborted'
  | 'garbled'

/**
 * Whether the request may have been carried out: `none` is certain, `unknown` means that it may have been, or may still
 * be in some seconds. A create with effect `unknown` is sent again by whoever derived its name.
 */
export type Effect = 'none' | 'unknown'

/** One field of an object that was refused. */
export interface ProblemCause {
  /** As the server writes it: `spec.containers[0].image`. */
  readonly field: string
  /** `FieldValueRequired`, `FieldValueInvalid`, … */
  readonly reason: string
  readonly message: string
}

export interface ProblemFacts {
  readonly kind: ProblemKind
  readonly effect: Effect
  readonly message: string
  /** HTTP status, or the code of an ERROR event; 0 when there was no answer. */
  readonly status?: number
  /** The server's own word, such as `Expired`; or the code of a broken connection, such as `ECONNRESET`. */
  readonly reason?: string
  readonly causes?: readonly ProblemCause[]
  readonly retryAfterMs?: number | null
  /** What was asked: `POST /api/v1/namespaces/a/pods`. Queries and bodies are not part of it. */
  readonly request?: string
}

/** A request to a Kubernetes API that did not succeed. Decide by `kind` and `effect`, never by the text. */
export class ApiProblem extends Error {
  readonly code = 'KUBERNETES_REQUEST_FAILED'
  readonly kind: ProblemKind
  readonly effect: Effect
  readonly status: number
  readonly reason: string
  readonly causes: readonly ProblemCause[]
  /** How long the server wants to be left alone, in milliseconds; null when it did not say. */
  readonly retryAfterMs: number | null
  readonly request: string
  /** The server's or the system's words, without the request in front. */
  readonly detail: string

  constructor(facts: ProblemFacts) {
    super(facts.request === undefined ? facts.message : `${facts.request}: ${facts.message}`)
    this.kind = facts.kind
    this.effect = facts.effect
    this.status = facts.status ?? 0
    this.reason = facts.reason ?? ''
    this.causes = facts.causes ?? []
    this.retryAfterMs = facts.retryAfterMs ?? null
    this.request = facts.request ?? ''
    this.detail = facts.message
  }
}

/** `error is ApiProblem` of one of these kinds. */
export const isProblem = (error: unknown, ...kinds: readonly ProblemKind[]): error is ApiProblem =>
  error instanceof ApiProblem && (kinds.length === 0 || kinds.includes(error.kind))

/** The same problem, with more known about what the request may have done. */
export const withEffect = (problem: ApiProblem, effect: Effect): ApiProblem =>
  problem.effect === effect
    ? problem
    : new ApiProblem({
        kind: problem.kind,
        effect,
        message: problem.detail,
        status: problem.status,
        reason: problem.reason,
        causes: problem.causes,
        retryAfterMs: problem.retryAfterMs,
        request: problem.request,
      })
