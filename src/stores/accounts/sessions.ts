import type { Kysely } from 'kysely'
import { ACCOUNT_LIMITS, type NewSession, type Tries } from '../../ports/accounts.ts'
import type { SqlDialect } from '../dialect.ts'
import type { Tables } from '../tables.ts'

export async function addSession(
  trx: Kysely<Tables>,
  dialect: SqlDialect,
  session: NewSession,
): Promise<boolean> {
  const { hash, user, at, idleMs, endsAt } = session
  if (!(await isAsAsked(trx, dialect, user, session.userVersion))) return false
  const oldest = await trx
    .selectFrom('session')
    .select('hash')
    .where('account', '=', user)
    .orderBy('created_at', 'desc')
    .orderBy('hash')
    .offset(ACCOUNT_LIMITS.sessionsPerUserMax - 1)
    .limit(ACCOUNT_LIMITS.sessionsPerUserMax)
    .execute()
  for (const one of oldest) await removeSession(trx, one.hash)
  await trx
    .insertInto('session')
    .values({ hash, account: user, created_at: at, seen_at: at, idle_ms: idleMs, ends_at: endsAt })
    .execute()
  return true
}

/** Whether a user is as they were when they gave proof; they stay so until the transaction ends. */
export async function isAsAsked(
  trx: Kysely<Tables>,
  dialect: SqlDialect,
  user: string,
  version: number,
): Promise<boolean> {
  const found = await trx
    .selectFrom('account')
    .select('id')
    .where('id', '=', user)
    .where('version', '=', version)
    .where('disabled', '=', 0)
    .modifyEnd(dialect.locked)
    .executeTakeFirst()
  return found !== undefined
}

export async function touchSession(trx: Kysely<Tables>, hash: string, now: number): Promise<void> {
  await trx
    .updateTable('session')
    .set({ seen_at: now })
    .where('hash', '=', hash)
    .where('seen_at', '<', now)
    .execute()
}

export async function removeSession(trx: Kysely<Tables>, hash: string): Promise<void> {
  await trx.deleteFrom('session').where('hash', '=', hash).execute()
}

export async function attempt(
  trx: Kysely<Tables>,
  tries: readonly Tries[],
  windowMs: number,
  now: number,
): Promise<number | null> {
  // Counted first, in one order everywhere, so that of many at once no more get through than may.
  const counted = []
  for (const { key, max } of tries.toSorted((a, b) => (a.key < b.key ? -1 : 1)))
    counted.push({ key, max, ...(await countTry(trx, key, windowMs, now)) })
  const over = counted.filter(({ count, max }) => count > max)
  if (over.length === 0) return null
  for (const { key } of counted) await takeBack(trx, key)
  return Math.max(...over.map(({ endsAt }) => endsAt))
}

async function countTry(
  trx: Kysely<Tables>,
  key: string,
  windowMs: number,
  now: number,
): Promise<{ readonly count: number; readonly endsAt: number }> {
  const fresh = { count: 1, ends_at: now + windowMs }
  await trx.deleteFrom('sign_in_try').where('key', '=', key).where('ends_at', '<=', now).execute()
  return await trx
    .insertInto('sign_in_try')
    .values({ key, ...fresh })
    .onConflict(conflict =>
      conflict.column('key').doUpdateSet(({ eb }) => ({ count: eb('sign_in_try.count', '+', 1) })),
    )
    .returning(['count', 'ends_at as endsAt'])
    .executeTakeFirstOrThrow()
}

export async function forgive(trx: Kysely<Tables>, forgotten: string, takenBack: string): Promise<void> {
  await trx.deleteFrom('sign_in_try').where('key', '=', forgotten).execute()
  await takeBack(trx, takenBack)
}

async function takeBack(trx: Kysely<Tables>, key: string): Promise<void> {
  await trx
    .updateTable('sign_in_try')
    .set(({ eb }) => ({ count: eb('count', '-', 1) }))
    .where('key', '=', key)
    .execute()
}

export async function sweep(trx: Kysely<Tables>, now: number, tokensBefore: number): Promise<void> {
  await trx
    .deleteFrom('session')
    .where(eb => eb.or([eb('ends_at', '<=', now), eb(eb('seen_at', '+', eb.ref('idle_ms')), '<=', now)]))
    .execute()
  await trx.deleteFrom('sign_in_try').where('ends_at', '<=', now).execute()
  await trx
    .deleteFrom('api_token')
    .where(eb => eb.or([eb('expires_at', '<', tokensBefore), eb('revoked_at', '<', tokensBefore)]))
    .execute()
}
