import { resolve } from 'node:path'
import type { Dag, Task } from '../../core/dag/dag.ts'
import { createRun } from '../../core/run/create.ts'
import type { RunCreated } from '../../core/run/events.ts'
import { planOf } from '../../core/run/plan.ts'
import { inWords } from '../../core/schedule/words.ts'
import { dagHash } from '../../engine/dag-hash.ts'
import { choose, chosenParameters } from '../choice.ts'
import { systemClock } from '../../host/clock.ts'
import { type DagChange, dagChanges } from '../dag-changes.ts'
import { chooseExecutor } from '../executor.ts'
import { EXIT } from '../exit.ts'
import { isThere, openLocal } from '../local.ts'
import { localRecords } from '../local-records.ts'
import { type DagRecord, type Records, openRecords } from '../records.ts'
import { ignoredNotes, printProblems, readManifest } from '../manifest.ts'
import type { Environment } from '../settings.ts'
import { changeText } from '../show/changes.ts'
import { type DataFormat, isDataFormat, printData, printLines } from '../show/print.ts'
import { parameterData } from '../../core/run/run-data.ts'
import { parameterText } from '../show/run-header.ts'
import { workText } from '../show/task.ts'
import { type Paint, duration, painter, printable } from '../show/text.ts'
import { depthsOf } from '../show/tree.ts'

export interface PlanOptions {
  readonly recursive?: boolean
  readonly parameter?: readonly string[]
  readonly dag?: string
  readonly output?: DataFormat
}

/** `kontroler plan FILE…`: what `run` (or `apply`, of a server) would do, without doing any of it. */
export async function plan(
  environment: Environment,
  files: readonly string[],
  options: PlanOptions,
): Promise<number> {
  const isServer = environment.server !== null
  const local = !isServer && isThere(environment) ? await openLocal(environment, false) : null
  await using records = isServer
    ? await openRecords(environment)
    : local === null
      ? null
      : localRecords(local)
  const manifest = await readManifest(files, local?.store ?? null, {
    recursive: options.recursive === true,
  })
  const format = options.output === 'json' ? 'json' : 'text'
  if (printProblems(manifest.problems, format, environment, manifest.inputs)) return EXIT.usage
  const { dag, parameters } = choose(manifest, options.dag)
  const created = createRun(
    {
      run: 'plan',
      name: 'plan',
      dag,
      dagHash: dagHash(dag),
      parameters: chosenParameters(parameters, options.parameter ?? []),
      labels: {},
      trigger: { kind: 'manual', key: 'plan', by: environment.user },
      workdir: resolve('.'),
    },
    systemClock.now(),
  )
  if (!created.ok) {
    printProblems(created.problems, format, environment)
    return EXIT.usage
  }
  const version = await versionOf(records, dag)
  // What a server would not do with it, the server says when the DAG is applied.
  const notes = isServer ? [] : await notesOf(environment, dag)
  if (isDataFormat(options.output)) printData(options.output, planData(dag, created.value, version, notes))
  else printLines(planLines(dag, created.value, version, notes, painter(environment.color)))
  return EXIT.succeeded
}

async function notesOf(environment: Environment, dag: Dag): Promise<readonly string[]> {
  const executor = await chooseExecutor(environment, 'auto')
  return [
    ...(executor.note === null ? [] : [executor.note]),
    ...ignoredNotes(dag, work => executor.ignores(work)),
  ]
}

/** What is known of the DAG, and how this file differs. */
interface VersionNews {
  readonly known: DagRecord | null
  /** It has been stored before, as the current version or an older one. */
  readonly same: DagRecord | null
  readonly changes: readonly DagChange[]
}

async function versionOf(records: Records | null, dag: Dag): Promise<VersionNews> {
  const { namespace, name } = dag
  const known = (await records?.dag(namespace, name)) ?? null
  const same = (await records?.dagOf({ namespace, dag: name, dagHash: dagHash(dag) })) ?? null
  return { known, same, changes: known === null ? [] : dagChanges(known.dag, dag) }
}

function planData(
  dag: Dag,
  created: RunCreated,
  { known, same, changes }: VersionNews,
  notes: readonly string[],
): Readonly<Record<string, unknown>> {
  const depths = depthsOf(planOf(dag))
  return {
    dag: dag.name,
    namespace: dag.namespace,
    schedules: dag.schedules,
    parameters: parameterData(created.parameters),
    tasks: inOrder(dag).map(({ task, index, part }) => ({
      task: task.name,
      part,
      step: depths[index] ?? 0,
      runAfter: task.runAfter,
      work: task.work.kind,
      when: task.when,
      triggerRule: task.triggerRule,
      retries: task.retry.limit,
      fanOut: task.fanOut,
    })),
    currentVersion: known?.version ?? null,
    isNewVersion: same === null,
    changes,
    notes,
  }
}

function planLines(
  dag: Dag,
  created: RunCreated,
  news: VersionNews,
  notes: readonly string[],
  paint: Paint,
): readonly string[] {
  const tasks = inOrder(dag)
  const depths = depthsOf(planOf(dag))
  const widest = Math.max(...tasks.map(({ task, index }) => 2 * (depths[index] ?? 0) + task.name.length))
  const title = (text: string): string => paint('bold', text)
  const schedule = dag.schedules.map(text => inWords(text, dag.timeZone)).join('; ')
  return [
    `DAG ${title(dag.name)}: ${tasks.length} ${tasks.length === 1 ? 'task' : 'tasks'}, ${versionText(news)}`,
    ...(schedule === '' ? [] : [`schedule: ${schedule}${dag.suspended ? ' (suspended)' : ''}`]),
    ...section(title('parameters'), created.parameters.map(parameterText)),
    ...section(
      title('tasks'),
      tasks.map(({ task, index, part }) => {
        const name = `${'  '.repeat(depths[index] ?? 0)}${task.name}`
        return `${name.padEnd(Math.min(widest, 40))}  ${paint('dim', taskText(task, part))}`.trimEnd()
      }),
    ),
    ...section(
      title(`changes against version ${news.known?.version ?? ''}`),
      news.changes.map(change => changeText(change, paint)),
    ),
    ...(notes.length === 0 ? [] : ['', ...notes]),
  ]
}

const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : ['', title, ...lines.map(line => `  ${line}`)]

function versionText({ known, same }: VersionNews): string {
  if (known === null) return 'not known here yet'
  if (same === null) return `would be a new version (current: ${known.version})`
  return same.version === known.version
    ? `version ${known.version}, unchanged`
    : `the same as its version ${same.version} (current: ${known.version})`
}

function taskText(task: Task, part: 'main' | 'finally'): string {
  const { retry, fanOut } = task
  const texts = [
    workText(task),
    part === 'finally' ? 'at the end' : null,
    task.runAfter.length === 0 ? null : `after ${task.runAfter.join(', ')}`,
    task.triggerRule === 'allSucceeded' ? null : `rule ${task.triggerRule}`,
    task.when === null ? null : `when ${printable(task.when)}`,
    fanOut === null ? null : fanText(fanOut),
    retry.limit === 0 ? null : `${retry.limit} ${retry.limit === 1 ? 'retry' : 'retries'}`,
    task.timeoutMs === null ? null : `timeout ${duration(task.timeoutMs)}`,
    task.pool === null ? null : `pool ${task.pool}`,
    task.allowFailure ? 'may fail' : null,
  ]
  return texts.filter(text => text !== null).join('; ')
}

function fanText({ over, maxParallel }: NonNullable<Task['fanOut']>): string {
  const most = maxParallel === null ? '' : `, ${maxParallel} at once`
  switch (over.kind) {
    case 'list':
      return `for each of ${over.items.length} items${most}`
    case 'expression':
      return `for each of ${printable(over.expression)}${most}`
    case 'matrix':
      return `${over.axes.reduce((product, { values }) => product * values.length, 1)} combinations${most}`
  }
}

interface Planned {
  readonly task: Task
  readonly index: number
  readonly part: 'main' | 'finally'
}

/** In the order in which they can start, those under `finally` last. */
function inOrder(dag: Dag): readonly Planned[] {
  const nodes = planOf(dag).nodes.map(({ task, part }, index): Planned => ({ task, index, part }))
  const depths = depthsOf(planOf(dag))
  const rank = ({ index, part }: Planned): number => (part === 'main' ? 0 : 1e6) + (depths[index] ?? 0)
  return nodes.toSorted((a, b) => rank(a) - rank(b) || a.index - b.index)
}
