import type { RunEvent } from '../core/run/events.ts'
import type { RunState } from '../core/run/state.ts'
import { StoreError } from '../ports/store.ts'
import type { EngineParts } from './parts.ts'

/** The same trouble is told again only after this time: what is tried every second need not be read every second. */
const AGAIN_MS = 60_000
/** Runs whose trouble is remembered. */
const RUNS_MAX = 1_000

/** Tells facts, and of a failing world each thing once for as long as it lasts. */
export class Teller {
  readonly #parts: EngineParts
  /** When each thing was told last, by run (`''`: no run's). */
  readonly #told = new Map<string, Map<string, number>>()

  constructor(parts: EngineParts) {
    this.#parts = parts
  }

  /** Showing must not hold up doing. */
  facts(state: RunState, events: readonly RunEvent[]): void {
    try {
      this.#parts.notices.events?.(state, events)
    } catch (error) {
      this.trouble(error, null)
    }
  }

  trouble(error: unknown, run: string | null): void {
    const code = error instanceof StoreError ? error.code : 'INTERNAL_ERROR'
    const text = textOf(error, code === 'INTERNAL_ERROR')
    const thing = code === 'INTERNAL_ERROR' ? text : code
    const now = this.#parts.clock.now()
    const things = this.#told.get(run ?? '') ?? new Map<string, number>()
    const before = things.get(thing)
    if (before !== undefined && Math.abs(now - before) < AGAIN_MS) return
    if (this.#told.size >= RUNS_MAX) this.#told.clear()
    things.set(thing, now)
    this.#told.set(run ?? '', things)
    this.#parts.notices.trouble?.(code, text, run)
  }

  /** The run could be written again: the next trouble is news. */
  over(run: string): void {
    this.#told.delete(run)
    this.#told.delete('')
  }
}

/** Of a bug the place is told too, since that is what a report needs. */
function textOf(error: unknown, bug: boolean): string {
  if (!(error instanceof Error)) return String(error)
  return bug ? (error.stack ?? error.message) : error.message
}
