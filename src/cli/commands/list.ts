import type { RunPhase } from '../../core/run/rows.ts'
import { inWords } from '../../core/schedule/words.ts'
import type { RunQuery } from '../../ports/store.ts'
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
import { type DagLine, type Records, type RunRecord, openRecords } from '../records.ts'
import type { Environment } from '../settings.ts'
import { isDataFormat, printData, printLines } from '../show/print.ts'
import { moment, runData } from '../../core/run/run-data.ts'
import type { Column } from '../show/table.ts'
import { type Paint, ago, duration, mark, painter, phaseText, printable } from '../show/text.ts'
import { sinceMoment } from '../since.ts'
import { assignments } from '../values.ts'

export interface LocalListOptions extends ListOptions {
  readonly namespace?: string
  readonly children?: boolean
}

const PAGE = 200
/** DAGs whose last runs are asked for at the same time: a server may be far away. */
const AT_ONCE = 16

/** `kontroler list [runs|dags]`: what has run, newest first; or the DAGs that are known. */
export async function list(
  environment: Environment,
  what: 'runs' | 'dags',
  options: LocalListOptions,
): Promise<number> {
  const query = queryOf(options, systemClock.now())
  const most = limitOf(options)
  if (what === 'dags') {
    const { phase, label, since, children } = options
    refuseWithDags({ phase, label, since, children })
  }
  await using records = await openRecords(environment)
  if (what === 'dags') await listDags(environment, records, options)
  else await listRuns(environment, records, query, most, options)
  return EXIT.succeeded
}

function queryOf(options: LocalListOptions, now: number): RunQuery {
  return {
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(options.dag === undefined ? {} : { dag: options.dag }),
    ...(options.phase === undefined ? {} : { phases: options.phase as readonly RunPhase[] }),
    labels: Object.fromEntries(assignments('--label', options.label ?? [])),
    ...(options.since === undefined ? {} : { createdFrom: sinceMoment(options.since, now) }),
    ...(options.children === true ? {} : { parentRun: null }),
  }
}

async function listRuns(
  environment: Environment,
  records: Records,
  query: RunQuery,
  limit: number,
  options: LocalListOptions,
): Promise<void> {
  const now = systemClock.now()
  const items: RunRecord[] = []
  let after: string | null = null
  do {
    const size = Math.min(PAGE, limit - items.length)
    const page = await records.runs({ ...query, limit: size, ...(after === null ? {} : { after }) })
    items.push(...page.items)
    after = page.next
  } while (after !== null && items.length < limit)
  const { output } = options
  if (isDataFormat(output)) {
    const runs = items.map(run => runData(run, run.interrupted, now))
    return printData(output, { runs, more: after !== null })
  }
  if (output === 'name') return printLines(items.map(({ name }) => name))
  if (items.length === 0) return printLines([await nothing(records)])
  const lines = items.map(run => lineOf(run, now))
  const table = { paint: painter(environment.color), now, wide: output === 'wide', namespaces: false }
  printTable(environment, runColumns(table), lines, output)
  if (after !== null) sayMore(environment)
}

async function nothing(records: Records): Promise<string> {
  const any = (await records.runs({ limit: 1 })).items.length > 0
  return any
    ? 'no run is like that; see them all with: kontroler list'
    : 'nothing has run yet; start with: kontroler run FILE'
}

function lineOf(run: RunRecord, now: number): RunLine {
  const { interrupted, name, namespace, dag, phase, tasksDone, tasksTotal, createdAt, startedAt, endedAt } =
    run
  // Of an interrupted run nobody knows how long it has really run.
  const isKnown = startedAt !== null && (!interrupted || endedAt !== null)
  return {
    name,
    namespace,
    dag,
    phase: interrupted ? 'interrupted' : phase,
    done: `${tasksDone}/${tasksTotal}`,
    createdAt,
    took: isKnown ? duration((endedAt ?? now) - startedAt) : '-',
    trigger: run.trigger.kind,
    id: run.id,
    labels: run.labels,
    message: interrupted ? `kontroler resume ${name}` : printable(run.message),
  }
}

interface DagRow {
  readonly dag: DagLine
  readonly last: RunRecord | null
}

async function listDags(
  environment: Environment,
  records: Records,
  options: LocalListOptions,
): Promise<void> {
  const dags = (await records.dags()).filter(
    ({ namespace, name }) =>
      (options.namespace === undefined || options.namespace === namespace) &&
      (options.dag === undefined || options.dag === name),
  )
  const rows: DagRow[] = []
  for (let at = 0; at < dags.length; at += AT_ONCE)
    rows.push(...(await Promise.all(dags.slice(at, at + AT_ONCE).map(dag => rowOf(records, dag)))))
  const now = systemClock.now()
  const { output } = options
  if (isDataFormat(output)) return printData(output, { dags: rows.map(row => dagData(row, now)) })
  if (output === 'name') return printLines(rows.map(({ dag }) => dag.name))
  if (rows.length === 0) {
    return printLines(['no DAG is known yet; kontroler run FILE or kontroler dev DIR makes it known'])
  }
  const columns = dagColumns(painter(environment.color), now, output === 'wide')
  printTable(environment, columns, rows, output)
}

async function rowOf(records: Records, dag: DagLine): Promise<DagRow> {
  const { items } = await records.runs({ namespace: dag.namespace, dag: dag.name, limit: 1 })
  return { dag, last: items[0] ?? null }
}

function dagColumns(paint: Paint, now: number, wide: boolean): readonly Column<DagRow>[] {
  const more: readonly Column<DagRow>[] = [
    { title: 'NAMESPACE', cell: ({ dag }) => dag.namespace },
    { title: 'CRON', cell: ({ dag }) => dag.schedules.join('; ') || '-' },
    { title: 'SOURCE', cell: ({ dag }) => printable(dag.source ?? '-') },
  ]
  return [
    { title: 'DAG', cell: ({ dag }) => dag.name, style: text => paint('bold', text) },
    { title: 'VERSION', cell: ({ dag }) => String(dag.version), align: 'right' },
    { title: 'TASKS', cell: ({ dag }) => String(dag.tasks), align: 'right' },
    { title: 'SCHEDULE', cell: ({ dag }) => scheduleOf(dag) },
    ...(wide ? more : []),
    {
      title: 'LAST RUN',
      cell: ({ last }) => lastText(last, now),
      style: (text, { last }) => (last === null ? paint('dim', text) : phaseText(phaseOf(last), text, paint)),
    },
  ]
}

function scheduleOf({ schedules, timeZone, suspended }: DagLine): string {
  if (schedules.length === 0) return '-'
  const words = schedules.map(text => inWords(text, timeZone)).join('; ')
  return suspended ? `suspended (${words})` : words
}

const phaseOf = ({ interrupted, phase }: RunRecord): RunPhase | 'interrupted' =>
  interrupted ? 'interrupted' : phase

function lastText(last: RunRecord | null, now: number): string {
  if (last === null) return 'never'
  return `${mark(last.phase, painter(false))} ${phaseOf(last)} ${ago(now - last.createdAt)} (${last.name})`
}

function dagData({ dag, last }: DagRow, now: number): Readonly<Record<string, unknown>> {
  const { name, namespace, version, hash, source, createdAt, schedules, timeZone, suspended, tasks } = dag
  return {
    name,
    namespace,
    version,
    hash,
    source,
    createdAt: moment(createdAt),
    schedules,
    timeZone,
    suspended,
    tasks,
    lastRun: last === null ? null : runData(last, last.interrupted, now),
  }
}
