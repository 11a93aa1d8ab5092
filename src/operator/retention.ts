import { parseDuration } from '../core/dag/duration.ts'
import type { Dag } from '../core/dag/dag.ts'
import type { RunQuery, StoredRun } from '../ports/store.ts'
import type { ClusterObject } from './cluster.ts'
import { fieldOf } from './conditions.ts'
import { keyOf } from './names.ts'
import { type OperatorParts, type Retention, watches } from './parts.ts'

/** Between two looks at all DAGs. */
const LOOK_MS = 60_000
const PAGE = 500
const ENDED = ['succeeded', 'failed', 'cancelled'] as const

/**
 * Removes ended runs that are too many or too old: first the DagRun, then the logs, then the rows. Broken off between,
 * the rows are still there to go on from.
 */
export class RetentionSweep {
  readonly #parts: OperatorParts
  readonly #objectOf: (key: string) => ClusterObject | undefined
  readonly #removed: (run: StoredRun) => void
  #callOff: (() => void) | null = null
  #sweeping: Promise<void> = Promise.resolve()
  #closed = false

  /** @param removed  There is nothing left of the run; statuses may still name it. */
  constructor(
    parts: OperatorParts,
    objectOf: (key: string) => ClusterObject | undefined,
    removed: (run: StoredRun) => void,
  ) {
    this.#parts = parts
    this.#objectOf = objectOf
    this.#removed = removed
  }

  open(): void {
    this.#later()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#callOff?.()
    await this.#sweeping
  }

  /** Looks at every DAG that has runs, also those that are removed. */
  async sweep(): Promise<void> {
    const { store, settings } = this.#parts
    const rules = new Map<
      string,
      { readonly namespace: string; readonly name: string; readonly rule: Retention }
    >()
    for (const { dag } of await store.dags()) {
      const { namespace, name } = dag
      if (watches(settings, namespace))
        rules.set(`${namespace}/${name}`, { namespace, name, rule: retentionOf(dag, settings.retention) })
    }
    for (const { namespace, name, rule } of rules.values())
      await this.#tried(`${namespace}/${name}`, () => this.#sweepDag(namespace, name, rule))
    await this.#tried('removed DAGs', () => this.#sweepRemovedDags(new Set(rules.keys())))
  }

  /** Trouble with the runs of one DAG does not keep those of all others for ever. */
  async #tried(what: string, sweep: () => Promise<void>): Promise<void> {
    try {
      await sweep()
    } catch (error) {
      this.#parts.trouble('RETENTION_FAILED', `runs of ${what}: ${String(error)}`)
    }
  }

  #later(): void {
    if (this.#closed) return
    this.#callOff = this.#parts.clock.after(LOOK_MS, () => {
      this.#sweeping = this.sweep()
        .catch((error: unknown) => this.#parts.trouble('RETENTION_FAILED', String(error)))
        .finally(() => this.#later())
    })
  }

  async #sweepDag(namespace: string, dag: string, { runs, ageMs }: Retention): Promise<void> {
    const { clock } = this.#parts
    if (runs !== null) {
      let place = 0
      await this.#each({ namespace, dag, phases: ENDED }, async run => {
        place += 1
        if (isOver(run, place, { runs, ageMs: null }, clock.now())) await this.#remove(run)
      })
    }
    if (ageMs === null) return
    await this.#each({ namespace, dag, phases: ENDED, createdBefore: clock.now() - ageMs }, async run => {
      if (isOver(run, 0, { runs: null, ageMs }, clock.now())) await this.#remove(run)
    })
  }

  /** Of a DAG that is not there any more, what is set for all holds. */
  async #sweepRemovedDags(known: ReadonlySet<string>): Promise<void> {
    const { settings, clock } = this.#parts
    const { ageMs } = settings.retention
    if (ageMs === null) return
    await this.#each({ phases: ENDED, createdBefore: clock.now() - ageMs }, async run => {
      const theirs = known.has(`${run.namespace}/${run.dag}`) || !watches(settings, run.namespace)
      if (!theirs && isOver(run, 0, settings.retention, clock.now())) await this.#remove(run)
    })
  }

  /** Newest first, until it is closed. */
  async #each(query: RunQuery, look: (run: StoredRun) => Promise<void>): Promise<void> {
    for (let after: string | null = ''; after !== null && !this.#closed; ) {
      const page = await this.#parts.store.runs({ ...query, limit: PAGE, ...(after === '' ? {} : { after }) })
      for (const run of page.items) if (!this.#closed) await look(run)
      after = page.next
    }
  }

  async #remove(run: StoredRun): Promise<void> {
    const { cluster, logs, store } = this.#parts
    const object = this.#objectOf(keyOf(run.namespace, run.id))
    if (object !== undefined) {
      const { namespace, name, uid } = object.metadata
      await cluster.remove('DagRun', { namespace, name, uid })
    }
    await logs.remove(run.id)
    await store.removeRun(run.id)
    this.#removed(run)
  }
}

/** What a DAG says of its history, and for what it says nothing of: what is set for all. */
export function retentionOf(dag: Dag, preset: Retention): Retention {
  const own = dag.extra['retention']
  const [runs, age] = [fieldOf(own, 'runs'), fieldOf(own, 'age')]
  return {
    runs: typeof runs === 'number' ? runs : preset.runs,
    ageMs: typeof age === 'string' ? parseDuration(age) : preset.ageMs,
  }
}

/** @param place  1 for the newest ended run of its DAG. */
export function isOver(run: StoredRun, place: number, { runs, ageMs }: Retention, now: number): boolean {
  if (runs !== null && place > runs) return true
  return ageMs !== null && run.endedAt !== null && run.endedAt < now - ageMs
}
