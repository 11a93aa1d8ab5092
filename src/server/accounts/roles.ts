import type { Grants } from '../../ports/accounts.ts'
import type { Role } from '../../ports/authenticator.ts'

const RANKS: Readonly<Record<Role, number>> = { viewer: 1, editor: 2, admin: 3 }

const roleIn = (grants: Grants, namespace: string): Role | undefined =>
  grants.get(namespace) ?? grants.get('*')

/** What both allow, namespace by namespace. */
export function narrower(a: Grants, b: Grants): Grants {
  const both = new Map<string, Role>()
  for (const namespace of new Set([...a.keys(), ...b.keys()])) {
    const [one, other] = [roleIn(a, namespace), roleIn(b, namespace)]
    if (one !== undefined && other !== undefined)
      both.set(namespace, RANKS[one] <= RANKS[other] ? one : other)
  }
  return both
}

/** What at least one of them allows: roles that come from several groups. */
export function joined(all: readonly Grants[]): Grants {
  const roles = new Map<string, Role>()
  for (const namespace of new Set(all.flatMap(grants => [...grants.keys()]))) {
    const here = all.map(grants => roleIn(grants, namespace)).filter(role => role !== undefined)
    const [most] = here.toSorted((a, b) => RANKS[b] - RANKS[a])
    if (most !== undefined) roles.set(namespace, most)
  }
  return roles
}

/** Namespaces in which more is wanted than is had. */
export function tooWide(wanted: Grants, had: Grants): readonly string[] {
  const allowed = narrower(wanted, had)
  const over = [...wanted].filter(([namespace, role]) => allowed.get(namespace) !== role)
  return over.map(([namespace]) => namespace)
}
