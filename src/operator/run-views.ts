import type { ClusterObject, ObjectRef } from './cluster.ts'
import { fieldOf } from './conditions.ts'
import { keyOf, runOfObject } from './names.ts'
import { saysFinished } from './run-status.ts'

/** A DagRun as far as it is remembered: of one that is finished, only who it is. */
export interface RunView {
  readonly object: ClusterObject
  /** It was made for a run that no DagRun asked for. */
  readonly mirror: boolean
  readonly finished: boolean
}

/** The DagRuns that there are, by the run that each is about. */
export class RunViews {
  readonly #byRun = new Map<string, RunView>()
  readonly #runByUid = new Map<string, string>()
  readonly #runByName = new Map<string, string>()

  /** The run that the object is about. */
  changed(object: ClusterObject): string {
    const { metadata } = object
    const { run, mirror } = runOfObject(object)
    const finished = saysFinished(object.status)
    this.#forgetOther(metadata.uid, run)
    this.#byRun.set(run, { object: finished ? remains(object) : object, mirror, finished })
    this.#runByUid.set(metadata.uid, run)
    this.#runByName.set(keyOf(metadata.namespace, metadata.name), run)
    return run
  }

  /** The run that the object was about; null for one that is not known. */
  gone({ namespace, name, uid }: ObjectRef): string | null {
    const run = this.#runByUid.get(uid)
    if (run === undefined) return null
    this.#runByUid.delete(uid)
    if (this.#byRun.get(run)?.object.metadata.uid === uid) this.#byRun.delete(run)
    if (this.#runByName.get(keyOf(namespace, name)) === run) this.#runByName.delete(keyOf(namespace, name))
    return run
  }

  of(run: string): RunView | undefined {
    return this.#byRun.get(run)
  }

  runNamed(namespace: string, name: string): string | undefined {
    return this.#runByName.get(keyOf(namespace, name))
  }

  runs(): IterableIterator<string> {
    return this.#byRun.keys()
  }

  get size(): number {
    return this.#byRun.size
  }

  /** An annotation that was changed makes the object about another run. */
  #forgetOther(uid: string, run: string): void {
    const before = this.#runByUid.get(uid)
    if (before !== undefined && before !== run) this.#byRun.delete(before)
  }
}

function remains({ metadata, spec, status }: ClusterObject): ClusterObject {
  return {
    metadata: { ...metadata, labels: {}, annotations: {} },
    spec: { dagName: textOf(fieldOf(spec, 'dagName')) },
    status: { completionTime: textOf(fieldOf(status, 'completionTime')) },
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
