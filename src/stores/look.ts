import { type Kysely, sql } from 'kysely'
import type { AttemptRow } from '../core/run/rows.ts'
import type { Append } from '../ports/store.ts'
import { type Bulk, bulk } from './bulk.ts'
import type { SqlDialect } from './dialect.ts'
import { type Seen, startedPools } from './judge.ts'
import type { Tables } from './tables.ts'

/** What several appends rest on. */
export interface Looked {
  seen(append: Append): Seen
  /** An append that was seen so is written: what it takes of pools counts for the next one. */
  take(seen: Seen): void
  phase(run: string): string | undefined
}

export interface LookStatements {
  readonly runs: Bulk<{ id: string; phase: string; version: number; owner: string | null }>
  readonly keys: Bulk<{ place: number; run: string }>
  readonly marks: Bulk<{ namespace: string; dag: string; high_water: number }>
  readonly attempts: Bulk<{ run: string; task: string; attempt: number; pool: string | null; phase: string }>
  readonly lockPools: SqlDialect['lockPools']
}

export function lookStatements(db: Kysely<Tables>, dialect: SqlDialect): LookStatements {
  const { locked } = dialect
  return {
    // Locked in one order everywhere, so that two engines do not wait for each other.
    runs: bulk(
      db,
      dialect,
      ['text'],
      source => sql`select id, phase, version, owner from run where id in (${source}) order by id ${locked}`,
    ),
    keys: bulk(
      db,
      dialect,
      ['int8', 'text', 'text', 'text', 'text'],
      source => sql`select v.column1 as place, k.run from (${source}) as v join trigger_key as k
        on k.namespace = v.column2 and k.dag = v.column3 and k.kind = v.column4 and k.key = v.column5`,
    ),
    marks: bulk(
      db,
      dialect,
      ['text', 'text'],
      source => sql`select namespace, dag, high_water from schedule where (namespace, dag) in (${source})
        order by namespace, dag ${locked}`,
    ),
    attempts: bulk(
      db,
      dialect,
      ['text', 'text', 'int8'],
      source =>
        sql`select run, task, attempt, pool, phase from attempt where (run, task, attempt) in (${source})`,
    ),
    lockPools: (trx, pools) => dialect.lockPools(trx, pools),
  }
}

/** Reads and locks what these appends rest on, each thing with one statement. */
export async function look(
  trx: Kysely<Tables>,
  statements: LookStatements,
  appends: readonly Append[],
): Promise<Looked> {
  const runs = new Map(
    (
      await statements.runs.run(
        trx,
        appends.map(({ run }) => [run]),
      )
    ).map(row => [row.id, row]),
  )
  const made = appends.filter(({ version }) => version === 0)
  const keyed = new Map(
    (
      await statements.keys.run(
        trx,
        made.map(({ rows: { run } }, place) => [
          place,
          run.namespace,
          run.dag,
          run.trigger.kind,
          run.trigger.key,
        ]),
      )
    ).map(({ place, run }) => [made[place], run]),
  )
  const marks = new Map(
    (
      await statements.marks.run(
        trx,
        made.flatMap(({ advance }) => (advance === undefined ? [] : [[advance.namespace, advance.dag]])),
      )
    ).map(row => [JSON.stringify([row.namespace, row.dag]), row.high_water]),
  )
  const slots = await lookAtPools(trx, statements, appends)
  return {
    seen: append => ({
      run: runs.get(append.run) ?? null,
      keyed: keyed.get(append) ?? null,
      mark: marks.get(JSON.stringify([append.advance?.namespace, append.advance?.dag])) ?? null,
      live: slots.live,
      added: slots.added(append),
    }),
    take({ added }) {
      for (const [pool, more] of added) slots.live.set(pool, (slots.live.get(pool) ?? 0) + more)
    },
    phase: run => runs.get(run)?.phase,
  }
}

interface Slots {
  readonly live: Map<string, number>
  added(append: Append): ReadonlyMap<string, number>
}

/** Nothing is asked when no append takes a slot that is limited. */
async function lookAtPools(
  trx: Kysely<Tables>,
  statements: LookStatements,
  appends: readonly Append[],
): Promise<Slots> {
  const pools = new Set(appends.flatMap(append => [...startedPools(append)]))
  if (pools.size === 0) return { live: new Map(), added: () => new Map() }
  await statements.lockPools(trx, [...pools])
  const live = new Map(await poolUse(trx, [...pools]))
  const own = appends.flatMap(({ run, rows }) =>
    rows.attempts.flatMap(row => (inside(row, pools) ? [[run, row.task, row.attempt] as const] : [])),
  )
  const before = new Map(
    (await statements.attempts.run(trx, own)).map(row => [
      JSON.stringify([row.run, row.task, row.attempt]),
      row,
    ]),
  )
  return {
    live,
    added(append) {
      const added = new Map<string, number>()
      const count = (pool: string | null, change: number): void => {
        if (pool !== null) added.set(pool, (added.get(pool) ?? 0) + change)
      }
      for (const row of append.rows.attempts.filter(one => inside(one, pools))) {
        const stored = before.get(JSON.stringify([append.run, row.task, row.attempt]))
        // One that comes back to life is refused by a guard of the schema, whether there is a slot or not.
        if (stored?.phase === 'ended') continue
        if (stored !== undefined) count(stored.pool, -1)
        if (row.phase !== 'ended') count(row.pool, 1)
      }
      return added
    },
  }
}

function inside({ pool }: AttemptRow, pools: ReadonlySet<string>): boolean {
  return pool !== null && pools.has(pool)
}

/** Live attempts per pool, counted from the rows each time, so no slot can leak. */
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
