import { type Kysely, sql } from 'kysely'
import type { Grants, User } from '../../ports/accounts.ts'
import type { Role } from '../../ports/authenticator.ts'
import type { Tables } from '../tables.ts'

/** Users with their roles, one row for each role: everything that is known of a user in one look. */
export function userRows(db: Kysely<Tables>) {
  return db
    .selectFrom('account')
    .leftJoin('role_grant', 'role_grant.account', 'account.id')
    .select([
      'account.id',
      'account.name',
      'account.password',
      'account.disabled',
      'account.created_at as createdAt',
      'account.version',
      'role_grant.namespace',
      'role_grant.role',
      sql<string | null>`(select min(identity.issuer) from identity where identity.account = account.id)`.as(
        'issuer',
      ),
    ])
}

export interface UserWithRole {
  readonly id: string
  readonly name: string
  readonly password: string | null
  readonly disabled: number
  readonly createdAt: number
  readonly version: number
  readonly namespace: string | null
  readonly role: string | null
  readonly issuer: string | null
}

/** In the order in which they come. */
export function usersOf(rows: readonly UserWithRole[]): readonly User[] {
  const users = new Map<string, User & { readonly roles: Map<string, Role> }>()
  for (const { id, name, password, disabled, createdAt, version, namespace, role, issuer } of rows) {
    const roles = users.get(id)?.roles ?? new Map<string, Role>()
    if (namespace !== null) roles.set(namespace, role as Role)
    const hasPassword = password !== null
    users.set(id, { id, name, hasPassword, issuer, disabled: disabled === 1, roles, createdAt, version })
  }
  return [...users.values()]
}

export async function userById(db: Kysely<Tables>, id: string): Promise<User | null> {
  const rows = await userRows(db).where('account.id', '=', id).execute()
  return usersOf(rows)[0] ?? null
}

export const grantsText = (grants: Grants): string =>
  JSON.stringify(Object.fromEntries([...grants].toSorted(([a], [b]) => (a < b ? -1 : 1))))

export const grantsOf = (text: string): Grants => new Map(Object.entries(JSON.parse(text) as object))

export const sameGrants = (a: Grants, b: Grants): boolean => grantsText(a) === grantsText(b)
