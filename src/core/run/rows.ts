import type { Json } from '../json.ts'
import type { OutcomeKind, Trigger } from './events.ts'
import type { ReasonCode } from './reasons.ts'

/**
 * The current state of a run, its tasks and attempts as flat rows, for lists and queries. They are derived from the
 * events and stored in the same transaction; they can always be made again from them.
 */
export type RunPhase = 'queued' | 'running' | 'paused' | 'succeeded' | 'failed' | 'cancelled'

export type TaskStateName =
  | 'pending'
  | 'waiting'
  | 'queued'
  | 'starting'
  | 'running'
  | 'backoff'
  | 'succeeded'
  | 'failed'
  | 'skipped'
  | 'upstreamFailed'
  | 'cancelled'

export interface RunRow {
  readonly id: string
  readonly namespace: string
  readonly dag: string
  readonly dagHash: string
  readonly name: string
  readonly phase: RunPhase
  readonly reason: ReasonCode | null
  /** Leads with the root failure; empty while nothing is to be said. */
  readonly message: string
  readonly trigger: Trigger
  readonly labels: Readonly<Record<string, string>>
  readonly parentRun: string | null
  readonly continues: string | null
  readonly createdAt: number
  readonly startedAt: number | null
  readonly endedAt: number | null
  /** Settled tasks and all tasks, fan-out items included. */
  readonly tasksDone: number
  readonly tasksTotal: number
}

export interface TaskRow {
  readonly run: string
  /** Task key: `name` or `name[3]`. */
  readonly task: string
  /** Position in the run's plan; children of a fan-out come after all planned tasks. */
  readonly index: number
  readonly state: TaskStateName
  readonly reason: ReasonCode | null
  readonly message: string | null
  readonly attempts: number
  readonly exitCode: number | null
  readonly startedAt: number | null
  readonly endedAt: number | null
}

export interface AttemptRow {
  readonly run: string
  readonly task: string
  readonly attempt: number
  readonly phase: 'starting' | 'running' | 'stopping' | 'ended'
  /** Pool it holds a slot of until it has ended. */
  readonly pool: string | null
  readonly startedAt: number
  readonly runningAt: number | null
  readonly endedAt: number | null
  readonly outcome: OutcomeKind | null
  readonly reason: ReasonCode | null
  readonly exitCode: number | null
  readonly message: string | null
  readonly handle: Json
}

export interface Rows {
  readonly run: RunRow
  /** Only those that changed since the last time. */
  readonly tasks: readonly TaskRow[]
  readonly attempts: readonly AttemptRow[]
}
