import type { Json } from '../core/json.ts'
import type { TaskLookup } from './dag-tasks.ts'
import type { DagTaskSpec } from './schema/dag-task.ts'

/** Where versions of DagTasks are kept: the store, as far as they are concerned. */
export interface KeptDagTasks {
  dagTask(namespace: string, name: string, version: number): Promise<Json | null>
  dagTaskVersions(namespace: string, name: string): Promise<readonly number[]>
}

/** A checked spec as it is kept: without fields that say nothing. */
export function keptDagTask(spec: DagTaskSpec): Json {
  return JSON.parse(JSON.stringify(spec)) as Json
}

/** What is kept of a DagTask at a version, as a {@link TaskLookup} has to answer. */
export async function lookUpDagTask(
  kept: KeptDagTasks,
  namespace: string,
  name: string,
  version: number,
): Promise<ReturnType<TaskLookup>> {
  const content = await kept.dagTask(namespace, name, version)
  // It was checked before it was kept, and what is kept never changes.
  if (content !== null) return content as unknown as DagTaskSpec
  return (await kept.dagTaskVersions(namespace, name)).length > 0 ? 'unknown version' : null
}
