import type { Kysely } from 'kysely'
import type { Dag } from '../core/dag/dag.ts'
import type { Json } from '../core/json.ts'
import {
  type DagInForce,
  type DagQuery,
  type DagVersion,
  type Page,
  type StoredDag,
  StoreError,
} from '../ports/store.ts'
import { cursorOf, placeOf, within } from './cursor.ts'
import { parsed, storedDag } from './rows.ts'
import type { Tables } from './tables.ts'

/** Versions are found by content: going back to an older text makes that version the current one again. */
export async function putDag(
  trx: Kysely<Tables>,
  dag: Dag,
  hash: string,
  source: string | null,
  at: number,
  expected?: DagInForce | null,
): Promise<{ version: number; created: boolean }> {
  const { namespace, name } = dag
  if (expected !== undefined) await checkInForce(trx, namespace, name, expected)
  const suspended = dag.suspended ? 1 : 0
  const known = await trx
    .selectFrom('dag_version')
    .select(['version', 'source'])
    .where('namespace', '=', namespace)
    .where('name', '=', name)
    .where('hash', '=', hash)
    .executeTakeFirst()
  const version = known?.version ?? (await nextVersion(trx, 'dag_version', namespace, name))
  const current = { current_version: version, suspended, removed_at: null }
  await trx
    .insertInto('dag')
    .values({ namespace, name, ...current })
    .onConflict(conflict => conflict.columns(['namespace', 'name']).doUpdateSet(current))
    .execute()
  if (known === undefined)
    await trx
      .insertInto('dag_version')
      .values({ namespace, name, version, hash, body: JSON.stringify(dag), source, created_at: at })
      .execute()
  else if (known.source !== source)
    await trx
      .updateTable('dag_version')
      .set({ source })
      .where('namespace', '=', namespace)
      .where('name', '=', name)
      .where('version', '=', version)
      .execute()
  return { version, created: known === undefined }
}

export async function dagByHash(db: Kysely<Tables>, hash: string): Promise<StoredDag | null> {
  const row = await versions(db)
    .where('dag_version.hash', '=', hash)
    .orderBy('dag_version.namespace')
    .orderBy('dag_version.name')
    .limit(1)
    .executeTakeFirst()
  return row === undefined ? null : storedDag(row)
}

export async function dag(
  db: Kysely<Tables>,
  namespace: string,
  name: string,
  version?: number,
): Promise<StoredDag | null> {
  const query = versions(db).where('dag.namespace', '=', namespace).where('dag.name', '=', name)
  const row = await (version === undefined
    ? query.whereRef('dag_version.version', '=', 'dag.current_version')
    : query.where('dag_version.version', '=', version)
  ).executeTakeFirst()
  return row === undefined ? null : storedDag(row)
}

export async function dags(db: Kysely<Tables>): Promise<readonly StoredDag[]> {
  const rows = await versions(db)
    .whereRef('dag_version.version', '=', 'dag.current_version')
    .where('dag.removed_at', 'is', null)
    .orderBy('dag.namespace')
    .orderBy('dag.name')
    .execute()
  return rows.map(storedDag)
}

const DAGS_DEFAULT = 50
const DAGS_MAX = 500

/** One page of current versions, in order of namespace and name. */
export async function dagPage(db: Kysely<Tables>, query: DagQuery): Promise<Page<StoredDag>> {
  const { namespace, namespaces, dag, namePrefix } = query
  const limit = within(query.limit, DAGS_DEFAULT, DAGS_MAX)
  if (namespaces?.length === 0) return { items: [], next: null }
  let rows = versions(db)
    .whereRef('dag_version.version', '=', 'dag.current_version')
    .where('dag.removed_at', 'is', null)
    .orderBy('dag.namespace')
    .orderBy('dag.name')
    .limit(limit + 1)
  if (namespace !== undefined) rows = rows.where('dag.namespace', '=', namespace)
  if (namespaces !== undefined) rows = rows.where('dag.namespace', 'in', [...namespaces])
  if (dag !== undefined) rows = rows.where('dag.name', '=', dag)
  if (namePrefix !== undefined)
    rows = rows.where('dag.name', '>=', namePrefix).where('dag.name', '<', `${namePrefix}\u{10ffff}`)
  if (query.after !== undefined) {
    // Neither a namespace nor a name holds a slash.
    const [lastNamespace = '', lastName = ''] = placeOf(query.after).id.split('/')
    rows = rows.where(eb =>
      eb(eb.refTuple('dag.namespace', 'dag.name'), '>', eb.tuple(lastNamespace, lastName)),
    )
  }
  const found = await rows.execute()
  const items = found.slice(0, limit).map(storedDag)
  const last = items.at(-1)?.dag
  const more = found.length > limit && last !== undefined
  return { items, next: more ? cursorOf(0, `${last.namespace}/${last.name}`) : null }
}

export async function dagVersions(
  db: Kysely<Tables>,
  namespace: string,
  name: string,
): Promise<readonly DagVersion[]> {
  const rows = await db
    .selectFrom('dag_version')
    .select(['version', 'hash', 'source', 'created_at as createdAt'])
    .where('namespace', '=', namespace)
    .where('name', '=', name)
    .orderBy('version', 'desc')
    .execute()
  return rows.map(row => ({ ...row }))
}

/** @throws {StoreError} `VERSION_CONFLICT` */
async function checkInForce(
  trx: Kysely<Tables>,
  namespace: string,
  name: string,
  expected: DagInForce | null,
): Promise<void> {
  const now = await versions(trx)
    .where('dag.namespace', '=', namespace)
    .where('dag.name', '=', name)
    .where('dag.removed_at', 'is', null)
    .whereRef('dag_version.version', '=', 'dag.current_version')
    .executeTakeFirst()
  const same =
    now === undefined
      ? expected === null
      : now.hash === expected?.hash && (now.suspended === 1) === expected.suspended
  if (!same) throw new StoreError('VERSION_CONFLICT', `DAG ${namespace}/${name} was changed meanwhile`)
}

export async function removeDag(
  trx: Kysely<Tables>,
  namespace: string,
  name: string,
  at: number,
): Promise<void> {
  await trx
    .updateTable('dag')
    .set({ removed_at: at })
    .where('namespace', '=', namespace)
    .where('name', '=', name)
    .where('removed_at', 'is', null)
    .execute()
}

export async function putDagTask(
  trx: Kysely<Tables>,
  namespace: string,
  name: string,
  spec: Json,
  hash: string,
  at: number,
): Promise<number> {
  const known = await trx
    .selectFrom('dag_task')
    .select('version')
    .where('namespace', '=', namespace)
    .where('name', '=', name)
    .where('hash', '=', hash)
    .executeTakeFirst()
  if (known !== undefined) return known.version
  const version = await nextVersion(trx, 'dag_task', namespace, name)
  await trx
    .insertInto('dag_task')
    .values({ namespace, name, version, hash, spec: JSON.stringify(spec), created_at: at })
    .execute()
  return version
}

export async function dagTask(
  db: Kysely<Tables>,
  namespace: string,
  name: string,
  version: number,
): Promise<Json | null> {
  const row = await db
    .selectFrom('dag_task')
    .select('spec')
    .where('namespace', '=', namespace)
    .where('name', '=', name)
    .where('version', '=', version)
    .executeTakeFirst()
  return row === undefined ? null : parsed<Json>(row.spec)
}

export async function dagTaskVersions(
  db: Kysely<Tables>,
  namespace: string,
  name: string,
): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('dag_task')
    .select('version')
    .where('namespace', '=', namespace)
    .where('name', '=', name)
    .orderBy('version')
    .execute()
  return rows.map(row => row.version)
}

function versions(db: Kysely<Tables>) {
  return db
    .selectFrom('dag_version')
    .innerJoin('dag', join =>
      join.onRef('dag.namespace', '=', 'dag_version.namespace').onRef('dag.name', '=', 'dag_version.name'),
    )
    .selectAll('dag_version')
    .select('dag.suspended')
}

async function nextVersion(
  trx: Kysely<Tables>,
  table: 'dag_version' | 'dag_task',
  namespace: string,
  name: string,
): Promise<number> {
  const newest = await trx
    .selectFrom(table)
    .select('version')
    .where('namespace', '=', namespace)
    .where('name', '=', name)
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst()
  return (newest?.version ?? 0) + 1
}
