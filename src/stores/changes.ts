import { type Kysely, sql } from 'kysely'
import type { Change, ChangeQuery } from '../ports/store.ts'
import type { Tables } from './tables.ts'

const LIMIT_MAX = 10_000

/** Length of the run's log before an entry: what the entry before it says. */
const before = sql<number>`coalesce((
  select f.version from feed as f where f.run = feed.run and f.seq < feed.seq order by f.seq desc limit 1), 0)`

/** Entries of the feed, each with its run's place. */
export async function changes(db: Kysely<Tables>, query: ChangeQuery): Promise<readonly Change[]> {
  const { namespace, namespaces, dag, run } = query
  if (namespaces?.length === 0) return []
  let rows = db
    .selectFrom('feed')
    .innerJoin('run', 'run.id', 'feed.run')
    .select(['feed.seq', 'feed.run', 'feed.version', 'run.namespace', 'run.dag', 'run.dag_hash as dagHash'])
    .select(before.as('from'))
    .where('feed.seq', '>', query.after)
    .orderBy('feed.seq')
    .limit(Math.min(LIMIT_MAX, Math.max(1, query.limit)))
  if (run !== undefined) rows = rows.where('feed.run', '=', run)
  if (namespace !== undefined) rows = rows.where('run.namespace', '=', namespace)
  if (namespaces !== undefined) rows = rows.where('run.namespace', 'in', [...namespaces])
  if (dag !== undefined) rows = rows.where('run.dag', '=', dag)
  return (await rows.execute()).map(row => ({ ...row, from: Number(row.from) }))
}
