import { createHash } from 'node:crypto'
import type { Kysely } from 'kysely'
import {
  ACCOUNT_LIMITS,
  type AuditEntry,
  type AuditFact,
  type AuditMark,
  type AuditOutcome,
  type AuditQuery,
  type AuditVerdict,
} from '../../ports/accounts.ts'
import type { Page } from '../../ports/store.ts'
import { cursorOf, placeOf, within } from '../cursor.ts'
import type { Tables } from '../tables.ts'

const PAGE_DEFAULT = 50
const PAGE_MAX = 500
/** What the first entry of all follows. */
const NOTHING: AuditMark = { seq: 0, hash: '0'.repeat(64) }

/** Counts up first: whoever adds next waits for this transaction, and then sees its entry. */
export async function record(trx: Kysely<Tables>, fact: AuditFact): Promise<AuditEntry> {
  const { value: seq } = await trx
    .updateTable('counter')
    .set(({ eb }) => ({ value: eb('value', '+', 1) }))
    .where('name', '=', 'audit')
    .returning('value')
    .executeTakeFirstOrThrow()
  const before = await trx
    .selectFrom('audit')
    .select(['seq', 'hash'])
    .where('seq', '=', seq - 1)
    .executeTakeFirst()
  const previous = (before ?? (await base(trx))).hash
  const hash = hashOf(seq, fact, previous)
  await trx
    .insertInto('audit')
    .values({
      seq,
      at: fact.at,
      actor: fact.actor,
      actor_name: fact.actorName,
      action: fact.action,
      namespace: fact.namespace,
      object: fact.object,
      outcome: fact.outcome,
      code: fact.code,
      address: fact.address,
      before_hash: fact.before,
      after_hash: fact.after,
      unrecorded: fact.unrecorded,
      previous,
      hash,
    })
    .execute()
  return { ...fact, seq, previous, hash }
}

export async function audit(db: Kysely<Tables>, query: AuditQuery): Promise<Page<AuditEntry>> {
  const { namespaces, namespace, actor, action, outcome, from, before, after } = query
  const limit = within(query.limit, PAGE_DEFAULT, PAGE_MAX)
  if (namespaces?.length === 0) return { items: [], next: null }
  let rows = entries(db)
    .orderBy('seq', 'desc')
    .limit(limit + 1)
  if (namespaces !== undefined) rows = rows.where('namespace', 'in', [...namespaces])
  if (namespace !== undefined) rows = rows.where('namespace', '=', namespace)
  if (actor !== undefined) rows = rows.where('actor', '=', actor)
  if (action !== undefined) rows = rows.where('action', '=', action)
  if (outcome !== undefined) rows = rows.where('outcome', '=', outcome)
  if (from !== undefined) rows = rows.where('at', '>=', from)
  if (before !== undefined) rows = rows.where('at', '<', before)
  if (after !== undefined) rows = rows.where('seq', '<', placeOf(after).at)
  const found = await rows.execute()
  const items = found.slice(0, limit).map(entryOf)
  const last = items.at(-1)
  return { items, next: found.length > limit && last !== undefined ? cursorOf(last.seq, 'audit') : null }
}

export async function verifyAudit(db: Kysely<Tables>, noted?: AuditMark): Promise<AuditVerdict> {
  const { value: end } = await db
    .selectFrom('counter')
    .select('value')
    .where('name', '=', 'audit')
    .executeTakeFirstOrThrow()
  let before = await base(db)
  let first: number | null = null
  let count = 0
  const verdict = (broken: AuditVerdict['broken']): AuditVerdict => ({
    intact: broken === null,
    entries: count,
    first,
    last: count === 0 ? null : before,
    broken,
  })
  const begin = before
  while (before.seq < end) {
    const rows = await entries(db)
      .where('seq', '>', before.seq)
      .where('seq', '<=', end)
      .orderBy('seq')
      .limit(ACCOUNT_LIMITS.auditPageMax)
      .execute()
    for (const entry of rows.map(entryOf)) {
      // Retention may have moved on meanwhile.
      if (entry.seq !== before.seq + 1) before = await laterBase(db, before, entry.seq)
      const why = doubt(entry, before, noted)
      if (why !== null) return verdict({ seq: before.seq + 1, why })
      first ??= entry.seq
      count += 1
      before = { seq: entry.seq, hash: entry.hash }
    }
    if (rows.length === 0) return verdict({ seq: before.seq + 1, why: 'it is missing' })
  }
  if (noted !== undefined && noted.seq > end)
    return verdict({ seq: end + 1, why: 'the log ends before the entry that was noted' })
  if (noted !== undefined && noted.seq === begin.seq && noted.hash !== begin.hash)
    return verdict({ seq: begin.seq, why: 'it is not the entry that was noted' })
  return verdict(null)
}

/** Moves the place where the log begins, with the hash that the first kept entry follows; then takes what is before. */
export async function trimAudit(
  trx: Kysely<Tables>,
  { keep, before }: { readonly keep: number; readonly before: number },
): Promise<number> {
  const { value: end } = await trx
    .selectFrom('counter')
    .select('value')
    .where('name', '=', 'audit')
    .executeTakeFirstOrThrow()
  const old = await trx
    .selectFrom('audit')
    .select('seq')
    .where('at', '>=', before)
    .orderBy('seq')
    .limit(1)
    .executeTakeFirst()
  const upTo = Math.max(end - keep, (old?.seq ?? end + 1) - 1)
  const last = await trx
    .selectFrom('audit')
    .select(['seq', 'hash'])
    .where('seq', '<=', upTo)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (last === undefined) return 0
  await trx
    .insertInto('audit_base')
    .values({ one: 1, ...last })
    .onConflict(conflict => conflict.column('one').doUpdateSet(last))
    .execute()
  const { numDeletedRows } = await trx.deleteFrom('audit').where('seq', '<=', last.seq).executeTakeFirst()
  return Number(numDeletedRows)
}

async function base(db: Kysely<Tables>): Promise<AuditMark> {
  return (await db.selectFrom('audit_base').select(['seq', 'hash']).executeTakeFirst()) ?? NOTHING
}

async function laterBase(db: Kysely<Tables>, now: AuditMark, seq: number): Promise<AuditMark> {
  const later = await base(db)
  return later.seq === seq - 1 ? later : now
}

function doubt(entry: AuditEntry, before: AuditMark, noted: AuditMark | undefined): string | null {
  if (entry.seq !== before.seq + 1) return 'it is missing'
  if (entry.previous !== before.hash) return 'it does not follow the entry before'
  if (hashOf(entry.seq, entry, entry.previous) !== entry.hash) return 'it was changed'
  return noted?.seq === entry.seq && noted.hash !== entry.hash ? 'it is not the entry that was noted' : null
}

/** SHA-256 over all that an entry says, in this order, and the hash of the one before. */
function hashOf(seq: number, fact: AuditFact, previous: string): string {
  const text = JSON.stringify([
    seq,
    fact.at,
    fact.actor,
    fact.actorName,
    fact.action,
    fact.namespace,
    fact.object,
    fact.outcome,
    fact.code,
    fact.address,
    fact.before,
    fact.after,
    fact.unrecorded,
    previous,
  ])
  return createHash('sha256').update(text).digest('hex')
}

function entries(db: Kysely<Tables>) {
  return db
    .selectFrom('audit')
    .select([
      'seq',
      'at',
      'actor',
      'actor_name as actorName',
      'action',
      'namespace',
      'object',
      'outcome',
      'code',
      'address',
      'before_hash as before',
      'after_hash as after',
      'unrecorded',
      'previous',
      'hash',
    ])
}

function entryOf(row: Omit<AuditEntry, 'outcome'> & { readonly outcome: string }): AuditEntry {
  return { ...row, outcome: row.outcome as AuditOutcome }
}
