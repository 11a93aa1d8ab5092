import { systemClock } from '../../host/clock.ts'
import { EXIT } from '../exit.ts'
import {
  limitOf,
  type ListOptions,
  printTable,
  refuseWithDags,
  runColumns,
  type RunLine,
  sayMore,
} from '../listing.ts'
import { isDataFormat, printData, printLines } from '../show/print.ts'
import type { Column } from '../show/table.ts'
import { type Paint, painter, printable } from '../show/text.ts'
import { sinceMoment } from '../since.ts'
import { assignments } from '../values.ts'
import { allDags, type DagObject } from './dag-object.ts'
import { allRuns, type ClusterRun } from './run-object.ts'
import type { Session } from './session.ts'
import { dagData, lastText, nextText, problemOf, scheduleText, taskNamesOf } from './show-dag.ts'
import { clusterRunData, tookText } from './show-run.ts'

export interface ClusterListOptions extends ListOptions {
  readonly allNamespaces?: boolean
}

/** `kontroler list [runs|dags]`: DagRuns, newest first; or DAGs. */
export async function list(
  session: Session,
  what: 'runs' | 'dags',
  options: ClusterListOptions,
): Promise<number> {
  const most = limitOf(options)
  const labels = [...assignments('--label', options.label ?? [])].map(([name, value]) => `${name}=${value}`)
  const query = {
    ...(options.allNamespaces === true ? {} : { namespace: session.namespace }),
    labelSelector: labels.join(','),
  }
  if (what === 'dags') {
    refuseWithDags({ phase: options.phase, since: options.since })
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
  const shown = found.slice(0, most)
  listRuns(session, shown, { ...options, more: shown.length < found.length, any: all.length > 0 })
  return EXIT.succeeded
}

function listRuns(
  session: Session,
  runs: readonly ClusterRun[],
  options: ClusterListOptions & { readonly more: boolean; readonly any: boolean },
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
  const namespaces = options.allNamespaces === true
  const columns = runColumns({ paint, now, wide: output === 'wide', namespaces }, [VERSION])
  printTable(
    environment,
    columns,
    runs.map(run => lineOf(run, now)),
    output,
  )
  if (more) sayMore(environment)
}

interface ClusterRunLine extends RunLine {
  readonly version: number | null
}

const VERSION: Column<ClusterRunLine> = {
  title: 'VERSION',
  cell: ({ version }) => String(version ?? '-'),
  align: 'right',
}

function lineOf(run: ClusterRun, now: number): ClusterRunLine {
  const { name, namespace, dag, phase, progress, createdAt, trigger, id, dagVersion } = run
  return {
    name,
    namespace,
    dag: printable(dag),
    phase,
    done: progress === null ? '-' : `${progress.done}/${progress.total}`,
    createdAt,
    took: tookText(run, now) || '-',
    trigger,
    id,
    labels: run.object.metadata.labels ?? {},
    message: phase === 'succeeded' ? '' : printable(run.message),
    version: dagVersion,
  }
}

function listDags(session: Session, dags: readonly DagObject[], options: ClusterListOptions): void {
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
  printTable(environment, columns, dags, output)
}

function dagColumns(paint: Paint, now: number, options: ClusterListOptions): readonly Column<DagObject>[] {
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
