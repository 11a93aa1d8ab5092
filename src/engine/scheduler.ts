import type { Dag } from '../core/dag/dag.ts'
import { createRun } from '../core/run/create.ts'
import { type Due, due } from '../core/schedule/due.ts'
import { firstInLine } from '../core/schedule/line.ts'
import { type Advance, type Store, StoreError, type StoredRun } from '../ports/store.ts'
import type { Engine } from './engine.ts'

/** A DAG whose schedules this engine looks after. */
export interface ScheduledDag {
  readonly dag: Dag
  readonly hash: string
}

export interface SchedulerOptions {
  /** Where relative paths of local tasks start; null in a cluster. */
  readonly workdir: string | null
  /** A name for a run that a tick starts: derived from the tick, or from chance. */
  nameOf(dag: Dag, scheduledTime: number): string
}

/** Looked at this often even if nothing is due: the machine may have slept, and clocks are set. */
const LOOK_MS_MAX = 30_000
const LOOK_MS_MIN = 5

/**
 * Starts runs when their time has come. It decides by `core/schedule/due` alone; a run and the schedule's mark are
 * written in one transaction, and a tick's key gives one run however often and by however many engines it is tried.
 */
export class Scheduler {
  readonly #engine: Engine
  readonly #options: SchedulerOptions
  #dags: readonly ScheduledDag[] = []
  #callOff: (() => void) | null = null
  #looking: Promise<void> | null = null
  #again = false
  #closed = false

  constructor(engine: Engine, options: SchedulerOptions) {
    this.#engine = engine
    this.#options = options
  }

  /**
   * From now on these DAGs are looked after. Ticks up to now are decided by what was in force until now, so that a
   * changed schedule does not bring up ticks from before it existed.
   *
   * @param keep  Makes the new versions durable: no run may be of a version that is not in the store, and until then
   *              the store still tells what was in force.
   */
  async replace(dags: readonly ScheduledDag[], keep: () => Promise<void>): Promise<void> {
    await this.look()
    const { store } = this.#engine.parts
    const now = this.#engine.now()
    for (const { dag } of dags) {
      const before = await store.dag(dag.namespace, dag.name)
      const mark = await store.highWater(dag.namespace, dag.name)
      if (before === null || mark === null || sameTimes(before.dag, dag)) continue
      if (
        !this.#dags.some(({ dag: { namespace, name } }) => namespace === dag.namespace && name === dag.name)
      ) {
        await this.#lookAt(before, now)
      }
      await store.advance({ namespace: dag.namespace, dag: dag.name, highWater: now, skips: [] })
    }
    await keep()
    this.#dags = dags
  }

  /** Decides what is due now for every DAG, and sets the next time to look. */
  async look(): Promise<void> {
    this.#again = true
    this.#looking ??= this.#lookUntilQuiet()
    await this.#looking
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#callOff?.()
    await this.#looking
  }

  async #lookUntilQuiet(): Promise<void> {
    let next: number | null = null
    try {
      while (this.#again && !this.#closed) {
        this.#again = false
        next = null
        const now = this.#engine.now()
        for (const scheduled of this.#dags) {
          const wake = await this.#lookAt(scheduled, now)
          if (wake !== null && (next === null || wake < next)) next = wake
        }
        await this.#startQueuedOfOthers()
      }
    } finally {
      // In the same turn as the last look at `again`: whoever asks later starts anew.
      this.#looking = null
    }
    this.#callOff?.()
    if (this.#closed) return
    const delayMs = next === null ? LOOK_MS_MAX : next - this.#engine.now()
    this.#callOff = this.#engine.parts.clock.after(
      Math.min(Math.max(delayMs, LOOK_MS_MIN), LOOK_MS_MAX),
      () => {
        void this.look()
      },
    )
  }

  /** Trouble with one DAG does not hold up the others. */
  async #lookAt(scheduled: ScheduledDag, now: number): Promise<number | null> {
    const { namespace, name } = scheduled.dag
    const { store } = this.#engine.parts
    try {
      const open = await unsettledRuns(store, scheduled.dag)
      await this.#startQueued(open)
      if (scheduled.dag.schedules.length === 0) return null
      const highWater = await store.highWater(namespace, name)
      const answer = due({ settings: scheduled.dag, highWater, now, unsettled: open.length })
      if (answer.replace) await this.#replaceRuns(open)
      await this.#write(scheduled, answer, highWater, now)
      return answer.nextWake
    } catch (error) {
      const known = error instanceof StoreError
      this.#engine.trouble(
        known ? new StoreError(error.code, `schedule of ${name}: ${error.message}`) : error,
        null,
      )
      return now + 1_000
    }
  }

  async #startQueued(open: readonly StoredRun[]): Promise<void> {
    const first = firstInLine(open)
    if (first?.phase !== 'queued') return
    await this.#engine.request(first.id, { kind: 'begin' })
  }

  /** A DAG that nobody looks after any more may still have runs in its queue; they get their turn too. */
  async #startQueuedOfOthers(): Promise<void> {
    const { store } = this.#engine.parts
    const mine = new Set(this.#dags.map(({ dag }) => `${dag.namespace}/${dag.name}`))
    try {
      const { items } = await store.runs({ phases: ['queued'], limit: 500 })
      const others = items.filter(({ namespace, dag }) => !mine.has(`${namespace}/${dag}`))
      for (const { namespace, dag: name } of new Map(
        others.map(run => [`${run.namespace}/${run.dag}`, run]),
      ).values()) {
        await this.#startQueued(await unsettledRuns(store, { namespace, name }))
      }
    } catch (error) {
      this.#engine.trouble(error, null)
    }
  }

  async #replaceRuns(open: readonly StoredRun[]): Promise<void> {
    for (const { id } of open) {
      const request = { kind: 'cancel', by: 'its schedule', skipFinally: false, replaced: true } as const
      await this.#engine.request(id, request)
    }
  }

  async #write({ dag, hash }: ScheduledDag, answer: Due, before: number | null, now: number): Promise<void> {
    const { identity } = this.#engine.parts
    const { namespace, name } = dag
    let skips = answer.skips
    for (const { scheduledTime, key, queued } of answer.start) {
      const advance: Advance = { namespace, dag: name, highWater: scheduledTime, skips }
      skips = []
      const created = createRun(
        {
          run: identity.id(),
          name: this.#options.nameOf(dag, scheduledTime),
          dag,
          dagHash: hash,
          parameters: [],
          labels: {},
          trigger: { kind: 'schedule', key, scheduledTime },
          workdir: this.#options.workdir,
          queued,
        },
        now,
      )
      if (!created.ok) {
        const message = created.problems.map(problem => problem.message).join('; ')
        this.#engine.parts.notices.trouble?.('SCHEDULE_REFUSED', `${name} could not start: ${message}`, null)
        const refused = {
          from: scheduledTime,
          to: scheduledTime,
          count: 1,
          reason: 'REFUSED',
          at: now,
        } as const
        await this.#mark({ ...advance, skips: [...advance.skips, refused] })
        continue
      }
      try {
        await this.#engine.submit(dag, created.value, [], advance)
      } catch (error) {
        // Another engine was faster. With this very tick: the mark has still to move. With a later one: it has.
        if (!(error instanceof StoreError) || !FASTER.has(error.code)) throw error
        await this.#mark(advance)
      }
    }
    const mustMark = before === null || answer.skips.length > 0 || answer.start.length > 0
    if (mustMark) await this.#mark({ namespace, dag: name, highWater: answer.highWater, skips })
  }

  /** A mark that another engine has moved beyond this is as good. */
  async #mark(advance: Advance): Promise<void> {
    try {
      await this.#engine.parts.store.advance(advance)
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'VERSION_CONFLICT') throw error
    }
  }
}

/** All runs of a DAG that have not settled, whoever drives them. */
export async function unsettledRuns(
  store: Store,
  dag: { readonly namespace: string; readonly name: string },
): Promise<readonly StoredRun[]> {
  const open: StoredRun[] = []
  for (let after: string | null = ''; after !== null; ) {
    const phases = ['queued', 'running', 'paused'] as const
    const query = { namespace: dag.namespace, dag: dag.name, phases, limit: 500 }
    const page = await store.runs(after === '' ? query : { ...query, after })
    open.push(...page.items)
    after = page.next
  }
  return open
}

const FASTER: ReadonlySet<string> = new Set(['DUPLICATE_RUN', 'VERSION_CONFLICT'])

function sameTimes(a: Dag, b: Dag): boolean {
  return JSON.stringify([a.schedules, a.timeZone]) === JSON.stringify([b.schedules, b.timeZone])
}
