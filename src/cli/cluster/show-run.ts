import type { RunPhase } from '../../core/run/rows.ts'
import { isProblem } from '../../kubernetes/problem.ts'
import { EVENTS_V1 } from '../../kubernetes/resource.ts'
import type { KubeObject } from '../../kubernetes/object.ts'
import { sentenceOf } from '../../core/run/words.ts'
import type { TaskStatus } from '../../spec/schema/status.ts'
import { moment } from '../../core/run/run-data.ts'
import {
  ago,
  cut,
  dateTime,
  duration,
  elapsed,
  mark,
  type Paint,
  phaseText,
  printable,
} from '../show/text.ts'
import { type ClusterRun, isOver, reasonOf } from './run-object.ts'
import type { TaskView, ToldState } from './run-tasks.ts'
import { ASKED, type Session } from './session.ts'

/** A run for programs: the members of a local run, null where a DagRun does not tell. */
export function clusterRunData(run: ClusterRun, now: number): Readonly<Record<string, unknown>> {
  return {
    id: run.id,
    name: run.name,
    namespace: run.namespace,
    dag: run.dag,
    dagHash: null,
    dagVersion: run.dagVersion,
    phase: run.phase,
    reason: run.reason,
    message: run.message,
    interrupted: false,
    tasksDone: run.progress?.done ?? 0,
    tasksTotal: run.progress?.total ?? null,
    createdAt: moment(run.createdAt),
    startedAt: moment(run.startedAt),
    endedAt: moment(run.endedAt),
    durationMs: run.startedAt === null ? null : (run.endedAt ?? now) - run.startedAt,
    trigger: { kind: run.trigger },
    labels: run.object.metadata.labels ?? {},
    parentRun: null,
    continues: run.object.spec?.action?.run ?? null,
  }
}

/** Secrets stay references. */
export function parametersOf({ object }: ClusterRun): readonly Readonly<Record<string, unknown>>[] {
  return (object.spec?.parameters ?? []).map(({ name, value, fromSecret }) =>
    fromSecret === undefined ? { name, value: value ?? null } : { name, fromSecret },
  )
}

export const taskViewData = ({ name, part, state, told, after }: TaskView) => ({
  task: name,
  part,
  runAfter: after,
  state,
  reason: told?.reason ?? null,
  message: told?.message ?? null,
  exitCode: told?.exitCode ?? null,
  attempts: told?.attempts ?? null,
})

export const phaseMark = (phase: RunPhase | 'pending', paint: Paint, frame: number | null = null): string =>
  mark(phase, paint, frame)

/** How a run stands in a line, its message below, and then the facts around it. */
export function clusterRunHeader(run: ClusterRun, paint: Paint, now: number): readonly string[] {
  const took =
    run.startedAt === null
      ? ''
      : `${isOver(run) ? ' after' : ' for'} ${duration((run.endedAt ?? now) - run.startedAt)}`
  const facts = factsOf(run, now)
  const widest = Math.max(...facts.map(([name]) => name.length))
  return [
    `${phaseMark(run.phase, paint)} ${paint('bold', run.name)}  ${phaseText(run.phase, run.phase, paint)}${took}`,
    ...(run.message === '' || run.phase === 'succeeded' ? [] : [`  ${printable(run.message)}`]),
    '',
    ...facts.map(([name, text]) => `  ${paint('dim', name.padEnd(widest))}  ${text}`),
  ]
}

function factsOf(run: ClusterRun, now: number): readonly (readonly [string, string])[] {
  const { spec } = run.object
  const labels = Object.entries(run.object.metadata.labels ?? {}).map(([name, value]) => `${name}=${value}`)
  const facts: (readonly [string, string] | null)[] = [
    ['dag', `${printable(run.dag)}${run.dagVersion === null ? '' : `, version ${run.dagVersion}`}`],
    ['namespace', run.namespace],
    ['id', run.id],
    run.progress === null ? null : ['progress', `${run.progress.done} of ${run.progress.total} tasks`],
    ['created', `${dateTime(run.createdAt)} (${ago(now - run.createdAt)})`],
    run.startedAt === null ? null : ['started', dateTime(run.startedAt)],
    run.endedAt === null ? null : ['ended', dateTime(run.endedAt)],
    run.trigger === 'dagRun' ? null : ['trigger', run.trigger],
    spec?.action === undefined ? null : ['action', actionText(spec.action)],
    ...parametersOf(run).map(
      ({ name, value, fromSecret }) =>
        [
          `parameter ${printable(String(name))}`,
          fromSecret === undefined ? printable(String(value)) : `from Secret ${secretText(fromSecret)}`,
        ] as const,
    ),
    labels.length === 0 ? null : ['labels', printable(labels.join(', '))],
    spec?.cancel === true && !isOver(run) ? ['asked', 'to be cancelled'] : null,
    run.isSeen || isOver(run)
      ? null
      : ['note', 'what the spec says now was not looked at yet by a controller'],
  ]
  return facts.filter(fact => fact !== null)
}

const actionText = ({ type, run, task }: { type: string; run: string; task?: string | undefined }): string =>
  printable(`${type} of ${run}${task === undefined ? '' : ` from ${task}`}`)

const secretText = (secret: unknown): string =>
  printable(typeof secret === 'string' ? secret : JSON.stringify(secret))

/** The tasks as a tree, dependents further right; at most `rows` lines, those that matter first. */
export function taskTree(
  views: readonly TaskView[],
  options: {
    readonly paint: Paint
    readonly columns: number
    readonly rows: number
    readonly frame: number | null
  },
): readonly string[] {
  const { paint, columns, rows, frame } = options
  // As in the tree of a local run, items count with their task; those that failed are shown.
  const all = views.filter(({ isItem, state }) => !isItem || state === 'failed')
  const shown = fit(all, Math.max(3, rows))
  const width = Math.min(44, Math.max(4, ...shown.map(({ name, depth }) => name.length + 2 * depth)))
  const lines = shown.map(view => {
    const indent = '  '.repeat(view.depth)
    const name = cut(printable(view.name), Math.max(4, columns - indent.length - 5))
    const gap = ' '.repeat(Math.max(2, width + 2 - indent.length - name.length))
    const rest = columns - 4 - indent.length - name.length - gap.length
    const text = detailText(view)
    const detail = text === '' || rest < 6 ? '' : `${gap}${paint('dim', cut(text, rest))}`
    return `  ${indent}${stateMark(view.state, paint, frame)} ${name}${detail}`
  })
  const more = all.length - shown.length
  return more > 0 ? [...lines, paint('dim', `  … and ${more} more`)] : lines
}

const RANKS: readonly (readonly (ToldState | null)[])[] = [
  ['failed'],
  ['running', 'starting', 'backoff', 'waiting'],
  ['queued'],
  ['pending'],
]

function fit(views: readonly TaskView[], rows: number): readonly TaskView[] {
  if (views.length <= rows) return views
  const rankOf = ({ state }: TaskView): number => {
    const rank = RANKS.findIndex(states => states.includes(state))
    return rank < 0 ? RANKS.length : rank
  }
  const kept = new Set(views.toSorted((a, b) => rankOf(a) - rankOf(b)).slice(0, rows))
  return views.filter(view => kept.has(view))
}

export const stateMark = (state: ToldState | null, paint: Paint, frame: number | null = null): string =>
  state === null || state === 'settled' ? paint('gray', '·') : mark(state, paint, frame)

/** What there is to say beside the name. */
export function detailText({ state, told, after, items }: TaskView): string {
  if (items.length > 0) {
    const counts = Map.groupBy(items, item => item.state)
    return `items: ${[...counts].map(([name, some]) => `${some.length} ${name}`).join(', ')}`
  }
  const tries = (told?.attempts ?? 1) > 1 ? `  attempt ${told?.attempts ?? ''}` : ''
  switch (state) {
    case null:
      return ''
    case 'settled':
      return 'done: succeeded or skipped'
    case 'pending':
      return after.length === 0 ? '' : `after ${after.slice(0, 3).join(', ')}${after.length > 3 ? ', …' : ''}`
    case 'upstreamFailed':
      return 'not run: a task before it failed'
    default:
      return told === null ? '' : `${whyText(told)}${tries}`
  }
}

/** What these say, the state says already. */
const QUIET: ReadonlySet<string> = new Set(['RUNNING', 'STARTING', 'SUCCEEDED'])

/** Why a task that a status names stands as it does. */
export function whyText(told: TaskStatus): string {
  const { reason, message = '', exitCode } = told
  if (reason === 'EXIT_CODE') return `exit code ${exitCode ?? '?'}`
  if (message !== '') return printable(message)
  const code = reasonOf(told)
  if (code === null || QUIET.has(code)) return ''
  return printable(sentenceOf(code, exitCode === undefined ? {} : { code: exitCode }))
}

export interface ClusterEventObject extends KubeObject {
  readonly type?: string
  readonly reason?: string
  readonly note?: string
  readonly eventTime?: string | null
}

/** Warnings about an object, oldest first. They are a courtesy: without the right to read them there are none. */
export async function warningsOf(
  session: Session,
  uid: string,
  namespace: string,
): Promise<readonly ClusterEventObject[]> {
  try {
    const fieldSelector = `regarding.uid=${uid},type=Warning`
    const { items } = await session.client.list<ClusterEventObject>(
      EVENTS_V1,
      { namespace, fieldSelector },
      ASKED,
    )
    return items.toSorted((a, b) => ((a.eventTime ?? '') < (b.eventTime ?? '') ? -1 : 1))
  } catch (error) {
    if (isProblem(error, 'forbidden', 'notFound', 'badRequest')) return []
    throw error
  }
}

/** `12.3s` of a run that goes on. */
export const tookText = (run: ClusterRun, now: number): string =>
  run.startedAt === null
    ? ''
    : isOver(run)
      ? duration((run.endedAt ?? now) - run.startedAt)
      : elapsed(now - run.startedAt)
