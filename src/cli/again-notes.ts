import type { ParameterValue } from '../core/dag/dag.ts'
import type { Again } from '../core/run/again.ts'
import type { RunState } from '../core/run/state.ts'
import { assignments } from './values.ts'

/** What there is to say about the results that a retry (`from` null) or fork begins with. */
export function againNotes(
  old: RunState,
  { because, reused }: Again,
  from: readonly string[] | null,
): readonly string[] {
  switch (because) {
    case 'workspace':
      return ['note: the run had a workspace, which is gone; every task runs again']
    case 'parameters':
      return ['note: with other parameters every task runs again']
    case null: {
      if (from !== null && from.length === 0) return []
      return [`note: reused of ${old.created.name}: ${reused.length} of ${old.plan.nodes.length} results`]
    }
  }
}

/** `-p NAME=value`, several times. */
export function givenParameters(texts: readonly string[]): readonly ParameterValue[] {
  return [...assignments('-p', texts)].map(
    ([name, value]): ParameterValue => ({ name, value: { kind: 'value', value } }),
  )
}
