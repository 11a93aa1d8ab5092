import type { RunSettled, TasksSettled } from './events.ts'
import type { ReasonCode } from './reasons.ts'
import { type RunState, type TaskState, taskAt } from './state.ts'
import { failureOf } from './words.ts'

/** How a fan-out ends once all of its items have: one failed item fails it, unless it may fail. */
export function endOfGroup(
  state: RunState,
  task: TaskState,
): { readonly state: TasksSettled['state']; readonly reason: ReasonCode; readonly message: string | null } {
  const children = (task.fan?.children ?? []).map(index => taskAt(state, index))
  if (children.length === 0) return { state: 'succeeded', reason: 'EMPTY_FAN_OUT', message: null }
  const failed = children.filter(child => child.state === 'failed')
  const first = failed[0]
  if (first !== undefined) {
    const message = `${failed.length} of ${children.length} items failed, first ${first.key}`
    return { state: 'failed', reason: 'FAN_OUT_FAILED', message }
  }
  const cancelled = children.find(child => child.state === 'cancelled')
  if (cancelled !== undefined) {
    return { state: 'cancelled', reason: cancelled.reason ?? 'CANCELLED', message: cancelled.message }
  }
  return { state: 'succeeded', reason: 'SUCCEEDED', message: null }
}

/** How the run ends once every task has settled. */
export function endOfRun(state: RunState, at: number): RunSettled {
  const stop = state.stop
  if (stop?.why === 'cancelled') {
    const message = `cancelled by ${stop.by}`
    return { type: 'runSettled', at, phase: 'cancelled', reason: 'CANCELLED', message }
  }
  if (stop?.why === 'replaced') {
    const message = 'a newer run took its place'
    return { type: 'runSettled', at, phase: 'cancelled', reason: 'REPLACED', message }
  }
  if (stop?.why === 'timedOut') {
    const message = `the run took longer than its timeout${failureText(state, '; before that ')}`
    return { type: 'runSettled', at, phase: 'failed', reason: 'RUN_TIMED_OUT', message }
  }
  if (state.failures.length > 0) {
    return { type: 'runSettled', at, phase: 'failed', reason: 'RUN_FAILED', message: failureText(state, '') }
  }
  return { type: 'runSettled', at, phase: 'succeeded', reason: 'SUCCEEDED', message: '' }
}

/** The root failure in one sentence: the task that failed first by its own doing, then how many others did. */
function failureText(state: RunState, lead: string): string {
  const [first] = state.failures
  if (first === undefined) return ''
  const task = taskAt(state, first)
  const others = state.failures.length - 1
  const more = others > 0 ? `, and ${others} other ${others === 1 ? 'task' : 'tasks'} failed` : ''
  return `${lead}${task.key} ${failureOf(task)}${more}`
}
