import { type Kysely, sql } from 'kysely'
import type { GroupCommit, Writing } from './group-commit.ts'
import type { Tables } from './tables.ts'

/** Rows deleted in one transaction, at most, of each table. */
const SLICE = 2_000

/**
 * Removes a settled run. One transaction makes it gone for every reader (its row and labels, and a note that the rest
 * is to go); its many rows then go in slices, so that no transaction is long. A process that dies between leaves the
 * note, and the next one to open the store goes on. The trigger key stays: it never gives a second run.
 */
export async function removeRun(commits: GroupCommit, run: string): Promise<boolean> {
  const removed = await commits.write(async ({ trx }) => {
    const gone = await trx
      .deleteFrom('run')
      .where('id', '=', run)
      .where(sql<boolean>`phase IN ('succeeded', 'failed', 'cancelled')`)
      .returning('id')
      .executeTakeFirst()
    if (gone === undefined) return false
    await trx.deleteFrom('delivery_line').where('run', '=', run).execute()
    await trx
      .insertInto('removed_run')
      .values({ run })
      .onConflict(conflict => conflict.doNothing())
      .execute()
    return true
  })
  if (removed) await sweep(commits, run)
  return removed
}

/** Goes on with removals that a process left half done. */
export async function sweepRemoved(commits: GroupCommit, db: Kysely<Tables>): Promise<void> {
  for (const { run } of await db.selectFrom('removed_run').select('run').execute()) await sweep(commits, run)
}

/** Rows of a run that is gone may still be there; nobody is to see them. */
export function notRemoved(run: 'event.run' | 'task.run' | 'attempt.run') {
  return sql<boolean>`EXISTS (SELECT 1 FROM run WHERE id = ${sql.ref(run)})`
}

async function sweep(commits: GroupCommit, run: string): Promise<void> {
  while (await commits.write(writing => slice(writing, run))) {
    // Another slice.
  }
}

/** Whether more is left. */
async function slice({ trx }: Writing, run: string): Promise<boolean> {
  let full = false
  for (const [table, key] of [
    ['event', 'seq'],
    ['task', 'idx'],
    ['feed', 'seq'],
    ['delivery', 'number'],
  ] as const) {
    const { rows } = await sql`DELETE FROM ${sql.table(table)} WHERE run = ${run} AND ${sql.ref(key)} IN
      (SELECT ${sql.ref(key)} FROM ${sql.table(table)} WHERE run = ${run} ORDER BY ${sql.ref(key)} LIMIT ${SLICE})
      RETURNING 1`.execute(trx)
    full ||= rows.length === SLICE
  }
  const { rows } = await sql`DELETE FROM attempt WHERE run = ${run} AND (task, attempt) IN
    (SELECT task, attempt FROM attempt WHERE run = ${run} LIMIT ${SLICE}) RETURNING 1`.execute(trx)
  full ||= rows.length === SLICE
  if (!full) await trx.deleteFrom('removed_run').where('run', '=', run).execute()
  return full
}
