import type { Plan } from '../../core/run/plan.ts'
import {
  type RunState,
  type TaskState,
  isSettled,
  isTerminal,
  lastAttempt,
  taskAt,
} from '../../core/run/state.ts'
import { type Paint, cut, duration, mark, printable } from './text.ts'

/** The run as lines of text, one task a line, dependents further right. Fits into `rows`, busiest tasks first. */
export function treeLines(
  state: RunState,
  now: number,
  options: {
    readonly paint: Paint
    readonly columns: number
    readonly rows: number
    readonly frame: number | null
  },
): readonly string[] {
  const { paint, columns } = options
  const planned = state.tasks.slice(0, state.plan.nodes.length)
  const depths = depthsOf(state.plan)
  const width = Math.min(
    40,
    Math.max(...planned.map(task => task.key.length + 2 * (depths[task.index] ?? 0)), 4) + 2,
  )
  const ordered = planned.toSorted(
    (a, b) => (a.part === b.part ? 0 : a.part === 'main' ? -1 : 1) || order(depths, a) - order(depths, b),
  )
  const shown = fit(ordered, Math.max(3, options.rows - 3))
  const lines = shown.map(task => {
    const indent = '  '.repeat(depths[task.index] ?? 0)
    const name = cut(`${indent}${mark(task.state, paint, options.frame)} ${task.key}`, 200)
    const plainLength = indent.length + 2 + task.key.length
    const gap = ' '.repeat(Math.max(1, width + 2 - plainLength))
    const detail = cut(
      detailOf(state, task, now),
      Math.max(10, columns - Math.max(width + 2, plainLength) - 3),
    )
    return `  ${name}${gap}${paint('dim', detail)}`
  })
  const hidden = ordered.length - shown.length
  return [
    headline(state, now, options),
    ...lines,
    ...(hidden > 0 ? [paint('dim', `  … and ${hidden} more tasks`)] : []),
  ]
}

function headline(
  state: RunState,
  now: number,
  options: { readonly paint: Paint; readonly frame: number | null },
): string {
  const { paint } = options
  const took = state.startedAt === null ? '' : duration((state.endedAt ?? now) - state.startedAt)
  const shape = mark(state.phase, paint, options.frame)
  return `${shape} ${paint('bold', state.created.name)}  ${state.done}/${state.total}  ${paint('dim', took)}`
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
        (began === null ? '' : duration(now - began)) +
        (attempt?.phase === 'stopping' ? '  stopping' : '') +
        tries
      )
    case 'backoff':
      return `attempt ${task.attempts.length} failed, next in ${duration(Math.max(0, (task.retryAt ?? now) - now))}`
    case 'succeeded':
      if (task.reason === 'REUSED') return 'reused'
      if (task.reason === 'APPROVED') return task.message ?? 'approved'
      return (began === null ? '' : duration((attempt?.endedAt ?? now) - began)) + tries
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

function order(depths: readonly number[], task: TaskState): number {
  return (depths[task.index] ?? 0) * 1_000_000 + task.index
}

/** All of them when they fit; else those in motion or failed before those that wait or are done. */
function fit(tasks: readonly TaskState[], rows: number): readonly TaskState[] {
  if (tasks.length <= rows) return tasks
  const rank = (task: TaskState): number => {
    if (task.state === 'failed') return 0
    if (!isSettled(task.state) && task.state !== 'pending') return 1
    return task.state === 'pending' ? 2 : 3
  }
  const kept = new Set(tasks.toSorted((a, b) => rank(a) - rank(b)).slice(0, rows))
  return tasks.filter(task => kept.has(task))
}

/** True once there is nothing left to draw. */
export function isOver(state: RunState): boolean {
  return isTerminal(state.phase)
}
