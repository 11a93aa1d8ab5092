import { type Kysely, sql } from 'kysely'
import type { EngineRow, StoredRun } from '../ports/store.ts'
import { storedRun } from './rows.ts'
import type { Tables } from './tables.ts'

/** The text of a partial index's condition; the planner only takes the index for exactly this. */
export const UNSETTLED = sql<boolean>`phase IN ('queued', 'running', 'paused')`

export async function beat(trx: Kysely<Tables>, engine: EngineRow): Promise<void> {
  const { id, ...rest } = columns(engine)
  await trx
    .insertInto('engine')
    .values({ id, ...rest })
    .onConflict(conflict => conflict.column('id').doUpdateSet(rest))
    .execute()
}

export async function engines(db: Kysely<Tables>): Promise<readonly EngineRow[]> {
  const rows = await db
    .selectFrom('engine')
    .select(['id', 'pid', 'process_start as processStart', 'boot_id as bootId', 'host', 'seen_at as seenAt'])
    .orderBy('id')
    .execute()
  return rows.map(row => ({ ...row }))
}

export async function removeEngine(trx: Kysely<Tables>, id: string): Promise<void> {
  await trx.deleteFrom('engine').where('id', '=', id).execute()
}

/** A compare-and-set on the owner; a settled run has nothing left to own. */
export async function claim(
  trx: Kysely<Tables>,
  run: string,
  from: string | null,
  to: string | null,
): Promise<boolean> {
  const claimed = await trx
    .updateTable('run')
    .set({ owner: to })
    .where('id', '=', run)
    .where('owner', 'is not distinct from', from)
    .where(UNSETTLED)
    .returning('id')
    .executeTakeFirst()
  return claimed !== undefined
}

export async function unsettled(db: Kysely<Tables>, owner?: string | null): Promise<readonly StoredRun[]> {
  const rows = await db
    .selectFrom('run')
    .selectAll()
    .where(UNSETTLED)
    .$if(owner !== undefined, query => query.where('owner', 'is not distinct from', owner ?? null))
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  return rows.map(storedRun)
}

function columns(engine: EngineRow): Tables['engine'] {
  return {
    id: engine.id,
    pid: engine.pid,
    process_start: engine.processStart,
    boot_id: engine.bootId,
    host: engine.host,
    seen_at: engine.seenAt,
  }
}
