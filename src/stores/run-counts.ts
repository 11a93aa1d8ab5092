import type { Kysely } from 'kysely'
import type { RunPhase } from '../core/run/rows.ts'
import type { Scope } from '../ports/store.ts'
import type { Tables } from './tables.ts'

/** Counted in an index that begins with what is asked for. */
export async function runCounts(
  db: Kysely<Tables>,
  query: Scope & { readonly createdFrom?: number },
): Promise<ReadonlyMap<RunPhase, number>> {
  const { namespace, namespaces, dag, createdFrom } = query
  if (namespaces?.length === 0) return new Map()
  let rows = db
    .selectFrom('run')
    .select(eb => ['phase', eb.fn.countAll<number>().as('count')])
    .groupBy('phase')
  if (namespace !== undefined) rows = rows.where('namespace', '=', namespace)
  if (namespaces !== undefined) rows = rows.where('namespace', 'in', [...namespaces])
  if (dag !== undefined) rows = rows.where('dag', '=', dag)
  if (createdFrom !== undefined) rows = rows.where('created_at', '>=', createdFrom)
  return new Map((await rows.execute()).map(row => [row.phase as RunPhase, Number(row.count)]))
}
