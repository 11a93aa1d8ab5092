import * as z from 'zod'
import type { Token } from '../../ports/accounts.ts'
import type { Principal, Proof } from '../../ports/authenticator.ts'
import { tokenAnswerOf } from '../accounts/answers.ts'
import { tooWide } from '../accounts/roles.ts'
import { hashOf, newToken } from '../accounts/secrets.ts'
import { accountsOf, signInFailed } from '../accounts/sign-in.ts'
import { RequestProblem } from '../problem.ts'
import { type AnyRoute, ok, route } from '../route.ts'
import * as schemas from '../schemas/account.ts'
import { moment } from '../schemas/values.ts'

const TOKENS = '/api/v1/tokens'
const DAYS_DEFAULT = 90
const DAY_MS = 86_400_000

const listTokens = route({
  id: 'listTokens',
  method: 'GET',
  path: TOKENS,
  summary: 'Own tokens, newest first; never the tokens themselves',
  access: { kind: 'self', proof: 'any' },
  needs: 'accounts',
  responses: { 200: { description: 'All of them.', schema: schemas.tokenList } },
  async handle({ principal, parts }) {
    const items = await accountsOf(parts).accounts.tokens(proofOf(principal).user)
    return ok({ items: items.map(tokenAnswerOf) })
  },
})

const createToken = route({
  id: 'createToken',
  method: 'POST',
  path: TOKENS,
  summary: 'Makes a token for a program; it is shown this once',
  access: { kind: 'self', proof: 'session' },
  needs: 'accounts',
  body: {
    kind: 'json',
    schema: z.strictObject({
      name: schemas.tokenName,
      roles: schemas.roles
        .optional()
        .describe('What it may do at most. Default: what its owner may, whenever it is used.'),
      expiresAt: moment.nullable().optional().describe('Default: in 90 days; null: never.'),
    }),
  },
  responses: {
    201: {
      description: 'Made.',
      schema: schemas.newToken,
      headers: { location: 'Where it is revoked.' },
    },
  },
  async handle({ body, principal, parts }) {
    const { accounts } = accountsOf(parts)
    const proof = proofOf(principal)
    if (proof.kind !== 'session') throw signInFailed()
    const at = parts.clock.now()
    const expiresAt = body.expiresAt === undefined ? at + DAYS_DEFAULT * DAY_MS : body.expiresAt
    if (expiresAt !== null && expiresAt <= at)
      throw new RequestProblem('INVALID_REQUEST', 'expiresAt is over already', 'give a later time')
    const roles = schemas.grantsOf(body.roles ?? { '*': 'admin' })
    const over = body.roles === undefined ? [] : tooWide(roles, principal.roles)
    if (over.length > 0) {
      const message = `you have less than that yourself in ${over.slice(0, 10).join(', ')}`
      throw new RequestProblem('ROLE_TOO_WIDE', message, 'ask for roles that you have')
    }
    const token = newToken()
    const id = parts.identity.id()
    const { name } = body
    const { user, userVersion } = proof
    const fields = { id, name, roles, expiresAt }
    if (!(await accounts.addToken({ ...fields, hash: hashOf(token), user, userVersion, at })))
      throw signInFailed()
    const made: Token = { ...fields, createdAt: at, usedAt: null, revokedAt: null }
    const headers = { location: `${TOKENS}/${id}` }
    return { status: 201, headers, body: { ...tokenAnswerOf(made), token } }
  },
})

const revokeToken = route({
  id: 'revokeToken',
  method: 'DELETE',
  path: `${TOKENS}/{token}`,
  summary: 'Revokes an own token, at once',
  access: { kind: 'self', proof: 'any' },
  needs: 'accounts',
  params: schemas.tokenParams,
  responses: { 204: { description: 'It is good no more.' } },
  async handle({ params, principal, parts }) {
    const { accounts } = accountsOf(parts)
    const { user } = proofOf(principal)
    if (!(await accounts.revokeToken(user, params.token, parts.clock.now()))) throw unknownToken()
    return { status: 204 }
  },
})

export const TOKEN_ROUTES: readonly AnyRoute[] = [listTokens, createToken, revokeToken]

export function unknownToken(): RequestProblem {
  const message = 'there is no such token that is still good'
  return new RequestProblem('UNKNOWN_TOKEN', message, 'see the list')
}

function proofOf({ proof }: Principal): Proof {
  if (proof === undefined) throw new Error('a route for accounts was asked without one')
  return proof
}
