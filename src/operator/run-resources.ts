import { isTerminal } from '../core/run/state.ts'
import { StoreError, type StoredRun } from '../ports/store.ts'
import type { ClusterObject, ObjectListener, ObjectRef } from './cluster.ts'
import { fieldOf } from './conditions.ts'
import type { DagResources } from './dag-resources.ts'
import { mirrorOf } from './mirror.ts'
import { BY_SPEC, keyOf } from './names.ts'
import { type OperatorParts, STATUS_MS, watches } from './parts.ts'
import { problemText } from './problem-text.ts'
import { RunFactsReader } from './run-facts.ts'
import { AWAITED, orderContext } from './run-context.ts'
import { type Order, orderOf } from './run-order.ts'
import { type Words, neverBegunStatus, observedStatus, pendingStatus, runStatus } from './run-status.ts'
import { type RunView, RunViews } from './run-views.ts'
import { restMs, writeStatus } from './status-fields.ts'
import { Waiting } from './waiting.ts'
import { WorkQueue } from './work-queue.ts'

/** Runs looked at at once. */
const CONCURRENCY = 32
/** Deleted objects that are remembered. */
const DELETED_MAX = 10_000
/** Runs whose namespace is remembered. */
const NAMESPACES_MAX = 10_000
/** A DagRun made a moment ago may not have been told yet. */
const TOLD_MS = 2_000

/** Turns DagRuns into runs, each into one, and tells how these stand; shows runs that nobody made a DagRun for. */
export class RunResources implements ObjectListener {
  readonly views = new RunViews()
  readonly #parts: OperatorParts
  readonly #dags: DagResources
  readonly #facts: RunFactsReader
  readonly #queue: WorkQueue
  /** DagRuns without a run yet, by what they wait for. */
  readonly #waiting = new Waiting()
  readonly #writtenAt = new Map<string, number>()
  /** Of runs that were looked at. */
  readonly #namespaceOf = new Map<string, string>()
  /** Runs that were told to end by their spec. */
  readonly #cancelled = new Set<string>()
  /** Keys of runs whose object somebody deleted: no other is made for them. */
  readonly #deleted = new Set<string>()
  /** Runs that ended before this and have no object need none: somebody removed it. */
  #shownFrom = 0
  #synced = false
  readonly #appeared: (key: string, object: ClusterObject) => void
  readonly #rejected: (object: ClusterObject, reason: string, message: string) => void

  constructor(
    parts: OperatorParts,
    dags: DagResources,
    tell: {
      appeared(key: string, object: ClusterObject): void
      rejected(object: ClusterObject, reason: string, message: string): void
    },
  ) {
    this.#parts = parts
    this.#dags = dags
    this.#facts = new RunFactsReader(parts)
    this.#appeared = (key, object) => tell.appeared(key, object)
    this.#rejected = (object, reason, message) => tell.rejected(object, reason, message)
    this.#queue = new WorkQueue({
      clock: parts.clock,
      chance: () => parts.chance(),
      concurrency: CONCURRENCY,
      work: key => this.#look(key),
      failed: (key, error) => parts.trouble('DAG_RUN_NOT_TAKEN_IN', `run ${key}: ${String(error)}`),
    })
  }

  get busy(): number {
    return this.#queue.busy
  }

  changed(object: ClusterObject): void {
    const key = this.views.changed(object)
    if (!this.#synced) return
    this.#appeared(key, object)
    this.#queue.add(key)
    this.#wake(AWAITED.dagRun(object.metadata.namespace, object.metadata.name))
  }

  gone(ref: ObjectRef): void {
    const key = this.views.gone(ref)
    if (key === null) return
    this.#deleted.add(key)
    const [oldest] = this.#deleted
    if (this.#deleted.size > DELETED_MAX && oldest !== undefined) this.#deleted.delete(oldest)
    if (this.#synced) this.#queue.add(key)
    this.#wake(AWAITED.dagRun(ref.namespace, ref.name))
  }

  /**
   * All objects were told: from here on, a run without an object is one whose object was deleted, or one that has to
   * be shown.
   */
  async synced(shownFrom: number): Promise<void> {
    const { store, settings } = this.#parts
    this.#synced = true
    this.#shownFrom = shownFrom
    for (const { id, namespace } of await store.unsettled()) {
      if (watches(settings, namespace)) this.#queue.add(keyOf(namespace, id))
    }
    for (const { id, namespace, endedAt } of (await store.runs({ limit: 500 })).items)
      if (endedAt !== null && endedAt >= shownFrom) this.#queue.add(keyOf(namespace, id))
    for (const key of this.views.keys()) if (this.views.of(key)?.finished === false) this.#queue.add(key)
  }

  /** Something happened to the run. */
  moved(run: string): void {
    if (this.#synced) this.#queue.add(keyOf(this.#namespaceOf.get(run) ?? '', run))
    this.#wake(AWAITED.run(run))
  }

  /** A DAG came, changed or went. */
  dagSettled(namespace: string, name: string): void {
    this.#wake(AWAITED.dag(namespace, name))
  }

  async close(): Promise<void> {
    await this.#queue.close()
  }

  /** @param key  Namespace and run; without the namespace when that was not known yet. */
  async #look(key: string): Promise<number | null> {
    const [namespace = '', id = ''] = key.split('/')
    const run = await this.#parts.store.run(id)
    if (run !== null) this.#dags.runMoved(run.namespace, run.dag)
    if (namespace === '') {
      if (run !== null) this.#queue.add(this.#remember(run))
      return null
    }
    const view = this.views.of(key)
    if (view === undefined || view.finished) this.#forget(key, id)
    if (view === undefined) return await this.#withoutObject(key, run)
    const { object } = view
    if (object.metadata.deletionTimestamp !== null || view.finished) {
      // What says that it is finished is never run, even if a database that was put back has it otherwise.
      if (run !== null && isOf(run, view)) await this.#end(run)
      if (view.finished) return await this.#observe(object)
    }
    if (run === null) return await this.#withoutRun(view)
    if (!isOf(run, view)) return await this.#pending(view, 'stalled', NO_RUN)
    await this.#control(run, object)
    return await this.#show(view, run)
  }

  async #show(view: RunView, seen: StoredRun): Promise<number | null> {
    const { store, clock, cluster, settings } = this.#parts
    const { object } = view
    const wait = restMs(this.#writtenAt.get(seen.id), settings.statusMs ?? STATUS_MS, clock.now())
    const known = fieldOf(object.status, 'runId') !== undefined
    if (wait > 0 && known && !isTerminal(seen.phase)) return wait
    // What was asked of it just now is told with it.
    const run = (await store.run(seen.id)) ?? seen
    const status = runStatus(object, await this.#facts.read(run), clock.now())
    if (await writeStatus(cluster, 'DagRun', object, status)) this.#writtenAt.set(run.id, clock.now())
    return null
  }

  /** What was changed in its text while it ended changes nothing; but it was looked at. */
  async #observe(object: ClusterObject): Promise<null> {
    const status = observedStatus(object)
    if (status !== null) await writeStatus(this.#parts.cluster, 'DagRun', object, status)
    return null
  }

  /** Nothing is waited for or held back any more for the sake of its object. */
  #forget(key: string, run: string): void {
    this.#waiting.set(key, [])
    this.#writtenAt.delete(run)
    this.#cancelled.delete(run)
  }

  /** The feed tells ids alone; the namespace of a run never changes. */
  #remember({ id, namespace }: StoredRun): string {
    const [oldest] = this.#namespaceOf.keys()
    if (this.#namespaceOf.size >= NAMESPACES_MAX && oldest !== undefined) this.#namespaceOf.delete(oldest)
    this.#namespaceOf.set(id, namespace)
    return keyOf(namespace, id)
  }

  async #withoutObject(key: string, run: StoredRun | null): Promise<number | null> {
    if (run === null || !this.#synced || key !== keyOf(run.namespace, run.id)) return null
    if (!watches(this.#parts.settings, run.namespace)) return null
    if (run.trigger.kind === 'dagRun' || this.#deleted.has(key)) {
      await this.#end(run)
      return null
    }
    const recent = run.endedAt === null || run.endedAt >= this.#shownFrom
    return run.parentRun === null && recent ? await this.#mirror(run) : null
  }

  async #mirror(run: StoredRun): Promise<number | null> {
    const { store, cluster } = this.#parts
    const [first] = await store.events(run.id)
    const parameters = first?.type === 'runCreated' ? first.parameters : []
    for (const taken of [false, true]) {
      const object = mirrorOf(run, parameters, taken)
      const other = this.views.runNamed(run.namespace, object.name)
      if (other !== undefined && other !== run.id) continue
      const answer = await cluster.createDagRun(object)
      // Whose it is, the watch tells soon.
      if (answer === 'taken') return TOLD_MS
      // A run of a namespace that is gone has nowhere to run.
      if (answer === 'refused') await this.#end(run)
      return null
    }
    return null
  }

  async #withoutRun(view: RunView): Promise<number | null> {
    const { store, clock, engine, cluster } = this.#parts
    const { object, mirror } = view
    if (object.metadata.deletionTimestamp !== null) return null
    if (mirror) return await this.#pending(view, 'stalled', NO_RUN)
    const uid = object.metadata.uid
    if (fieldOf(object.spec, 'cancel') === true) {
      const status = neverBegunStatus(object, 'it was cancelled before it began', clock.now())
      await writeStatus(cluster, 'DagRun', object, status)
      return null
    }
    const waiter = keyOf(object.metadata.namespace, uid)
    const awaited: string[] = []
    const known = { dags: this.#dags, views: this.views }
    const context = orderContext(this.#parts, known, object.metadata.namespace, name => {
      awaited.push(name)
      this.#waiting.set(waiter, [...awaited])
    })
    const order = await orderOf(object, context)
    this.#waiting.set(waiter, order.kind === 'run' ? [] : awaited)
    if (order.kind !== 'run') return await this.#notYet(view, order)
    if (fieldOf(object.spec, 'paused') === true) return await this.#pending(view, 'inProgress', PAUSED)
    try {
      await engine.submit(order.stored.dag, order.created, order.reused)
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'DUPLICATE_RUN') throw error
      // It was there, and was removed; or another engine was faster.
      if ((await store.run(uid)) === null) return await this.#pending(view, 'stalled', NO_RUN)
    }
    return 0
  }

  async #notYet(view: RunView, order: Exclude<Order, { kind: 'run' }>): Promise<number | null> {
    const problems = order.kind === 'waits' ? [order.problem] : order.problems
    const words = problemText(problems)
    const news = await this.#say(view, order.kind === 'waits' ? 'inProgress' : 'stalled', words)
    // Not at every look: each would be a request for an Event that is there.
    if (order.kind === 'wrong' && news) this.#rejected(view.object, words.reason, words.message)
    return null
  }

  async #pending(view: RunView, standing: 'inProgress' | 'stalled', words: Words): Promise<null> {
    await this.#say(view, standing, words)
    return null
  }

  /** Why it has no run. Whether that is anything new. */
  async #say({ object }: RunView, standing: 'inProgress' | 'stalled', words: Words): Promise<boolean> {
    const { cluster, clock } = this.#parts
    return await writeStatus(cluster, 'DagRun', object, pendingStatus(object, standing, words, clock.now()))
  }

  /** What the spec of a DagRun asks of its run. A spec that says nothing leaves it to others. */
  async #control(run: StoredRun, { spec }: ClusterObject): Promise<void> {
    if (isTerminal(run.phase)) return
    const { engine } = this.#parts
    if (fieldOf(spec, 'cancel') === true) {
      if (this.#cancelled.has(run.id)) return
      await engine.request(run.id, { kind: 'cancel', by: BY_SPEC, skipFinally: false })
      this.#cancelled.add(run.id)
      return
    }
    const paused = fieldOf(spec, 'paused')
    if (paused === true && run.phase !== 'paused')
      await engine.request(run.id, { kind: 'pause', by: BY_SPEC })
    else if (
      run.phase === 'paused' &&
      paused !== true &&
      (paused === false || (await this.#pausedBySpec(run)))
    )
      await engine.request(run.id, { kind: 'resume', by: BY_SPEC })
  }

  async #pausedBySpec({ id }: StoredRun): Promise<boolean> {
    const last = (await this.#parts.store.events(id)).findLast(({ type }) => type === 'runPaused')
    return last?.type === 'runPaused' && last.by === BY_SPEC
  }

  /** Its object is gone: nothing of it starts any more, and what runs is stopped. */
  async #end(run: StoredRun): Promise<void> {
    if (isTerminal(run.phase)) return
    const request = { kind: 'cancel', by: 'the deletion of its DagRun', skipFinally: true } as const
    await this.#parts.engine.request(run.id, request)
  }

  #wake(awaited: string): void {
    for (const key of this.#waiting.of(awaited)) this.#queue.add(key)
  }
}

/** Only a run of the object's own namespace is its run, whatever the object says. */
function isOf(run: StoredRun, { object, mirror }: RunView): boolean {
  const { namespace, uid } = object.metadata
  if (run.namespace !== namespace) return false
  return mirror ? run.trigger.kind !== 'dagRun' : run.id === uid
}

const NO_RUN = {
  reason: 'RUN_GONE',
  message: 'RUN_GONE: its run is not in the database, and is not made again',
}
const PAUSED = { reason: 'Paused', message: 'it begins when spec.paused is false or gone' }
