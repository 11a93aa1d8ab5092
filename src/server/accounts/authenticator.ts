import type { Accounts, Session, Token, User } from '../../ports/accounts.ts'
import type { Authenticator, Principal } from '../../ports/authenticator.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Cookies } from './cookies.ts'
import { narrower } from './roles.ts'
import { hashOf, isSecret, isToken } from './secrets.ts'

export interface AuthenticatorOptions {
  readonly accounts: Accounts
  readonly clock: Clock
  readonly cookies: Cookies
  readonly limits: { readonly seenEveryMs: number }
}

/**
 * Knows users by the cookie of their session and programs by their tokens. Each request asks the database, so that
 * whatever was taken away is gone with the next one.
 */
export function accountAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { accounts, clock, cookies, limits } = options
  const isStale = (seenAt: number | null, now: number): boolean =>
    seenAt === null || now - seenAt >= limits.seenEveryMs

  async function byToken(shown: string): Promise<Principal | null> {
    if (!isToken(shown)) return null
    const now = clock.now()
    const found = await accounts.tokenOf(hashOf(shown), now)
    if (found === null) return null
    const { token, user } = found
    if (isStale(token.usedAt, now)) await accounts.touchToken(token.id, now)
    return tokenPrincipal(user, token)
  }

  async function bySession(shown: string): Promise<Principal | null> {
    if (!isSecret(shown)) return null
    const now = clock.now()
    const session = await accounts.session(hashOf(shown), now)
    if (session === null) return null
    if (isStale(session.seenAt, now)) await accounts.touchSession(session.hash, now)
    return sessionPrincipal(session)
  }

  return {
    async identify(credentials) {
      if (credentials.bearer !== null) return await byToken(credentials.bearer)
      const shown = credentials.cookies.get(cookies.session)
      return shown === undefined ? null : await bySession(shown)
    },
    redeem: () => Promise.resolve(null),
  }
}

/** Several ways to be known, side by side: the first that knows somebody says who it is. */
export function composedAuthenticator(...ways: readonly Authenticator[]): Authenticator {
  return {
    async identify(credentials) {
      for (const way of ways) {
        const principal = await way.identify(credentials)
        if (principal !== null) return principal
      }
      return null
    },
    async redeem(code) {
      for (const way of ways) {
        const cookie = await way.redeem(code)
        if (cookie !== null) return cookie
      }
      return null
    },
  }
}

function sessionPrincipal({ hash, endsAt, user }: Session): Principal {
  return {
    id: `user:${user.id}`,
    name: user.name,
    roles: user.roles,
    proof: { kind: 'session', user: user.id, userVersion: user.version, session: hash, endsAt },
  }
}

/** The owner answers for what is done with it; that it was a token is part of the name. */
function tokenPrincipal(user: User, token: Token): Principal {
  return {
    id: `user:${user.id}`,
    name: `${user.name} (token ${token.name})`,
    roles: narrower(user.roles, token.roles),
    proof: { kind: 'token', user: user.id, token: token.id, endsAt: token.expiresAt },
  }
}
