import { nearest } from '../core/nearest.ts'
import type { Problem } from '../core/problem.ts'
import type { Store } from '../ports/store.ts'
import type { Loaded, LoadedDag } from '../spec/load.ts'
import type { DagTaskSpec } from '../spec/schema/dag-task.ts'
import { readInTime } from './document-reader.ts'
import { RequestProblem } from './problem.ts'

/** What a text says, with all that is wrong with it. DagTasks that it does not hold are looked up in the store. */
export async function checkedDocument(text: string, namespace: string, store: Store | null): Promise<Loaded> {
  const { loaded, asked } = await readInTime({ text, namespace, known: new Map() })
  if (asked.length === 0 || store === null) return loaded
  const known = new Map<string, DagTaskSpec | 'unknown version'>()
  for (const key of asked) {
    const [name = '', version = ''] = key.split('/')
    const spec = await store.dagTask(namespace, name, Number(version))
    if (spec !== null) known.set(key, spec as unknown as DagTaskSpec)
    else if ((await store.dagTaskVersions(namespace, name)).length > 0) known.set(key, 'unknown version')
  }
  return known.size === 0 ? loaded : (await readInTime({ text, namespace, known })).loaded
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
