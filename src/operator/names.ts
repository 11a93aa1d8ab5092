import { createHash } from 'node:crypto'
import type { ClusterObject } from './cluster.ts'
import type { StoredRun } from '../ports/store.ts'

/** Label on DagRuns: the DAG they are of. Those that were made for a run also have {@link MADE_FOR}. */
export const DAG_LABEL = 'kontroler.greedykomodo/dag'
/** Annotation on a DagRun that was made for a run which no DagRun asked for: `namespace/name/run id`. */
export const MADE_FOR = 'kontroler.greedykomodo/made-for'
/** Label on such a DagRun: what started the run. */
export const TRIGGER_LABEL = 'kontroler.greedykomodo/trigger'

/** Who asks, in the facts of a run. */
export const BY_SPEC = 'the DagRun'

const OBJECT_NAME_LENGTH_MAX = 253

/**
 * The id of the run that a DagRun is about. One that a person made is its own run: the object's UID is the run's id, so
 * an object gives one run however often it is seen. One that was made for a run says so, together with its own name: a
 * copy under another name is a new wish.
 */
export function runOfObject({ metadata }: ClusterObject): { readonly run: string; readonly mirror: boolean } {
  const { annotations, namespace, name, uid } = metadata
  const [space, own, run, ...more] = (annotations[MADE_FOR] ?? '').split('/')
  const mirror = space === namespace && own === name && run !== undefined && run !== '' && more.length === 0
  return mirror ? { run, mirror } : { run: uid, mirror }
}

/** Name of the DagRun made for a run: the run's own, or with a piece of its id when another object has taken that. */
export function mirrorName(run: StoredRun, taken: boolean): string {
  const name = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/u.test(run.name) ? run.name : `run-${run.id}`
  if (!taken) return name.slice(0, OBJECT_NAME_LENGTH_MAX)
  const piece = shortHash(run.id)
  return `${name.slice(0, OBJECT_NAME_LENGTH_MAX - piece.length - 1)}-${piece}`
}

export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}

export const keyOf = (namespace: string, name: string): string => `${namespace}/${name}`
