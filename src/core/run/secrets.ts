import type { SecretRef } from '../dag/dag.ts'
import { type RunState, type TaskState, isSettled } from './state.ts'

/** A Secret that a task of this run will need for certain, as it stands now. */
export interface NeededSecret {
  readonly task: string
  readonly secret: SecretRef
}

/**
 * Secrets that tasks will read when they start: those of their parameters and of their `env`, optional ones left out.
 * Tasks with a condition are left out too, since they may be skipped, and those that run, since they have theirs.
 */
export function neededSecrets(state: RunState): readonly NeededSecret[] {
  const given = new Map(state.created.parameters.map(({ name, value }) => [name, value]))
  return state.tasks
    .filter(
      task =>
        !isSettled(task.state) && task.state !== 'running' && task.group === null && task.task.when === null,
    )
    .flatMap(task =>
      [...ofParameters(task, given), ...ofEnv(task)].map(secret => ({ task: task.key, secret })),
    )
}

function ofParameters(
  task: TaskState,
  given: ReadonlyMap<string, RunState['created']['parameters'][number]['value']>,
): readonly SecretRef[] {
  return task.task.parameters.flatMap(name => {
    const value = given.get(name)
    return value?.kind === 'secret' ? [value.secret] : []
  })
}

function ofEnv(task: TaskState): readonly SecretRef[] {
  const { work } = task.task
  if (work.kind !== 'container') return []
  return work.env.flatMap(variable =>
    variable.kind === 'secret' && !variable.optional ? [variable.secret] : [],
  )
}
