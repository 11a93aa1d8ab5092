import type { Grants } from '../../ports/accounts.ts'
import { joined } from './roles.ts'

type Claims = { readonly [name: string]: unknown }

/** The claim itself, or what dots lead to: `realm_access.roles`. */
export function claimsOf(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let at: unknown = claims
  for (const step of name.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined
    at = (at as Claims)[step]
  }
  return at
}

const NAME_LENGTH_MAX = 50

/** A name as users have them, made of whatever the provider says. */
export function nameFrom(claim: unknown): string {
  const text = typeof claim === 'string' ? claim : ''
  const name = text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9._@-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, NAME_LENGTH_MAX)
  return name === '' ? 'user' : name
}

/** All that the groups of somebody give. A group that is not named gives nothing. */
export function rolesFrom(claim: unknown, rolesOfGroups: ReadonlyMap<string, Grants>): Grants {
  const groups: readonly unknown[] = Array.isArray(claim) ? claim : [claim]
  const grants = groups.map(group => (typeof group === 'string' ? rolesOfGroups.get(group) : undefined))
  return joined(grants.filter(one => one !== undefined))
}
