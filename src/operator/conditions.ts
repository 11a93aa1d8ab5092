import type { Condition } from '../spec/schema/status.ts'

/** A condition before it is known since when it holds. */
export interface Wanted {
  readonly type: string
  readonly status: Condition['status']
  readonly reason: string
  readonly message: string
}

/** How an object stands, as kstatus (Flux, Argo CD, `kubectl`) reads it. */
export type Standing =
  /** What was asked for is there. */
  | 'current'
  /** It goes on by itself. */
  | 'inProgress'
  /** Nothing more happens until somebody changes something. */
  | 'stalled'

/** Longest message of a condition, in characters. */
export const MESSAGE_LENGTH_MAX = 800

/** `Ready`, `Reconciling` and `Stalled`: of the last two at most one is true, and `Ready` is true when none is. */
export function standingConditions(standing: Standing, reason: string, message: string): readonly Wanted[] {
  const one = (type: string, holds: boolean): Wanted => ({
    type,
    status: holds ? 'True' : 'False',
    reason,
    // Said once is enough: at `Ready`, and at the one that holds.
    message: holds || type === 'Ready' ? shortened(message) : '',
  })
  return [
    one('Ready', standing === 'current'),
    one('Reconciling', standing === 'inProgress'),
    one('Stalled', standing === 'stalled'),
  ]
}

/** Conditions with the time since when each has its status: that of before, as long as it stays. */
export function conditionsSince(
  wanted: readonly Wanted[],
  before: unknown,
  generation: number,
  now: number,
): readonly Condition[] {
  const known = conditionsOf({ conditions: before })
  return wanted.map(condition => {
    const same = known.find(({ type, status }) => type === condition.type && status === condition.status)
    const { type, status, reason, message } = condition
    const lastTransitionTime = same?.lastTransitionTime ?? moment(now)
    return { type, status, observedGeneration: generation, lastTransitionTime, reason, message }
  })
}

/** The conditions in a status as it was read, as far as they are any. */
export function conditionsOf(status: unknown): readonly Condition[] {
  const list = fieldOf(status, 'conditions')
  if (!Array.isArray(list)) return []
  return list.filter(
    (item): item is Condition =>
      typeof fieldOf(item, 'type') === 'string' &&
      typeof fieldOf(item, 'status') === 'string' &&
      typeof fieldOf(item, 'lastTransitionTime') === 'string',
  )
}

export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined
}

/** A time as Kubernetes writes it: whole seconds, UTC. */
export function moment(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

export function shortened(text: string, length = MESSAGE_LENGTH_MAX): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text
}
