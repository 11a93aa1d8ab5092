import type { RunPhase } from '../../core/run/rows.ts'
import { inWords } from '../../core/schedule/words.ts'
import type { RunQuery, Store, StoredDag, StoredRun } from '../../ports/store.ts'
import { systemClock } from '../../host/clock.ts'
import { EXIT } from '../exit.ts'
import { interruptedIds } from '../interrupted.ts'
import {
  limitOf,
  type ListOptions,
  printTable,
  refuseWithDags,
  runColumns,
  type RunLine,
  sayMore,
} from '../listing.ts'
import { openLocal } from '../local.ts'
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

/** `kontroler list [runs|dags]`: what has run, newest first; or the DAGs that the state directory knows. */
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
  const local = await openLocal(environment, false)
  try {
    if (what === 'dags') await listDags(environment, local.store, options)
    else await listRuns(environment, local.store, query, most, options)
    return EXIT.succeeded
  } finally {
    await local.close()
  }
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
  store: Store,
  query: RunQuery,
  limit: number,
  options: LocalListOptions,
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
  const lines = items.map(run => lineOf(run, interrupted.has(run.id), now))
  const table = { paint: painter(environment.color), now, wide: output === 'wide', namespaces: false }
  printTable(environment, runColumns(table), lines, output)
  if (after !== null) sayMore(environment)
}

async function nothing(store: Store): Promise<string> {
  const any = (await store.runs({ limit: 1 })).items.length > 0
  return any
    ? 'no run is like that; see them all with: kontroler list'
    : 'nothing has run yet; start with: kontroler run FILE'
}

function lineOf(run: StoredRun, interrupted: boolean, now: number): RunLine {
  const { name, namespace, dag, phase, tasksDone, tasksTotal, createdAt, startedAt, endedAt } = run
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
  readonly stored: StoredDag
  readonly last: StoredRun | null
  readonly interrupted: boolean
}

async function listDags(environment: Environment, store: Store, options: LocalListOptions): Promise<void> {
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
  const columns = dagColumns(painter(environment.color), now, output === 'wide')
  printTable(environment, columns, rows, output)
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
