import { type Kysely, sql } from 'kysely'
import type { RunPhase } from '../core/run/rows.ts'
import type { Page, RunQuery, StoredRun } from '../ports/store.ts'
import { cursorOf, type Place, placeOf, within } from './cursor.ts'
import type { SqlDialect } from './dialect.ts'
import { storedRun } from './rows.ts'
import type { Tables } from './tables.ts'

const RUNS_DEFAULT = 50
const RUNS_MAX = 500
/** A prefix with fewer matches than this is answered from the indexes of ids and names alone. */
const LIKE_MAX = 1_000
/** Enough to tell which of several labels is the rarest. */
const LABEL_COUNT_MAX = 1_000
/** Namespaces that have a stream of their own; SQLite merges no more than 500 of them in all. */
const PLACES_MAX = 8
const PHASES: readonly RunPhase[] = ['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled']

/** One page of runs, newest first. */
export async function runs(
  db: Kysely<Tables>,
  dialect: SqlDialect,
  query: RunQuery,
): Promise<Page<StoredRun>> {
  const limit = within(query.limit, RUNS_DEFAULT, RUNS_MAX)
  if (query.phases?.length === 0 || query.namespaces?.length === 0) return { items: [], next: null }
  // One row more than the limit says whether there is a next page.
  const few = await fewNamed(db, query)
  const rows =
    few === null
      ? await runsQuery(db, dialect, query, await rarestLabel(db, query), limit + 1).execute()
      : await namedQuery(db, query, few, limit + 1).execute()
  const items = rows.slice(0, limit).map(storedRun)
  const last = items.at(-1)
  return { items, next: rows.length > limit && last !== undefined ? cursorOf(last.createdAt, last.id) : null }
}

/**
 * One ordered stream per phase, merged by the database: each is a range of one index, so a page costs what it shows,
 * however many runs there are.
 *
 * @param label  The label whose index leads; null to lead with the runs' own.
 */
export function runsQuery(
  db: Kysely<Tables>,
  dialect: SqlDialect,
  query: RunQuery,
  label: string | null,
  limit: number,
) {
  if (label === null)
    return newest(
      phases(query).flatMap(phase =>
        places(query).map(place =>
          newestRuns(db, dialect, runStream(db, { ...query, ...place }, phase), limit),
        ),
      ),
      limit,
    )
  const page = newest(
    phases(query).map(phase => newestLabels(db, dialect, labelStream(db, query, phase, label), limit)),
    limit,
  )
  return db
    .selectFrom(page.as('page'))
    .innerJoin('run', 'run.id', 'page.id')
    .selectAll('run')
    .orderBy('page.created_at', 'desc')
    .orderBy('page.id', 'desc')
}

/** Ids of the runs of a name, where these are few enough to look at each; null otherwise. */
async function fewNamed(db: Kysely<Tables>, { namePrefix }: RunQuery): Promise<readonly string[] | null> {
  if (namePrefix === undefined) return null
  const beyond = `${namePrefix}\u{10ffff}`
  const named = db.selectFrom('run').select('id').where('name', '>=', namePrefix).where('name', '<', beyond)
  const rows = await named.limit(LIKE_MAX).execute()
  return rows.length === LIKE_MAX ? null : rows.map(({ id }) => id)
}

function namedQuery(db: Kysely<Tables>, query: RunQuery, ids: readonly string[], limit: number) {
  return runFilter(db, query)
    .where('id', 'in', [...ids, ''])
    .where('phase', 'in', [...phases(query)])
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
}

function phases(query: RunQuery): readonly RunPhase[] {
  return query.phases === undefined ? PHASES : PHASES.filter(phase => query.phases?.includes(phase))
}

/**
 * A stream of its own for each of a few namespaces, as each is a range of an index; where there are many, what is read
 * is filtered instead.
 */
function places(query: RunQuery): readonly Pick<RunQuery, 'namespace' | 'namespaces'>[] {
  const { namespaces, namespace } = query
  if (namespaces === undefined || namespaces.length > PLACES_MAX) return [{}]
  if (namespace !== undefined) return [{}]
  return [...new Set(namespaces)].map(one => ({ namespace: one, namespaces: [one] }))
}

function runStream(db: Kysely<Tables>, query: RunQuery, phase: RunPhase) {
  return runFilter(db, query).where('phase', '=', phase)
}

function runFilter(db: Kysely<Tables>, query: RunQuery) {
  let rows = db.selectFrom('run').selectAll('run')
  if (query.namespace !== undefined) rows = rows.where('namespace', '=', query.namespace)
  if (filtersPlaces(query)) rows = rows.where('namespace', 'in', [...(query.namespaces ?? [])])
  if (query.namePrefix !== undefined)
    rows = rows.where('name', '>=', query.namePrefix).where('name', '<', `${query.namePrefix}\u{10ffff}`)
  if (query.dag !== undefined) rows = rows.where('dag', '=', query.dag)
  if (query.parentRun === null) rows = rows.where('parent_run', 'is', null)
  else if (query.parentRun !== undefined) rows = rows.where('parent_run', '=', query.parentRun)
  if (query.createdFrom !== undefined) rows = rows.where('created_at', '>=', query.createdFrom)
  if (query.createdBefore !== undefined) rows = rows.where('created_at', '<', query.createdBefore)
  const place = placeIn(query)
  if (place !== null)
    rows = rows.where(eb => eb(eb.refTuple('created_at', 'id'), '<', eb.tuple(place.at, place.id)))
  for (const label of Object.entries(query.labels ?? {})) rows = rows.where(hasLabel('run.id', label))
  return rows
}

/** Ids of runs with a label, from the labels' own index, which repeats what runs are filtered and sorted by. */
function labelStream(db: Kysely<Tables>, query: RunQuery, phase: RunPhase, label: string) {
  const { [label]: value = '', ...others } = query.labels ?? {}
  let rows = db
    .selectFrom('run_label')
    .select(['created_at', 'run as id'])
    .where('key', '=', label)
    .where('value', '=', value)
    .where('phase', '=', phase)
  if (query.namespace !== undefined) rows = rows.where('namespace', '=', query.namespace)
  if (filtersPlaces(query)) rows = rows.where('namespace', 'in', [...(query.namespaces ?? [])])
  if (query.namePrefix !== undefined) rows = rows.where(isNamed(query.namePrefix))
  if (query.dag !== undefined) rows = rows.where('dag', '=', query.dag)
  if (query.createdFrom !== undefined) rows = rows.where('created_at', '>=', query.createdFrom)
  if (query.createdBefore !== undefined) rows = rows.where('created_at', '<', query.createdBefore)
  const place = placeIn(query)
  if (place !== null)
    rows = rows.where(eb => eb(eb.refTuple('created_at', 'run'), '<', eb.tuple(place.at, place.id)))
  if (query.parentRun === null) rows = rows.where(isRoot)
  for (const other of Object.entries(others)) rows = rows.where(hasLabel('run_label.run', other))
  return rows
}

/** Unless its stream is of one namespace anyway. */
function filtersPlaces({ namespace, namespaces }: RunQuery): boolean {
  return namespaces !== undefined && (namespace === undefined || !namespaces.includes(namespace))
}

/** The labels' index does not know names either. */
function isNamed(prefix: string) {
  const beyond = `${prefix}\u{10ffff}`
  return sql<boolean>`EXISTS (SELECT 1 FROM run AS r
    WHERE r.id = run_label.run AND r.name >= ${prefix} AND r.name < ${beyond})`
}

/** A stream as one source of a merge: all of it where the database merges by itself, else its newest rows. */
function newestRuns(
  db: Kysely<Tables>,
  { mergesStreams }: SqlDialect,
  stream: ReturnType<typeof runStream>,
  limit: number,
) {
  const some = stream.$if(!mergesStreams, rows =>
    rows.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit),
  )
  return db.selectFrom(some.as('stream')).selectAll()
}

function newestLabels(
  db: Kysely<Tables>,
  { mergesStreams }: SqlDialect,
  stream: ReturnType<typeof labelStream>,
  limit: number,
) {
  const some = stream.$if(!mergesStreams, rows =>
    rows.orderBy('created_at', 'desc').orderBy('run', 'desc').limit(limit),
  )
  return db.selectFrom(some.as('stream')).selectAll()
}

/** Looked up for each run in turn: as a join, a planner may read all runs with this label to show one page. */
function hasLabel(run: 'run.id' | 'run_label.run', [key, value]: readonly [string, string]) {
  return sql<boolean>`(SELECT l.value FROM run_label AS l WHERE l.run = ${sql.ref(run)} AND l.key = ${key}) = ${value}`
}

/** Not a task of another run; the labels' index does not know. */
const isRoot = sql<boolean>`EXISTS (SELECT 1 FROM run AS r WHERE r.id = run_label.run AND r.parent_run IS NULL)`

/** Merges streams of which there is at least one, newest first. */
function newest<Stream extends Mergeable<Stream>>(streams: readonly Stream[], limit: number): Stream {
  const [first, ...others] = streams
  if (first === undefined) throw new Error('nothing to merge')
  return others
    .reduce((merged, stream) => merged.unionAll(stream), first)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
}

interface Mergeable<Stream> {
  unionAll(stream: Stream): Stream
  orderBy(column: 'created_at' | 'id', direction: 'desc'): Stream
  limit(limit: number): Stream
}

function placeIn(query: RunQuery): Place | null {
  return query.after === undefined ? null : placeOf(query.after)
}

/**
 * The label that narrows most, counted up to a bound; null where there is none, or where the children of one run are
 * asked for, which are fewer than any label's runs.
 */
async function rarestLabel(db: Kysely<Tables>, query: RunQuery): Promise<string | null> {
  const labels = Object.entries(query.labels ?? {})
  if (typeof query.parentRun === 'string') return null
  if (labels.length < 2) return labels[0]?.[0] ?? null
  const counts = await Promise.all(
    labels.map(async ([key, value]) => {
      const some = db.selectFrom('run_label').select('run').where('key', '=', key).where('value', '=', value)
      const { count } = await db
        .selectFrom(some.limit(LABEL_COUNT_MAX).as('some'))
        .select(eb => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
      return { key, count: Number(count) }
    }),
  )
  return counts.reduce((rarest, one) => (one.count < rarest.count ? one : rarest)).key
}

/** Runs whose id or name starts with a text, newest first. */
export async function runsLike(
  db: Kysely<Tables>,
  dialect: SqlDialect,
  prefix: string,
  limit: number,
): Promise<readonly StoredRun[]> {
  const most = within(limit, limit, RUNS_MAX)
  const beyond = `${prefix}\u{10ffff}`
  const starts = (column: 'id' | 'name') =>
    db.selectFrom('run').select('id').where(column, '>=', prefix).where(column, '<', beyond).limit(LIKE_MAX)
  const few = await Promise.all([starts('id').execute(), starts('name').execute()])
  const matches = few.some(rows => rows.length === LIKE_MAX)
    ? // So many that the newest of them are near the top of all runs.
      newest(
        PHASES.map(phase => {
          const matching = runStream(db, {}, phase).where(eb =>
            eb.or(
              (['id', 'name'] as const).map(column =>
                eb.and([eb(column, '>=', prefix), eb(column, '<', beyond)]),
              ),
            ),
          )
          return newestRuns(db, dialect, matching, most)
        }),
        most,
      )
    : db
        .selectFrom('run')
        .selectAll()
        .where('id', 'in', [...new Set(few.flat().map(row => row.id)), ''])
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(most)
  return (await matches.execute()).map(storedRun)
}

/** The run that a trigger key has made, also when it was removed since. */
export async function runOfTrigger(
  db: Kysely<Tables>,
  namespace: string,
  dag: string,
  kind: string,
  key: string,
): Promise<string | null> {
  const found = await db
    .selectFrom('trigger_key')
    .select('run')
    .where('namespace', '=', namespace)
    .where('dag', '=', dag)
    .where('kind', '=', kind)
    .where('key', '=', key)
    .executeTakeFirst()
  return found?.run ?? null
}
