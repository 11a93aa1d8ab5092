import type { Dag } from '../core/dag/dag.ts'
import type { Notices } from '../ports/notices.ts'
import type { Store } from '../ports/store.ts'
import type { Watching } from './cluster.ts'
import { DagResources } from './dag-resources.ts'
import { DagTaskResources } from './dag-task-resources.ts'
import { EventTeller } from './events.ts'
import { Feed } from './feed.ts'
import type { OperatorParts } from './parts.ts'
import { RetentionSweep } from './retention.ts'
import { RunResources } from './run-resources.ts'

export interface Operator {
  /** Give them to the engine, so that what it tells becomes Events. */
  readonly notices: Notices
  /** Resolves when all objects were told and everything that follows from them is under way. */
  readonly synced: Promise<void>
  /** Things that wait for their look or are looked at now, for metrics. */
  busy(): number
  /** DagRuns that are there. */
  dagRuns(): number
  /** Removes what is over by its retention now, without waiting for the time of it. */
  sweep(): Promise<void>
  /** Takes nothing in any more; resolves when what was begun is over. Runs go on. */
  close(): Promise<void>
}

/**
 * Begins to take in the objects of a cluster: DAGs are put in force, DagRuns become runs, and the status of each says
 * how it stands. Nothing of it is needed again after a crash: what is wanted is derived from the objects and the store.
 *
 * Until the cluster has told all its objects, no schedule starts anything.
 */
export function openOperator(given: OperatorParts): Operator {
  const parts: OperatorParts = { ...given, chance: () => given.chance(), trouble: seldom(given) }
  const closing = { closed: false }
  const tasks: DagTaskResources = new DagTaskResources(parts, (namespace, name) =>
    dags.taskChanged(namespace, name),
  )
  const dags: DagResources = new DagResources(
    parts,
    (namespace, name) => runs.dagSettled(namespace, name),
    (object, problems) => teller.dagRead(object, problems),
  )
  const runs: RunResources = new RunResources(parts, dags, {
    appeared: (key, object) => teller.appeared(key, object),
    rejected: (object, reason, message) => teller.rejected('DagRun', object, reason, message),
  })
  const objectOf = (key: string) => runs.views.of(key)?.object
  const teller = new EventTeller(parts, objectOf)
  const retention = new RetentionSweep(parts, objectOf, ({ namespace, dag }) => dags.runMoved(namespace, dag))
  const feed = new Feed(
    parts,
    run => runs.moved(run),
    error => parts.trouble('FEED_NOT_READ', String(error)),
  )
  const watching: Watching[] = []

  async function begin(): Promise<void> {
    // Read before everything that follows: what is written meanwhile is in the feed.
    await feed.open()
    const shownFrom = await lastActivity(parts.store, parts.clock.now())
    if (closing.closed) return
    watching.push(
      parts.cluster.watch('DagTask', tasks),
      parts.cluster.watch('DAG', dags),
      parts.cluster.watch('DagRun', runs),
    )
    await Promise.all(watching.map(({ synced }) => synced))
    if (closing.closed) return
    await dags.synced()
    await runs.synced(shownFrom)
    retention.open()
  }

  const synced = begin()
  // Whoever does not wait for it hears of trouble here.
  synced.catch((error: unknown) => {
    if (!closing.closed) parts.trouble('OPERATOR_NOT_BEGUN', String(error))
  })
  return {
    notices: { events: (state, events) => teller.facts(state, events) },
    synced,
    busy: () => tasks.busy + dags.busy + runs.busy,
    dagRuns: () => runs.views.size,
    sweep: () => retention.sweep(),
    async close() {
      closing.closed = true
      // First of all: a cluster that is away never tells its objects, and the beginning waits for them.
      await Promise.all(watching.map(one => one.close()))
      await synced.catch(() => undefined)
      await feed.close()
      await retention.close()
      await Promise.all([tasks.close(), dags.close(), runs.close()])
      await teller.close()
    },
  }
}

/** While a cluster or a database is away, everything fails all the time: the same trouble is told once a minute. */
const TROUBLE_MS = 60_000

function seldom(parts: OperatorParts): OperatorParts['trouble'] {
  const told = new Map<string, number>()
  return (code, message) => {
    const now = parts.clock.now()
    const before = told.get(code)
    if (before !== undefined && Math.abs(now - before) < TROUBLE_MS) return
    told.set(code, now)
    parts.trouble(code, message)
  }
}

/** What ended after this may not have been shown when the last operator went. */
const SHOWING_MS = 60_000

async function lastActivity(store: Store, now: number): Promise<number> {
  const { items } = await store.runs({ limit: 100 })
  const times = items.flatMap(({ createdAt, endedAt }) => (endedAt === null ? [createdAt] : [endedAt]))
  return (times.length === 0 ? now : Math.max(...times)) - SHOWING_MS
}

/**
 * Name of the run that a tick starts: derived, so that looking twice names it once. It tells the minute, as no schedule
 * has anything smaller.
 */
export function scheduledRunName(dag: Dag, scheduledTime: number): string {
  return `${dag.name}-${Math.floor(scheduledTime / 60_000)}`
}
