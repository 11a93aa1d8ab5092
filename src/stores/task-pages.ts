import type { Kysely } from 'kysely'
import type { AttemptRow, TaskRow } from '../core/run/rows.ts'
import type { Page, TaskQuery } from '../ports/store.ts'
import { cursorOf, placeOf, within } from './cursor.ts'
import type { SqlDialect } from './dialect.ts'
import { notRemoved } from './remove-run.ts'
import { attemptRow, taskRow } from './rows.ts'
import type { Tables } from './tables.ts'

const TASKS_DEFAULT = 500
const TASKS_MAX = 5_000

/** One page of a run's tasks, in the order of the plan. */
export async function tasks(
  db: Kysely<Tables>,
  dialect: SqlDialect,
  query: TaskQuery,
): Promise<Page<TaskRow>> {
  const limit = within(query.limit, TASKS_DEFAULT, TASKS_MAX)
  if (query.states?.length === 0) return { items: [], next: null }
  const rows = await tasksQuery(db, dialect, query, limit + 1).execute()
  const items = rows.slice(0, limit).map(taskRow)
  const last = items.at(-1)
  return { items, next: rows.length > limit && last !== undefined ? cursorOf(last.index, query.run) : null }
}

/** Without states a range of the primary key; else one ordered stream of places per state, merged and looked up. */
export function tasksQuery(db: Kysely<Tables>, dialect: SqlDialect, query: TaskQuery, limit: number) {
  const after = query.after === undefined ? -1 : placeOf(query.after).at
  const [first, ...others] = [...new Set(query.states ?? [])].map(state => {
    const stream = db
      .selectFrom('task')
      .select('idx')
      .where('run', '=', query.run)
      .where('state', '=', state)
      .where('idx', '>', after)
      .$if(!dialect.mergesStreams, rows => rows.orderBy('idx').limit(limit))
    return db.selectFrom(stream.as('stream')).selectAll()
  })
  if (first === undefined)
    return db
      .selectFrom('task')
      .selectAll()
      .where('run', '=', query.run)
      .where('idx', '>', after)
      .where(notRemoved('task.run'))
      .orderBy('idx')
      .limit(limit)
  const page = others.reduce((merged, stream) => merged.unionAll(stream), first)
  return db
    .selectFrom(page.orderBy('idx').limit(limit).as('page'))
    .innerJoin('task', join => join.onRef('task.idx', '=', 'page.idx').on('task.run', '=', query.run))
    .selectAll('task')
    .where(notRemoved('task.run'))
    .orderBy('page.idx')
}

export async function attempts(
  db: Kysely<Tables>,
  run: string,
  task?: string,
): Promise<readonly AttemptRow[]> {
  const rows = await db
    .selectFrom('attempt')
    .selectAll()
    .where('run', '=', run)
    .where(notRemoved('attempt.run'))
    .$if(task !== undefined, query => query.where('task', '=', task ?? ''))
    .orderBy('task')
    .orderBy('attempt')
    .execute()
  return rows.map(attemptRow)
}
