/**
 * | code | meaning |
 * |---|---|
 * | `LOG_S3_CREDENTIALS` | nothing was found to sign with: no keys, no role, no instance profile |
 * | `LOG_S3_DENIED` | the key is unknown, the secret wrong, or the role may not do this |
 * | `LOG_S3_NO_BUCKET` | there is no such bucket at this endpoint and in this region |
 * | `LOG_S3_UNREACHABLE` | no answer, or one that broke off |
 * | `LOG_S3_FAILED` | anything else that the server says |
 * | `LOG_S3_DIFFERS` | what is stored is not what was to be stored |
 * | `LOG_S3_CLOSED` | the store was closed, or the log given up, before it was there |
 */
export type S3ProblemCode =
  | 'LOG_S3_CREDENTIALS'
  | 'LOG_S3_DENIED'
  | 'LOG_S3_NO_BUCKET'
  | 'LOG_S3_UNREACHABLE'
  | 'LOG_S3_FAILED'
  | 'LOG_S3_DIFFERS'
  | 'LOG_S3_CLOSED'

/** A log could not be written to or read from S3. */
export class S3Problem extends Error {
  readonly code: S3ProblemCode

  constructor(code: S3ProblemCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'S3Problem'
    this.code = code
  }
}

/** There is no such object. A question for its head alone cannot tell that there is no such bucket. */
export const isMissing = (error: unknown): boolean => ['NoSuchKey', 'NotFound'].includes(nameOf(error))

/** Reading from behind the end. */
export const isBehindEnd = (error: unknown): boolean =>
  nameOf(error) === 'InvalidRange' || statusOf(error) === 416

/** An error of the SDK, as one of ours; the words never hold a secret or a signature. */
export function problemOf(error: unknown, bucket: string): S3Problem {
  if (error instanceof S3Problem) return error
  const name = nameOf(error)
  const said = error instanceof Error && error.message !== '' ? `${name}: ${error.message}` : name
  const problem = (code: S3ProblemCode, message: string): S3Problem =>
    new S3Problem(code, `${message} (${said})`, { cause: error })
  if (CREDENTIALS.has(name))
    return problem(
      'LOG_S3_CREDENTIALS',
      'Nothing was found to sign with: set keys, or a role of the service account.',
    )
  if (name === 'NoSuchBucket')
    return problem('LOG_S3_NO_BUCKET', `There is no bucket "${bucket}" here: see name, region.`)
  const status = statusOf(error)
  if (DENIED.has(name) || status === 401 || status === 403)
    return problem(
      'LOG_S3_DENIED',
      `Bucket "${bucket}" refused these credentials: check key, secret and policy.`,
    )
  if (status === null) return problem('LOG_S3_UNREACHABLE', 'The S3 endpoint does not answer.')
  return problem('LOG_S3_FAILED', `The S3 server answered with status ${status}.`)
}

const CREDENTIALS = new Set(['CredentialsProviderError', 'TokenProviderError', 'ProviderError'])
const DENIED = new Set([
  'AccessDenied',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
])

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : String(error))

function statusOf(error: unknown): number | null {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return null
  const metadata: unknown = error.$metadata
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return null
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : null
}
