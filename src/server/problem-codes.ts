import { ACCOUNT_CODES } from '../ports/accounts.ts'

/**
 * Codes of what goes wrong between a client and the server, each with its HTTP status and what it means; beside those
 * of documents, requests and the store, which are the same everywhere. Stable like these.
 */
export const API_CODES = {
  INVALID_REQUEST: [400, 'a parameter, header or field of the request does not fit'],
  MALFORMED_BODY: [400, 'the body is not JSON, or not UTF-8'],
  UNAUTHENTICATED: [401, 'the request says not, or not rightly, who asks'],
  SIGN_IN_FAILED: [
    401,
    'name and password do not belong together, or what came from elsewhere proves nothing',
  ],
  FORBIDDEN: [403, 'who asks may look, but not do this'],
  WRONG_ORIGIN: [403, 'another site asks, in the name of somebody who is signed in here'],
  NO_ROLE: [403, 'who signs in is known, and has no role here'],
  NOT_FOUND: [404, 'there is nothing of that address'],
  UNKNOWN_DELIVERY: [404, 'the run has no message of that number'],
  NO_ACCOUNTS: [404, 'this server has no accounts: it knows one user, by a token'],
  UNKNOWN_USER: [404, ACCOUNT_CODES.UNKNOWN_USER],
  UNKNOWN_TOKEN: [404, 'there is no such token that is still good'],
  METHOD_NOT_ALLOWED: [405, 'the address is there, but not with that method'],
  NOT_ACCEPTABLE: [406, 'the client takes none of the forms that the answer has'],
  REQUEST_TIMEOUT: [408, 'the request did not arrive in time'],
  USER_EXISTS: [409, ACCOUNT_CODES.USER_EXISTS],
  LAST_ADMIN: [409, ACCOUNT_CODES.LAST_ADMIN],
  TOO_MANY_TOKENS: [409, ACCOUNT_CODES.TOO_MANY_TOKENS],
  USER_CHANGED: [412, ACCOUNT_CODES.USER_CHANGED],
  BODY_TOO_LARGE: [413, 'the body is larger than is taken'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'the body is of a form that is not taken here'],
  WRONG_HOST: [421, 'the request is for another host than this one'],
  INVALID_DOCUMENT: [422, 'a document has errors; they are listed with their places'],
  WEAK_PASSWORD: [422, 'the password is too easily guessed'],
  ROLE_TOO_WIDE: [422, 'a token cannot be allowed more than its owner'],
  PRECONDITION_REQUIRED: [428, 'a change of what is there has to say what it was made from'],
  EVENT_REFUSED: [422, 'the filter or a mapping of a trigger cannot be worked out for this event'],
  TOO_MANY_REQUESTS: [429, 'one address sends more than it may'],
  TOO_MANY_STREAMS: [429, 'as many streams are open as there may be'],
  TOO_MANY_TRIES: [429, 'too many tries to sign in; the answer says how long to wait'],
  HEADERS_TOO_LARGE: [431, 'the headers are larger than is taken'],
  INTERNAL: [500, 'the server has a bug; its own log knows more, under the correlation id'],
  NOT_AUDITED: [500, 'it was done, but the audit log does not hold it: the database failed in between'],
  PROVIDER_UNAVAILABLE: [503, 'the identity provider cannot be reached'],
  NOT_READY: [503, 'the server is starting, closing, or cannot reach its database'],
} as const satisfies Readonly<Record<string, readonly [status: number, meaning: string]>>

export type ApiCode = keyof typeof API_CODES
