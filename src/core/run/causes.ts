import { type RunState, type TaskState, isSettled, taskAt } from './state.ts'

/** Most causes that are gathered for one answer. */
const CAUSES_MAX = 20

/**
 * The tasks that a task's fate goes back to: those that failed, were skipped or were cancelled by their own doing,
 * found through dependencies and through the items of fan-outs; of a task that waits, those that hold it up.
 * In the order they are found, nearest first; empty when the task itself is where it began.
 */
export function rootsOf(state: RunState, task: TaskState): readonly TaskState[] {
  const seen = new Set<number>([task.index])
  const roots: TaskState[] = []
  let level = [...behind(state, task)]
  while (level.length > 0 && roots.length < CAUSES_MAX) {
    const next: TaskState[] = []
    for (const other of level) {
      if (seen.has(other.index)) continue
      seen.add(other.index)
      const further = behind(state, other)
      if (further.length === 0) roots.push(other)
      for (const one of further) next.push(one)
    }
    level = next
  }
  return roots.slice(0, CAUSES_MAX)
}

/** What this task's state follows from, one step back. */
function behind(state: RunState, task: TaskState): readonly TaskState[] {
  switch (task.reason) {
    case 'UPSTREAM_FAILED':
      return dependencies(state, task).filter(isBad)
    case 'DEPENDENCY_SKIPPED':
      return dependencies(state, task).filter(other => other.state === 'skipped')
    case 'FAN_OUT_FAILED':
      return children(state, task).filter(child => child.state === 'failed')
    case 'FAIL_FAST': {
      const first = state.failures[0]
      return first === undefined || first === task.index ? [] : [taskAt(state, first)]
    }
    case 'RUNNING':
      // A fan-out is held up by its items: those under way, not those that wait for them.
      return children(state, task).filter(child => !isSettled(child.state) && child.state !== 'pending')
    case null:
      if (task.state !== 'pending') return []
      return dependencies(state, task).filter(other => !isSettled(other.state))
    default:
      return []
  }
}

function isBad(task: TaskState): boolean {
  return task.state === 'failed' || task.state === 'upstreamFailed' || task.state === 'cancelled'
}

function dependencies(state: RunState, task: TaskState): readonly TaskState[] {
  return (state.plan.nodes[task.index]?.dependencies ?? []).map(index => taskAt(state, index))
}

function children(state: RunState, task: TaskState): readonly TaskState[] {
  return (task.fan?.children ?? []).map(index => taskAt(state, index))
}
