import * as z from 'zod'
import { type User, ACCOUNT_CODES } from '../../ports/accounts.ts'
import { tagOf, tokenAnswerOf, userAnswerOf } from '../accounts/answers.ts'
import { checkPassword } from '../accounts/passwords.ts'
import { accountsOf } from '../accounts/sign-in.ts'
import type { ServerParts } from '../parts.ts'
import { RequestProblem } from '../problem.ts'
import { type AnyRoute, ok, route } from '../route.ts'
import {
  grantsOf,
  password,
  roles,
  tokenList,
  userAnswer,
  userName,
  userPage,
  userParams,
  userTokenParams,
} from '../schemas/account.ts'
import { after, limit } from '../schemas/values.ts'
import { given } from '../given.ts'
import { unknownToken } from './tokens.ts'

const USERS = '/api/v1/users'
const USER = `${USERS}/{user}`
const ETAG = { etag: 'Names what the user is now; send it as If-Match with a change.' } as const
/** Who manages users can make themselves anything: no role in one namespace is enough for that. */
const ADMIN = { kind: 'everything', permission: 'admin' } as const

const listUsers = route({
  id: 'listUsers',
  method: 'GET',
  path: USERS,
  summary: 'Users, in order of their names',
  access: ADMIN,
  needs: 'accounts',
  query: z.strictObject({
    name: z.string().min(1).max(63).optional().describe('Only users whose name starts with it.'),
    limit,
    after,
  }),
  responses: { 200: { description: 'One page.', schema: userPage } },
  async handle({ query: { name, ...rest }, parts }) {
    const query = { ...given(rest), ...(name === undefined ? {} : { namePrefix: name }) }
    const { items, next } = await accountsOf(parts).accounts.users(query)
    return ok({ items: items.map(userAnswerOf), next })
  },
})

const createUser = route({
  id: 'createUser',
  method: 'POST',
  path: USERS,
  summary: 'Makes a user who signs in with a password',
  access: ADMIN,
  needs: 'accounts',
  body: { kind: 'json', schema: z.strictObject({ name: userName, password, roles: roles.default({}) }) },
  responses: {
    201: { description: 'Made.', schema: userAnswer, headers: { ...ETAG, location: 'Where it is.' } },
  },
  async handle({ body, parts }) {
    const { accounts, passwords } = accountsOf(parts)
    const { name } = body
    checkPassword(body.password, name, parts.limits)
    const user = await accounts.addUser({
      id: parts.identity.id(),
      name,
      password: await passwords.hash(body.password),
      roles: grantsOf(body.roles),
      at: parts.clock.now(),
    })
    const headers = { location: `${USERS}/${name}`, etag: `"${tagOf(user)}"` }
    return { status: 201, headers, body: userAnswerOf(user) }
  },
})

const getUser = route({
  id: 'getUser',
  method: 'GET',
  path: USER,
  summary: 'One user',
  access: ADMIN,
  needs: 'accounts',
  params: userParams,
  responses: { 200: { description: 'The user.', schema: userAnswer, headers: ETAG } },
  async handle({ params, parts }) {
    const user = await userNamed(parts, params.user)
    return ok(userAnswerOf(user), { etag: `"${tagOf(user)}"` })
  },
})

const changeUser = route({
  id: 'changeUser',
  method: 'PUT',
  path: USER,
  summary:
    'Changes roles, password, or whether a user may come in; what is left out stays. Their sessions end',
  access: ADMIN,
  needs: 'accounts',
  params: userParams,
  headers: { 'if-match': 'ETag of what the change was made from.' },
  body: {
    kind: 'json',
    schema: z.strictObject({
      roles: roles.optional(),
      disabled: z.boolean().optional(),
      password: password.optional(),
    }),
  },
  responses: { 200: { description: 'Changed.', schema: userAnswer, headers: ETAG } },
  async handle({ params, body, header, note, parts }) {
    const { accounts, passwords } = accountsOf(parts)
    const user = await userNamed(parts, params.user)
    note({ before: tagOf(user) })
    checkMatch(header('if-match'), user)
    if (body.password !== undefined) checkNewPassword(parts, user, body.password)
    const changed = await accounts.changeUser(user.id, {
      expected: user.version,
      ...(body.roles === undefined ? {} : { roles: grantsOf(body.roles) }),
      ...(body.disabled === undefined ? {} : { disabled: body.disabled }),
      ...(body.password === undefined ? {} : { password: await passwords.hash(body.password) }),
    })
    return ok(userAnswerOf(changed), { etag: `"${tagOf(changed)}"` })
  },
})

const deleteUser = route({
  id: 'deleteUser',
  method: 'DELETE',
  path: USER,
  summary: 'Takes a user away, with all sessions and tokens',
  access: ADMIN,
  needs: 'accounts',
  params: userParams,
  headers: { 'if-match': 'ETag of who is to go.' },
  responses: { 204: { description: 'Gone.' } },
  async handle({ params, header, note, parts }) {
    const user = await userNamed(parts, params.user)
    note({ before: tagOf(user) })
    checkMatch(header('if-match'), user)
    await accountsOf(parts).accounts.removeUser(user.id)
    return { status: 204 }
  },
})

const listUserTokens = route({
  id: 'listUserTokens',
  method: 'GET',
  path: `${USER}/tokens`,
  summary: 'Tokens of a user, newest first',
  access: ADMIN,
  needs: 'accounts',
  params: userParams,
  responses: { 200: { description: 'All of them.', schema: tokenList } },
  async handle({ params, parts }) {
    const user = await userNamed(parts, params.user)
    const items = await accountsOf(parts).accounts.tokens(user.id)
    return ok({ items: items.map(tokenAnswerOf) })
  },
})

const revokeUserToken = route({
  id: 'revokeUserToken',
  method: 'DELETE',
  path: `${USER}/tokens/{token}`,
  summary: 'Revokes a token of a user, at once',
  access: ADMIN,
  needs: 'accounts',
  params: userTokenParams,
  responses: { 204: { description: 'It is good no more.' } },
  async handle({ params, parts }) {
    const user = await userNamed(parts, params.user)
    const { accounts } = accountsOf(parts)
    if (!(await accounts.revokeToken(user.id, params.token, parts.clock.now()))) throw unknownToken()
    return { status: 204 }
  },
})

export const USER_ROUTES: readonly AnyRoute[] = [
  listUsers,
  createUser,
  getUser,
  changeUser,
  deleteUser,
  listUserTokens,
  revokeUserToken,
]

async function userNamed(parts: ServerParts, name: string): Promise<User> {
  const found = await accountsOf(parts).accounts.userNamed(name)
  if (found !== null) return found.user
  throw new RequestProblem('UNKNOWN_USER', ACCOUNT_CODES.UNKNOWN_USER, 'check the name, or see the list')
}

function checkMatch(header: string | null, user: User): void {
  if (header === null) return
  const tags = header.split(',').map(tag => tag.trim())
  if (tags.includes('*') || tags.includes(`"${tagOf(user)}"`)) return
  const fix = 'read it again, and make your change to what it is now'
  throw new RequestProblem('USER_CHANGED', ACCOUNT_CODES.USER_CHANGED, fix)
}

/** A password would be a second way in, past the provider that says whether somebody may still come. */
function checkNewPassword(parts: ServerParts, user: User, given: string): void {
  if (user.issuer !== null) {
    const message = 'this user signs in at an identity provider'
    throw new RequestProblem('INVALID_REQUEST', message, 'change the password there')
  }
  checkPassword(given, user.name, parts.limits)
}
