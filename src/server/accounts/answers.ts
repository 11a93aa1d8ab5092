import { createHash } from 'node:crypto'
import { moment } from '../../core/run/run-data.ts'
import type { Token, User } from '../../ports/accounts.ts'
import type { Principal } from '../../ports/authenticator.ts'
import { rolesOf } from '../schemas/account.ts'

const timeOf = (at: number | null): string | null => (at === null ? null : moment(at))

export function meOf({ id, name, roles, proof }: Principal): object {
  return {
    id,
    name,
    by: proof?.kind ?? 'other',
    roles: rolesOf(roles),
    endsAt: timeOf(proof?.endsAt ?? null),
  }
}

export function userAnswerOf(user: User): object {
  const { id, name, disabled, hasPassword, issuer } = user
  return {
    id,
    name,
    roles: rolesOf(user.roles),
    disabled,
    hasPassword,
    issuer,
    createdAt: moment(user.createdAt),
  }
}

export function tokenAnswerOf(token: Token): object {
  const { id, name } = token
  return {
    id,
    name,
    roles: rolesOf(token.roles),
    createdAt: moment(token.createdAt),
    expiresAt: timeOf(token.expiresAt),
    usedAt: timeOf(token.usedAt),
    revokedAt: timeOf(token.revokedAt),
  }
}

/** Names what a user is now: every change makes another. */
export function tagOf(user: User): string {
  const text = JSON.stringify([user.id, user.version, user.name, user.disabled, rolesOf(user.roles)])
  return createHash('sha256').update(text).digest('hex')
}
