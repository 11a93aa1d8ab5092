import type { Plan } from '../../core/run/plan.ts'
import {
  type RunState,
  type TaskState,
  isSettled,
  isTerminal,
  lastAttempt,
  taskAt,
} from '../../core/run/state.ts'
import { type Paint, cut, duration, elapsed, mark, printable, tookMs } from './text.ts'

/** How the tree is drawn. */
export interface TreeOptions {
  readonly paint: Paint
  /** No line is wider. */
  readonly columns: number
  /** There are no more lines than this. */
  readonly rows: number
  /** Turns the marks of what runs; null for a picture that stands still. */
  readonly frame: number | null
}

/** The run as lines of text, one task a line, dependents further right. Fits into `rows`, busiest tasks first. */
export function treeLines(state: RunState, now: number, options: TreeOptions): readonly string[] {
  const { paint, columns } = options
  const { order, depths, width } = layoutOf(state.plan)
  const room = Math.max(3, options.rows - 2)
  const shown = fit(state, order, room)
  const nameWidth = Math.min(width, Math.max(12, columns - 2 - DETAIL_WIDTH_MIN))
  const lines = shown.map(task => {
    const indent = '  '.repeat(depths[task.index] ?? 0)
    const name = cut(task.key, Math.max(4, columns - indent.length - 5))
    const used = indent.length + 2 + name.length
    const gap = ' '.repeat(Math.max(2, nameWidth + 2 - used))
    const rest = columns - 2 - used - gap.length
    const detail = rest < 6 ? '' : cut(detailOf(state, task, now), rest)
    const aside = detail === '' ? '' : `${gap}${paint('dim', detail)}`
    return `  ${indent}${mark(task.state, paint, options.frame)} ${name}${aside}`
  })
  const rest = order.length - shown.length
  return [
    headline(state, now, options),
    ...lines,
    ...(rest > 0 ? [paint('dim', cut(`  … and ${rest} more: ${countText(state, shown)}`, columns))] : []),
  ]
}

const DETAIL_WIDTH_MIN = 24

/** What does not change while a run goes: made once, as a large run is drawn often. */
interface Layout {
  /** Positions of tasks in the order in which they are drawn. */
  readonly order: readonly number[]
  readonly depths: readonly number[]
  /** Columns that mark, name and indent take, of all but the longest names. */
  readonly width: number
}

const layouts = new WeakMap<Plan, Layout>()

function layoutOf(plan: Plan): Layout {
  const known = layouts.get(plan)
  if (known !== undefined) return known
  const depths = depthsOf(plan)
  const rank = (index: number): number => (index < plan.mainCount ? 0 : 1_000) + (depths[index] ?? 0)
  const order = [...plan.nodes.keys()].toSorted((a, b) => rank(a) - rank(b) || a - b)
  const widths = plan.nodes.map(({ task }, index) => task.name.length + 2 * (depths[index] ?? 0) + 2)
  const width = Math.min(
    44,
    widths.reduce((most, one) => Math.max(most, one), 4),
  )
  const layout = { order, depths, width }
  layouts.set(plan, layout)
  return layout
}

function headline(state: RunState, now: number, options: TreeOptions): string {
  const { paint } = options
  const isOver = isTerminal(state.phase)
  const took =
    state.startedAt === null
      ? ''
      : isOver
        ? duration((state.endedAt ?? now) - state.startedAt)
        : elapsed(now - state.startedAt)
  const progress = `${state.done}/${state.total}`
  const shape = mark(state.phase, paint, options.frame)
  const name = cut(state.created.name, Math.max(8, options.columns - progress.length - took.length - 7))
  return `${shape} ${paint('bold', name)}  ${progress}  ${paint('dim', took)}`
}

/** `120 succeeded, 59 queued` of those that are not shown. */
function countText(state: RunState, shown: readonly TaskState[]): string {
  const counts = new Map<TaskState['state'], number>()
  const add = (task: TaskState, by: number): unknown =>
    counts.set(task.state, (counts.get(task.state) ?? 0) + by)
  for (const index of state.plan.nodes.keys()) add(taskAt(state, index), 1)
  for (const task of shown) add(task, -1)
  return [...counts]
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name === 'upstreamFailed' ? 'not run' : name}`)
    .join(', ')
}

/** What there is to say beside the name: how long, why it waits, how it ended. */
export function detailOf(state: RunState, task: TaskState, now: number): string {
  if (task.fan !== null) return fanDetail(state, task)
  const attempt = lastAttempt(task)
  const began = attempt?.runningAt ?? attempt?.startedAt ?? null
  const tries = task.attempts.length > 1 ? `  attempt ${task.attempts.length}` : ''
  switch (task.state) {
    case 'pending':
      return waitsFor(state, task)
    case 'waiting':
      return task.reason === 'WAITING_FOR_APPROVAL'
        ? `waits for approval${approvalText(task)}`
        : 'waits for a decision'
    case 'queued':
      return state.paused ? 'paused' : 'waits for a slot'
    case 'starting':
      return `starting${tries}`
    case 'running':
      return (
        (began === null ? '' : elapsed(now - began)) +
        (attempt?.phase === 'stopping' ? '  stopping' : '') +
        tries
      )
    case 'backoff':
      return `attempt ${task.attempts.length} failed, next in ${duration(Math.max(0, (task.retryAt ?? now) - now))}`
    case 'succeeded':
      if (task.reason === 'REUSED') return 'reused'
      if (task.reason === 'APPROVED') return task.message ?? 'approved'
      return (attempt === undefined ? '' : duration(tookMs(attempt, now))) + tries
    case 'failed':
      return failedDetail(task) + tries
    case 'skipped':
      return `skipped${task.message === null ? '' : `: ${printable(task.message)}`}`
    case 'upstreamFailed':
      return `not run: ${printable(task.message ?? 'a dependency')} failed`
    case 'cancelled':
      return task.reason === 'RUN_TIMED_OUT' ? 'out of time' : 'cancelled'
  }
}

function failedDetail(task: TaskState): string {
  if (task.reason === 'EXIT_CODE') return `exit code ${task.exitCode ?? '?'}`
  return printable(task.message ?? task.reason ?? 'failed')
}

function approvalText(task: TaskState): string {
  const { work } = task.task
  return work.kind === 'approval' && work.approval.message !== ''
    ? `: ${printable(work.approval.message)}`
    : ''
}

function fanDetail(state: RunState, task: TaskState): string {
  const children = (task.fan?.children ?? []).map(index => taskAt(state, index))
  const count = new Map<string, number>()
  for (const child of children) count.set(child.state, (count.get(child.state) ?? 0) + 1)
  const done = children.filter(child => isSettled(child.state)).length
  const parts = ['failed', 'running', 'starting', 'backoff', 'queued', 'waiting', 'cancelled'].flatMap(
    name => {
      const many = count.get(name) ?? 0
      return many > 0 ? [`${many} ${name}`] : []
    },
  )
  return `${done}/${children.length} items${parts.length > 0 ? `  ${parts.join(', ')}` : ''}`
}

function waitsFor(state: RunState, task: TaskState): string {
  if (task.part === 'finally' && !state.finallyStarted) return 'runs at the end'
  const open = (state.plan.nodes[task.index]?.dependencies ?? [])
    .map(index => taskAt(state, index))
    .filter(other => !isSettled(other.state))
  const names = open.slice(0, 3).map(({ key }) => key)
  return names.length === 0
    ? ''
    : `waits for ${names.join(', ')}${open.length > 3 ? ` and ${open.length - 3} more` : ''}`
}

/** Longest way from a root, per planned task; deep graphs stay readable by going no further right. */
export function depthsOf({ nodes }: Plan): readonly number[] {
  const depths: number[] = []
  const waiting = nodes.map(node => node.dependencies.length)
  const open = nodes.flatMap((node, index) => (node.dependencies.length === 0 ? [index] : []))
  for (let at = 0; at < open.length; at += 1) {
    const index = open[at] ?? 0
    depths[index] ??= 0
    for (const next of nodes[index]?.dependents ?? []) {
      depths[next] = Math.max(depths[next] ?? 0, (depths[index] ?? 0) + 1)
      waiting[next] = (waiting[next] ?? 0) - 1
      if (waiting[next] === 0) open.push(next)
    }
  }
  return depths.map(depth => Math.min(depth, 12))
}

/** All of them when they fit; else those that failed or are in motion before those that wait or are done. */
function fit(state: RunState, order: readonly number[], rows: number): readonly TaskState[] {
  const tasks = order.map(index => taskAt(state, index))
  if (tasks.length <= rows) return tasks
  const byRank: TaskState[][] = [[], [], [], [], []]
  for (const task of tasks) byRank[rankOf(task)]?.push(task)
  const kept = new Set(byRank.flat().slice(0, rows))
  return tasks.filter(task => kept.has(task))
}

function rankOf(task: TaskState): number {
  switch (task.state) {
    case 'failed':
      return 0
    case 'starting':
    case 'running':
    case 'backoff':
    case 'waiting':
      return 1
    case 'queued':
      return 2
    case 'pending':
      return 3
    default:
      return 4
  }
}
