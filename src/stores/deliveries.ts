import { type Kysely, sql } from 'kysely'
import {
  ATTEMPTS_KEPT,
  type ClaimedDelivery,
  type Deliveries,
  type Delivery,
  type DeliveryAttempt,
  type DeliveryBatch,
  type DeliveryClaim,
  type DeliveryQuery,
  type DeliveryResult,
  type DueHost,
} from '../ports/deliveries.ts'
import type { Page } from '../ports/store.ts'
import { delivery, deliveryPage } from './delivery-pages.ts'
import type { SqlDialect } from './dialect.ts'
import type { GroupCommit } from './group-commit.ts'
import { parsed } from './rows.ts'
import type { Tables } from './tables.ts'

const SUBSCRIBER = 'webhook'
/** Rows of one statement. */
const ROWS_MAX = 500

/** The {@link Deliveries} over kysely. Whoever changes a line holds its row first. */
export class SqlDeliveries implements Deliveries {
  readonly #commits: GroupCommit
  readonly #read: Kysely<Tables>
  readonly #dialect: SqlDialect

  constructor(commits: GroupCommit, read: Kysely<Tables>, dialect: SqlDialect) {
    this.#commits = commits
    this.#read = read
    this.#dialect = dialect
  }

  async position(): Promise<number> {
    const found = await this.#read
      .selectFrom('subscriber')
      .select('position')
      .where('name', '=', SUBSCRIBER)
      .executeTakeFirst()
    return found?.position ?? 0
  }

  enqueue(batch: DeliveryBatch): Promise<boolean> {
    return this.#commits.write(async ({ trx }) => {
      if (!(await movePosition(trx, batch.from, batch.to))) return false
      const byRun = Map.groupBy(batch.deliveries, ({ run }) => run)
      for (const [run, some] of byRun) await this.#line(trx, run, some, batch.now)
      return true
    })
  }

  async hosts(): Promise<readonly DueHost[]> {
    // From one host to the next, however many lines there are of each.
    const { rows } = await sql<{ host: string; due_at: number }>`
      WITH RECURSIVE known (host) AS (
        SELECT min(host) FROM delivery_line WHERE next_at IS NOT NULL
        UNION ALL
        SELECT (SELECT min(l.host) FROM delivery_line AS l WHERE l.next_at IS NOT NULL AND l.host > known.host)
        FROM known WHERE known.host IS NOT NULL
      )
      SELECT host, (SELECT min(l.next_at) FROM delivery_line AS l
        WHERE l.host = known.host AND l.next_at IS NOT NULL) AS due_at
      FROM known WHERE host IS NOT NULL ORDER BY host`.execute(this.#read)
    return rows.map(({ host, due_at }) => ({ host, dueAt: Number(due_at) }))
  }

  claim(claim: DeliveryClaim): Promise<readonly ClaimedDelivery[]> {
    return this.#commits.write(async ({ trx }) => {
      const theirs =
        claim.leftTo.length === 0
          ? sql``
          : sql`AND NOT EXISTS (SELECT 1 FROM run WHERE run.id = l.run AND run.owner IN (${sql.join(claim.leftTo)}))`
      const taken = await sql<{ run: string }>`UPDATE delivery_line
        SET next_at = ${claim.until}, claim = ${claim.claim}
        WHERE run IN (SELECT l.run FROM delivery_line AS l
          WHERE l.host = ${claim.host} AND l.next_at <= ${claim.now} ${theirs}
          ORDER BY l.next_at, l.run LIMIT ${claim.limit} ${this.#dialect.skipLocked})
        RETURNING run`.execute(trx)
      const claimed: ClaimedDelivery[] = []
      for (const { run } of taken.rows) {
        const first = await firstWaiting(trx, run)
        if (first === undefined) await setLine(trx, run, { next_at: null, claim: null })
        else claimed.push({ ...first, host: claim.host, claim: claim.claim })
      }
      return claimed
    })
  }

  record(result: DeliveryResult): Promise<void> {
    const { run, number, follows, attempt } = result
    return this.#commits.write(async ({ trx }) => {
      const line = await this.#held(trx, run)
      const row = await trx
        .selectFrom('delivery')
        .select(['attempts', 'log'])
        .where('run', '=', run)
        .where('number', '=', number)
        .where('state', '=', 'waiting')
        .executeTakeFirst()
      if (line === null || row === undefined || line.claim !== result.claim) return
      const endedAt = attempt.at + attempt.durationMs
      const log = [...parsed<readonly DeliveryAttempt[]>(row.log), attempt].slice(-ATTEMPTS_KEPT)
      await trx
        .updateTable('delivery')
        .set({
          attempts: row.attempts + 1,
          log: JSON.stringify(log),
          state: follows.state,
          settled_at: follows.state === 'waiting' ? null : endedAt,
        })
        .where('run', '=', run)
        .where('number', '=', number)
        .execute()
      if (follows.state === 'gone') await endLine(trx, run, endedAt)
      else if (follows.state === 'waiting') await setLine(trx, run, { next_at: follows.at, claim: null })
      else {
        const next = await firstWaiting(trx, run)
        await setLine(trx, run, { next_at: next === undefined ? null : endedAt, claim: null })
      }
    })
  }

  async release(claimed: readonly Pick<ClaimedDelivery, 'run' | 'claim'>[], at: number): Promise<void> {
    if (claimed.length === 0) return
    await this.#commits.write(async ({ trx }) => {
      for (const { run, claim } of claimed)
        await trx
          .updateTable('delivery_line')
          .set({ next_at: at, claim: null })
          .where('run', '=', run)
          .where('claim', '=', claim)
          .execute()
    })
  }

  async waiting(run: string): Promise<number> {
    const found = await this.#read
      .selectFrom('delivery')
      .select(count => count.fn.countAll<number>().as('count'))
      .where('run', '=', run)
      .where('state', '=', 'waiting')
      .executeTakeFirst()
    return Number(found?.count ?? 0)
  }

  list(query: DeliveryQuery): Promise<Page<Delivery>> {
    return deliveryPage(this.#read, query)
  }

  delivery(run: string, number: number): Promise<Delivery | null> {
    return delivery(this.#read, run, number)
  }

  again(run: string, number: number, now: number): Promise<boolean> {
    return this.#commits.write(async ({ trx }) => {
      const line = await this.#held(trx, run)
      if (line === null) return false
      const put = await trx
        .updateTable('delivery')
        .set({ state: 'waiting', attempts: 0, since: now, settled_at: null })
        .where('run', '=', run)
        .where('number', '=', number)
        .returning('number')
        .executeTakeFirst()
      if (put === undefined) return false
      // One that is under way is followed by this one.
      if (line.claim === null) await setLine(trx, run, { next_at: now })
      return true
    })
  }

  async #line(
    trx: Kysely<Tables>,
    run: string,
    some: DeliveryBatch['deliveries'],
    now: number,
  ): Promise<void> {
    const there = await sql`SELECT 1 FROM run WHERE id = ${run} ${this.#dialect.kept}`.execute(trx)
    // Removed meanwhile, with everything of it.
    if (there.rows.length === 0) return
    const known = await this.#held(trx, run)
    const host = some[0]?.host ?? ''
    const last = known?.last ?? 0
    const gone = known?.gone === 1
    const rows = some.map(({ namespace, dag, event, body }, index) => ({
      run,
      number: last + index + 1,
      namespace,
      dag,
      event,
      body,
      state: gone ? 'gone' : 'waiting',
      attempts: 0,
      created_at: now,
      since: now,
      settled_at: gone ? now : null,
      log: '[]',
    }))
    for (let from = 0; from < rows.length; from += ROWS_MAX)
      await trx
        .insertInto('delivery')
        .values(rows.slice(from, from + ROWS_MAX))
        .execute()
    const end = last + some.length
    if (known === null)
      await trx
        .insertInto('delivery_line')
        .values({ run, host, last: end, next_at: now, claim: null, gone: 0 })
        .execute()
    else await setLine(trx, run, { last: end, ...(gone ? {} : { next_at: known.next_at ?? now }) })
  }

  /** Nobody else changes the line until this transaction is over. */
  async #held(trx: Kysely<Tables>, run: string): Promise<Tables['delivery_line'] | null> {
    const { rows } = await sql<Tables['delivery_line']>`
      SELECT * FROM delivery_line WHERE run = ${run} ${this.#dialect.locked}`.execute(trx)
    return rows[0] ?? null
  }
}

/** A compare-and-set; it is there from the beginning but in a database that was emptied. */
async function movePosition(trx: Kysely<Tables>, from: number, to: number): Promise<boolean> {
  const moved = await trx
    .insertInto('subscriber')
    .values({ name: SUBSCRIBER, position: to })
    .onConflict(conflict =>
      conflict.column('name').doUpdateSet({ position: to }).where('subscriber.position', '=', from),
    )
    .returning('position')
    .executeTakeFirst()
  return moved !== undefined
}

async function firstWaiting(
  trx: Kysely<Tables>,
  run: string,
): Promise<Omit<ClaimedDelivery, 'host' | 'claim'> | undefined> {
  return await trx
    .selectFrom('delivery')
    .select(['run', 'number', 'namespace', 'dag', 'event', 'body', 'attempts', 'since'])
    .where('run', '=', run)
    .where('state', '=', 'waiting')
    .orderBy('number')
    .limit(1)
    .executeTakeFirst()
}

async function setLine(
  trx: Kysely<Tables>,
  run: string,
  values: Partial<Tables['delivery_line']>,
): Promise<void> {
  await trx.updateTable('delivery_line').set(values).where('run', '=', run).execute()
}

/** The receiver wants nothing more of this run. */
async function endLine(trx: Kysely<Tables>, run: string, at: number): Promise<void> {
  await trx
    .updateTable('delivery')
    .set({ state: 'gone', settled_at: at })
    .where('run', '=', run)
    .where('state', '=', 'waiting')
    .execute()
  await setLine(trx, run, { gone: 1, next_at: null, claim: null })
}
