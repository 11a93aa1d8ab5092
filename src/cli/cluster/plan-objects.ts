import type { Dag } from '../../core/dag/dag.ts'
import { createRun } from '../../core/run/create.ts'
import type { Problem } from '../../core/problem.ts'
import { contentHash, dagHash } from '../../engine/dag-hash.ts'
import { isProblem } from '../../kubernetes/problem.ts'
import { resourceOf } from '../../operator/kubernetes-cluster.ts'
import type { LoadedDag, LoadedDagRun, LoadedDagTask } from '../../spec/load.ts'
import { type DagChange, dagChanges } from '../dag-changes.ts'
import type { Manifest } from '../manifest.ts'
import { type DagTaskObject, dagObject, dagOf, versionInForce } from './dag-object.ts'
import { scheduleOf, type SchedulePlan } from './plan-schedule.ts'
import { type ClusterRun, type DagRunObject, runOf } from './run-object.ts'
import { ASKED, type Session } from './session.ts'
import { problemOf } from './show-dag.ts'

/** What applying one document comes to. */
export interface ObjectPlan {
  readonly kind: 'DAG' | 'DagRun' | 'DagTask'
  readonly namespace: string
  readonly name: string
  readonly change: 'new' | 'changed' | 'unchanged' | 'refused'
  /** A sentence about it. */
  readonly text: string
  readonly changes: readonly DagChange[]
  readonly schedule: SchedulePlan | null
  /** Runs that have not ended. */
  readonly runs: readonly { readonly name: string; readonly phase: string; readonly becomes: string }[]
  readonly problems: readonly Problem[]
}

export async function dagPlan(
  session: Session,
  { dag }: LoadedDag,
  unsettled: readonly ClusterRun[],
  time: { readonly now: number; readonly days: number },
): Promise<ObjectPlan> {
  const { namespace, name } = dag
  const object = await dagObject(session, name, namespace)
  const base = { kind: 'DAG', namespace, name, problems: [] } as const
  if (object === null) {
    const schedule = scheduleOf(null, dag, time)
    const waiting = unsettled.map(run => ({
      name: run.name,
      phase: run.phase,
      becomes: 'begins, as it waits for this DAG',
    }))
    const tasks = dag.tasks.length + dag.finally.length
    const text = `is new: ${tasks} ${tasks === 1 ? 'task' : 'tasks'}`
    const runs = unsettled.some(({ phase }) => phase !== 'pending')
      ? becoming(unsettled, null, false)
      : waiting
    return { ...base, change: 'new', text, changes: newThings(dag), schedule, runs }
  }
  const before = (await dagOf(session, object)).dag
  const version = object.status?.version ?? null
  if (before === null) {
    const problem = problemOf(object)
    const why = problem === null ? 'cannot be read here' : `has problems (${problem.reason})`
    const force = version === null ? '' : `; version ${version} is in force`
    const text = `is there, but its text ${why}, so that changes cannot be told${force}`
    return {
      ...base,
      change: 'changed',
      text,
      changes: newThings(dag),
      schedule: scheduleOf(null, dag, time),
      runs: becoming(unsettled, version, true),
    }
  }
  const isNew = dagHash(before) !== dagHash(dag)
  const isSame = !isNew && before.suspended === dag.suspended
  const inForce = versionInForce(object)
  return {
    ...base,
    change: isSame ? 'unchanged' : 'changed',
    text: isSame
      ? `is unchanged${inForce === null ? '' : `: version ${inForce}`}`
      : textOf(before, dag, isNew, version),
    changes: isNew ? dagChanges(before, dag) : [],
    schedule: scheduleOf(before, dag, time),
    runs: becoming(unsettled, version, isNew),
  }
}

function textOf(before: Dag, after: Dag, isNew: boolean, version: number | null): string {
  const suspended =
    before.suspended === after.suspended
      ? ''
      : after.suspended
        ? 'its schedules are suspended'
        : 'its schedules go on'
  if (!isNew) return `changes: ${suspended}; this is no new version`
  const number = version === null ? '' : ` (in force: ${version})`
  return `would be a new version${number}${suspended === '' ? '' : `; ${suspended}`}`
}

/** A run is pinned to its version. */
function becoming(runs: readonly ClusterRun[], version: number | null, isNew: boolean): ObjectPlan['runs'] {
  return runs.map(({ name, phase, dagVersion }) => {
    const pinned = dagVersion ?? version
    const stays =
      pinned === null ? 'goes on with the version it began with' : `goes on with version ${pinned}`
    return {
      name,
      phase,
      becomes: phase === 'pending' && isNew ? 'has not begun: it begins with the new version' : stays,
    }
  })
}

const newThings = (dag: Dag): readonly DagChange[] =>
  dagChanges({ ...dag, tasks: [], finally: [], parameters: [] }, dag)

export async function dagTaskPlan(session: Session, loaded: LoadedDagTask): Promise<ObjectPlan> {
  const { namespace, name } = loaded
  const base = {
    kind: 'DagTask',
    namespace,
    name,
    changes: [],
    schedule: null,
    runs: [],
    problems: [],
  } as const
  const object = await objectOf<DagTaskObject>(session, 'DagTask', namespace, name)
  if (object === null) return { ...base, change: 'new', text: 'is new: version 1' }
  const version = object.status?.version
  const isSame = contentHash(object.spec) === contentHash(loaded.spec)
  if (isSame)
    return {
      ...base,
      change: 'unchanged',
      text: `is unchanged${version === undefined ? '' : `: version ${version}`}`,
    }
  const names = version === undefined ? '' : `; DAGs that name version ${version} keep it`
  return { ...base, change: 'changed', text: `would be a new version${names}` }
}

export async function dagRunPlan(
  session: Session,
  loaded: LoadedDagRun,
  manifest: Manifest,
): Promise<ObjectPlan> {
  const { namespace, name, dagName } = loaded
  const base = {
    kind: 'DagRun',
    namespace,
    name: name ?? `${dagName}-…`,
    changes: [],
    schedule: null,
    runs: [],
    problems: [],
  } as const
  const object = name === null ? null : await objectOf<DagRunObject>(session, 'DagRun', namespace, name)
  if (object !== null) {
    const run = runOf(object)
    const ended =
      run.endedAt === null
        ? `it is ${run.phase}`
        : `it has ended (${run.phase}) and can only be applied as it is`
    return { ...base, change: 'unchanged', text: `is there already: ${ended}; nothing starts` }
  }
  const dag = await dagOfRun(session, loaded, manifest)
  if (dag === null) return { ...base, change: 'new', text: `is new, and waits until DAG ${dagName} is there` }
  if (loaded.action !== null)
    return { ...base, change: 'new', text: `is new: a ${loaded.action.type} of ${loaded.action.run}` }
  const created = createRun(
    {
      run: 'plan',
      name: base.name,
      dag,
      dagHash: dagHash(dag),
      parameters: loaded.parameters,
      labels: {},
      trigger: { kind: 'manual', key: 'plan', by: '' },
      workdir: null,
    },
    0,
  )
  if (created.ok) return { ...base, change: 'new', text: `is new: starts a run of DAG ${dagName}` }
  return { ...base, change: 'refused', text: 'is new, but would not begin', problems: created.problems }
}

async function dagOfRun(
  session: Session,
  { namespace, dagName }: LoadedDagRun,
  manifest: Manifest,
): Promise<Dag | null> {
  const own = manifest.dags.find(({ dag }) => dag.name === dagName && dag.namespace === namespace)
  if (own !== undefined) return own.dag
  const object = await dagObject(session, dagName, namespace)
  return object === null ? null : (await dagOf(session, object)).dag
}

async function objectOf<T extends DagRunObject | DagTaskObject>(
  { client }: Session,
  kind: 'DagRun' | 'DagTask',
  namespace: string,
  name: string,
): Promise<T | null> {
  try {
    return await client.get<T>(resourceOf(kind), { namespace, name }, ASKED)
  } catch (error) {
    if (isProblem(error, 'notFound')) return null
    throw error
  }
}
