import type { Problem } from '../../core/problem.ts'
import { systemClock } from '../../host/clock.ts'
import { CommandError, EXIT } from '../exit.ts'
import { printProblems, readManifest } from '../manifest.ts'
import { type DataFormat, isDataFormat, printData, printLines } from '../show/print.ts'
import { painter } from '../show/text.ts'
import { wholeNumber } from '../values.ts'
import { dagTasksOf } from './dag-object.ts'
import { dagPlan, dagRunPlan, dagTaskPlan, type ObjectPlan } from './plan-objects.ts'
import { allRuns, type ClusterRun } from './run-object.ts'
import { ASKED, type Session } from './session.ts'
import { planData, planLines } from './show-plan.ts'
import type { Manifest } from '../manifest.ts'
import { loadDocuments } from '../../spec/load.ts'
import { NAMESPACES } from '../../kubernetes/resource.ts'
import { isProblem } from '../../kubernetes/problem.ts'

export interface PlanOptions {
  readonly file?: readonly string[]
  readonly recursive?: boolean
  readonly dag?: string
  readonly days: string
  readonly output?: DataFormat
}

/** `kontroler plan -f FILE…`: what applying the files would change in the cluster. */
export async function plan(
  session: Session,
  places: readonly string[],
  options: PlanOptions,
): Promise<number> {
  const { environment, namespace } = session
  const files = [...places, ...(options.file ?? [])]
  if (files.length === 0) {
    throw new CommandError(
      'BAD_OPTION',
      'which files are to be planned?',
      session.command('plan', '-f', 'FILE'),
    )
  }
  const days = wholeNumber('--days', options.days, 366)
  const read = await readManifest(files, null, { namespace, recursive: options.recursive === true })
  const { manifest, notes } = await withClusterTasks(session, read)
  const format = options.output === 'json' ? 'json' : 'text'
  if (printProblems(manifest.problems, format, environment, manifest.inputs)) return EXIT.usage
  const dags = manifest.dags.filter(({ dag }) => options.dag === undefined || dag.name === options.dag)
  if (options.dag !== undefined && dags.length === 0) {
    const names = manifest.dags.map(({ dag }) => dag.name).join(', ')
    throw new CommandError('UNKNOWN_DAG', `the files hold no DAG ${options.dag}`, `they hold: ${names}`)
  }
  const runs = new RunsOf(session)
  const now = systemClock.now()
  const objects: ObjectPlan[] = []
  for (const task of options.dag === undefined ? manifest.dagTasks : []) {
    objects.push(await dagTaskPlan(session, task))
  }
  for (const loaded of dags) {
    const { namespace: space, name } = loaded.dag
    const unsettled = (await runs.of(space)).filter(run => run.dag === name)
    objects.push(await dagPlan(session, loaded, unsettled, { now, days }))
  }
  for (const run of options.dag === undefined ? manifest.dagRuns : []) {
    objects.push(await dagRunPlan(session, run, manifest))
  }
  if (objects.length === 0) {
    throw new CommandError('NO_DAG', 'the files hold no DAG, DagTask or DagRun', 'name a file with one')
  }
  const missing = await missingNamespaces(session, objects)
  const all = [...notes, ...missing]
  if (isDataFormat(options.output)) printData(options.output, planData(objects, all))
  else printLines(planLines(objects, all, painter(environment.color), days))
  return EXIT.succeeded
}

/** DagTasks that no file holds are those of the cluster. */
async function withClusterTasks(
  session: Session,
  read: Manifest,
): Promise<{ readonly manifest: Manifest; readonly notes: readonly string[] }> {
  const asked = new Set<string>()
  loadDocuments(read.inputs, {
    namespace: session.namespace,
    lookup: namespace => {
      asked.add(namespace)
      return null
    },
  })
  if (asked.size === 0) return { manifest: read, notes: [] }
  const found = new Map(
    await Promise.all(
      [...asked].map(async namespace => [namespace, await dagTasksOf(session, namespace)] as const),
    ),
  )
  const loaded = loadDocuments(read.inputs, {
    namespace: session.namespace,
    lookup: (namespace, name, version) => found.get(namespace)?.lookup(namespace, name, version) ?? null,
  })
  const ofFiles = read.problems.filter(isOfReading)
  const older = [...found.values()].flatMap(tasks => [...tasks.older])
  return {
    manifest: { ...loaded, problems: [...ofFiles, ...loaded.problems], inputs: read.inputs },
    notes: older.map(
      text => `note: ${text} is known to the controller only; its present text is taken in its place`,
    ),
  }
}

/** What stood in the way of reading a file at all has no place in it. */
const isOfReading = ({ at }: Problem): boolean => at === undefined

/** Runs that have not ended, asked for once in each namespace. */
class RunsOf {
  readonly #session: Session
  readonly #known = new Map<string, readonly ClusterRun[]>()

  constructor(session: Session) {
    this.#session = session
  }

  async of(namespace: string): Promise<readonly ClusterRun[]> {
    const known = this.#known.get(namespace)
    if (known !== undefined) return known
    const all = await allRuns(this.#session, { namespace })
    const open = all.filter(({ endedAt }) => endedAt === null)
    this.#known.set(namespace, open)
    return open
  }
}

/** Who may not look at namespaces is not told of them. */
async function missingNamespaces(
  { client }: Session,
  objects: readonly ObjectPlan[],
): Promise<readonly string[]> {
  const notes: string[] = []
  for (const name of new Set(objects.map(({ namespace }) => namespace))) {
    try {
      await client.get(NAMESPACES, { name }, { ...ASKED, metadataOnly: true })
    } catch (error) {
      if (isProblem(error, 'notFound'))
        notes.push(`note: there is no namespace ${name} yet; kubectl apply needs it`)
      else if (!isProblem(error, 'forbidden')) throw error
    }
  }
  return notes
}
