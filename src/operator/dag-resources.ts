import type { Dag } from '../core/dag/dag.ts'
import type { Problem } from '../core/problem.ts'
import type { StoredDag, StoredRun } from '../ports/store.ts'
import { type TaskLookup, canonical } from '../spec/dag-tasks.ts'
import { lookUpDagTask } from '../spec/kept-dag-tasks.ts'
import type { ClusterObject, ObjectListener, ObjectRef } from './cluster.ts'
import { fieldOf } from './conditions.ts'
import { LAST_RUNS_MAX, dagStatus } from './dag-status.ts'
import { type ReadObject, type References, readDag, referencesOf } from './document.ts'
import { keyOf } from './names.ts'
import { Needs } from './needs.ts'
import { type OperatorParts, STATUS_MS, watches } from './parts.ts'
import { Schedules } from './schedules.ts'
import { restMs, writeStatus } from './status-fields.ts'
import { WorkQueue } from './work-queue.ts'

/** DAGs looked at at once; each waits for the batch that makes it durable. */
const CONCURRENCY = 500
/** DAGs that are read along with one because it calls them, and those that these call. */
const CALLED_MAX = 100
/** A status counts this many open runs at most. */
const ACTIVE_MAX = 500
const SOURCE = 'kubernetes:'

/** What is known of one DAG object. */
interface Entry {
  object: ClusterObject
  references: References
  /** What its text means; null: it has to be read (again). */
  read: ReadObject<Dag> | null
  /** What of it was put in force; null: nothing yet, or that has to be looked at again. */
  put: { readonly text: string; readonly version: number } | null
  writtenAt: number | undefined
  /** What `read` and `put` were when who waits for the DAG was told of it last. */
  settled: Pick<Entry, 'read' | 'put'> | null
  /** Grows when the text has to be read again. */
  epoch: number
}

/** Where a DagRun finds its DAG. */
export type Found =
  | { readonly kind: 'inForce'; readonly stored: StoredDag }
  /** There is an object that was not looked at yet; `whenSettled` tells. */
  | { readonly kind: 'soon' }
  | { readonly kind: 'broken' }
  | { readonly kind: 'none' }

/** Takes DAG objects in: puts them in force, and tells how they stand. */
export class DagResources implements ObjectListener {
  readonly #parts: OperatorParts
  readonly #entries = new Map<string, Entry>()
  readonly #needs = new Needs()
  readonly #schedules: Schedules
  readonly #queue: WorkQueue
  readonly #whenSettled: (namespace: string, name: string) => void
  readonly #toldOf: (object: ClusterObject, problems: readonly Problem[]) => void
  #synced = false

  /**
   * @param whenSettled  A DAG came, was put in force, or went: who waits for it may look again.
   * @param toldOf       A text was read for the first time.
   */
  constructor(
    parts: OperatorParts,
    whenSettled: (namespace: string, name: string) => void,
    toldOf: (object: ClusterObject, problems: readonly Problem[]) => void,
  ) {
    this.#parts = parts
    this.#whenSettled = whenSettled
    this.#toldOf = toldOf
    this.#schedules = new Schedules(parts)
    this.#queue = new WorkQueue({
      clock: parts.clock,
      chance: () => parts.chance(),
      concurrency: CONCURRENCY,
      work: key => this.#look(key),
      failed: (key, error) => parts.trouble('DAG_NOT_TAKEN_IN', `DAG ${key}: ${String(error)}`),
    })
  }

  get busy(): number {
    return this.#queue.busy
  }

  changed(object: ClusterObject): void {
    const { namespace, name } = object.metadata
    const key = keyOf(namespace, name)
    const known = this.#entries.get(key)
    if (known !== undefined && sameText(known.object, object)) {
      known.object = object
    } else {
      const references = referencesOf(object.spec)
      if (known !== undefined) this.#needs.remove(namespace, name, known.references)
      this.#needs.add(namespace, name, references)
      this.#entries.set(key, newEntry(object, references))
      this.#readAgain(this.#needs.callers(namespace, name))
    }
    if (this.#synced) this.#queue.add(key)
  }

  gone({ namespace, name, uid }: ObjectRef): void {
    const key = keyOf(namespace, name)
    const known = this.#entries.get(key)
    if (known?.object.metadata.uid !== uid) return
    this.#entries.delete(key)
    this.#needs.remove(namespace, name, known.references)
    this.#readAgain(this.#needs.callers(namespace, name))
    if (this.#synced) this.#queue.add(key)
  }

  /** All objects were told: from here on, what is in the store and has no object is gone. */
  async synced(): Promise<void> {
    this.#synced = true
    for (const key of this.#entries.keys()) this.#queue.add(key)
    for (const { dag, source } of await this.#parts.store.dags()) {
      if (source?.startsWith(SOURCE) !== true || !watches(this.#parts.settings, dag.namespace)) continue
      const key = keyOf(dag.namespace, dag.name)
      if (!this.#entries.has(key)) this.#queue.add(key)
    }
  }

  /** A DagTask came or changed: what needs it may be right now. */
  taskChanged(namespace: string, name: string): void {
    this.#readAgain(this.#needs.users(namespace, name))
  }

  /** A run of it moved: its status tells, soon. */
  runMoved(namespace: string, name: string): void {
    if (this.#entries.has(keyOf(namespace, name)))
      this.#queue.addAfter(keyOf(namespace, name), this.#statusMs)
  }

  async find(namespace: string, name: string): Promise<Found> {
    const entry = this.#entries.get(keyOf(namespace, name))
    if (entry === undefined) return { kind: 'none' }
    if (entry.read === null || (entry.read.value !== null && entry.put === null)) return { kind: 'soon' }
    const stored = await this.#parts.store.dag(namespace, name)
    if (stored?.source !== sourceOf(entry.object)) return { kind: 'broken' }
    return { kind: 'inForce', stored }
  }

  /** Names of the DAGs in a namespace, for "did you mean". */
  names(namespace: string): readonly string[] {
    return [...this.#entries.values()].flatMap(({ object: { metadata } }) =>
      metadata.namespace === namespace ? [metadata.name] : [],
    )
  }

  async close(): Promise<void> {
    await this.#queue.close()
    await this.#schedules.close()
  }

  get #statusMs(): number {
    return this.#parts.settings.statusMs ?? STATUS_MS
  }

  async #look(key: string): Promise<number | null> {
    const entry = this.#entries.get(key)
    const [namespace = '', name = ''] = key.split('/')
    if (entry === undefined || entry.object.metadata.deletionTimestamp !== null) {
      const stored = await this.#parts.store.dag(namespace, name)
      if (this.#schedules.has(namespace, name) || stored?.source?.startsWith(SOURCE) === true)
        await this.#schedules.drop(namespace, name)
      if (entry === undefined) this.#whenSettled(namespace, name)
      return null
    }
    const inForce = await this.#putInForce(entry)
    const { settled, read, put } = entry
    // Not at every look: a busy DAG is looked at each second, and whoever waits for it would be too.
    if (settled === null || settled.read !== read || settled.put !== put) {
      entry.settled = { read, put }
      this.#whenSettled(namespace, name)
    }
    return await this.#writeStatus(entry, inForce)
  }

  async #putInForce(entry: Entry): Promise<{ readonly dag: Dag; readonly version: number } | null> {
    const { store } = this.#parts
    const { object } = entry
    const { namespace, name } = object.metadata
    const read = entry.read ?? (await this.#read(entry))
    const before = await store.dag(namespace, name)
    const from = before?.source ?? null
    const source = sourceOf(object)
    const dag = read.value ?? keptDag(object, from === source ? before : null)
    if (dag === null) {
      // What an object of this name was before is not in force any more.
      if (this.#schedules.has(namespace, name)) await this.#schedules.drop(namespace, name)
      return null
    }
    const text = canonical(dag)
    if (entry.put?.text !== text) entry.put = { text, version: await this.#schedules.put(dag, source, from) }
    return { dag, version: entry.put.version }
  }

  /** What it looks things up in may change meanwhile; then it is read again in its next look, which is due already. */
  async #read(entry: Entry): Promise<ReadObject<Dag>> {
    const { object, epoch } = entry
    const read = readDag(object, this.#called(object), await this.#lookup(object))
    if (entry.epoch === epoch) {
      entry.read = read
      this.#toldOf(object, read.problems)
    }
    return read
  }

  async #writeStatus(
    entry: Entry,
    inForce: { readonly dag: Dag; readonly version: number } | null,
  ): Promise<number | null> {
    const { store, clock, cluster } = this.#parts
    const { object, read } = entry
    if (read === null) return 0
    const { namespace, name } = object.metadata
    const now = clock.now()
    const stale = fieldOf(object.status, 'observedGeneration') !== object.metadata.generation
    const wait = restMs(entry.writtenAt, this.#statusMs, now)
    if (wait > 0 && !stale) return wait
    const lastRuns = await newestRuns(store, namespace, name)
    const open = await store.runs({ namespace, dag: name, phases: OPEN, limit: ACTIVE_MAX })
    const facts = { problems: read.problems, inForce, lastRuns, activeRuns: open.items.length }
    const status = dagStatus(object, facts, now)
    if (await writeStatus(cluster, 'DAG', object, status)) entry.writtenAt = now
    const next = status.nextScheduleTime
    return next === undefined ? null : Math.max(Date.parse(next) - now, 0) + 1_000
  }

  /** Those that the DAG calls, and what these call, as far as they are there. */
  #called(object: ClusterObject): readonly ClusterObject[] {
    const { namespace, name } = object.metadata
    const found = new Map<string, ClusterObject>()
    const open = [...referencesOf(object.spec).dags]
    for (let next = open.pop(); next !== undefined && found.size < CALLED_MAX; next = open.pop()) {
      const entry = this.#entries.get(keyOf(namespace, next))
      if (entry === undefined || next === name || found.has(next)) continue
      found.set(next, entry.object)
      open.push(...entry.references.dags)
    }
    return [...found.values()]
  }

  async #lookup(object: ClusterObject): Promise<TaskLookup> {
    const { store } = this.#parts
    const { namespace } = object.metadata
    const answers = new Map<string, ReturnType<TaskLookup>>()
    for (const { name, version } of referencesOf(object.spec).dagTasks) {
      answers.set(`${name}/${version}`, await lookUpDagTask(store, namespace, name, version))
    }
    return (_namespace, name, version) => answers.get(`${name}/${version}`) ?? null
  }

  #readAgain(keys: readonly string[]): void {
    for (const key of keys) {
      const entry = this.#entries.get(key)
      if (entry === undefined) continue
      entry.read = null
      entry.epoch += 1
      if (this.#synced) this.#queue.add(key)
    }
  }
}

const newEntry = (object: ClusterObject, references: References): Entry => ({
  object,
  references,
  read: null,
  put: null,
  writtenAt: undefined,
  settled: null,
  epoch: 0,
})

const OPEN = ['queued', 'running', 'paused'] as const

const sourceOf = ({ metadata }: ClusterObject): string => `${SOURCE}${metadata.uid}`

/** A text with problems leaves the version before it in force; but a suspension counts at once. */
function keptDag(object: ClusterObject, before: StoredDag | null): Dag | null {
  if (before === null) return null
  return fieldOf(object.spec, 'suspended') === true ? { ...before.dag, suspended: true } : before.dag
}

/** Labels are part of a version, since they go to the runs. */
function sameText(a: ClusterObject, b: ClusterObject): boolean {
  const textOf = ({ metadata, spec }: ClusterObject): string =>
    canonical([metadata.uid, metadata.labels, metadata.deletionTimestamp, spec])
  if (a.metadata.generation !== b.metadata.generation || a.metadata.uid !== b.metadata.uid) return false
  return textOf(a) === textOf(b)
}

async function newestRuns(
  store: OperatorParts['store'],
  namespace: string,
  dag: string,
): Promise<readonly StoredRun[]> {
  return (await store.runs({ namespace, dag, limit: LAST_RUNS_MAX })).items
}
