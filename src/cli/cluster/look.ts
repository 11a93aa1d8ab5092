import { EXIT } from '../exit.ts'
import type { FollowFormat } from '../follow.ts'
import { systemClock } from '../../host/clock.ts'
import { CommandError } from '../exit.ts'
import { nearest } from '../../core/nearest.ts'
import { type DataFormat, isDataFormat, printData, printLines } from '../show/print.ts'
import { painter, phaseText, printable } from '../show/text.ts'
import { knownDag } from './dag-object.ts'
import { DagOfRun } from './followed.ts'
import { type ClusterRun, findClusterRun } from './run-object.ts'
import { type TaskView, taskViews } from './run-tasks.ts'
import type { Session } from './session.ts'
import { dagData, dagHeader } from './show-dag.ts'
import {
  clusterRunData,
  clusterRunHeader,
  detailText,
  parametersOf,
  stateMark,
  taskTree,
  taskViewData,
} from './show-run.ts'
import { showToEnd } from './shown.ts'

/** `kontroler get RUN [TASK]`: everything that a DagRun tells; of `dag/NAME` what a DAG tells. */
export async function get(
  session: Session,
  text: string,
  key: string | undefined,
  options: { readonly output?: DataFormat },
): Promise<number> {
  const { environment } = session
  const paint = painter(environment.color)
  const now = systemClock.now()
  if (/^dags?\//u.test(text)) {
    const dag = await knownDag(session, text)
    if (isDataFormat(options.output)) printData(options.output, dagData(dag, now))
    else printLines(dagHeader(dag, paint, now))
    return EXIT.succeeded
  }
  const run = await findClusterRun(session, text)
  const views = taskViews(run, await new DagOfRun(session).read(run))
  if (key !== undefined) {
    const view = viewNamed(run, views, key)
    if (isDataFormat(options.output)) printData(options.output, { run: run.id, ...taskViewData(view) })
    else printLines(taskLines(session, run, view))
    return EXIT.succeeded
  }
  if (isDataFormat(options.output)) {
    const data = {
      ...clusterRunData(run, now),
      parameters: parametersOf(run),
      tasks: views.map(taskViewData),
    }
    printData(options.output, data)
    return EXIT.succeeded
  }
  const columns = environment.terminal ? environment.columns : Number.POSITIVE_INFINITY
  const tree = taskTree(views, { paint, columns, rows: Number.POSITIVE_INFINITY, frame: null })
  printLines([...clusterRunHeader(run, paint, now), ...(tree.length === 0 ? [] : ['', ...tree])])
  if (views.some(({ state }) => state === null)) {
    process.stderr.write('note: a DagRun names the tasks that failed and those under way; · is not told\n')
  }
  return EXIT.succeeded
}

/** `kontroler watch RUN`: shows a run as it goes, to its end. */
export async function watch(
  session: Session,
  text: string,
  options: { readonly output?: FollowFormat },
): Promise<number> {
  const run = await findClusterRun(session, text)
  return await showToEnd(session, run, options.output ?? (session.environment.live ? 'tree' : 'lines'))
}

/** @throws {CommandError} The run has no such task, as far as can be known. */
export function viewNamed(run: ClusterRun, views: readonly TaskView[], key: string): TaskView {
  const found = views.find(({ name }) => name === key)
  if (found !== undefined) return found
  const names = views.map(({ name }) => name)
  const near = nearest(key, names)
  throw new CommandError(
    'UNKNOWN_TASK',
    `DagRun ${run.name} tells of no task ${key}`,
    near !== null
      ? `did you mean ${near}?`
      : names.length === 0
        ? 'it names those that failed and those under way'
        : `it tells of: ${names.slice(0, 10).join(', ')}${names.length > 10 ? ', …' : ''}`,
  )
}

function taskLines({ environment, command }: Session, run: ClusterRun, view: TaskView): readonly string[] {
  const paint = painter(environment.color)
  const state = view.state ?? 'not told'
  const word = view.state === null || view.state === 'settled' ? state : phaseText(view.state, state, paint)
  const detail = detailText(view)
  const { told } = view
  const facts: (readonly [string, string] | null)[] = [
    ['run', run.name],
    view.part === 'finally' ? ['part', 'finally'] : null,
    view.after.length === 0 ? null : ['runs after', view.after.join(', ')],
    told?.reason === undefined ? null : ['reason', told.reason],
    told?.message === undefined ? null : ['message', printable(told.message)],
    told?.exitCode === undefined ? null : ['exit code', String(told.exitCode)],
    told?.attempts === undefined ? null : ['attempts', String(told.attempts)],
    ['logs', command('logs', run.name, view.name)],
  ]
  const known = facts.filter(fact => fact !== null)
  const widest = Math.max(...known.map(([name]) => name.length))
  const head = `${stateMark(view.state, paint)} ${paint('bold', printable(view.name))}  ${word}`
  return [
    detail === '' || detail === state ? head : `${head}  ${paint('dim', detail)}`,
    '',
    ...known.map(([name, text]) => `  ${paint('dim', name.padEnd(widest))}  ${text}`),
  ]
}
