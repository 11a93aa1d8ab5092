import type { Dag, ParameterValue } from '../core/dag/dag.ts'
import type { Json } from '../core/json.ts'
import type { Checked, Problem } from '../core/problem.ts'
import type { RunRequest } from '../core/run/requests.ts'
import type { Principal } from './authenticator.ts'
import type { DagInForce, StoredDag } from './store.ts'

/**
 * Everything that the API changes. On a laptop it writes the store and drives the engine; in a cluster DAGs and
 * DagRuns are objects, and it applies these as the person who asks. Reads go to the store in both.
 *
 * Whoever calls has found out that the principal may do it. What is asked for may still be refused, and then problems
 * say why: `UNKNOWN_DAG`, `UNKNOWN_RUN`, `DAG_CHANGED` (something else is in force than was expected), `DAG_OWNED`
 * (a file or another system looks after it), `RUN_EXISTS`, `KEY_REUSED`, those of parameters, and of a run's state.
 * What the world refuses is thrown (`StoreError`, or the typed error of an API server).
 */
export interface Control {
  /** Who looks after a DAG: only what the API itself has made is changed through it. */
  keeperOf(dag: Pick<StoredDag, 'source'>): DagKeeper
  /** Puts a DAG in force. It is durable, and its schedules are those of the new version, when this settles. */
  applyDag(order: ApplyDag): Promise<Checked<AppliedDag>>
  /** Ends its schedules; versions and runs stay. */
  deleteDag(order: DeleteDag): Promise<Checked<null>>
  /** Lets its schedules start nothing, or again; makes no version. */
  suspendDag(order: SuspendDag): Promise<Checked<AppliedDag>>
  createRun(order: CreateRun): Promise<Checked<StartedRun>>
  /** A new run that reuses results of one that has ended: a retry, or a fork from some of its tasks. */
  continueRun(order: ContinueRun): Promise<Checked<StartedRun>>
  /** Passes on what a person wants of a run. Null when it was done. */
  request(run: string, request: RunRequest, by: Principal): Promise<Problem | null>
}

/** `api`: made and changed here. `file`: read from a file that is watched. `cluster`: an object of a cluster. */
export type DagKeeper = 'api' | 'file' | 'cluster'

interface Order {
  readonly by: Principal
}

export interface ApplyDag extends Order {
  readonly dag: Dag
  /** The document it was read from: what a cluster applies. */
  readonly document: Json
  /** What must be in force for it to happen; null: nothing. Absent: whatever is. */
  readonly expected?: DagInForce | null
}

export interface AppliedDag {
  readonly version: number
  /** Whether there was no DAG of this name. */
  readonly created: boolean
  /** Sentences about what nothing here does with it, such as an image where tasks are processes. */
  readonly notes: readonly string[]
}

export interface DeleteDag extends Order {
  readonly namespace: string
  readonly name: string
  readonly expected?: DagInForce
}

export interface SuspendDag extends Order {
  readonly namespace: string
  readonly name: string
  readonly suspended: boolean
}

export interface CreateRun extends Order {
  readonly namespace: string
  readonly dag: string
  /** Default: the name of the DAG with some letters after it. */
  readonly name?: string
  readonly parameters: readonly ParameterValue[]
  readonly labels: Readonly<Record<string, string>>
  /** Of one person and DAG it makes one run, however often it is asked. */
  readonly key?: string
}

export interface ContinueRun extends Order {
  readonly run: string
  /** Tasks to start from; null for a retry: whatever did not succeed. Empty: everything runs again. */
  readonly from: readonly string[] | null
  /** In place of those of the earlier run. */
  readonly parameters: readonly ParameterValue[]
  /** The newest version of the DAG instead of that of the earlier run. */
  readonly latest: boolean
  readonly key?: string
}

export interface StartedRun {
  readonly run: string
  /** False when an earlier request with this key made it. */
  readonly created: boolean
  /** How many results of an earlier run it begins with. */
  readonly reused: number
}
