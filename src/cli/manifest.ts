import { hookPaths } from '../core/webhook/incoming.ts'
import { itemsOf } from '../core/webhook/outgoing.ts'
import { resolve } from 'node:path'
import type { Dag } from '../core/dag/dag.ts'
import type { Problem } from '../core/problem.ts'
import { contentHash, dagHash } from '../engine/dag-hash.ts'
import type { Store } from '../ports/store.ts'
import type { TaskLookup } from '../spec/dag-tasks.ts'
import { readFiles } from '../spec/files.ts'
import { keptDagTask, lookUpDagTask } from '../spec/kept-dag-tasks.ts'
import { type Loaded, loadDocuments } from '../spec/load.ts'
import type { Input } from '../spec/read.ts'
import { problemsAsJson, problemsAsText } from '../spec/report.ts'
import type { Environment } from './settings.ts'
import { painter } from './show/text.ts'

/** Colours of problems. */
export const PROBLEM_STYLES = { error: 'red', warning: 'yellow', fix: 'green', excerpt: 'dim' } as const

/** Everything that files say, and the texts to show problems in. */
export interface Manifest extends Loaded {
  readonly inputs: readonly Input[]
}

/**
 * Reads files and directories. DagTasks that no file holds are looked up in the store, when there is one; a function is
 * asked for it only then.
 */
export async function readManifest(
  files: readonly string[],
  store: Store | null | (() => Promise<Store | null>),
  options: { readonly namespace?: string; readonly recursive?: boolean } = {},
): Promise<Manifest> {
  const { inputs, problems } = await readFiles(files, {
    // Asked for only where it is read, as it takes as long to open as a file to check.
    get stdin() {
      return process.stdin
    },
    recursive: options.recursive === true,
  })
  const namespace = options.namespace ?? 'default'
  const loaded = await loadWithStore(inputs, namespace, store)
  return { ...loaded, problems: [...problems, ...loaded.problems], inputs }
}

/** References are collected in a first pass and answered in a second, since the store answers later. */
async function loadWithStore(
  inputs: readonly Input[],
  namespace: string,
  given: Store | null | (() => Promise<Store | null>),
): Promise<Loaded> {
  const asked = new Map<string, readonly [namespace: string, name: string, version: number]>()
  const first = loadDocuments(inputs, {
    namespace,
    lookup: (space, name, version) => {
      asked.set(`${space}/${name}/${version}`, [space, name, version])
      return null
    },
  })
  if (asked.size === 0) return first
  const store = typeof given === 'function' ? await given() : given
  if (store === null) return first
  const answers = new Map<string, ReturnType<TaskLookup>>()
  for (const [key, [space, name, version]] of asked) {
    const answer = await lookUpDagTask(store, space, name, version)
    if (answer !== null) answers.set(key, answer)
  }
  if (answers.size === 0) return first
  const lookup: TaskLookup = (space, name, version) => answers.get(`${space}/${name}/${version}`) ?? null
  return loadDocuments(inputs, { namespace, lookup })
}

/** Makes the DAGs and DagTasks of the files known to the store, so that runs, schedules and sub-DAGs find them. */
export async function storeManifest(manifest: Manifest, store: Store, now: number): Promise<void> {
  for (const { namespace, name, spec } of manifest.dagTasks) {
    const content = keptDagTask(spec)
    await store.putDagTask(namespace, name, content, contentHash(content), now)
  }
  for (const { dag, at } of manifest.dags) {
    // Whole, since `resume` may be called from another directory.
    const source = at.file === '-' ? '-' : resolve(at.file)
    await store.putDag(dag, dagHash(dag), source, now)
  }
}

/** Shows problems on standard error. True when there is an error among them. */
export function printProblems(
  problems: readonly Problem[],
  format: 'text' | 'json',
  environment: Environment,
  inputs: readonly Input[] = [],
): boolean {
  if (problems.length > 0) {
    const paint = painter(environment.color)
    const text =
      format === 'json'
        ? problemsAsJson(problems)
        : problemsAsText(problems, { inputs, paint: (style, part) => paint(PROBLEM_STYLES[style], part) })
    process.stderr.write(text)
  }
  return problems.some(({ severity }) => severity === 'error')
}

/** What this executor does not do of what the DAG asks for; each thing is said once, never silently left out. */
export function ignoredNotes(
  dag: Dag,
  ignores: (work: Extract<Dag['tasks'][number]['work'], { kind: 'container' }>) => readonly string[],
): readonly string[] {
  const notes = new Map<string, string[]>()
  for (const task of [...dag.tasks, ...dag.finally]) {
    if (task.work.kind !== 'container') continue
    for (const sentence of ignores(task.work)) {
      const tasks = notes.get(sentence)
      if (tasks === undefined) notes.set(sentence, [task.name])
      else tasks.push(task.name)
    }
  }
  const ofDag = Object.entries(NOT_YET).flatMap(([field, sentence]) =>
    field in dag.extra && !(field === 'triggers' && onlyHooks(dag))
      ? [`note: ${field} of DAG ${dag.name} ${sentence}`]
      : [],
  )
  const ofTasks = [...notes].map(([sentence, tasks]) => {
    const some =
      tasks.length > 4 ? `${tasks.slice(0, 3).join(', ')} and ${tasks.length - 3} more` : tasks.join(', ')
    return `note: ${sentence} (${some})`
  })
  return [...ofDag, ...ofTasks]
}

/** Fields of a DAG that are read and checked, but that nothing acts on yet. */
const NOT_YET: Readonly<Record<string, string>> = {
  triggers: 'other than webhooks are not listened to yet',
  retention: 'is not applied yet: all history is kept',
}

/** Those are answered by `kontroler dev` and a server. */
function onlyHooks(dag: Dag): boolean {
  return itemsOf(dag.extra['triggers'] ?? null).length === hookPaths(dag).length
}
