import { systemClock } from '../../host/clock.ts'
import { EXIT } from '../exit.ts'
import { type DataFormat, isDataFormat, printData, printLines } from '../show/print.ts'
import { type Column, tableLines } from '../show/table.ts'
import { age, dateTime, mark, type Paint, painter, phaseText, printable } from '../show/text.ts'
import { sinceMoment } from '../since.ts'
import { assignments, wholeNumber } from '../values.ts'
import { allDags, type DagObject } from './dag-object.ts'
import { allRuns, type ClusterRun } from './run-object.ts'
import type { Session } from './session.ts'
import { dagData, lastText, nextText, problemOf, scheduleText, taskNamesOf } from './show-dag.ts'
import { clusterRunData, tookText } from './show-run.ts'

export interface ListOptions {
  readonly allNamespaces?: boolean
  readonly dag?: string
  readonly phase?: readonly string[]
  readonly label?: readonly string[]
  readonly since?: string
  readonly limit: string
  readonly all?: boolean
  readonly output?: DataFormat | 'wide' | 'name'
}

const LIMIT_MAX = 100_000

/** `kontroler list [runs|dags]`: DagRuns, newest first; or DAGs. */
export async function list(session: Session, what: 'runs' | 'dags', options: ListOptions): Promise<number> {
  const limit = wholeNumber('--limit', options.limit, LIMIT_MAX)
  const labels = [...assignments('--label', options.label ?? [])].map(([name, value]) => `${name}=${value}`)
  const query = {
    ...(options.allNamespaces === true ? {} : { namespace: session.namespace }),
    labelSelector: labels.join(','),
  }
  if (what === 'dags') {
    const dags = await allDags(session, query)
    listDags(
      session,
      dags.filter(({ metadata }) => options.dag === undefined || metadata.name === options.dag),
      options,
    )
    return EXIT.succeeded
  }
  const from = options.since === undefined ? null : sinceMoment(options.since, systemClock.now())
  const all = await allRuns(session, query)
  const found = all.filter(
    run =>
      (options.dag === undefined || run.dag === options.dag) &&
      (options.phase === undefined || options.phase.includes(run.phase)) &&
      (from === null || run.createdAt >= from),
  )
  const shown = options.all === true ? found : found.slice(0, limit)
  listRuns(session, shown, { ...options, more: shown.length < found.length, any: all.length > 0 })
  return EXIT.succeeded
}

function listRuns(
  session: Session,
  runs: readonly ClusterRun[],
  options: ListOptions & { readonly more: boolean; readonly any: boolean },
): void {
  const { environment, namespace, command } = session
  const { output, more } = options
  const now = systemClock.now()
  if (isDataFormat(output))
    return printData(output, { runs: runs.map(run => clusterRunData(run, now)), more })
  if (output === 'name') return printLines(runs.map(({ name }) => name))
  const paint = painter(environment.color)
  if (runs.length === 0) {
    const where = options.allNamespaces === true ? 'the cluster' : `namespace ${namespace}`
    const text = options.any ? `no run of ${where} is like that` : `${where} has no DagRun`
    return printLines([`${text}; start one with: ${command('submit', 'DAG')}`])
  }
  const columns = runColumns(paint, now, options)
  printLines(tableLines(columns, runs, { paint, width: widthOf(session, output) }))
  if (more) process.stderr.write(paint('dim', '… more: --limit N or --all\n'))
}

function runColumns(paint: Paint, now: number, options: ListOptions): readonly Column<ClusterRun>[] {
  const wide = options.output === 'wide'
  const namespace: Column<ClusterRun> = { title: 'NAMESPACE', cell: run => run.namespace }
  return [
    ...(options.allNamespaces === true ? [namespace] : []),
    { title: 'RUN', cell: run => run.name, style: text => paint('bold', text) },
    { title: 'DAG', cell: run => printable(run.dag) },
    {
      title: 'PHASE',
      cell: run => `${mark(run.phase, painter(false))} ${run.phase}`,
      style: (text, run) => phaseText(run.phase, text, paint),
    },
    { title: 'DONE', cell: doneText, align: 'right' },
    { title: 'AGE', cell: run => age(now - run.createdAt), align: 'right' },
    { title: 'TOOK', cell: run => tookText(run, now) || '-', align: 'right' },
    ...(wide ? wideColumns(options.allNamespaces === true ? [] : [namespace]) : []),
    {
      title: 'MESSAGE',
      cell: run => (run.phase === 'succeeded' ? '' : printable(run.message)),
    },
  ]
}

const wideColumns = (namespace: readonly Column<ClusterRun>[]): readonly Column<ClusterRun>[] => [
  { title: 'CREATED', cell: run => dateTime(run.createdAt) },
  ...namespace,
  { title: 'TRIGGER', cell: run => run.trigger },
  { title: 'VERSION', cell: run => String(run.dagVersion ?? '-'), align: 'right' },
  { title: 'ID', cell: run => run.id },
  { title: 'LABELS', cell: run => labelsText(run) || '-' },
]

const doneText = ({ progress }: ClusterRun): string =>
  progress === null ? '-' : `${progress.done}/${progress.total}`

const labelsText = ({ object }: ClusterRun): string =>
  printable(
    Object.entries(object.metadata.labels ?? {})
      .map(([name, value]) => `${name}=${value}`)
      .join(','),
  )

function listDags(session: Session, dags: readonly DagObject[], options: ListOptions): void {
  const { environment, namespace } = session
  const { output, allNamespaces } = options
  const now = systemClock.now()
  if (isDataFormat(output)) return printData(output, { dags: dags.map(dag => dagData(dag, now)) })
  if (output === 'name') return printLines(dags.map(({ metadata }) => metadata.name))
  if (dags.length === 0) {
    const where = allNamespaces === true ? 'the cluster' : `namespace ${namespace}`
    return printLines([`${where} has no DAG; kubectl apply -f FILE makes one known`])
  }
  const paint = painter(environment.color)
  const columns = dagColumns(paint, now, options)
  printLines(tableLines(columns, dags, { paint, width: widthOf(session, output) }))
}

function dagColumns(paint: Paint, now: number, options: ListOptions): readonly Column<DagObject>[] {
  const namespaces = options.allNamespaces === true || options.output === 'wide'
  const of = (object: DagObject): string => object.metadata.namespace ?? ''
  return [
    ...(namespaces ? [{ title: 'NAMESPACE', cell: of }] : []),
    { title: 'DAG', cell: ({ metadata }) => metadata.name, style: text => paint('bold', text) },
    { title: 'VERSION', cell: ({ status }) => String(status?.version ?? '-'), align: 'right' },
    { title: 'TASKS', cell: ({ spec }) => String(taskNamesOf(spec).length || '-'), align: 'right' },
    { title: 'SCHEDULE', cell: scheduleText },
    { title: 'NEXT', cell: ({ status }) => nextText(status?.nextScheduleTime, now) },
    { title: 'LAST RUN', cell: object => lastText(object, now) },
    {
      title: 'PROBLEM',
      cell: object => {
        const problem = problemOf(object)
        return problem === null ? '' : `${problem.reason}: ${printable(problem.message)}`
      },
      style: text => paint('red', text),
    },
  ]
}

/** What is piped is not cut: another program reads it. */
function widthOf({ environment }: Session, output: string | undefined): number {
  return environment.terminal && output !== 'wide' ? environment.columns : Number.POSITIVE_INFINITY
}
