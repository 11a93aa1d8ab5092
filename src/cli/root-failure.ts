import { childRunOf } from '../core/run/child.ts'
import { type RunState, type TaskState, taskAt } from '../core/run/state.ts'
import { LIMITS } from '../core/limits.ts'

/** A task that failed by its own doing, in the run that it belongs to. */
export interface RootFailure {
  readonly state: RunState
  readonly task: TaskState
}

/** Where a failed run began to fail: its first failure or, when that is a run of its own, the first one in there. */
export async function rootFailure(
  load: (run: string) => Promise<RunState | null>,
  run: RunState,
): Promise<RootFailure | null> {
  let root = firstFailure(run)
  for (let depth = 0; root !== null && depth < LIMITS.nestingMax; depth += 1) {
    const child = childRunOf(root.task)
    const state = child === null ? null : await load(child)
    const below = state === null ? null : firstFailure(state)
    if (below === null) break
    root = below
  }
  return root
}

function firstFailure(state: RunState): RootFailure | null {
  const [first] = state.failures
  return first === undefined ? null : { state, task: taskAt(state, first) }
}
