import type { Kysely } from 'kysely'
import type { Skip, SkipReason } from '../core/schedule/skip.ts'
import { type Advance, StoreError } from '../ports/store.ts'
import type { Tables } from './tables.ts'

/**
 * Moves the mark of a schedule forward and records its skips.
 *
 * @returns false, with nothing written, when the mark has reached these ticks already: somebody else dealt with them.
 */
export async function moveMark(trx: Kysely<Tables>, advance: Advance): Promise<boolean> {
  const { namespace, dag } = advance
  // One conditional statement, so that of two who saw the same mark one is refused.
  const below = Math.min(advance.highWater, ...advance.skips.map(skip => skip.from))
  const moved = await trx
    .insertInto('schedule')
    .values({ namespace, dag, high_water: advance.highWater })
    .onConflict(conflict =>
      conflict
        .columns(['namespace', 'dag'])
        .doUpdateSet({ high_water: advance.highWater })
        .where('schedule.high_water', '<', below),
    )
    .returning('high_water')
    .executeTakeFirst()
  if (moved === undefined) return false
  for (const skip of advance.skips)
    await trx
      .insertInto('skip')
      .values({
        namespace,
        dag,
        from_at: skip.from,
        to_at: skip.to,
        count: skip.count,
        reason: skip.reason,
        at: skip.at,
      })
      .execute()
  return true
}

/** Moving the mark to where it is or has been is no news; recording a skip there would contradict what happened. */
export async function advanceSchedule(trx: Kysely<Tables>, advance: Advance): Promise<void> {
  if ((await moveMark(trx, advance)) || advance.skips.length === 0) return
  throw new StoreError(
    'VERSION_CONFLICT',
    `the schedule of ${advance.namespace}/${advance.dag} was moved past these ticks meanwhile; look at it again`,
  )
}

export async function highWater(db: Kysely<Tables>, namespace: string, dag: string): Promise<number | null> {
  const found = await db
    .selectFrom('schedule')
    .select('high_water')
    .where('namespace', '=', namespace)
    .where('dag', '=', dag)
    .executeTakeFirst()
  return found?.high_water ?? null
}

export async function skips(
  db: Kysely<Tables>,
  namespace: string,
  dag: string,
  limit: number,
): Promise<readonly Skip[]> {
  const rows = await db
    .selectFrom('skip')
    .select(['from_at as from', 'to_at as to', 'count', 'reason', 'at'])
    .where('namespace', '=', namespace)
    .where('dag', '=', dag)
    .orderBy('to_at', 'desc')
    .orderBy('from_at', 'desc')
    .orderBy('reason', 'desc')
    .limit(limit)
    .execute()
  return rows.map(row => ({ ...row, reason: row.reason as SkipReason }))
}
