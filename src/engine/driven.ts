import type { RunEvent } from '../core/run/events.ts'
import type { RunRequest } from '../core/run/requests.ts'
import type { RunState } from '../core/run/state.ts'
import type { Problem } from '../core/problem.ts'
import type { Observation } from '../ports/executor.ts'
import type { Advance } from '../ports/store.ts'

/** A run this engine drives: its state, what came in for it, and what is on its way to the store. */
export interface Driven {
  state: RunState
  /** Length of the log that is known to be durable. */
  stored: number
  /** Facts made but not appended yet; they are part of `state` already. */
  batch: RunEvent[]
  readonly inbox: Incoming[]
  /** Requests whose facts are in `batch` or on their way. */
  readonly unanswered: IncomingRequest[]
  /** With a scheduled run, until it is created: the schedule's mark. */
  advance: Advance | null
  /** An append is under way: nothing is decided on top of it. */
  busy: boolean
  /** The store has more events than we know. */
  stale: boolean
  timer: (() => void) | null
  /** Called when the first append is durable or refused. */
  created: { resolve(): void; reject(error: unknown): void } | null
  /** Ends that were asked for a second time, with less patience. */
  graceMs: number
}

export type Incoming = { readonly kind: 'observation'; readonly observation: Observation } | IncomingRequest

export interface IncomingRequest {
  readonly kind: 'request'
  readonly request: RunRequest
  answered(problem: Problem | null): void
}

export function newDriven(state: RunState, stored: number, graceMs: number): Driven {
  return {
    state,
    stored,
    batch: [],
    inbox: [],
    unanswered: [],
    advance: null,
    busy: false,
    stale: false,
    timer: null,
    created: null,
    graceMs,
  }
}
