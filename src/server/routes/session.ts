import * as z from 'zod'
import type { User } from '../../ports/accounts.ts'
import type { Principal } from '../../ports/authenticator.ts'
import { meOf } from '../accounts/answers.ts'
import { checkPassword } from '../accounts/passwords.ts'
import { hashOf } from '../accounts/secrets.ts'
import {
  type Begun,
  accountsOf,
  beginSession,
  countTry,
  signInFailed,
  userByPassword,
} from '../accounts/sign-in.ts'
import { RequestProblem } from '../problem.ts'
import { type AnyRoute, type Answer, type Noted, ok, route } from '../route.ts'
import { me, methods, password, userName } from '../schemas/account.ts'

const SESSION = '/api/v1/session'
const COOKIE = { 'set-cookie': 'The session, for a browser.' } as const

const getSession = route({
  id: 'getSession',
  method: 'GET',
  path: SESSION,
  summary: 'Who asks, and what they may do',
  access: { kind: 'known' },
  responses: { 200: { description: 'Who asks.', schema: me } },
  handle: async ({ principal }) => ok(meOf(principal)),
})

const listMethods = route({
  id: 'listSignInMethods',
  method: 'GET',
  path: `${SESSION}/methods`,
  summary: 'How one can sign in here',
  access: { kind: 'public' },
  needs: 'accounts',
  responses: { 200: { description: 'The ways.', schema: methods } },
  async handle({ parts }) {
    const { accounts, settings, providers } = accountsOf(parts)
    return ok({
      setup: settings.passwords && (await accounts.isEmpty()),
      password: settings.passwords,
      providers: [...providers].map(([name, { title }]) => ({
        name,
        title,
        href: `/api/v1/oidc/${name}`,
      })),
    })
  },
})

const signIn = route({
  id: 'signInWithPassword',
  method: 'POST',
  path: SESSION,
  summary: 'Signs a user in with name and password, and gives a cookie',
  access: { kind: 'entrance' },
  needs: 'accounts',
  body: { kind: 'json', schema: z.strictObject({ name: z.string().min(1).max(200), password }) },
  responses: { 200: { description: 'Signed in.', schema: me, headers: COOKIE } },
  async handle({ body, header, address, note, parts }) {
    const user = await userByPassword(parts, { ...body, address }, known => note(actorOf(known)))
    return signedIn(await beginSession(parts, user, header('cookie')))
  },
})

const signOut = route({
  id: 'signOut',
  method: 'DELETE',
  path: SESSION,
  summary: 'Ends the session of the cookie, at once',
  access: { kind: 'self', proof: 'session' },
  needs: 'accounts',
  responses: { 204: { description: 'It has ended.', headers: { 'set-cookie': 'Takes the cookie away.' } } },
  async handle({ principal, parts }) {
    const { accounts, cookies } = accountsOf(parts)
    await accounts.removeSession(sessionOf(principal).session)
    return { status: 204, headers: { 'set-cookie': cookies.set(cookies.session, '', 0) } }
  },
})

const changePassword = route({
  id: 'changeOwnPassword',
  method: 'PUT',
  path: `${SESSION}/password`,
  summary: 'Changes the own password; all other sessions end, and this one gets another cookie',
  access: { kind: 'self', proof: 'session' },
  needs: 'accounts',
  body: { kind: 'json', schema: z.strictObject({ old: password, new: password }) },
  responses: { 200: { description: 'Changed.', schema: me, headers: COOKIE } },
  async handle({ body, principal, address, header, parts }) {
    const { accounts, passwords } = accountsOf(parts)
    const { name } = principal
    const { userVersion } = sessionOf(principal)
    checkPassword(body.new, name, parts.limits)
    // Who found an open browser must not be able to try passwords out faster than anybody else.
    const user = await userByPassword(parts, { name, password: body.old, address }, () => undefined)
    if (user.version !== userVersion) throw signInFailed()
    const hash = await passwords.hash(body.new)
    const changed = await accounts.changeUser(user.id, { password: hash, expected: userVersion })
    return signedIn(await beginSession(parts, changed, header('cookie')))
  },
})

const setUp = route({
  id: 'setUp',
  method: 'POST',
  path: '/api/v1/setup',
  summary:
    'Makes the first user, who may do everything, with the code that the server showed when it started',
  access: { kind: 'entrance' },
  needs: 'accounts',
  body: {
    kind: 'json',
    schema: z.strictObject({ code: z.string().min(1).max(500), name: userName, password }),
  },
  responses: { 201: { description: 'Made, and signed in.', schema: me, headers: COOKIE } },
  async handle({ body, address, header, note, parts }) {
    const { accounts, passwords, settings } = accountsOf(parts)
    const { code, name } = body
    if (!settings.passwords) throw codeWrong()
    checkPassword(body.password, name, parts.limits)
    await countTry(parts, null, address)
    const hash = await passwords.hash(body.password)
    const at = parts.clock.now()
    const id = parts.identity.id()
    const roles = new Map([['*', 'admin']] as const)
    const user = await accounts.setUp(hashOf(code), { id, name, password: hash, roles, at })
    if (user === null) throw codeWrong()
    note({ ...actorOf(user), object: `/api/v1/users/${name}` })
    const answer = signedIn(await beginSession(parts, user, header('cookie')))
    return { ...answer, status: 201 }
  },
})

export const SESSION_ROUTES: readonly AnyRoute[] = [
  getSession,
  listMethods,
  signIn,
  signOut,
  changePassword,
  setUp,
]

export const actorOf = (user: User): Noted => ({ actor: `user:${user.id}`, actorName: user.name })

function signedIn({ session, cookie }: Begun): Answer {
  const { user, endsAt } = session
  const proof = {
    kind: 'session',
    user: user.id,
    userVersion: user.version,
    session: session.hash,
    endsAt,
  } as const
  const principal = { id: `user:${user.id}`, name: user.name, roles: user.roles, proof }
  return ok(meOf(principal), { 'set-cookie': cookie })
}

function sessionOf({ proof }: Principal) {
  if (proof?.kind !== 'session') throw new Error('a route for sessions was asked without one')
  return proof
}

function codeWrong(): RequestProblem {
  const message = 'the code is not good, or there are users already'
  const fix = 'take the code that the server showed when it started the last time'
  return new RequestProblem('SIGN_IN_FAILED', message, fix).denying(null)
}
