import { type Kysely, sql } from 'kysely'
import type { Delivery, DeliveryAttempt, DeliveryQuery, DeliveryState } from '../ports/deliveries.ts'
import type { Page } from '../ports/store.ts'
import { cursorOf, placeOf, within } from './cursor.ts'
import { parsed } from './rows.ts'
import type { Tables } from './tables.ts'

const LIMIT_DEFAULT = 50
const LIMIT_MAX = 500

/** A page of messages: of a run in their order, of others the newest first. */
export async function deliveryPage(db: Kysely<Tables>, query: DeliveryQuery): Promise<Page<Delivery>> {
  const { run, namespace, dag, states } = query
  const limit = within(query.limit, LIMIT_DEFAULT, LIMIT_MAX)
  let rows = deliveries(db).limit(limit + 1)
  if (namespace !== undefined) rows = rows.where('delivery.namespace', '=', namespace)
  if (dag !== undefined) rows = rows.where('delivery.dag', '=', dag)
  if (states !== undefined)
    rows = states.length === 0 ? rows.where(sql<boolean>`1 = 0`) : rows.where('delivery.state', 'in', states)
  const after = query.after === undefined ? null : placeOf(query.after)
  if (run !== undefined) {
    rows = rows.where('delivery.run', '=', run).orderBy('delivery.number')
    if (after !== null) rows = rows.where('delivery.number', '>', after.at)
  } else {
    rows = rows
      .orderBy('delivery.created_at', 'desc')
      .orderBy('delivery.run', 'desc')
      .orderBy('delivery.number', 'desc')
    if (after !== null) {
      const [id, number] = splitPlace(after.id)
      rows = rows.where(
        sql<boolean>`(delivery.created_at, delivery.run, delivery.number) < (${after.at}, ${id}, ${number})`,
      )
    }
  }
  const found = (await rows.execute()).map(deliveryOf)
  const items = found.slice(0, limit)
  const last = items.at(-1)
  if (found.length <= limit || last === undefined) return { items, next: null }
  const next =
    run === undefined
      ? cursorOf(last.createdAt, `${last.number} ${last.run}`)
      : cursorOf(last.number, last.run)
  return { items, next }
}

export async function delivery(db: Kysely<Tables>, run: string, number: number): Promise<Delivery | null> {
  const row = await deliveries(db)
    .where('delivery.run', '=', run)
    .where('delivery.number', '=', number)
    .executeTakeFirst()
  return row === undefined ? null : deliveryOf(row)
}

/** Those of runs that are there. */
function deliveries(db: Kysely<Tables>) {
  return db
    .selectFrom('delivery')
    .innerJoin('run', 'run.id', 'delivery.run')
    .innerJoin('delivery_line', 'delivery_line.run', 'delivery.run')
    .selectAll('delivery')
    .select(['delivery_line.host', 'delivery_line.next_at'])
}

type DeliveryRow = Tables['delivery'] & Pick<Tables['delivery_line'], 'host' | 'next_at'>

function deliveryOf(row: DeliveryRow): Delivery {
  return {
    run: row.run,
    number: row.number,
    namespace: row.namespace,
    dag: row.dag,
    event: row.event,
    host: row.host,
    body: row.body,
    state: row.state as DeliveryState,
    attempts: row.attempts,
    createdAt: row.created_at,
    nextAt: row.state === 'waiting' ? row.next_at : null,
    settledAt: row.settled_at,
    log: parsed<readonly DeliveryAttempt[]>(row.log),
  }
}

function splitPlace(id: string): readonly [run: string, number: number] {
  const at = id.indexOf(' ')
  return [id.slice(at + 1), Number(id.slice(0, at)) || 0]
}
