import type { ClusterObject, ObjectRef } from './cluster.ts'
import { fieldOf } from './conditions.ts'
import { keyOf, runOfObject } from './names.ts'
import { observedStatus, saysFinished } from './run-status.ts'

/** A DagRun as far as it is remembered: of one that is finished and says all there is to say, only who it is. */
export interface RunView {
  readonly object: ClusterObject
  /** It was made for a run that no DagRun asked for, or says so. */
  readonly mirror: boolean
  readonly finished: boolean
}

/**
 * The DagRuns that there are, each by its namespace and the run that it is about (`keyOf`). What an object says of its
 * run is a claim: it never reaches beyond its namespace.
 */
export class RunViews {
  readonly #byKey = new Map<string, RunView>()
  readonly #keyByUid = new Map<string, string>()
  readonly #runByName = new Map<string, string>()

  /** The key of what the object is about. */
  changed(object: ClusterObject): string {
    const { namespace, name, uid } = object.metadata
    const { run: claimed, mirror } = runOfObject(object)
    const holder = this.#byKey.get(keyOf(namespace, claimed))?.object.metadata.uid ?? uid
    // Who claims a run that another object is about is about none.
    const run = mirror && holder !== uid ? uid : claimed
    const key = keyOf(namespace, run)
    const before = this.#keyByUid.get(uid)
    // An annotation that was changed makes the object about another run.
    if (before !== undefined && before !== key) this.#leave(before, uid)
    const finished = saysFinished(object.status)
    const said = finished && observedStatus(object) === null
    this.#byKey.set(key, { object: said ? remains(object) : object, mirror, finished })
    this.#keyByUid.set(uid, key)
    this.#runByName.set(keyOf(namespace, name), run)
    return key
  }

  /** The key of what the object was about; null for one that is not known. */
  gone({ namespace, name, uid }: ObjectRef): string | null {
    const key = this.#keyByUid.get(uid)
    if (key === undefined) return null
    this.#keyByUid.delete(uid)
    this.#leave(key, uid)
    if (key === keyOf(namespace, this.#runByName.get(keyOf(namespace, name)) ?? ''))
      this.#runByName.delete(keyOf(namespace, name))
    return key
  }

  of(key: string): RunView | undefined {
    return this.#byKey.get(key)
  }

  /** The run that a DagRun is about, by the name of that. */
  runNamed(namespace: string, name: string): string | undefined {
    return this.#runByName.get(keyOf(namespace, name))
  }

  keys(): IterableIterator<string> {
    return this.#byKey.keys()
  }

  get size(): number {
    return this.#byKey.size
  }

  /** Another object may be about the run by now. */
  #leave(key: string, uid: string): void {
    if (this.#byKey.get(key)?.object.metadata.uid === uid) this.#byKey.delete(key)
  }
}

function remains({ metadata, spec, status }: ClusterObject): ClusterObject {
  return {
    metadata: { ...metadata, labels: {}, annotations: {} },
    spec: { dagName: textOf(fieldOf(spec, 'dagName')) },
    status: {
      completionTime: textOf(fieldOf(status, 'completionTime')),
      observedGeneration: metadata.generation,
    },
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
