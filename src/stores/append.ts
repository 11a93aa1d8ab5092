import assert from 'node:assert/strict'
import { type Kysely, sql } from 'kysely'
import type { Append } from '../ports/store.ts'
import { StoreError } from '../ports/store.ts'
import type { Write, Writing } from './group-commit.ts'
import { type Prepared, prepared } from './prepared.ts'
import { ATTEMPT_COLUMNS, attemptValues, newRun, runChanges, TASK_COLUMNS, taskValues } from './rows.ts'
import { moveMark } from './schedules.ts'
import type { Tables } from './tables.ts'
import { type Upsert, upsert } from './upsert.ts'

/** The statements that run at every transition, compiled once. */
export interface AppendStatements {
  readonly updateRun: Prepared
  readonly relabel: Prepared
  readonly events: Upsert
  readonly tasks: Upsert
  readonly attempts: Upsert
}

export function appendStatements(db: Kysely<Tables>): AppendStatements {
  return {
    updateRun: prepared(slot =>
      db
        .updateTable('run')
        .set({
          phase: slot('phase'),
          reason: slot('reason'),
          message: slot('message'),
          started_at: slot('started_at'),
          ended_at: slot('ended_at'),
          tasks_done: slot('tasks_done'),
          tasks_total: slot('tasks_total'),
          version: slot('version'),
        })
        .where('id', '=', slot<string>('id'))
        .where('version', '=', slot<number>('from'))
        .where('phase', 'in', sql<string>`('queued', 'running', 'paused')`)
        .where(eb =>
          eb.or([
            eb(sql`cast(${slot('engine')} as text)`, 'is', null),
            eb('owner', '=', slot<string>('engine')),
          ]),
        )
        .returning('id')
        .compile(),
    ),
    relabel: prepared(slot =>
      db
        .updateTable('run_label')
        .set({ phase: slot('phase') })
        .where('run', '=', slot<string>('run'))
        .where('phase', '<>', slot<string>('phase'))
        .compile(),
    ),
    events: upsert(db, 'event', ['run', 'seq', 'body'], []),
    tasks: upsert(db, 'task', TASK_COLUMNS, ['run', 'idx']),
    attempts: upsert(db, 'attempt', ATTEMPT_COLUMNS, ['run', 'task', 'attempt']),
  }
}

/** Rows an append writes, to keep a transaction short. */
export function appendSize({ events, rows }: Append): number {
  return 1 + events.length + rows.tasks.length + rows.attempts.length
}

/**
 * One append as part of a transaction. The run's row goes first: its conditional update is the compare-and-set, and
 * events are only taken up to its version.
 */
export function appendWrite(statements: AppendStatements, append: Append): Write<void> {
  assert.ok(append.events.length > 0, 'an append carries at least one event')
  assert.equal(append.rows.run.id, append.run, 'the row of an append is of its run')
  const version = append.version + append.events.length
  return async writing => {
    const { trx } = writing
    if (append.version === 0) await createRun(writing, append)
    else await updateRun(writing, append, statements)
    const before = await liveAttempts(trx, append)
    await statements.events.run(
      trx,
      append.events.map((event, index) => [append.run, append.version + index + 1, JSON.stringify(event)]),
    )
    await statements.tasks.run(
      trx,
      append.rows.tasks.map(row => taskValues(append.run, row)),
    )
    await statements.attempts.run(
      trx,
      append.rows.attempts.map(row => attemptValues(append.run, row)),
    )
    refuseFullPools(before, await liveAttempts(trx, append), append.pools)
    writing.feed.push({ run: append.run, version })
  }
}

async function createRun({ trx }: Writing, append: Append): Promise<void> {
  const { run } = append.rows
  const { namespace, dag, trigger } = run
  const keyed = await trx
    .insertInto('trigger_key')
    .values({ namespace, dag, kind: trigger.kind, key: trigger.key, run: run.id, created_at: run.createdAt })
    .onConflict(conflict => conflict.doNothing())
    .returning('run')
    .executeTakeFirst()
  if (keyed === undefined) {
    const existing = await runOfTrigger(trx, namespace, dag, trigger.kind, trigger.key)
    throw duplicate(existing, `the ${trigger.kind} trigger "${trigger.key}" has made run ${existing} already`)
  }
  const created = await trx
    .insertInto('run')
    .values(newRun(run, append.events.length, append.engine))
    .onConflict(conflict => conflict.doNothing())
    .returning('id')
    .executeTakeFirst()
  if (created === undefined) throw duplicate(run.id, `run ${run.id} exists already`)
  const labels = Object.entries(run.labels)
  if (labels.length > 0)
    await trx
      .insertInto('run_label')
      .values(
        labels.map(([key, value]) => ({
          run: run.id,
          key,
          value,
          phase: run.phase,
          created_at: run.createdAt,
          namespace,
          dag,
        })),
      )
      .execute()
  if (append.advance !== undefined && !(await moveMark(trx, append.advance)))
    throw new StoreError(
      'VERSION_CONFLICT',
      `the schedule of ${namespace}/${dag} was moved past this tick meanwhile; look at it again`,
    )
}

async function updateRun({ trx }: Writing, append: Append, statements: AppendStatements): Promise<void> {
  const { run } = append.rows
  const version = append.version + append.events.length
  const updated = await statements.updateRun.run(trx, {
    ...runChanges(run),
    id: append.run,
    from: append.version,
    version,
    engine: append.engine,
  })
  if (updated.length === 0) throw await refusal(trx, append)
  if (Object.keys(run.labels).length > 0)
    await statements.relabel.run(trx, { run: append.run, phase: run.phase })
}

/** Why the conditional update found nothing; what cannot be mended by loading again is said first. */
async function refusal(trx: Kysely<Tables>, append: Append): Promise<StoreError> {
  const found = await trx
    .selectFrom('run')
    .select(['phase', 'version', 'owner'])
    .where('id', '=', append.run)
    .executeTakeFirst()
  if (found === undefined) return new StoreError('VERSION_CONFLICT', `run ${append.run} does not exist`)
  if (['succeeded', 'failed', 'cancelled'].includes(found.phase))
    return new StoreError('TERMINAL', `run ${append.run} is ${found.phase} and takes nothing more`)
  if (append.engine !== null && found.owner !== append.engine)
    return new StoreError('NOT_OWNER', `run ${append.run} is driven by ${found.owner ?? 'nobody'} now`)
  return new StoreError(
    'VERSION_CONFLICT',
    `run ${append.run} is at ${found.version}, this was decided at ${append.version}`,
  )
}

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

function duplicate(existing: string | null, message: string): StoreError {
  return new StoreError('DUPLICATE_RUN', message, { existing })
}

/** Live attempts of the pools this append may take slots of; nothing is asked when it takes none. */
async function liveAttempts(trx: Kysely<Tables>, append: Append): Promise<ReadonlyMap<string, number>> {
  const pools = new Set(
    append.rows.attempts.filter(row => row.phase !== 'ended').flatMap(row => row.pool ?? []),
  )
  const limited = [...pools].filter(pool => append.pools.has(pool))
  if (limited.length === 0) return new Map()
  return poolUse(trx, limited)
}

/** Counted from the rows each time, so no slot can leak. */
export async function poolUse(
  db: Kysely<Tables>,
  pools: readonly string[] | null = null,
): Promise<ReadonlyMap<string, number>> {
  const rows = await db
    .selectFrom('attempt')
    .select(['pool', eb => eb.fn.countAll<number>().as('live')])
    .where('pool', 'is not', null)
    .where(sql<boolean>`phase <> 'ended'`)
    .$if(pools !== null, query => query.where('pool', 'in', pools))
    .groupBy('pool')
    .execute()
  return new Map(rows.map(row => [row.pool ?? '', Number(row.live)]))
}

/** An append may end attempts of a pool whose limit was lowered; it may not add to it. */
function refuseFullPools(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  limits: ReadonlyMap<string, number>,
): void {
  for (const [pool, live] of after) {
    const limit = limits.get(pool) ?? Number.POSITIVE_INFINITY
    if (live > limit && live > (before.get(pool) ?? 0))
      throw new StoreError('POOL_FULL', `pool ${pool} has ${before.get(pool) ?? 0} of ${limit} slots in use`)
  }
}
