import * as z from 'zod'
import { ACCOUNT_LIMITS, type Grants } from '../../ports/accounts.ts'
import type { Role } from '../../ports/authenticator.ts'
import { SERVER_LIMITS } from '../limits.ts'
import { pageOf, timeText } from './values.ts'

export const USER_NAME = /^[a-z0-9][a-z0-9._@-]{0,62}$/
const ROLES = ['viewer', 'editor', 'admin'] as const
const TOKEN_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,58}[A-Za-z0-9])?$/

export const userParams = z.object({ user: z.string().regex(USER_NAME).describe('Name of the user.') })
const tokenId = z.string().regex(/^[0-9a-f-]{36}$/)
export const tokenParams = z.object({ token: tokenId })
export const userTokenParams = userParams.extend({ token: tokenId })
export const providerParams = z.object({
  provider: z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/),
})

export const userName = z
  .string()
  .transform(name => name.toLowerCase())
  .pipe(z.string().regex(USER_NAME, 'use small letters, digits and . _ @ -, at most 63'))
  .meta({ type: 'string', pattern: USER_NAME.source })
/** Bounded before it is looked at; whether it is good enough is another question. */
export const password = z
  .string()
  .min(1)
  .max(4 * SERVER_LIMITS.passwordLengthMax)

/** `{"team-a": "editor", "*": "viewer"}` */
export const roles = z
  .record(z.string().regex(/^(?:\*|[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)$/), z.enum(ROLES))
  .refine(given => Object.keys(given).length <= ACCOUNT_LIMITS.grantsMax, {
    message: `name at most ${ACCOUNT_LIMITS.grantsMax} namespaces`,
  })
  .describe('Role by namespace; `*` stands for all that are not named.')
export const tokenName = z.string().regex(TOKEN_NAME, 'use letters, digits, spaces and . _ -, at most 60')

const rolesAnswer = z.record(z.string(), z.enum(ROLES))

export const me = z
  .object({
    id: z.string(),
    name: z.string(),
    by: z.enum(['session', 'token', 'other']).describe('`other`: known by other means than an account.'),
    roles: rolesAnswer,
    endsAt: timeText.nullable().describe('When the session or token ends, used or not.'),
  })
  .meta({ id: 'Me' })

export const methods = z
  .object({
    setup: z.boolean().describe('There is no user yet: the first one is made with the setup code.'),
    password: z.boolean(),
    providers: z.array(z.object({ name: z.string(), title: z.string(), href: z.string() })),
  })
  .meta({ id: 'SignInMethods' })

export const userAnswer = z
  .object({
    id: z.string(),
    name: z.string(),
    roles: rolesAnswer,
    disabled: z.boolean(),
    hasPassword: z.boolean(),
    issuer: z.string().nullable().describe('The identity provider that vouches for them.'),
    createdAt: timeText,
  })
  .meta({ id: 'User' })
export const userPage = pageOf(userAnswer).meta({ id: 'UserPage' })

export const tokenAnswer = z
  .object({
    id: z.string(),
    name: z.string(),
    roles: rolesAnswer,
    createdAt: timeText,
    expiresAt: timeText.nullable(),
    usedAt: timeText.nullable(),
    revokedAt: timeText.nullable(),
  })
  .meta({ id: 'Token' })
export const tokenList = z.object({ items: z.array(tokenAnswer) }).meta({ id: 'TokenList' })
export const newToken = tokenAnswer
  .extend({ token: z.string().describe('Shown this once.') })
  .meta({ id: 'NewToken' })

export const auditEntry = z
  .object({
    seq: z.int(),
    at: timeText,
    actor: z.string(),
    actorName: z.string(),
    action: z.string().describe('Name of the operation, as in this document.'),
    namespace: z.string().nullable(),
    object: z.string().nullable(),
    outcome: z.enum(['done', 'denied', 'refused', 'failed']),
    code: z.string().nullable().describe('Of the problem, when it was not done.'),
    address: z.string().nullable(),
    before: z.string().nullable().describe('Names the content of the object before.'),
    after: z.string().nullable(),
    unrecorded: z.int().describe('Denied requests of this origin that were too many to be written down.'),
    previous: z.string().describe('Hash of the entry before.'),
    hash: z.string(),
  })
  .meta({ id: 'AuditEntry' })
export const auditPage = pageOf(auditEntry).meta({ id: 'AuditPage' })

const mark = z.object({ seq: z.int(), hash: z.string() })
export const auditVerdict = z
  .object({
    intact: z.boolean(),
    entries: z.int(),
    first: z.int().nullable().describe('The oldest entry that is kept.'),
    last: mark.nullable().describe('Note it elsewhere, and give it to a later verification.'),
    broken: z.object({ seq: z.int(), why: z.string() }).nullable(),
  })
  .meta({ id: 'AuditVerdict' })

export const grantsOf = (given: Readonly<Record<string, Role>>): Grants => new Map(Object.entries(given))
/** In order of the names of namespaces. */
export const rolesOf = (grants: Grants): Record<string, Role> =>
  Object.fromEntries([...grants].toSorted(([a], [b]) => (a < b ? -1 : 1)))
