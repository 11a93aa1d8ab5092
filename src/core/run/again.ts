import type { Dag, ParameterValue } from '../dag/dag.ts'
import type { Checked } from '../problem.ts'
import { reusable } from './create.ts'
import type { ReusedTask } from './events.ts'
import type { RunState } from './state.ts'

/** What a run that continues another one begins with. */
export interface Again {
  /** Those of the earlier run, with what was given in their place. */
  readonly parameters: readonly ParameterValue[]
  readonly reused: readonly ReusedTask[]
  /** Why nothing can be reused; null when something may. */
  readonly because: 'workspace' | 'parameters' | null
}

/**
 * What a retry or fork takes over from a run that has ended.
 *
 * @param dag    The version that the new run is of.
 * @param from   Tasks to start from; null for a retry: whatever did not succeed. Empty: everything runs again.
 * @param given  Parameters in place of those of the earlier run.
 */
export function continued(
  old: RunState,
  dag: Dag,
  from: readonly string[] | null,
  given: readonly ParameterValue[],
): Checked<Again> {
  const names = new Set(given.map(({ name }) => name))
  const parameters = [...old.created.parameters.filter(({ name }) => !names.has(name)), ...given]
  const nothing = (because: Again['because']): Checked<Again> => ({
    ok: true,
    value: { parameters, reused: [], because },
    warnings: [],
  })
  if (from !== null && from.length === 0) return nothing(null)
  if (old.dag.workspace !== null) return nothing('workspace')
  if (given.length > 0 && from === null) return nothing('parameters')
  const reused = reusable(old, from)
  if (!reused.ok) return reused
  const known = new Set([...dag.tasks, ...dag.finally].map(({ name }) => name))
  const kept = reused.value.filter(({ task }) => known.has(task.replace(/\[\d+\]$/, '')))
  return { ok: true, value: { parameters, reused: kept, because: null }, warnings: [] }
}
