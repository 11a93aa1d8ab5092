import { nearest } from '../core/nearest.ts'
import type { Problem } from '../core/problem.ts'
import type { Store } from '../ports/store.ts'
import type { TaskLookup } from '../spec/dag-tasks.ts'
import { type Loaded, type LoadedDag, loadDocuments } from '../spec/load.ts'
import type { DagTaskSpec } from '../spec/schema/dag-task.ts'
import { RequestProblem } from './problem.ts'

const NAME = 'document'

/** What a text says, with all that is wrong with it. DagTasks that it does not hold are looked up in the store. */
export async function checkedDocument(text: string, namespace: string, store: Store | null): Promise<Loaded> {
  const inputs = [{ name: NAME, text }]
  const asked = new Map<string, readonly [name: string, version: number]>()
  const first = loadDocuments(inputs, {
    namespace,
    lookup: (space, name, version) => {
      // Those of other namespaces are not told of here.
      if (space === namespace) asked.set(`${name}/${version}`, [name, version])
      return null
    },
  })
  if (asked.size === 0 || store === null) return first
  const answers = new Map<string, ReturnType<TaskLookup>>()
  for (const [key, [name, version]] of asked) {
    const spec = await store.dagTask(namespace, name, version)
    if (spec !== null) answers.set(key, spec as unknown as DagTaskSpec)
    else if ((await store.dagTaskVersions(namespace, name)).length > 0) answers.set(key, 'unknown version')
  }
  if (answers.size === 0) return first
  const lookup: TaskLookup = (space, name, version) =>
    space === namespace ? (answers.get(`${name}/${version}`) ?? null) : null
  return loadDocuments(inputs, { namespace, lookup })
}

/**
 * The one DAG of a text, which has to be the one that the address names.
 *
 * @throws {RequestProblem} `INVALID_DOCUMENT`
 */
export function onlyDag(
  { dags, dagRuns, dagTasks, problems }: Loaded,
  named: { readonly namespace: string; readonly name: string },
): LoadedDag {
  const errors = problems.filter(({ severity }) => severity === 'error')
  const [first] = errors
  if (first !== undefined) {
    const more = errors.length > 1 ? `, and ${errors.length - 1} more errors` : ''
    throw new RequestProblem('INVALID_DOCUMENT', `${first.message}${more}`, first.fix, { problems })
  }
  const [only, second] = dags
  if (only === undefined)
    throw wrong('NO_DOCUMENT', ['kind'], 'the text holds no DAG', 'send one of kind DAG')
  if (second !== undefined || dagRuns.length + dagTasks.length > 0)
    throw wrong('DOCUMENT_DUPLICATE', [], 'the text holds more than one document', 'send the DAG alone')
  for (const field of ['namespace', 'name'] as const) {
    if (only.dag[field] === named[field]) continue
    const near = nearest(only.dag[field], [named[field]])
    const message = `the document is of ${field} ${only.dag[field]}, the address of ${named[field]}`
    const fix = near === null ? 'send it to its own address' : `did you mean ${near}?`
    throw wrong('NAME_INVALID', ['metadata', field], message, fix)
  }
  return only
}

function wrong(code: Problem['code'], path: Problem['path'], message: string, fix: string): RequestProblem {
  const problems: readonly Problem[] = [{ code, severity: 'error', path, message, fix }]
  return new RequestProblem('INVALID_DOCUMENT', message, fix, { problems })
}
