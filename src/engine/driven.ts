import type { Dag } from '../core/dag/dag.ts'
import { LIMITS } from '../core/limits.ts'
import { reuseEvents } from '../core/run/create.ts'
import type { ReusedTask, RunCreated, RunEvent } from '../core/run/events.ts'
import { nextDeadline } from '../core/run/decide.ts'
import { evolve } from '../core/run/evolve.ts'
import type { RunRequest } from '../core/run/requests.ts'
import { type RunState, newRunState } from '../core/run/state.ts'
import type { Problem } from '../core/problem.ts'
import type { Clock } from '../ports/clock.ts'
import type { Observation } from '../ports/executor.ts'
import type { Advance } from '../ports/store.ts'

const TIMER_MAX_MS = 2 ** 31 - 1

/** A run this engine drives: its state, what came in for it, and what is on its way to the store. */
export interface Driven {
  state: RunState
  /** Length of the log that is known to be durable. */
  stored: number
  /** The longest log that a notice told of; longer than `stored` when another process wrote. */
  heard: number
  /** Facts made but not appended yet; they are part of `state` already. */
  batch: RunEvent[]
  readonly inbox: Incoming[]
  /** Requests whose facts are in `batch` or on their way. */
  readonly unanswered: IncomingRequest[]
  /** With a scheduled run, until it is created: the schedule's mark. */
  advance: Advance | null
  /** An append is under way: nothing is decided on top of it. */
  busy: boolean
  /**
   * Every task has settled. The run does when what it left behind is gone, so that a crash in between leaves
   * nothing.
   */
  atEnd: boolean
  tidied: boolean
  /** The store has more events than we know. */
  stale: boolean
  /** The look that is set for the next deadline. */
  timer: { readonly at: number; callOff(): void } | null
  /** A deadline whose time has passed by a timer, which counts true even when somebody sets the clock back. */
  passed: number
  /** Calls off the look that is set because something could not be done. */
  retry: (() => void) | null
  /** Called when the first append is durable or refused. */
  created: { resolve(): void; reject(error: unknown): void } | null
  /** Time between TERM and KILL; less once somebody asked a second time. */
  graceMs: number
}

export type Incoming = { readonly kind: 'observation'; readonly observation: Observation } | IncomingRequest

export interface IncomingRequest {
  readonly kind: 'request'
  readonly request: RunRequest
  readonly answered: (problem: Problem | null) => void
  /** The store could not take it, or the engine closed: it was not done. */
  readonly failed: (error: unknown) => void
}

export function newDriven(state: RunState, stored: number, graceMs: number): Driven {
  return {
    state,
    stored,
    heard: stored,
    batch: [],
    inbox: [],
    unanswered: [],
    advance: null,
    busy: false,
    atEnd: false,
    tidied: false,
    stale: false,
    timer: null,
    passed: 0,
    retry: null,
    created: null,
    graceMs,
  }
}

/** A run that is not in the store yet: its first facts wait in the batch. */
export function newlyCreated(
  dag: Dag,
  created: RunCreated,
  reused: readonly ReusedTask[],
  graceMs: number,
): Driven {
  const driven = newDriven(newRunState(dag, created), 0, graceMs)
  driven.batch.push(created)
  for (const event of reuseEvents(reused, created.at, LIMITS.tasksPerEventMax)) {
    evolve(driven.state, event)
    driven.batch.push(event)
  }
  return driven
}

/** Takes back all that was decided for a run that is not in the store yet, but not what it was created with. */
export function createAgain(driven: Driven, events: readonly RunEvent[]): void {
  const { dag, created } = driven.state
  driven.state = newRunState(dag, created)
  driven.batch = events.filter(({ type }) => type === 'runCreated' || type === 'tasksReused')
  for (const event of driven.batch.slice(1)) evolve(driven.state, event)
  driven.inbox.unshift(...driven.unanswered.splice(0))
  driven.busy = false
}

/**
 * Sets the look for the run's next deadline. A timer that is set for it already stays: it counts true time, while the
 * clock it was reckoned by may have been set meanwhile.
 */
export function setTimer(driven: Driven, clock: Clock, look: () => void): void {
  const at = nextDeadline(driven.state)
  if (driven.timer !== null && driven.timer.at === at) return
  driven.timer?.callOff()
  driven.timer = null
  if (at === null) return
  const delayMs = Math.min(Math.max(0, at - clock.now()), TIMER_MAX_MS)
  const callOff = clock.after(delayMs, () => {
    driven.timer = null
    if (delayMs < TIMER_MAX_MS) driven.passed = at
    look()
  })
  driven.timer = { at, callOff }
}
