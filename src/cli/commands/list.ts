import type { RunPhase } from '../../core/run/rows.ts'
import { inWords } from '../../core/schedule/words.ts'
import type { RunQuery, Store, StoredDag, StoredRun } from '../../ports/store.ts'
import { systemClock } from '../../host/clock.ts'
import { EXIT } from '../exit.ts'
import { interruptedIds } from '../interrupted.ts'
import { openLocal } from '../local.ts'
import type { Environment } from '../settings.ts'
import { type DataFormat, isDataFormat, printData, printLines } from '../show/print.ts'
import { moment, runData } from '../../core/run/run-data.ts'
import { type Column, tableLines } from '../show/table.ts'
import {
  type Paint,
  age,
  ago,
  dateTime,
  duration,
  mark,
  painter,
  phaseText,
  printable,
} from '../show/text.ts'
import { sinceMoment } from '../since.ts'
import { assignments, wholeNumber } from '../values.ts'

export interface ListOptions {
  readonly namespace?: string
  readonly dag?: string
  readonly phase?: readonly string[]
  readonly label?: readonly string[]
  readonly since?: string
  readonly limit: string
  readonly all?: boolean
  readonly children?: boolean
  readonly output?: DataFormat | 'wide' | 'name'
}

const PAGE = 200
const LIMIT_MAX = 100_000

/** `kontroler list [runs|dags]`: what has run, newest first; or the DAGs that the state directory knows. */
export async function list(
  environment: Environment,
  what: 'runs' | 'dags',
  options: ListOptions,
): Promise<number> {
  const query = queryOf(options, systemClock.now())
  const limit = wholeNumber('--limit', options.limit, LIMIT_MAX)
  const most = options.all === true ? Number.POSITIVE_INFINITY : limit
  const local = await openLocal(environment, false)
  try {
    if (what === 'dags') await listDags(environment, local.store, options)
    else await listRuns(environment, local.store, query, most, options)
    return EXIT.succeeded
  } finally {
    await local.close()
  }
}

function queryOf(options: ListOptions, now: number): RunQuery {
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
  store: Store,
  query: RunQuery,
  limit: number,
  options: ListOptions,
): Promise<void> {
  const interrupted = await interruptedIds(store)
  const now = systemClock.now()
  const items: StoredRun[] = []
  let after: string | null = null
  do {
    const size = Math.min(PAGE, limit - items.length)
    const page = await store.runs({ ...query, limit: size, ...(after === null ? {} : { after }) })
    items.push(...page.items)
    after = page.next
  } while (after !== null && items.length < limit)
  const { output } = options
  if (isDataFormat(output)) {
    const runs = items.map(run => runData(run, interrupted.has(run.id), now))
    return printData(output, { runs, more: after !== null })
  }
  if (output === 'name') return printLines(items.map(({ name }) => name))
  if (items.length === 0) return printLines([await nothing(store)])
  const paint = painter(environment.color)
  const rows = items.map((run): Row => ({ run, interrupted: interrupted.has(run.id), now }))
  const columns = output === 'wide' ? wideColumns(paint) : runColumns(paint)
  printLines(tableLines(columns, rows, { paint, width: widthOf(environment, output) }))
  if (after !== null) process.stderr.write(paint('dim', `… more: --limit N or --all\n`))
}

async function nothing(store: Store): Promise<string> {
  const any = (await store.runs({ limit: 1 })).items.length > 0
  return any
    ? 'no run is like that; see them all with: kontroler list'
    : 'nothing has run yet; start with: kontroler run FILE'
}

/** What is piped is not cut: another program reads it. */
function widthOf(environment: Environment, output: string | undefined): number {
  return environment.terminal && output !== 'wide' ? environment.columns : Number.POSITIVE_INFINITY
}

interface Row {
  readonly run: StoredRun
  readonly interrupted: boolean
  readonly now: number
}

function runColumns(paint: Paint): readonly Column<Row>[] {
  return [...mainColumns(paint), { title: 'MESSAGE', cell: messageOf }]
}

function mainColumns(paint: Paint): readonly Column<Row>[] {
  return [
    { title: 'RUN', cell: ({ run }) => run.name, style: text => paint('bold', text) },
    { title: 'DAG', cell: ({ run }) => run.dag },
    {
      title: 'PHASE',
      cell: row => `${row.interrupted ? '!' : mark(row.run.phase, painter(false))} ${phaseOf(row)}`,
      style: (text, row) => phaseText(row.interrupted ? 'interrupted' : row.run.phase, text, paint),
    },
    { title: 'DONE', cell: ({ run }) => `${run.tasksDone}/${run.tasksTotal}`, align: 'right' },
    { title: 'AGE', cell: ({ run, now }) => age(now - run.createdAt), align: 'right' },
    { title: 'TOOK', cell: tookOf, align: 'right' },
  ]
}

function wideColumns(paint: Paint): readonly Column<Row>[] {
  return [
    ...mainColumns(paint),
    { title: 'CREATED', cell: ({ run }) => dateTime(run.createdAt) },
    { title: 'NAMESPACE', cell: ({ run }) => run.namespace },
    { title: 'TRIGGER', cell: ({ run }) => run.trigger.kind },
    { title: 'ID', cell: ({ run }) => run.id },
    { title: 'LABELS', cell: ({ run }) => labelsOf(run) || '-' },
    { title: 'MESSAGE', cell: messageOf },
  ]
}

const phaseOf = ({ run, interrupted }: Row): string => (interrupted ? 'interrupted' : run.phase)
const messageOf = (row: Row): string =>
  row.interrupted ? `kontroler resume ${row.run.name}` : printable(row.run.message)

/** Of an interrupted run nobody knows how long it has really run. */
function tookOf({ run, interrupted, now }: Row): string {
  if (run.startedAt === null || (interrupted && run.endedAt === null)) return '-'
  return duration((run.endedAt ?? now) - run.startedAt)
}

function labelsOf(run: StoredRun): string {
  return printable(
    Object.entries(run.labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(','),
  )
}

interface DagRow {
  readonly stored: StoredDag
  readonly last: StoredRun | null
  readonly interrupted: boolean
}

async function listDags(environment: Environment, store: Store, options: ListOptions): Promise<void> {
  const interrupted = await interruptedIds(store)
  const rows: DagRow[] = []
  for (const stored of await store.dags()) {
    const { namespace, name } = stored.dag
    if (options.namespace !== undefined && options.namespace !== namespace) continue
    if (options.dag !== undefined && options.dag !== name) continue
    const last = (await store.runs({ namespace, dag: name, limit: 1 })).items[0] ?? null
    rows.push({ stored, last, interrupted: last !== null && interrupted.has(last.id) })
  }
  const now = systemClock.now()
  const { output } = options
  if (isDataFormat(output)) return printData(output, { dags: rows.map(row => dagData(row, now)) })
  if (output === 'name') return printLines(rows.map(({ stored }) => stored.dag.name))
  if (rows.length === 0) {
    return printLines(['no DAG is known yet; kontroler run FILE or kontroler dev DIR makes it known'])
  }
  const paint = painter(environment.color)
  const width = widthOf(environment, output)
  printLines(tableLines(dagColumns(paint, now, output === 'wide'), rows, { paint, width }))
}

function dagColumns(paint: Paint, now: number, wide: boolean): readonly Column<DagRow>[] {
  const more: readonly Column<DagRow>[] = [
    { title: 'NAMESPACE', cell: ({ stored }) => stored.dag.namespace },
    { title: 'CRON', cell: ({ stored }) => stored.dag.schedules.join('; ') || '-' },
    { title: 'SOURCE', cell: ({ stored }) => printable(stored.source ?? '-') },
  ]
  return [
    { title: 'DAG', cell: ({ stored }) => stored.dag.name, style: text => paint('bold', text) },
    { title: 'VERSION', cell: ({ stored }) => String(stored.version), align: 'right' },
    {
      title: 'TASKS',
      cell: ({ stored }) => String(stored.dag.tasks.length + stored.dag.finally.length),
      align: 'right',
    },
    { title: 'SCHEDULE', cell: ({ stored }) => scheduleOf(stored) },
    ...(wide ? more : []),
    {
      title: 'LAST RUN',
      cell: ({ last, interrupted }) => lastText(last, interrupted, now),
      style: (text, { last, interrupted }) =>
        last === null ? paint('dim', text) : phaseText(interrupted ? 'interrupted' : last.phase, text, paint),
    },
  ]
}

function scheduleOf({ dag }: StoredDag): string {
  if (dag.schedules.length === 0) return '-'
  const words = dag.schedules.map(text => inWords(text, dag.timeZone)).join('; ')
  return dag.suspended ? `suspended (${words})` : words
}

function lastText(last: StoredRun | null, interrupted: boolean, now: number): string {
  if (last === null) return 'never'
  const phase = interrupted ? 'interrupted' : last.phase
  return `${mark(last.phase, painter(false))} ${phase} ${ago(now - last.createdAt)} (${last.name})`
}

function dagData({ stored, last, interrupted }: DagRow, now: number): Readonly<Record<string, unknown>> {
  const { dag, version, hash, source, createdAt } = stored
  return {
    name: dag.name,
    namespace: dag.namespace,
    version,
    hash,
    source,
    createdAt: moment(createdAt),
    schedules: dag.schedules,
    timeZone: dag.timeZone,
    suspended: dag.suspended,
    tasks: dag.tasks.length + dag.finally.length,
    lastRun: last === null ? null : runData(last, interrupted, now),
  }
}
