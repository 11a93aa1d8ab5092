import type { Dag } from '../core/dag/dag.ts'
import { dagHash } from '../engine/dag-hash.ts'
import type { ScheduledDag } from '../engine/scheduler.ts'
import type { OperatorParts } from './parts.ts'
import { keyOf } from './names.ts'

/** What becomes of a DAG. */
type Change =
  | { readonly kind: 'put'; readonly dag: Dag; readonly source: string; readonly from: string | null }
  | { readonly kind: 'drop'; readonly namespace: string; readonly name: string }

interface Waiting {
  readonly change: Change
  readonly resolve: (version: number) => void
  readonly reject: (error: unknown) => void
}

/** Changes that come within this time are one: a whole repository of DAGs is applied at once. */
const GATHER_MS = 50

/**
 * Makes DAGs durable and hands them to the scheduler, many at a time. A DAG is in force when its version is in the
 * store and the scheduler has it.
 */
export class Schedules {
  readonly #parts: OperatorParts
  readonly #inForce = new Map<string, ScheduledDag>()
  #waiting: Waiting[] = []
  #working: Promise<void> | null = null

  constructor(parts: OperatorParts) {
    this.#parts = parts
  }

  /**
   * Puts a version in force, and tells its number.
   *
   * @param source  The object it comes from, as kept beside the version.
   * @param from    Source of the version that was in force before; null when there was none. Ticks from before an
   *                object existed are not missed ones.
   */
  put(dag: Dag, source: string, from: string | null): Promise<number> {
    return this.#add({ kind: 'put', dag, source, from })
  }

  /** Ends the schedules of a DAG; its versions and runs stay. */
  async drop(namespace: string, name: string): Promise<void> {
    await this.#add({ kind: 'drop', namespace, name })
  }

  has(namespace: string, name: string): boolean {
    return this.#inForce.has(keyOf(namespace, name))
  }

  async close(): Promise<void> {
    await this.#working
  }

  #add(change: Change): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, resolve, reject })
      this.#working ??= this.#work()
    })
  }

  async #work(): Promise<void> {
    await new Promise<void>(resolve => this.#parts.clock.after(GATHER_MS, resolve))
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0)
      try {
        await this.#apply(batch)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    // In the same breath as the look above: a change that came between would wait for ever.
    this.#working = null
  }

  async #apply(batch: readonly Waiting[]): Promise<void> {
    const { scheduler, store, clock } = this.#parts
    const next = new Map(this.#inForce)
    for (const { change } of batch) {
      if (change.kind === 'drop') next.delete(keyOf(change.namespace, change.name))
      else {
        const { dag } = change
        next.set(keyOf(dag.namespace, dag.name), { dag, hash: dagHash(dag) })
        if (change.source !== change.from) await this.#beginNow(dag)
      }
    }
    const versions: number[] = []
    await scheduler.replace([...next.values()], async () => {
      const writes = batch.map(async ({ change }, index) => {
        if (change.kind === 'drop') return await store.removeDag(change.namespace, change.name, clock.now())
        const { dag, source } = change
        versions[index] = (await store.putDag(dag, dagHash(dag), source, clock.now())).version
      })
      await Promise.all(writes)
    })
    this.#inForce.clear()
    for (const [key, scheduled] of next) this.#inForce.set(key, scheduled)
    for (const [index, { resolve }] of batch.entries()) resolve(versions[index] ?? 0)
    await scheduler.look()
  }

  /** A DAG that was removed and is made anew starts like any new one. */
  async #beginNow({ namespace, name }: Dag): Promise<void> {
    const { store, clock } = this.#parts
    const mark = await store.highWater(namespace, name)
    const now = clock.now()
    if (mark !== null && mark < now) await store.advance({ namespace, dag: name, highWater: now, skips: [] })
  }
}
