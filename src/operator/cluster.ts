import type { Json } from '../core/json.ts'

/** The three kinds that people write. */
export type KindName = 'DAG' | 'DagRun' | 'DagTask'

/** An object as the API server has it. Nothing in `spec` and `status` is taken for granted. */
export interface ClusterObject {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly uid: string
    readonly generation: number
    readonly creationTimestamp: string
    readonly deletionTimestamp: string | null
    readonly labels: Readonly<Record<string, string>>
    readonly annotations: Readonly<Record<string, string>>
  }
  readonly spec: Json
  readonly status: Json
}

/** One object among all that ever had its name. */
export interface ObjectRef {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

/** Hears of the objects of one kind, each change in its order; it may skip states that came and went. */
export interface ObjectListener {
  changed(object: ClusterObject): void
  gone(ref: ObjectRef): void
}

export interface Watching {
  /** Resolves when everything that exists was told. Rejects when it is closed before. */
  readonly synced: Promise<void>
  close(): Promise<void>
}

/** An Event of `events.k8s.io/v1`, for `kubectl describe`. */
export interface ClusterEvent {
  readonly kind: KindName
  readonly about: ObjectRef
  /** Names the Event: told twice, it is there once. */
  readonly name: string
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly action: string
  readonly note: string
  readonly at: number
}

/** A DagRun that is made for a run which no DagRun asked for. */
export interface NewDagRun {
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly spec: Json
}

/**
 * What the operator asks of a cluster. Every call may be made again. A call rejects when the cluster could not do it
 * now; what can never be done any more is told as a result.
 */
export interface Cluster {
  watch(kind: KindName, listener: ObjectListener): Watching
  /** Writes the status of this very object, and nothing else of it. Fields that are null go. */
  writeStatus(
    kind: KindName,
    ref: ObjectRef,
    status: Readonly<Record<string, Json>>,
  ): Promise<'written' | 'gone'>
  /** `taken`: an object of that name is there. `refused`: its namespace is gone, or on its way. */
  createDagRun(object: NewDagRun): Promise<'created' | 'taken' | 'refused'>
  /** Removes this very object; one that is gone is fine. */
  remove(kind: KindName, ref: ObjectRef): Promise<void>
  createEvent(event: ClusterEvent): Promise<void>
}
