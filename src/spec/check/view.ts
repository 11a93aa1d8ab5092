import type { DagTaskSpec } from '../schema/dag-task.ts'
import type { TaskSpec } from '../schema/dag.ts'
import type { Loose } from '../loose.ts'
import type { Path } from '../source.ts'

/**
 * A task as the checks see it: with the fields of its DagTask, if it has one, in the place of its own. A finding about
 * a field of the DagTask points at the `taskRef`, since the DagTask has its own document.
 */
export interface TaskView {
  readonly name: string | undefined
  readonly group: 'task' | 'finally'
  /** Of the task, from the root of the document. */
  readonly path: Path
  readonly spec: Loose<TaskSpec>
  /** Names of the fields that came from the DagTask. */
  readonly borrowed: ReadonlySet<string>
  /** False when its DagTask is not known: nothing can be said about what runs. */
  readonly known: boolean
}

/** Place of a field of a task. */
export function at(view: TaskView, field: keyof TaskSpec, ...rest: Path): Path {
  return view.borrowed.has(field) ? [...view.path, 'taskRef'] : [...view.path, field, ...rest]
}

/** Fields of a task that say what runs; with a `taskRef` they are the DagTask's. */
export const WORK_FIELDS = [
  'image',
  'command',
  'args',
  'script',
  'scriptInjectorImage',
  'env',
  'resources',
  'podTemplate',
  'parameters',
  'backoff',
  'conditional',
  'timeout',
  'pendingTimeout',
  'outputs',
  'dag',
  'approval',
] as const satisfies readonly (keyof TaskSpec)[]

/** A task together with its DagTask: what runs is the DagTask's, when it runs the task's own if it says so. */
export function merged(
  own: Loose<TaskSpec>,
  shared: Loose<DagTaskSpec>,
): Pick<TaskView, 'spec' | 'borrowed'> {
  const { runAfter: _runAfter, ...rest } = shared
  const kept: Record<string, unknown> = { ...own }
  for (const field of WORK_FIELDS) delete kept[field]
  const borrowed = new Set(Object.keys(rest).filter(key => kept[key] === undefined))
  return { spec: { ...rest, ...kept }, borrowed }
}

/** Whether a field says what runs. */
export function isWork(field: string): field is (typeof WORK_FIELDS)[number] {
  return (WORK_FIELDS as readonly string[]).includes(field)
}
