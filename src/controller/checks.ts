import type { View } from '../kubernetes/reflector.ts'

/** One question about the health of the controller. */
export interface Check {
  readonly name: string
  /** Null when all is well, else a sentence that says what is not. */
  look(): Promise<string | null>
}

/** A turn takes milliseconds, but may wait for a database that is away; after so long it waits for nothing. */
const TURN_MS_MAX = 300_000
/** A stream that is open may have nothing to tell for so long: it is ended and opened again in less. */
const QUIET_MS_MAX = 400_000
/** A view that has no stream is old after so long. */
const BROKEN_MS_MAX = 60_000

/** Start-up is over, and the end has not begun. */
export function runningCheck(phase: () => 'starting' | 'running' | 'stopping'): Check {
  return { name: 'controller', look: async () => (phase() === 'running' ? null : `it is ${phase()}`) }
}

/** The database answers. @param ask Reads something small. */
export function databaseCheck(ask: () => unknown): Check {
  return {
    name: 'database',
    async look() {
      await ask()
      return null
    },
  }
}

/**
 * The engine's turn has come to its end.
 *
 * @param since  When the turn that is going on began; null between turns.
 */
export function turnCheck(since: () => number | null, now: () => number): Check {
  return {
    name: 'engine',
    async look() {
      const began = since()
      const ms = began === null ? 0 : now() - began
      return ms <= TURN_MS_MAX ? null : `a turn has been going on for ${seconds(ms)}`
    },
  }
}

/** What is known of the cluster is complete, and not old. @param now The clock of `ReflectorState.heardAt`. */
export function viewCheck(view: View, now: () => number): Check {
  return {
    name: `view of ${view.name}`,
    async look() {
      const { phase, heardAt, lists, problem } = view.state()
      const why = problem === null ? '' : ` (${problem.kind})`
      if (lists === 0 || heardAt === null) return `not complete yet${why}`
      const age = now() - heardAt
      return age <= (phase === 'watching' ? QUIET_MS_MAX : BROKEN_MS_MAX) ? null : `${seconds(age)} old${why}`
    },
  }
}

/** As {@link viewCheck}, of views that may come later; the first that is not well is told. */
export function viewsCheck(views: () => readonly View[], now: () => number): Check {
  return {
    name: 'views',
    async look() {
      for (const view of views()) {
        const message = await viewCheck(view, now).look()
        if (message !== null) return `${view.name}: ${message}`
      }
      return null
    },
  }
}

const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`
