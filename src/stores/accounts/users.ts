import type { Kysely } from 'kysely'
import {
  AccountError,
  type Grants,
  type Identity,
  type NewUser,
  type User,
  type UserChange,
  type UserQuery,
} from '../../ports/accounts.ts'
import type { Page } from '../../ports/store.ts'
import { cursorOf, placeOf, within } from '../cursor.ts'
import type { Tables } from '../tables.ts'
import { sameGrants, userById, userRows, usersOf } from './user-rows.ts'

const PAGE_DEFAULT = 50
const PAGE_MAX = 500
/** Other names that are tried for somebody whose name is taken. */
const NAMES_MAX = 1_000

export async function isEmpty(db: Kysely<Tables>): Promise<boolean> {
  return (await db.selectFrom('account').select('id').limit(1).executeTakeFirst()) === undefined
}

export async function offerSetup(trx: Kysely<Tables>, hash: string, at: number): Promise<boolean> {
  await lockAccounts(trx)
  await trx.deleteFrom('setup_code').execute()
  if (!(await isEmpty(trx))) return false
  await trx.insertInto('setup_code').values({ hash, created_at: at }).execute()
  return true
}

export async function setUp(trx: Kysely<Tables>, hash: string, user: NewUser): Promise<User | null> {
  await lockAccounts(trx)
  if (!(await isEmpty(trx))) return null
  const code = await trx
    .deleteFrom('setup_code')
    .where('hash', '=', hash)
    .returning('hash')
    .executeTakeFirst()
  return code === undefined ? null : await addUser(trx, user)
}

export async function addUser(trx: Kysely<Tables>, user: NewUser): Promise<User> {
  const added = await insertUser(trx, user)
  if (!added) throw new AccountError('USER_EXISTS')
  return await known(trx, user.id)
}

export async function userNamed(
  db: Kysely<Tables>,
  name: string,
): Promise<{ readonly user: User; readonly password: string | null } | null> {
  const rows = await userRows(db).where('account.name', '=', name).execute()
  const [user] = usersOf(rows)
  return user === undefined ? null : { user, password: rows[0]?.password ?? null }
}

export async function users(db: Kysely<Tables>, query: UserQuery): Promise<Page<User>> {
  const { namePrefix, after } = query
  const limit = within(query.limit, PAGE_DEFAULT, PAGE_MAX)
  let page = db
    .selectFrom('account')
    .select('id')
    .orderBy('name')
    .limit(limit + 1)
  if (namePrefix !== undefined)
    page = page.where('name', '>=', namePrefix).where('name', '<', `${namePrefix}\u{10ffff}`)
  if (after !== undefined) page = page.where('name', '>', placeOf(after).id)
  const found = await page.execute()
  const ids = found.slice(0, limit).map(({ id }) => id)
  if (ids.length === 0) return { items: [], next: null }
  const rows = await userRows(db).where('account.id', 'in', ids).orderBy('account.name').execute()
  const items = usersOf(rows)
  const last = items.at(-1)
  return { items, next: found.length > limit && last !== undefined ? cursorOf(0, last.name) : null }
}

export async function changeUser(trx: Kysely<Tables>, id: string, change: UserChange): Promise<User> {
  await lockAccounts(trx)
  const user = await known(trx, id)
  if (change.expected !== undefined && change.expected !== user.version)
    throw new AccountError('USER_CHANGED')
  const roles = change.roles !== undefined && !sameGrants(change.roles, user.roles) ? change.roles : null
  const disabled = change.disabled ?? user.disabled
  if (roles === null && disabled === user.disabled && change.password === undefined) return user
  if (roles !== null) await putRoles(trx, id, roles)
  await trx
    .updateTable('account')
    .set(({ eb }) => ({
      version: eb('version', '+', 1),
      disabled: disabled ? 1 : 0,
      ...(change.password === undefined ? {} : { password: change.password }),
    }))
    .where('id', '=', id)
    .execute()
  await trx.deleteFrom('session').where('account', '=', id).execute()
  if (mayManage(user)) await keepAnAdmin(trx)
  return await known(trx, id)
}

export async function removeUser(trx: Kysely<Tables>, id: string): Promise<void> {
  await lockAccounts(trx)
  const user = await known(trx, id)
  await trx.deleteFrom('account').where('id', '=', id).execute()
  if (mayManage(user)) await keepAnAdmin(trx)
}

export async function userOfIdentity(trx: Kysely<Tables>, identity: Identity): Promise<User> {
  const { issuer, subject, roles, at } = identity
  await lockAccounts(trx)
  const found = await trx
    .selectFrom('identity')
    .select('account')
    .where('issuer', '=', issuer)
    .where('subject', '=', subject)
    .executeTakeFirst()
  if (found !== undefined) return await withRoles(trx, await known(trx, found.account), roles)
  const user = { id: identity.id, password: null, roles: roles ?? new Map(), at }
  for (let number = 1; number <= NAMES_MAX; number += 1) {
    const name = number === 1 ? identity.name : `${identity.name}-${number}`
    if (!(await insertUser(trx, { ...user, name }))) continue
    await trx.insertInto('identity').values({ issuer, subject, account: user.id, created_at: at }).execute()
    return await known(trx, user.id)
  }
  throw new AccountError('USER_EXISTS')
}

/** What an issuer says of roles holds, even where it leaves nobody who may manage users: there it can be put right. */
async function withRoles(trx: Kysely<Tables>, user: User, roles: Grants | null): Promise<User> {
  if (roles === null || sameGrants(roles, user.roles)) return user
  await putRoles(trx, user.id, roles)
  await trx
    .updateTable('account')
    .set(({ eb }) => ({ version: eb('version', '+', 1) }))
    .where('id', '=', user.id)
    .execute()
  await trx.deleteFrom('session').where('account', '=', user.id).execute()
  return await known(trx, user.id)
}

/** One at a time: of two who each take away one of the last two admins, the second sees what the first did. */
async function lockAccounts(trx: Kysely<Tables>): Promise<void> {
  await trx
    .updateTable('counter')
    .set(({ eb }) => ({ value: eb('value', '+', 1) }))
    .where('name', '=', 'accounts')
    .execute()
}

async function insertUser(trx: Kysely<Tables>, user: NewUser): Promise<boolean> {
  const { id, name, password, at } = user
  const added = await trx
    .insertInto('account')
    .values({ id, name, password, disabled: 0, created_at: at, version: 1 })
    .onConflict(conflict => conflict.column('name').doNothing())
    .returning('id')
    .executeTakeFirst()
  if (added !== undefined) await putRoles(trx, id, user.roles)
  return added !== undefined
}

async function putRoles(trx: Kysely<Tables>, account: string, roles: Grants): Promise<void> {
  await trx.deleteFrom('role_grant').where('account', '=', account).execute()
  if (roles.size === 0) return
  const rows = [...roles].map(([namespace, role]) => ({ account, namespace, role }))
  await trx.insertInto('role_grant').values(rows).execute()
}

const mayManage = ({ disabled, roles }: User): boolean => !disabled && roles.get('*') === 'admin'

/** @throws {AccountError} `LAST_ADMIN`, which takes back what was written. */
async function keepAnAdmin(trx: Kysely<Tables>): Promise<void> {
  const admin = await trx
    .selectFrom('role_grant')
    .innerJoin('account', 'account.id', 'role_grant.account')
    .select('account.id')
    .where('role_grant.namespace', '=', '*')
    .where('role_grant.role', '=', 'admin')
    .where('account.disabled', '=', 0)
    .limit(1)
    .executeTakeFirst()
  if (admin === undefined) throw new AccountError('LAST_ADMIN')
}

async function known(trx: Kysely<Tables>, id: string): Promise<User> {
  const user = await userById(trx, id)
  if (user === null) throw new AccountError('UNKNOWN_USER')
  return user
}
