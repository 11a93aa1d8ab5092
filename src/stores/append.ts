import assert from 'node:assert/strict'
import { type Kysely, sql } from 'kysely'
import type { Append, StoreError } from '../ports/store.ts'
import { type Bulk, bulk, type Columns, upsert } from './bulk.ts'
import type { SqlDialect } from './dialect.ts'
import type { Writing } from './group-commit.ts'
import { judge } from './judge.ts'
import { look, type LookStatements, lookStatements } from './look.ts'
import {
  ATTEMPT_COLUMNS,
  attemptValues,
  LABEL_COLUMNS,
  labelValues,
  RUN_ADVANCES,
  RUN_CHANGES,
  RUN_COLUMNS,
  runAdvances,
  runValues,
  TASK_COLUMNS,
  taskValues,
} from './rows.ts'
import type { Value } from './prepared.ts'
import { moveMark } from './schedules.ts'
import type { Tables } from './tables.ts'

/** The statements that run at every transition, compiled once. */
export interface AppendStatements {
  readonly look: LookStatements
  readonly keys: Bulk<never>
  readonly runs: Bulk<never>
  readonly labels: Bulk<never>
  readonly updateRuns: Bulk<never>
  /** The same for runs that stay in their phase, by which most indexes of the table are sorted. */
  readonly advanceRuns: Bulk<never>
  readonly relabel: Bulk<never>
  readonly events: Bulk<never>
  readonly tasks: Bulk<never>
  readonly attempts: Bulk<never>
}

export function appendStatements(db: Kysely<Tables>, dialect: SqlDialect): AppendStatements {
  return {
    look: lookStatements(db, dialect),
    keys: upsert(db, dialect, 'trigger_key', KEY_COLUMNS, []),
    runs: upsert(db, dialect, 'run', RUN_COLUMNS, []),
    labels: upsert(db, dialect, 'run_label', LABEL_COLUMNS, []),
    updateRuns: updateOfRuns(db, dialect, RUN_CHANGES),
    advanceRuns: updateOfRuns(db, dialect, RUN_ADVANCES),
    relabel: bulk(
      db,
      dialect,
      ['text', 'text'],
      source =>
        sql`update run_label set phase = v.column2 from (${source}) as v where run_label.run = v.column1`,
    ),
    events: upsert(db, dialect, 'event', EVENT_COLUMNS, []),
    tasks: upsert(db, dialect, 'task', TASK_COLUMNS, ['run', 'idx']),
    attempts: upsert(db, dialect, 'attempt', ATTEMPT_COLUMNS, ['run', 'task', 'attempt']),
  }
}

/** What was looked at is locked, so this finds every row; the condition makes it true even if it were not. */
function updateOfRuns(db: Kysely<Tables>, dialect: SqlDialect, columns: Columns<'run'>): Bulk<never> {
  const changes = [...columns, ['version', 'int8'] as const]
  const sets = changes.map(([name], index) => sql`${sql.ref(name)} = ${sql.ref(`v.column${index + 1}`)}`)
  const [id, from] = [changes.length + 1, changes.length + 2].map(place => sql.ref(`v.column${place}`))
  return bulk(
    db,
    dialect,
    [...changes.map(([, type]) => type), 'text', 'int8'],
    source => sql`update run set ${sql.join(sets)} from (${source}) as v
      where run.id = ${id} and run.version = ${from}`,
  )
}

const EVENT_COLUMNS = [
  ['run', 'text'],
  ['seq', 'int8'],
  ['body', 'text'],
] as const
const KEY_COLUMNS = [
  ['namespace', 'text'],
  ['dag', 'text'],
  ['kind', 'text'],
  ['key', 'text'],
  ['run', 'text'],
  ['created_at', 'int8'],
] as const

/** Rows an append writes, to keep a transaction short. */
export function appendSize({ events, rows }: Append): number {
  return 1 + events.length + rows.tasks.length + rows.attempts.length
}

/** A mistake of the caller, which no database is asked about. */
export function checkAppend(append: Append): void {
  if (append.events.length === 0) assert.fail('an append carries at least one event')
  if (append.rows.run.id !== append.run) assert.fail('the row of an append is of its run')
}

/**
 * How many of the first appends may be written together: no two of one run, of one trigger key or of one schedule,
 * so that none of them rests on what another writes, but for the slots of pools.
 */
export function apart(appends: readonly Append[]): number {
  const taken = new Set<string>()
  for (const [index, append] of appends.entries()) {
    const { namespace, dag, trigger } = append.rows.run
    const claims = [`run ${append.run}`]
    if (append.version === 0) claims.push(JSON.stringify(['key', namespace, dag, trigger.kind, trigger.key]))
    if (append.advance !== undefined)
      claims.push(JSON.stringify(['schedule', append.advance.namespace, append.advance.dag]))
    if (claims.some(claim => taken.has(claim))) return index
    for (const claim of claims) taken.add(claim)
  }
  return appends.length
}

/**
 * Appends that are {@link apart}, as part of a transaction: everything they rest on is looked at and locked, each is
 * judged by plain code, and those that may be are written with a handful of statements.
 *
 * @returns  For each, why it was refused, or null. Nothing of a refused one was written.
 */
export async function appendAll(
  { trx, feed }: Writing,
  statements: AppendStatements,
  appends: readonly Append[],
): Promise<readonly (StoreError | null)[]> {
  const looked = await look(trx, statements.look, appends)
  const accepted: Append[] = []
  const refusals = appends.map(append => {
    const seen = looked.seen(append)
    const refusal = judge(append, seen)
    if (refusal !== null) return refusal
    looked.take(seen)
    accepted.push(append)
    return null
  })
  await writeRuns(trx, statements, accepted, run => looked.phase(run))
  await statements.events.run(
    trx,
    accepted.flatMap(({ run, version, events }) =>
      events.map((event, index) => [run, version + index + 1, JSON.stringify(event)]),
    ),
  )
  await statements.tasks.run(
    trx,
    accepted.flatMap(({ run, rows }) => rows.tasks.map(row => taskValues(run, row))),
  )
  await statements.attempts.run(
    trx,
    accepted.flatMap(({ run, rows }) => rows.attempts.map(row => attemptValues(run, row))),
  )
  feed.push(...accepted.map(append => ({ run: append.run, version: versionAfter(append) })))
  return refusals
}

/** The run's row goes first: events are only taken up to its version. */
async function writeRuns(
  trx: Kysely<Tables>,
  statements: AppendStatements,
  accepted: readonly Append[],
  phaseBefore: (run: string) => string | undefined,
): Promise<void> {
  const made = accepted.filter(({ version }) => version === 0)
  const went = accepted.filter(({ version }) => version > 0)
  if (made.length > 0) {
    await statements.keys.run(
      trx,
      made.map(({ rows: { run } }) => [
        run.namespace,
        run.dag,
        run.trigger.kind,
        run.trigger.key,
        run.id,
        run.createdAt,
      ]),
    )
    await statements.runs.run(
      trx,
      made.map(append => runValues(append.rows.run, versionAfter(append), append.engine)),
    )
    await statements.labels.run(
      trx,
      made.flatMap(({ rows }) => labelValues(rows.run)),
    )
    for (const { advance } of made)
      if (advance !== undefined && !(await moveMark(trx, advance)))
        assert.fail('the mark was looked at and locked')
  }
  const stays = ({ run, rows }: Append): boolean => phaseBefore(run) === rows.run.phase
  const moved = went.filter(append => !stays(append))
  const place = (append: Append): readonly Value[] => [versionAfter(append), append.run, append.version]
  await statements.updateRuns.run(
    trx,
    moved.map(append => [append.rows.run.phase, ...runAdvances(append.rows.run), ...place(append)]),
  )
  await statements.advanceRuns.run(
    trx,
    went.filter(stays).map(append => [...runAdvances(append.rows.run), ...place(append)]),
  )
  await statements.relabel.run(
    trx,
    moved
      .filter(({ rows }) => Object.keys(rows.run.labels).length > 0)
      .map(({ run, rows }) => [run, rows.run.phase]),
  )
}

function versionAfter({ version, events }: Append): number {
  return version + events.length
}
