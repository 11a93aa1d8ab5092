/** Consecutive ticks of one DAG's schedules that did not become runs, as one span. */
export interface Skip {
  /** First and last tick of the span: milliseconds since 1970, UTC. */
  readonly from: number
  readonly to: number
  /** How many ticks; a span of more than `SKIP_COUNT_MAX` says that number. */
  readonly count: number
  readonly reason: SkipReason
  /** When it was decided. */
  readonly at: number
}

export type SkipReason = keyof typeof SKIP_REASONS

/** Why a tick did not become a run, as one sentence for people. */
export const SKIP_REASONS = {
  CATCH_UP: 'missed while no engine looked, and catchUp does not ask for it',
  CAP: 'missed while no engine looked, and catchUp: all takes no more than the newest',
  STARTING_DEADLINE: 'could not start within startingDeadlineSeconds',
  CONCURRENCY_FORBID:
    'another run had not ended, or started for a later tick, and concurrencyPolicy is Forbid',
  CONCURRENCY_REPLACE: 'a later tick was due already and would have replaced its run',
  SUSPENDED: 'the DAG is suspended',
  REFUSED: 'the DAG cannot start without a value that a schedule does not give',
} as const

/** Most ticks of a span that are counted one by one: a year of one a minute. */
export const SKIP_COUNT_MAX = 550_000
