import type { Kysely } from 'kysely'
import { ACCOUNT_LIMITS, AccountError, type NewToken, type Token } from '../../ports/accounts.ts'
import type { SqlDialect } from '../dialect.ts'
import type { Tables } from '../tables.ts'
import { isAsAsked } from './sessions.ts'
import { grantsOf, grantsText } from './user-rows.ts'

export async function addToken(trx: Kysely<Tables>, dialect: SqlDialect, token: NewToken): Promise<boolean> {
  const { id, hash, user, name, roles, at, expiresAt } = token
  if (!(await isAsAsked(trx, dialect, user, token.userVersion))) return false
  const { good } = await trx
    .selectFrom('api_token')
    .select(eb => eb.fn.countAll<number>().as('good'))
    .where('account', '=', user)
    .where('revoked_at', 'is', null)
    .where(eb => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', at)]))
    .executeTakeFirstOrThrow()
  if (good >= ACCOUNT_LIMITS.tokensPerUserMax) throw new AccountError('TOO_MANY_TOKENS')
  await trx
    .insertInto('api_token')
    .values({
      id,
      hash,
      account: user,
      name,
      roles: grantsText(roles),
      created_at: at,
      expires_at: expiresAt,
      used_at: null,
      revoked_at: null,
    })
    .execute()
  return true
}

export async function tokens(db: Kysely<Tables>, user: string): Promise<readonly Token[]> {
  const rows = await tokenRows(db)
    .where('account', '=', user)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .execute()
  return rows.map(tokenFrom)
}

export async function touchToken(trx: Kysely<Tables>, id: string, now: number): Promise<void> {
  await trx.updateTable('api_token').set({ used_at: now }).where('id', '=', id).execute()
}

export async function revokeToken(
  trx: Kysely<Tables>,
  user: string,
  id: string,
  at: number,
): Promise<boolean> {
  const revoked = await trx
    .updateTable('api_token')
    .set({ revoked_at: at })
    .where('id', '=', id)
    .where('account', '=', user)
    .where('revoked_at', 'is', null)
    .returning('id')
    .executeTakeFirst()
  return revoked !== undefined
}

function tokenRows(db: Kysely<Tables>) {
  return db
    .selectFrom('api_token')
    .select([
      'id',
      'name',
      'roles',
      'created_at as createdAt',
      'expires_at as expiresAt',
      'used_at as usedAt',
      'revoked_at as revokedAt',
    ])
}

export function tokenFrom({ roles, ...row }: Omit<Token, 'roles'> & { readonly roles: string }): Token {
  return { ...row, roles: grantsOf(roles) }
}
