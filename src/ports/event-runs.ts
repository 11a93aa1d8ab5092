import type { ParameterValue } from '../core/dag/dag.ts'
import type { Checked } from '../core/problem.ts'
import type { StoredDag } from './store.ts'

/**
 * Starts runs for events that a trigger let through. The same key of one trigger gives one run, however often and by
 * however many it is asked; it is durable when this settles.
 */
export interface EventRuns {
  /** Problems are those of parameters. What the world refuses is thrown (`StoreError`). */
  start(order: EventOrder): Promise<Checked<EventStart>>
}

export interface EventOrder {
  /** The version in force. */
  readonly dag: StoredDag
  /** Name of the trigger. */
  readonly source: string
  readonly key: string
  readonly parameters: readonly ParameterValue[]
}

export type EventStart =
  | { readonly kind: 'run'; readonly run: string }
  | { readonly kind: 'skipped'; readonly reason: EventSkipReason }

/** Why an event that was let through gives no run. */
export const EVENT_SKIPS = {
  FILTERED: 'the filter of the trigger let the event pass by',
  DAG_SUSPENDED: 'the DAG is suspended',
  CONCURRENCY_FORBID: 'another run of the DAG has not ended, and its concurrencyPolicy is Forbid',
} as const satisfies Readonly<Record<string, string>>

export type EventSkipReason = keyof typeof EVENT_SKIPS
