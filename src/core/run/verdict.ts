import type { ReasonCode } from './reasons.ts'
import type { RunState, TaskState } from './state.ts'
import { taskAt } from './state.ts'

/** What becomes of a pending task by its trigger rule alone. */
export type Verdict =
  | { readonly kind: 'wait' }
  | { readonly kind: 'go' }
  | {
      readonly kind: 'settle'
      readonly state: 'skipped' | 'upstreamFailed'
      readonly reason: ReasonCode
      readonly message: string | null
    }

/** How a task's dependencies stand; `failed` counts failed, upstream-failed and cancelled ones. */
export interface Tally {
  readonly remaining: number
  readonly succeeded: number
  readonly failed: number
  readonly skipped: number
}

const WAIT: Verdict = { kind: 'wait' }
const GO: Verdict = { kind: 'go' }

/**
 * The trigger rules of `product.md`, in one place. `anySucceeded` and `anyFailed` do not wait for the slower
 * dependencies; all others do.
 */
export function verdictOf(state: RunState, task: TaskState, tally: Tally): Verdict {
  const rule = task.task.triggerRule
  if (rule === 'anySucceeded' && tally.succeeded > 0) return GO
  if (rule === 'anyFailed' && tally.failed > 0) return GO
  if (tally.remaining > 0) return WAIT
  const unmet: Verdict = { kind: 'settle', state: 'skipped', reason: 'TRIGGER_RULE_UNMET', message: rule }
  switch (rule) {
    case 'allSucceeded':
      if (tally.failed > 0) return upstreamFailed(state, task)
      if (tally.skipped === 0) return GO
      return {
        kind: 'settle',
        state: 'skipped',
        reason: 'DEPENDENCY_SKIPPED',
        message: dependenciesThat(state, task, other => other.state === 'skipped'),
      }
    case 'noneFailed':
      return tally.failed > 0 ? upstreamFailed(state, task) : GO
    case 'allDone':
    case 'always':
      return GO
    case 'anySucceeded':
      if (tally.failed > 0) return upstreamFailed(state, task)
      return tally.skipped > 0 ? unmet : GO
    case 'anyFailed':
      return unmet
  }
}

function upstreamFailed(state: RunState, task: TaskState): Verdict {
  const message = dependenciesThat(
    state,
    task,
    other => other.state === 'failed' || other.state === 'upstreamFailed' || other.state === 'cancelled',
  )
  return { kind: 'settle', state: 'upstreamFailed', reason: 'UPSTREAM_FAILED', message }
}

/** Names of the first few dependencies of that kind, as text. */
function dependenciesThat(state: RunState, task: TaskState, wanted: (other: TaskState) => boolean): string {
  const names: string[] = []
  let more = 0
  for (const index of state.plan.nodes[task.index]?.dependencies ?? []) {
    const other = taskAt(state, index)
    if (!wanted(other)) continue
    if (names.length < 3) names.push(other.key)
    else more += 1
  }
  return names.join(', ') + (more > 0 ? ` and ${more} more` : '')
}
