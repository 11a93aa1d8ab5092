import * as z from 'zod'
import type { OidcProvider } from '../accounts/oidc.ts'
import { accountsOf, beginSession, countTry, signInFailed } from '../accounts/sign-in.ts'
import { credentialsOf } from '../guard.ts'
import type { ServerParts } from '../parts.ts'
import { RequestProblem } from '../problem.ts'
import { type AnyRoute, route } from '../route.ts'
import { providerParams } from '../schemas/account.ts'
import { actorOf } from './session.ts'

const PROVIDER = '/api/v1/oidc/{provider}'
/** How long somebody may take to sign in at the provider. */
const FLOW_SECONDS = 600

const begin = route({
  id: 'beginOidc',
  method: 'GET',
  path: PROVIDER,
  summary: 'Sends a browser to an identity provider, to sign in there',
  access: { kind: 'public' },
  needs: 'accounts',
  params: providerParams,
  query: z.strictObject({
    to: z.string().max(1_000).optional().describe('Path of this server to go on at; anything else: `/`.'),
  }),
  responses: {
    303: {
      description: 'On to the provider.',
      headers: { location: 'The provider.', 'set-cookie': 'Holds this browser to what it began.' },
    },
  },
  async handle({ params, query, parts }) {
    const { location, flow } = await providerOf(parts, params.provider).begin(query.to ?? '/')
    const { cookies } = accountsOf(parts)
    return { status: 303, headers: { location, 'set-cookie': cookies.set(cookies.flow, flow, FLOW_SECONDS) } }
  },
})

const finish = route({
  id: 'finishOidc',
  method: 'GET',
  path: `${PROVIDER}/callback`,
  summary: 'Where an identity provider sends a browser back to: signs its user in',
  access: { kind: 'entrance' },
  needs: 'accounts',
  params: providerParams,
  query: z.looseObject({}),
  responses: {
    303: {
      description: 'Signed in.',
      headers: { location: 'Where to go on.', 'set-cookie': 'The session.' },
    },
  },
  async handle({ params, url, header, address, note, parts }) {
    const { accounts, cookies } = accountsOf(parts)
    const cookie = header('cookie')
    const flow = credentialsOf(cookie === null ? {} : { cookie }).cookies.get(cookies.flow)
    const provider = providerOf(parts, params.provider)
    // Each one asks the provider: nobody may have it asked as often as they like.
    const counted = await countTry(parts, null, address)
    const at = url.indexOf('?')
    const { returnTo, ...identity } = await provider.finish(at < 0 ? '' : url.slice(at), flow)
    const id = parts.identity.id()
    const user = await accounts.userOfIdentity({ ...identity, id, at: parts.clock.now() })
    note(actorOf(user))
    if (user.disabled) throw signInFailed()
    if (identity.roles !== null && identity.roles.size === 0) {
      const message = 'your groups give you no role here'
      throw new RequestProblem('NO_ROLE', message, 'ask who manages the users').denying(null)
    }
    await accounts.forgive(counted.user, counted.address)
    const begun = await beginSession(parts, user, cookie)
    const set = [begun.cookie, cookies.set(cookies.flow, '', 0)]
    return { status: 303, headers: { location: returnTo, 'set-cookie': set } }
  },
})

export const OIDC_ROUTES: readonly AnyRoute[] = [begin, finish]

function providerOf(parts: ServerParts, name: string): OidcProvider {
  const provider = accountsOf(parts).providers.get(name)
  if (provider !== undefined) return provider
  throw new RequestProblem('NOT_FOUND', 'there is no such identity provider', 'see /api/v1/session/methods')
}
