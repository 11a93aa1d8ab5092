import type { Engine } from '../engine/engine.ts'
import type { Scheduler } from '../engine/scheduler.ts'
import type { Clock } from '../ports/clock.ts'
import type { LogArchive } from '../ports/logs.ts'
import type { Store } from '../ports/store.ts'
import type { Cluster } from './cluster.ts'

/** Everything an operator is made of. */
export interface OperatorParts {
  readonly cluster: Cluster
  readonly engine: Engine
  /** Names runs of schedules; see `scheduledRunName`. Nobody else gives it DAGs. */
  readonly scheduler: Scheduler
  readonly store: Store
  readonly logs: Pick<LogArchive, 'remove'>
  readonly clock: Clock
  /** In [0, 1): spreads repetitions. */
  chance(): number
  /** Something could not be done and is tried again. `code` is stable. */
  trouble(code: string, message: string): void
  readonly settings: OperatorSettings
}

export interface OperatorSettings {
  /** Null: all of them. */
  readonly namespaces: readonly string[] | null
  /** Of DAGs that say nothing of it; null for no bound. */
  readonly retention: Retention
  /** Least time between two writes of one status, in milliseconds. Default 1,000. */
  readonly statusMs?: number
}

export interface Retention {
  /** Ended runs that are kept, the newest ones. */
  readonly runs: number | null
  /** How long after its end a run is kept. */
  readonly ageMs: number | null
}

export const STATUS_MS = 1_000

export const watches = ({ namespaces }: OperatorSettings, namespace: string): boolean =>
  namespaces === null || namespaces.includes(namespace)
