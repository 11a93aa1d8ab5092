import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Session, Token, User } from '../../ports/accounts.ts'
import { type Prepared, type SlotOf, prepared } from '../prepared.ts'
import type { Tables } from '../tables.ts'
import { tokenFrom } from './tokens.ts'
import { type UserWithRole, usersOf } from './user-rows.ts'

/** What every request asks: one statement each, compiled once, as building it takes longer than the database does. */
export interface LookUps {
  session(hash: string, now: number): Promise<Session | null>
  tokenOf(hash: string, now: number): Promise<{ readonly token: Token; readonly user: User } | null>
}

export function lookUps(db: Kysely<Tables>): LookUps {
  let bySession: Prepared | null = null
  let byToken: Prepared | null = null
  return {
    async session(hash, now) {
      bySession ??= prepared(slot => sessionQuery(slot).compile(db))
      const rows = await bySession.runInOrder<UserWithRole & SessionColumns>(db, [hash, now, now])
      const [user] = usersOf(rows)
      const [row] = rows
      if (user === undefined || row === undefined) return null
      return { hash, createdAt: row.begunAt, seenAt: row.seenAt, endsAt: row.endsAt, user }
    },
    async tokenOf(hash, now) {
      byToken ??= prepared(slot => tokenQuery(slot).compile(db))
      const rows = await byToken.runInOrder<UserWithRole & TokenColumns>(db, [hash, now])
      const [user] = usersOf(rows)
      const [row] = rows
      if (user === undefined || row === undefined) return null
      const { tokenId: id, tokenName: name, tokenRoles: roles, madeAt: createdAt } = row
      const { expiresAt, usedAt } = row
      return { token: tokenFrom({ id, name, roles, createdAt, expiresAt, usedAt, revokedAt: null }), user }
    },
  }
}

interface SessionColumns {
  readonly begunAt: number
  readonly seenAt: number
  readonly endsAt: number
}

interface TokenColumns {
  readonly tokenId: string
  readonly tokenName: string
  readonly tokenRoles: string
  readonly madeAt: number
  readonly expiresAt: number | null
  readonly usedAt: number | null
}

/** As `userRows` has them. */
const USER = sql`a.id, a.name, a.password, a.disabled, a.created_at as "createdAt", a.version, g.namespace, g.role,
  (select min(i.issuer) from identity as i where i.account = a.id) as issuer`

function sessionQuery(slot: SlotOf): RawBuilder<unknown> {
  return sql`select ${USER}, s.created_at as "begunAt", s.seen_at as "seenAt", s.ends_at as "endsAt"
    from session as s join account as a on a.id = s.account left join role_grant as g on g.account = a.id
    where s.hash = ${slot('hash')} and s.ends_at > ${slot('now')} and s.seen_at + s.idle_ms > ${slot('now')}
      and a.disabled = 0`
}

function tokenQuery(slot: SlotOf): RawBuilder<unknown> {
  return sql`select ${USER}, t.id as "tokenId", t.name as "tokenName", t.roles as "tokenRoles",
      t.created_at as "madeAt", t.expires_at as "expiresAt", t.used_at as "usedAt"
    from api_token as t join account as a on a.id = t.account left join role_grant as g on g.account = a.id
    where t.hash = ${slot('hash')} and t.revoked_at is null and (t.expires_at is null or t.expires_at > ${slot('now')})
      and a.disabled = 0`
}
