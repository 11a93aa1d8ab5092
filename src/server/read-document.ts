import type { TaskLookup } from '../spec/dag-tasks.ts'
import { type Loaded, loadDocuments } from '../spec/load.ts'
import type { DagTaskSpec } from '../spec/schema/dag-task.ts'

/** A text to read, as plain data, so that it can be sent to a worker. */
export interface Reading {
  readonly text: string
  readonly namespace: string
  /** Specs of DagTasks by `name/version`, and names that have other versions only. */
  readonly known: ReadonlyMap<string, DagTaskSpec | 'unknown version'>
}

export interface Read {
  readonly loaded: Loaded
  /** DagTasks of the namespace that the text refers to and does not hold: `name/version`. */
  readonly asked: readonly string[]
}

/** Name of the text in the places of its problems; places of the API have no file. */
const NAME = 'document'

export function readDocument({ text, namespace, known }: Reading): Read {
  const asked = new Set<string>()
  const lookup: TaskLookup = (space, name, version) => {
    // Those of other namespaces are not told of here.
    if (space !== namespace) return null
    const key = `${name}/${version}`
    asked.add(key)
    return known.get(key) ?? null
  }
  return { loaded: loadDocuments([{ name: NAME, text }], { namespace, lookup }), asked: [...asked] }
}
