import type { Dag } from '../../core/dag/dag.ts'
import { nearest } from '../../core/nearest.ts'
import type { Problem } from '../../core/problem.ts'
import type { KubeObject } from '../../kubernetes/object.ts'
import { isProblem } from '../../kubernetes/problem.ts'
import { readDag, referencesOf } from '../../operator/document.ts'
import { clusterObject, resourceOf } from '../../operator/kubernetes-cluster.ts'
import type { TaskLookup } from '../../spec/dag-tasks.ts'
import type { DagTaskSpec } from '../../spec/schema/dag-task.ts'
import type { DagStatus, DagTaskStatus } from '../../spec/schema/status.ts'
import { CommandError } from '../exit.ts'
import { ASKED, type Session } from './session.ts'

export type DagObject = KubeObject & { readonly spec?: unknown; readonly status?: DagStatus }
export type DagTaskObject = KubeObject & { readonly spec?: unknown; readonly status?: DagTaskStatus }

export async function allDags(
  session: Session,
  query: { readonly namespace?: string; readonly labelSelector?: string } = { namespace: session.namespace },
): Promise<readonly DagObject[]> {
  return (await session.client.list<DagObject>(resourceOf('DAG'), query, ASKED)).items
}

/** Null when there is none of that name. */
export async function dagObject(
  session: Session,
  name: string,
  namespace = session.namespace,
): Promise<DagObject | null> {
  try {
    return await session.client.get<DagObject>(resourceOf('DAG'), { namespace, name }, ASKED)
  } catch (error) {
    if (isProblem(error, 'notFound')) return null
    throw error
  }
}

/** @throws {CommandError} There is none of that name. */
export async function knownDag(session: Session, text: string): Promise<DagObject> {
  const name = text.replace(/^dags?\//u, '')
  const found = /^[a-z0-9][-a-z0-9.]*$/u.test(name) ? await dagObject(session, name) : null
  if (found !== null) return found
  const names = (await allDags(session)).map(({ metadata }) => metadata.name)
  const near = nearest(name, names)
  const list = session.command('list', 'dags')
  throw new CommandError(
    'UNKNOWN_DAG',
    `there is no DAG ${name} in namespace ${session.namespace}`,
    near !== null
      ? `did you mean ${near}?`
      : names.length === 0
        ? 'kubectl apply -f FILE makes one known; or is it another namespace (-n)?'
        : `see ${list}`,
  )
}

/** The DAG that an object means as it is written now, with all that is wrong with it. */
export async function dagOf(
  session: Session,
  object: DagObject,
): Promise<{ readonly dag: Dag | null; readonly problems: readonly Problem[] }> {
  const whole = clusterObject(object)
  const needs = referencesOf(whole.spec).dagTasks.length > 0
  const lookup = needs ? (await dagTasksOf(session, whole.metadata.namespace)).lookup : () => null
  const { value, problems } = readDag(whole, [], lookup)
  return { dag: value, problems }
}

/** DagTasks of a namespace. Of each only the present text can be read; older ones are in the controller's database. */
export async function dagTasksOf(session: Session, namespace: string) {
  const query = { namespace }
  const { items } = await session.client.list<DagTaskObject>(resourceOf('DagTask'), query, ASKED)
  const objects = new Map(items.map(item => [item.metadata.name, item]))
  /** Versions that were asked for and are not the present one. */
  const older = new Set<string>()
  const lookup: TaskLookup = (space, name, version) => {
    const object = space === namespace ? objects.get(name) : undefined
    if (object === undefined) return null
    const { version: present = 1, versions = present } = object.status ?? {}
    if (version > versions) return 'unknown version'
    if (version !== present) older.add(`${name} version ${version}`)
    return object.spec as DagTaskSpec
  }
  return { objects, lookup, older }
}

/** The number of the version in force, when that is what the spec says now; null when a controller says otherwise. */
export function versionInForce({ metadata, status }: DagObject): number | null {
  const isSeen = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 1)
  return isSeen && status?.phase === 'Successful' ? (status.version ?? null) : null
}
