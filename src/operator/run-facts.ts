import { explainRun } from '../core/run/explain.ts'
import type { TaskRow } from '../core/run/rows.ts'
import { isTerminal } from '../core/run/state.ts'
import type { StoredRun } from '../ports/store.ts'
import type { OperatorParts } from './parts.ts'
import { type RunFacts, TASKS_SHOWN_MAX } from './run-status.ts'

/** Of larger runs, why they wait is not asked with every write. */
const EXPLAINED_TASKS_MAX = 2_000
const SLOTS_MS = 500
/** Versions whose number is remembered. */
const VERSIONS_MAX = 10_000

/** Reads what a run's status is made from: a few short looks, however large the run is. */
export class RunFactsReader {
  readonly #parts: OperatorParts
  readonly #versions = new Map<string, number>()
  #slots = { at: 0, used: 0 }

  constructor(parts: OperatorParts) {
    this.#parts = parts
  }

  async read(run: StoredRun): Promise<RunFacts> {
    return {
      run,
      dagVersion: await this.#versionOf(run.dagHash),
      tasks: await this.#tasksOf(run),
      waits: this.#waitsOf(run),
    }
  }

  async #tasksOf({ id, phase }: StoredRun): Promise<readonly TaskRow[]> {
    const { store } = this.#parts
    const limit = TASKS_SHOWN_MAX
    if (phase === 'succeeded') return []
    const failed = await store.tasks({ run: id, states: ['failed'], limit })
    if (isTerminal(phase) || failed.items.length === limit) return failed.items
    const under = await store.tasks({ run: id, states: ['running', 'starting', 'backoff', 'queued'], limit })
    const waiting = await store.tasks({ run: id, states: ['waiting'], limit: 5 })
    return [...failed.items, ...waiting.items, ...under.items]
  }

  #waitsOf({ id, phase, tasksTotal }: StoredRun): RunFacts['waits'] {
    const { engine, clock } = this.#parts
    const state = engine.stateOf(id)
    if (isTerminal(phase) || state === null || tasksTotal > EXPLAINED_TASKS_MAX) return null
    if (isTerminal(state.phase)) return null
    const { pools, maxParallel } = engine.parts.settings
    const used = this.#slotsInUse()
    const { code, sentence } = explainRun(state, clock.now(), {
      pools: new Map([...pools].map(([name, limit]) => [name, { used: limit, limit }])),
      engine: { used, limit: maxParallel },
      driven: true,
      queuedBehind: null,
    })
    return { code, sentence }
  }

  /** Counted over all runs, so not for each of them anew. */
  #slotsInUse(): number {
    const { engine, clock } = this.#parts
    if (Math.abs(clock.now() - this.#slots.at) >= SLOTS_MS) {
      const used = engine.driving().reduce((sum, { work }) => sum + work.slots, 0)
      this.#slots = { at: clock.now(), used }
    }
    return this.#slots.used
  }

  async #versionOf(hash: string): Promise<number | null> {
    const known = this.#versions.get(hash)
    if (known !== undefined) return known
    const stored = await this.#parts.store.dagByHash(hash)
    if (stored === null) return null
    if (this.#versions.size >= VERSIONS_MAX) this.#versions.clear()
    this.#versions.set(hash, stored.version)
    return stored.version
  }
}
