import type { Dag } from '../core/dag/dag.ts'
import type { ProblemCode } from '../core/problem-codes.ts'
import type { Checked, Problem } from '../core/problem.ts'
import { createRun } from '../core/run/create.ts'
import type { ReusedTask, RunCreated, Trigger } from '../core/run/events.ts'
import type { RunRequest } from '../core/run/requests.ts'
import type { Principal } from '../ports/authenticator.ts'
import type {
  AppliedDag,
  ApplyDag,
  ContinueRun,
  Control,
  CreateRun,
  DagKeeper,
  DeleteDag,
  StartedRun,
  SuspendDag,
} from '../ports/control.ts'
import { type DagInForce, type StoredDag, StoreError } from '../ports/store.ts'
import { dagHash } from './dag-hash.ts'
import type { Engine } from './engine.ts'
import { runAgain } from './run-again.ts'
import type { ScheduledDag } from './scheduler.ts'

/** Source of a DAG that was made through the API. */
export const API_SOURCE = 'api'

/** What the control asks of whoever looks after schedules. One change is made after the other. */
export interface DagChanges {
  /** `keep` makes it durable. */
  put(scheduled: ScheduledDag, keep: () => Promise<void>): Promise<void>
  remove(namespace: string, name: string, keep: () => Promise<void>): Promise<void>
}

export interface ControlOptions {
  readonly changes: DagChanges
  /** Where relative paths of tasks start. */
  readonly workdir: string | null
  nameOf(dag: string): string
  /** Sentences about what nothing here does with this DAG. */
  notesOf(dag: Dag): readonly string[]
}

/** The {@link Control} of a machine: the store is written, and the engine of this process drives what is begun. */
export class EngineControl implements Control {
  readonly #engine: Engine
  readonly #options: ControlOptions

  constructor(engine: Engine, options: ControlOptions) {
    this.#engine = engine
    this.#options = options
  }

  keeperOf({ source }: Pick<StoredDag, 'source'>): DagKeeper {
    return source === null || source === API_SOURCE ? 'api' : 'file'
  }

  async applyDag(order: ApplyDag): Promise<Checked<AppliedDag>> {
    const { namespace, name } = order.dag
    const before = await this.#inForce(namespace, name)
    const owned = before === null ? null : this.#owned(before)
    if (owned !== null) return owned
    return await this.#put(order.dag, before, order.expected)
  }

  async suspendDag({ namespace, name, suspended }: SuspendDag): Promise<Checked<AppliedDag>> {
    const before = await this.#inForce(namespace, name)
    if (before === null) return unknownDag(namespace, name)
    const owned = this.#owned(before)
    if (owned !== null) return owned
    const same = {
      ok: true,
      value: { version: before.version, created: false, notes: [] },
      warnings: [],
    } as const
    if (before.dag.suspended === suspended) return same
    return await this.#put({ ...before.dag, suspended }, before, inForce(before))
  }

  async deleteDag({ namespace, name, expected }: DeleteDag): Promise<Checked<null>> {
    const before = await this.#inForce(namespace, name)
    if (before === null) return unknownDag(namespace, name)
    const owned = this.#owned(before)
    if (owned !== null) return owned
    if (expected !== undefined && !isSame(inForce(before), expected)) return changed(namespace, name)
    const { store } = this.#engine.parts
    await this.#options.changes.remove(namespace, name, () =>
      store.removeDag(namespace, name, this.#engine.now()),
    )
    return { ok: true, value: null, warnings: [] }
  }

  async createRun(order: CreateRun): Promise<Checked<StartedRun>> {
    const { namespace, dag: dagName } = order
    const stored = await this.#inForce(namespace, dagName)
    if (stored === null) return unknownDag(namespace, dagName)
    const { identity } = this.#engine.parts
    const id = identity.id()
    const trigger = triggerOf(order.by, order.key, id)
    const earlier = order.key === undefined ? null : await this.#runOf(stored.dag, trigger.key)
    if (order.name !== undefined && earlier === null) {
      const taken = await this.#taken(namespace, order.name)
      if (taken !== null) return taken
    }
    const created = createRun(
      {
        run: id,
        name: order.name ?? this.#options.nameOf(dagName),
        dag: stored.dag,
        dagHash: stored.hash,
        parameters: order.parameters,
        labels: order.labels,
        trigger,
        workdir: this.#options.workdir,
      },
      this.#engine.now(),
    )
    if (!created.ok) return created
    return await this.#start(stored.dag, created.value, [], order.name !== undefined)
  }

  async continueRun(order: ContinueRun): Promise<Checked<StartedRun>> {
    const { store, identity } = this.#engine.parts
    const run = identity.id()
    const { from, parameters, latest } = order
    const trigger = triggerOf(order.by, order.key, run)
    const nameOf = (dag: string): string => this.#options.nameOf(dag)
    const begun = await runAgain(
      store,
      { old: order.run, from, parameters, latest, run, nameOf, trigger },
      this.#engine.now(),
    )
    if (!begun.ok) return begun
    const { stored, created, taken } = begun.value
    return await this.#start(stored.dag, created, taken.reused, false)
  }

  async request(run: string, request: RunRequest): Promise<Problem | null> {
    return await this.#engine.request(run, request)
  }

  /** The same key gives the same run, as long as it is asked for the same. */
  async #start(
    dag: Dag,
    created: RunCreated,
    reused: readonly ReusedTask[],
    named: boolean,
  ): Promise<Checked<StartedRun>> {
    try {
      await this.#engine.submit(dag, created, reused)
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'DUPLICATE_RUN' || error.existing === null)
        throw error
      const [first] = await this.#engine.parts.store.events(error.existing, 0, 1)
      if (first?.type === 'runCreated' && !isSameOrder(first, created, named)) {
        const message = 'the idempotency key was used before, for another run'
        return refused('KEY_REUSED', message, 'take a new key for each run that you want')
      }
      return { ok: true, value: { run: error.existing, created: false, reused: 0 }, warnings: [] }
    }
    return { ok: true, value: { run: created.run, created: true, reused: reused.length }, warnings: [] }
  }

  async #put(
    dag: Dag,
    before: StoredDag | null,
    expected: DagInForce | null | undefined,
  ): Promise<Checked<AppliedDag>> {
    const { store } = this.#engine.parts
    const hash = dagHash(dag)
    let version = 0
    try {
      await this.#options.changes.put({ dag, hash }, async () => {
        ;({ version } = await store.putDag(dag, hash, API_SOURCE, this.#engine.now(), expected))
      })
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'VERSION_CONFLICT') throw error
      return changed(dag.namespace, dag.name)
    }
    const value = { version, created: before === null, notes: this.#options.notesOf(dag) }
    return { ok: true, value, warnings: [] }
  }

  async #inForce(namespace: string, dag: string): Promise<StoredDag | null> {
    const { items } = await this.#engine.parts.store.dagPage({ namespace, dag, limit: 1 })
    return items[0] ?? null
  }

  async #runOf({ namespace, name }: Dag, key: string): Promise<string | null> {
    return await this.#engine.parts.store.runOfTrigger(namespace, name, 'manual', key)
  }

  async #taken(namespace: string, name: string): Promise<Checked<never> | null> {
    const { items } = await this.#engine.parts.store.runs({ namespace, namePrefix: name, limit: 500 })
    const taken = items.find(run => run.name === name)
    if (taken === undefined) return null
    return refused('RUN_EXISTS', `there is a run ${name} already (${taken.phase})`, 'give another name')
  }

  #owned(stored: StoredDag): Checked<never> | null {
    if (this.keeperOf(stored) === 'api') return null
    const { namespace, name } = stored.dag
    return refused('DAG_OWNED', `DAG ${namespace}/${name} is kept in a file`, 'change the file')
  }
}

/** The key of a person is nobody else's. */
function triggerOf(by: Principal, key: string | undefined, run: string): Trigger {
  return { kind: 'manual', key: key === undefined ? run : `${by.id}:${key}`, by: by.name }
}

function isSameOrder(a: RunCreated, b: RunCreated, named: boolean): boolean {
  // A DAG that was edited between two tries has other defaults and labels, and the same run is asked for nonetheless.
  const edited = a.dagHash !== b.dagHash
  const sorted = (map: RunCreated['labels']): unknown =>
    Object.entries(map).toSorted(([one], [two]) => (one < two ? -1 : 1))
  const order = ({ parameters, labels, continues, name }: RunCreated): string =>
    JSON.stringify([continues, named ? name : null, edited ? null : [parameters, sorted(labels)]])
  return order(a) === order(b)
}

const inForce = ({ hash, dag }: StoredDag): DagInForce => ({ hash, suspended: dag.suspended })
const isSame = (a: DagInForce, b: DagInForce): boolean => a.hash === b.hash && a.suspended === b.suspended

function unknownDag(namespace: string, name: string): Checked<never> {
  return refused('UNKNOWN_DAG', `there is no DAG ${namespace}/${name}`, 'see the list of DAGs')
}

function changed(namespace: string, name: string): Checked<never> {
  const message = `DAG ${namespace}/${name} was changed since you read it`
  return refused('DAG_CHANGED', message, 'read it again, and make your change to what it is now')
}

function refused(code: ProblemCode, message: string, fix: string): Checked<never> {
  return { ok: false, problems: [{ code, severity: 'error', path: [], message, fix }] }
}
