import { createHash } from 'node:crypto'
import type { Session, User } from '../../ports/accounts.ts'
import { credentialsOf } from '../guard.ts'
import type { ServerParts } from '../parts.ts'
import { RequestProblem } from '../problem.ts'
import { networkOf } from './addresses.ts'
import type { AccountParts } from './parts.ts'
import { hashOf, isSecret, newSecret } from './secrets.ts'

/** @throws {Error} Bug: a route that says that it needs accounts was asked without. */
export function accountsOf({ accounts }: ServerParts): AccountParts {
  if (accounts === undefined) throw new Error('a route that needs accounts was asked without any')
  return accounts
}

export interface Begun {
  readonly session: Session
  /** For `Set-Cookie`. */
  readonly cookie: string
}

/**
 * Begins a session with an id that nobody has seen, and ends the one that the browser came with, so that an id that was
 * planted there is worth nothing.
 *
 * @throws {RequestProblem} `SIGN_IN_FAILED` the user was changed since they gave proof.
 */
export async function beginSession(
  parts: ServerParts,
  user: User,
  cookieHeader: string | null,
): Promise<Begun> {
  const { accounts, cookies, settings } = accountsOf(parts)
  await endSession(parts, cookieHeader)
  const secret = newSecret()
  const at = parts.clock.now()
  const endsAt = at + settings.sessionMaxMs
  const hash = hashOf(secret)
  const times = { at, idleMs: settings.sessionIdleMs, endsAt }
  const begun = await accounts.addSession({ hash, user: user.id, userVersion: user.version, ...times })
  if (!begun) throw signInFailed()
  const cookie = cookies.set(cookies.session, secret, Math.floor(settings.sessionMaxMs / 1_000))
  return { session: { hash, createdAt: at, seenAt: at, endsAt, user }, cookie }
}

/** Ends the session whose cookie the browser has sent, whoever's it is. */
export async function endSession(parts: ServerParts, cookieHeader: string | null): Promise<void> {
  if (cookieHeader === null) return
  const { accounts, cookies } = accountsOf(parts)
  const shown = credentialsOf({ cookie: cookieHeader }).cookies.get(cookies.session)
  if (shown !== undefined && isSecret(shown)) await accounts.removeSession(hashOf(shown))
}

/**
 * The user of a name and a password. Whether there is such a user cannot be told from the answer, nor from how long it
 * takes.
 *
 * @param known  Told of a user of that name, for the audit log, before it is known whether it is them.
 * @throws {RequestProblem} `SIGN_IN_FAILED`, `TOO_MANY_TRIES`
 */
export async function userByPassword(
  parts: ServerParts,
  given: { readonly name: string; readonly password: string; readonly address: string },
  known: (user: User) => void,
): Promise<User> {
  const { accounts, passwords, settings } = accountsOf(parts)
  const name = given.name.toLowerCase()
  const keys = await countTry(parts, name, given.address)
  const found = await accounts.userNamed(name)
  if (found !== null) known(found.user)
  const matches = await passwords.matches(given.password, found?.password ?? null)
  if (!matches || found === null || found.user.disabled || !settings.passwords) throw signInFailed()
  await accounts.forgive(keys.user, keys.address)
  return found.user
}

/** What a try was counted under. */
export interface Counted {
  readonly user: string
  readonly address: string
}

/**
 * Counts a try before it is looked at, so that of many at once no more are than may be.
 *
 * @param name  Null where it is about no user: whoever tries then keeps nobody but themselves from going on.
 * @throws {RequestProblem} `TOO_MANY_TRIES`
 */
export async function countTry(parts: ServerParts, name: string | null, address: string): Promise<Counted> {
  const { triesPerUserMax, triesPerAddressMax, triesWindowMs } = parts.limits
  // Somebody may have typed their password for their name: only a hash is kept.
  const keys = { user: `user:${digest(name ?? '')}`, address: `address:${networkOf(address)}` }
  const tries = [
    ...(name === null ? [] : [{ key: keys.user, max: triesPerUserMax }]),
    { key: keys.address, max: triesPerAddressMax },
  ]
  const now = parts.clock.now()
  const until = await accountsOf(parts).accounts.attempt(tries, triesWindowMs, now)
  if (until === null) return keys
  const seconds = Math.max(1, Math.ceil((until - now) / 1_000))
  throw new RequestProblem('TOO_MANY_TRIES', 'there were too many tries', `try again in ${seconds} seconds`, {
    headers: { 'retry-after': String(seconds) },
  }).denying(null)
}

export function signInFailed(): RequestProblem {
  const message = 'you cannot be signed in with this'
  return new RequestProblem('SIGN_IN_FAILED', message, 'check it, or ask who manages the users').denying(null)
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')
