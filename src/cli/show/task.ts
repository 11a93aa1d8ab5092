import { join } from 'node:path'
import type { Task } from '../../core/dag/dag.ts'
import { attemptPath } from '../../core/run/attempt-path.ts'
import { childRunOf } from '../../core/run/child.ts'
import type { RunState, TaskState } from '../../core/run/state.ts'
import { taskAt } from '../../core/run/state.ts'
import { type Column, tableLines } from './table.ts'
import {
  type Paint,
  dateTime,
  duration,
  mark,
  painter,
  phaseText,
  printable,
  shellWord,
  tookMs,
} from './text.ts'
import { detailOf } from './tree.ts'

/** Where the output of an attempt is read; null for what writes none. */
export type LogPath = (state: RunState, task: TaskState, attempt: number) => string | null

/** Where the output of an attempt lies; null for what writes none. */
export function logPathOf(
  stateDir: string,
  state: RunState,
  task: TaskState,
  attempt: number,
): string | null {
  if (task.task.work.kind !== 'container') return null
  return join(stateDir, attemptPath(state.created.run, task.key, attempt), 'log')
}

/** One task: how it stands, what it waits for, what it gave, and each attempt. */
export function taskLines(
  state: RunState,
  task: TaskState,
  options: { readonly paint: Paint; readonly width: number; readonly now: number; readonly logPath: LogPath },
): readonly string[] {
  const { paint, now } = options
  const head = `${mark(task.state, paint)} ${paint('bold', task.key)}  ${phaseText(task.state, task.state, paint)}`
  const detail = printable(detailOf(state, task, now))
  const facts = factsOf(state, task)
  const widest = Math.max(...facts.map(([name]) => name.length))
  return [
    detail === '' ? head : `${head}  ${paint('dim', detail)}`,
    '',
    ...facts.map(([name, text]) => `  ${paint('dim', name.padEnd(widest))}  ${text}`),
    ...(task.attempts.length === 0 ? [] : ['', ...attemptLines(state, task, options)]),
  ]
}

function factsOf(state: RunState, task: TaskState): readonly (readonly [string, string])[] {
  const after = state.plan.nodes[task.index]?.dependencies ?? []
  const names = after.map(index => `${taskAt(state, index).key} (${taskAt(state, index).state})`)
  const child = childRunOf(task)
  const facts: (readonly [string, string] | null)[] = [
    ['run', state.created.name],
    task.part === 'finally' ? ['part', 'finally'] : null,
    names.length === 0 ? null : ['runs after', names.join(', ')],
    task.task.when === null ? null : ['when', printable(task.task.when)],
    task.reason === null ? null : ['reason', task.reason],
    task.message === null || task.message === '' ? null : ['message', printable(task.message)],
    task.itemIndex === null ? null : ['item', printable(JSON.stringify(task.item))],
    ['does', workText(task.task)],
    child === null ? null : ['as run', child],
    ...Object.entries(task.outputs).map(
      ([name, value]) => [`output ${name}`, printable(value)] as readonly [string, string],
    ),
  ]
  return facts.filter(fact => fact !== null)
}

/** What a task does, in a few words. */
export function workText({ work }: Task): string {
  switch (work.kind) {
    case 'dag':
      return `runs DAG ${work.dag}`
    case 'approval':
      return `waits for approval: ${printable(work.approval.message)}`
    case 'container': {
      const lines = work.script?.trimEnd().split('\n') ?? []
      if (lines.length > 0) return `script of ${lines.length} ${lines.length === 1 ? 'line' : 'lines'}`
      return printable([...work.command, ...work.args].map(shellWord).join(' '))
    }
  }
}

type Attempt = TaskState['attempts'][number]

function attemptLines(
  state: RunState,
  task: TaskState,
  options: { readonly paint: Paint; readonly now: number; readonly logPath: LogPath },
): readonly string[] {
  const { paint, now } = options
  const columns: readonly Column<Attempt>[] = [
    { title: 'ATTEMPT', cell: ({ number }) => String(number), align: 'right' },
    {
      title: 'OUTCOME',
      cell: ({ outcome, phase }) => outcome?.kind ?? phase,
      style: (text, { outcome }) => (outcome?.kind === 'succeeded' ? paint('green', text) : text),
    },
    { title: 'EXIT', cell: ({ outcome }) => exitText(outcome), align: 'right' },
    { title: 'STARTED', cell: ({ startedAt }) => dateTime(startedAt) },
    { title: 'TOOK', cell: attempt => duration(tookMs(attempt, now)), align: 'right' },
    { title: 'HANDLE', cell: ({ handle }) => handleText(handle) },
    { title: 'LOG', cell: ({ number }) => options.logPath(state, task, number) ?? '-' },
  ]
  const rows = tableLines(columns, task.attempts, { paint, width: Number.POSITIVE_INFINITY })
  const messages = task.attempts.flatMap(({ number, outcome }) =>
    outcome?.message === null || outcome === null ? [] : [`attempt ${number}: ${printable(outcome.message)}`],
  )
  return [...rows, ...(messages.length === 0 ? [] : ['', ...messages])].map(line =>
    line === '' ? '' : `  ${line}`,
  )
}

function exitText(outcome: Attempt['outcome']): string {
  return outcome?.signal ?? (outcome?.exitCode === null || outcome === null ? '-' : String(outcome.exitCode))
}

/** What finds it again outside: a pid, a run. */
function handleText(handle: Attempt['handle']): string {
  if (typeof handle !== 'object' || handle === null || Array.isArray(handle)) return '-'
  const [first] = Object.entries(handle)
  if (first === undefined) return '-'
  const [name, value] = first
  return `${name} ${typeof value === 'string' ? printable(value) : JSON.stringify(value)}`
}

/** All tasks as a table, items of fan-outs included. */
export function taskTable(
  state: RunState,
  options: { readonly paint: Paint; readonly now: number },
): readonly string[] {
  const { paint, now } = options
  const columns: readonly Column<TaskState>[] = [
    { title: 'TASK', cell: ({ key }) => key, style: text => paint('bold', text) },
    {
      title: 'STATE',
      cell: task => `${mark(task.state, painter(false))} ${task.state}`,
      style: (text, task) => phaseText(task.state, text, paint),
    },
    { title: 'ATTEMPTS', cell: ({ attempts }) => String(attempts.length), align: 'right' },
    { title: 'EXIT', cell: ({ exitCode }) => (exitCode === null ? '-' : String(exitCode)), align: 'right' },
    {
      title: 'STARTED',
      cell: ({ attempts: [first] }) => (first === undefined ? '-' : dateTime(first.startedAt)),
    },
    { title: 'TOOK', cell: task => spanOf(task, now), align: 'right' },
    { title: 'REASON', cell: ({ reason }) => reason ?? '-' },
    { title: 'AFTER', cell: task => namesBefore(state, task) },
    { title: 'MESSAGE', cell: ({ message }) => printable(message ?? '') },
  ]
  return tableLines(columns, inOrder(state), { paint, width: Number.POSITIVE_INFINITY })
}

function spanOf(task: TaskState, now: number): string {
  const [first] = task.attempts
  return first === undefined ? '-' : duration((task.settledAt ?? now) - first.startedAt)
}

function namesBefore(state: RunState, task: TaskState): string {
  const before = state.plan.nodes[task.index]?.dependencies ?? []
  return before.map(index => taskAt(state, index).key).join(',') || '-'
}

/** Planned tasks in their order, each fan-out followed by its items. */
function inOrder(state: RunState): readonly TaskState[] {
  return state.tasks
    .slice(0, state.plan.nodes.length)
    .flatMap(task => [task, ...(task.fan?.children ?? []).map(index => taskAt(state, index))])
}
