import type { Dag, Parameter, Task } from '../core/dag/dag.ts'

/** One difference between two versions of a DAG. */
export interface DagChange {
  readonly change: 'added' | 'removed' | 'changed'
  readonly what: 'task' | 'edge' | 'parameter' | 'setting'
  /** `build`, `build -> test`, `WHO`, `schedules`. */
  readonly name: string
  /** Of a changed task or parameter, which members; of a setting, its old and its new value. */
  readonly detail: string
}

/** What changed from one version to the next, in the order a person reads it: settings, parameters, tasks, edges. */
export function dagChanges(before: Dag, after: Dag): readonly DagChange[] {
  return [
    ...settingChanges(before, after),
    ...listChanges<Parameter>('parameter', before.parameters, after.parameters, () => []),
    ...listChanges<Task>('task', tasksOf(before), tasksOf(after), workMembers),
    ...edgeChanges(before, after),
  ]
}

/** Members that have a section of their own here, or are no part of a version. */
const APART: ReadonlySet<string> = new Set([
  'tasks',
  'finally',
  'parameters',
  'suspended',
  'namespace',
  'name',
])

function settingChanges(before: Dag, after: Dag): readonly DagChange[] {
  return Object.entries(after)
    .filter(([name, value]) => !APART.has(name) && !same(memberOf(before, name), value))
    .map(([name, value]) => ({
      change: 'changed',
      what: 'setting',
      name,
      detail: `${shortText(memberOf(before, name))} → ${shortText(value)}`,
    }))
}

interface Named {
  readonly name: string
}

function listChanges<Item extends Named>(
  what: 'task' | 'parameter',
  before: readonly Item[],
  after: readonly Item[],
  inside: (before: Item, after: Item) => readonly string[],
): readonly DagChange[] {
  const old = new Map(before.map(item => [item.name, item]))
  const names = new Set(after.map(({ name }) => name))
  const changes: DagChange[] = []
  for (const item of after) {
    const was = old.get(item.name)
    if (was === undefined) changes.push({ change: 'added', what, name: item.name, detail: '' })
    else {
      const members = [...membersChanged(was, item), ...inside(was, item)]
      if (members.length > 0) {
        changes.push({ change: 'changed', what, name: item.name, detail: members.join(', ') })
      }
    }
  }
  for (const { name } of before) {
    if (!names.has(name)) changes.push({ change: 'removed', what, name, detail: '' })
  }
  return changes
}

/** `runAfter` is told as edges, `work` by what is in it. */
function membersChanged(before: object, after: object): readonly string[] {
  return Object.entries(after)
    .filter(([name, value]) => name !== 'runAfter' && name !== 'work' && !same(memberOf(before, name), value))
    .map(([name]) => name)
}

function workMembers(before: Task, after: Task): readonly string[] {
  if (before.work.kind !== after.work.kind) return [`${before.work.kind} → ${after.work.kind}`]
  return membersChanged(before.work, after.work)
}

function edgeChanges(before: Dag, after: Dag): readonly DagChange[] {
  const old = edgesOf(before)
  const now = edgesOf(after)
  const change = (
    kind: 'added' | 'removed',
    names: Iterable<string>,
    others: ReadonlySet<string>,
  ): DagChange[] =>
    [...names]
      .filter(name => !others.has(name))
      .map(name => ({ change: kind, what: 'edge', name, detail: '' }))
  return [...change('added', now, old), ...change('removed', old, now)]
}

const tasksOf = (dag: Dag): readonly Task[] => [...dag.tasks, ...dag.finally]

const edgesOf = (dag: Dag): ReadonlySet<string> =>
  new Set(tasksOf(dag).flatMap(({ name, runAfter }) => runAfter.map(before => `${before} -> ${name}`)))

const memberOf = (of: object, name: string): unknown => Object.entries(of).find(([key]) => key === name)?.[1]

const same = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b)

/** The order of members says nothing. */
function canonical(value: unknown): string {
  const text = JSON.stringify(value, (_name, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  ) as string | undefined
  return text ?? ''
}

function shortText(value: unknown): string {
  const text = canonical(value)
  return text.length <= 40 ? text : `${text.slice(0, 39)}…`
}
