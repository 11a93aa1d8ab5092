import type { Dag, Task } from '../../core/dag/dag.ts'
import { type Plan, planOf } from '../../core/run/plan.ts'
import type { TaskStateName } from '../../core/run/rows.ts'
import type { TaskStatus } from '../../spec/schema/status.ts'
import { depthsOf } from '../show/tree.ts'
import { type ClusterRun, isOver } from './run-object.ts'

/** A task as far as a DagRun tells of it. */
export interface TaskView {
  readonly name: string
  readonly depth: number
  readonly part: 'main' | 'finally'
  /** Null: the status does not say, and it does not follow from what it says. */
  readonly state: ToldState | null
  /** What the status says of this task; null when it is not named there. */
  readonly told: TaskStatus | null
  /** Names of those it comes after. */
  readonly after: readonly string[]
  readonly work: Task['work']['kind']
  /** It stands for its items. */
  readonly isFanOut: boolean
  readonly isItem: boolean
  /** Items that the status names. */
  readonly items: readonly TaskStatus[]
}

/** Tasks that a status names at most, and how many of those that wait. */
const TOLD_MAX = 20
const TOLD_WAITING_MAX = 5

/**
 * The tasks of a run in the order of the tree.
 *
 * A status names the tasks that failed or are under way. When it names all of those, the others follow: one whose
 * predecessors have all settled has settled itself, any other still waits. That is only said when it comes out at the
 * progress that the status tells.
 *
 * @param dag  The version that the run is of; null when it cannot be read any more.
 */
export function taskViews(run: ClusterRun, dag: Dag | null): readonly TaskView[] {
  const told = new Map(run.tasks.map(task => [task.name, task]))
  if (dag === null) return run.tasks.map(task => viewOf(task, 0, 'main', []))
  const plan = planOf(dag)
  const depths = depthsOf(plan)
  const states = statesOf(run, plan, told)
  const items = itemsByGroup(run.tasks, plan)
  const rank = (index: number): number => (index < plan.mainCount ? 0 : 1_000) + (depths[index] ?? 0)
  return [...plan.nodes.keys()]
    .toSorted((a, b) => rank(a) - rank(b) || a - b)
    .flatMap(index => {
      const node = plan.nodes[index]
      if (node === undefined) return []
      const { name } = node.task
      const depth = depths[index] ?? 0
      const after = node.dependencies.map(at => plan.nodes[at]?.task.name ?? '')
      const own: TaskView = {
        name,
        depth,
        part: node.part,
        state: states[index] ?? null,
        told: told.get(name) ?? null,
        after,
        work: node.task.work.kind,
        isFanOut: node.task.fanOut !== null,
        isItem: false,
        items: items.get(name) ?? [],
      }
      return [own, ...(items.get(name) ?? []).map(item => viewOf(item, depth + 1, node.part, after))]
    })
}

const viewOf = (
  told: TaskStatus,
  depth: number,
  part: TaskView['part'],
  after: readonly string[],
): TaskView => ({
  name: told.name,
  depth,
  part,
  state: stateOf(told),
  told,
  after,
  work: 'container',
  isFanOut: false,
  isItem: /\[\d+\]$/u.test(told.name),
  items: [],
})

/** Items of a fan-out stand under it. */
function itemsByGroup(tasks: readonly TaskStatus[], plan: Plan): ReadonlyMap<string, readonly TaskStatus[]> {
  const planned = new Set(plan.nodes.map(({ task }) => task.name))
  return Map.groupBy(
    tasks.filter(({ name }) => !planned.has(name)),
    ({ name }) => name.replace(/\[\d+\]$/u, ''),
  )
}

/** `settled`: it is over, and whether it succeeded or was skipped is not known here. */
export type ToldState = TaskStateName | 'settled'
type States = readonly (ToldState | null)[]

function statesOf(run: ClusterRun, plan: Plan, told: ReadonlyMap<string, TaskStatus>): States {
  const known = plan.nodes.map(({ task }) => {
    const status = told.get(task.name)
    return status === undefined ? null : stateOf(status)
  })
  if (run.phase === 'pending' || run.startedAt === null) return known.map(state => state ?? 'pending')
  if (run.phase === 'succeeded') return inferred(plan, known, run)
  const waiting = run.tasks.filter(({ state }) => state === 'waiting').length
  const fans = plan.nodes.some(({ task }) => task.fanOut !== null)
  // What a stopped run has not run was cancelled or skipped, and that cannot be told apart from here.
  const isPlain = run.phase !== 'cancelled' && run.reason !== 'RUN_TIMED_OUT'
  if (!isPlain || run.tasks.length >= TOLD_MAX || waiting >= TOLD_WAITING_MAX) return known
  const states = inferred(plan, known, run)
  // Items of a fan-out count, and are not named once they have settled.
  return fans || run.progress?.done === states.filter(isSettledState).length ? states : known
}

const SETTLED: readonly string[] = [
  'succeeded',
  'failed',
  'skipped',
  'upstreamFailed',
  'cancelled',
] satisfies TaskStateName[]
export const isSettledState = (state: ToldState | null): boolean =>
  state !== null && (state === 'settled' || SETTLED.includes(state))
const isFailed = (state: ToldState | null): boolean => state === 'failed' || state === 'upstreamFailed'

function inferred(plan: Plan, known: States, run: ClusterRun): States {
  const states: (ToldState | null)[] = [...known]
  const over = isOver(run)
  for (const index of inOrder(plan)) {
    const node = plan.nodes[index]
    if (node === undefined || states[index] !== null) continue
    const before = node.dependencies.map(at => states[at] ?? null)
    const isHeld = node.part === 'finally' && !states.slice(0, plan.mainCount).every(isSettledState)
    if (!over && (isHeld || !before.every(isSettledState))) states[index] = 'pending'
    else states[index] = settledState(node.task, before, run)
  }
  return states
}

/** How a task ended that is not among those that failed. */
function settledState(
  { triggerRule, when, allowFailure }: Task,
  before: States,
  { phase }: ClusterRun,
): ToldState {
  if (triggerRule === 'allSucceeded' && before.some(isFailed)) return 'upstreamFailed'
  // The status of a run that succeeded names no failures, as none of them mattered.
  const isSure = when === null && triggerRule !== 'anyFailed' && !(allowFailure && phase === 'succeeded')
  return isSure && before.every(state => state === 'succeeded') ? 'succeeded' : 'settled'
}

/** Predecessors before their dependents. */
function inOrder(plan: Plan): readonly number[] {
  const depths = depthsOf(plan)
  const rank = (index: number): number => (index < plan.mainCount ? 0 : 1_000) + (depths[index] ?? 0)
  return [...plan.nodes.keys()].toSorted((a, b) => rank(a) - rank(b))
}

const STATES: readonly string[] = [
  ...SETTLED,
  'pending',
  'waiting',
  'queued',
  'starting',
  'running',
  'backoff',
]

export const stateOf = ({ state }: TaskStatus): TaskStateName | null =>
  STATES.includes(state) ? (state as TaskStateName) : null
