import type { Dag } from '../core/dag/dag.ts'
import type { Problem } from '../core/problem.ts'
import { API_VERSION } from '../spec/api-version.ts'
import type { TaskLookup } from '../spec/dag-tasks.ts'
import { type LoadedDagRun, loadDocuments } from '../spec/load.ts'
import type { Input } from '../spec/read.ts'
import type { DagTaskSpec } from '../spec/schema/dag-task.ts'
import type { ClusterObject, KindName } from './cluster.ts'
import { fieldOf } from './conditions.ts'

/** What an object means, or all that is wrong with it: the same as `kontroler validate` says of its text. */
export interface ReadObject<T> {
  /** Null when there is an error among the problems. */
  readonly value: T | null
  readonly problems: readonly Problem[]
}

/**
 * @param others  DAGs that this one calls, as far as they are there: parameters and circles are checked across them.
 * @param lookup  DagTasks of its namespace.
 */
export function readDag(
  object: ClusterObject,
  others: readonly ClusterObject[],
  lookup: TaskLookup,
): ReadObject<Dag> {
  const own = inputOf('DAG', object)
  const inputs = [own, ...others.map(other => inputOf('DAG', other))]
  const { dags, problems } = loadDocuments(inputs, { namespace: object.metadata.namespace, lookup })
  const value = dags.find(({ at }) => at.file === own.name)?.dag ?? null
  return result(value, problems, own.name)
}

export function readDagTask(object: ClusterObject): ReadObject<DagTaskSpec> {
  const own = inputOf('DagTask', object)
  const { dagTasks, problems } = loadDocuments([own], { namespace: object.metadata.namespace })
  return result(dagTasks[0]?.spec ?? null, problems, own.name)
}

/** Names and types of its parameters are checked when its DAG is at hand: when the run is ordered. */
export function readDagRun(object: ClusterObject): ReadObject<LoadedDagRun> {
  const own = inputOf('DagRun', object)
  const { dagRuns, problems } = loadDocuments([own], { namespace: object.metadata.namespace })
  return result(dagRuns[0] ?? null, problems, own.name)
}

function result<T>(value: T | null, problems: readonly Problem[], file: string): ReadObject<T> {
  // A problem that is cut off by the limit of problems has no place.
  const own = problems.filter(({ at }) => at === undefined || at.file === file)
  const broken = own.some(({ severity }) => severity === 'error')
  return { value: broken ? null : value, problems: own }
}

/** What a person wrote of the object, as a text: JSON is YAML. */
function inputOf(kind: KindName, { metadata, spec }: ClusterObject): Input {
  const { name, namespace, labels } = metadata
  const document = { apiVersion: API_VERSION, kind, metadata: { name, namespace, labels }, spec }
  return { name: `${kind}/${namespace}/${name}`, text: yamlSafe(JSON.stringify(document)) }
}

/** Characters that JSON takes as they are, and YAML does not. */
function yamlSafe(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/gu,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** What a DAG needs of other objects of its namespace, read from its raw text. */
export interface References {
  readonly dagTasks: readonly { readonly name: string; readonly version: number }[]
  readonly dags: readonly string[]
}

export function referencesOf(spec: unknown): References {
  const dagTasks: { name: string; version: number }[] = []
  const dags = new Set<string>()
  for (const group of ['task', 'finally']) {
    const tasks = fieldOf(spec, group)
    if (!Array.isArray(tasks)) continue
    for (const task of tasks) {
      const reference = fieldOf(task, 'taskRef')
      const [name, version] = [fieldOf(reference, 'name'), fieldOf(reference, 'version')]
      if (typeof name === 'string' && typeof version === 'number') dagTasks.push({ name, version })
      const called = fieldOf(fieldOf(task, 'dag'), 'name')
      if (typeof called === 'string') dags.add(called)
    }
  }
  return { dagTasks, dags: [...dags] }
}
