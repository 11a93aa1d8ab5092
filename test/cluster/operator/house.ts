import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { systemClock, systemIdentity } from '../../../src/host/clock.ts'
import { compileExpression, compileTemplate, hasTemplate } from '../../../src/core/expression/cel.ts'
import { createRun } from '../../../src/core/run/create.ts'
import { Engine } from '../../../src/engine/engine.ts'
import { Scheduler } from '../../../src/engine/scheduler.ts'
import type { Client } from '../../../src/kubernetes/client.ts'
import { openClient } from '../../../src/kubernetes/open-client.ts'
import { isProblem } from '../../../src/kubernetes/problem.ts'
import type { KubeObject } from '../../../src/kubernetes/object.ts'
import { kubernetesCluster, resourceOf } from '../../../src/operator/kubernetes-cluster.ts'
import { type Operator, openOperator, scheduledRunName } from '../../../src/operator/operator.ts'
import type { OperatorSettings } from '../../../src/operator/parts.ts'
import type { Observation } from '../../../src/ports/executor.ts'
import type { Notices } from '../../../src/ports/notices.ts'
import type { Store } from '../../../src/ports/store.ts'
import type { DagRunStatus, DagStatus, DagTaskStatus } from '../../../src/spec/schema/status.ts'
import { openSqliteStore } from '../../../src/stores/sqlite/open.ts'
import { Machine } from '../../model/machine.ts'
import type { Cluster } from '../cluster.ts'
import { kubectlPrograms } from '../programs.ts'
import { clientOf } from '../shared.ts'

export type DagRunObject = KubeObject & {
  readonly spec: Readonly<Record<string, unknown>>
  readonly status?: DagRunStatus
}
export type DagObject = KubeObject & {
  readonly spec: Readonly<Record<string, unknown>>
  readonly status?: DagStatus
}
export type DagTaskObject = KubeObject & { readonly status?: DagTaskStatus }

/** A controller without pods: real API server, engine and SQLite; tasks run on a machine in memory that outlives it. */
export class OperatorHouse {
  readonly machine = new Machine(systemClock)
  readonly troubles: string[] = []
  readonly logsRemoved: string[] = []
  readonly namespace: string
  readonly client: Client
  readonly #cluster: Cluster
  readonly #folder: string
  readonly #settings: Partial<OperatorSettings>
  #open: {
    readonly store: Store
    readonly engine: Engine
    readonly scheduler: Scheduler
    readonly operator: Operator
    readonly own: Client
  } | null = null

  constructor(cluster: Cluster, namespace: string, folder: string, settings: Partial<OperatorSettings>) {
    this.#cluster = cluster
    this.namespace = namespace
    this.#folder = folder
    this.#settings = settings
    this.client = clientOf(cluster)
  }

  static async open(
    cluster: Cluster,
    namespace: string,
    settings: Partial<OperatorSettings> = {},
  ): Promise<OperatorHouse> {
    const folder = await mkdtemp(join(tmpdir(), 'kontroler-operator-'))
    cluster.kubectl('create', 'namespace', namespace)
    const house = new OperatorHouse(cluster, namespace, folder, settings)
    await house.start()
    return house
  }

  /** Its own, and those that its settings name. */
  get #namespaces(): readonly string[] {
    return [this.namespace, ...(this.#settings.namespaces ?? [])]
  }

  get store(): Store {
    if (this.#open === null) throw new Error('it is stopped')
    return this.#open.store
  }

  get operator(): Operator {
    if (this.#open === null) throw new Error('it is stopped')
    return this.#open.operator
  }

  get engine(): Engine {
    if (this.#open === null) throw new Error('it is stopped')
    return this.#open.engine
  }

  /** @param file  Of the database; another one is an empty database. */
  async start(file = 'kontroler.db'): Promise<void> {
    const store = await openSqliteStore(join(this.#folder, file))
    const observers: ((observation: Observation) => void)[] = []
    const told: Notices[] = []
    const id = systemIdentity.id()
    const engine = new Engine({
      store,
      executor: this.machine.open(
        observation => observers.forEach(observe => observe(observation)),
        () => false,
      ),
      clock: systemClock,
      identity: systemIdentity,
      values: { secret: async () => 'secret', configMap: async () => null },
      language: { compileExpression, compileTemplate, hasTemplate },
      probe: { isAlive: () => true },
      notices: {
        events: (state, events) => told.forEach(notices => notices.events?.(state, events)),
        trouble: (code, message) => this.troubles.push(`${code} ${message}`),
      },
      me: { id, pid: process.pid, processStart: '1', bootId: 'boot', host: id, seenAt: systemClock.now() },
      settings: { maxParallel: 1_000, pools: new Map(), stopGraceMs: 1_000, pollMs: 100 },
    })
    observers.push(observation => engine.observe(observation))
    await engine.open()
    const scheduler = new Scheduler(engine, { workdir: null, nameOf: scheduledRunName })
    // A client of its own: stopped, it hears and says nothing more.
    const own = openClient({ identity: this.client.identity })
    const operator = openOperator({
      cluster: kubernetesCluster({
        client: own,
        namespaces: this.#namespaces,
        trouble: () => undefined,
      }),
      engine,
      scheduler,
      store,
      logs: {
        remove: async run => {
          this.logsRemoved.push(run)
        },
      },
      clock: systemClock,
      chance: () => 0.5,
      trouble: (code, message) => this.troubles.push(`${code} ${message}`),
      settings: {
        retention: { runs: null, ageMs: null },
        statusMs: 200,
        ...this.#settings,
        namespaces: this.#namespaces,
      },
    })
    told.push(operator.notices)
    this.#open = { store, engine, scheduler, operator, own }
    await operator.synced
    for (const run of await store.unsettled()) await engine.adopt(run.id, run.owner)
  }

  async stop(): Promise<void> {
    const open = this.#open
    this.#open = null
    if (open === null) return
    await open.operator.close()
    await open.scheduler.close()
    await open.engine.close()
    await open.store.close()
    await open.own.close()
  }

  async remove(): Promise<void> {
    await this.stop()
    await this.client.close()
    await rm(this.#folder, { recursive: true, force: true })
    this.#cluster.kubectl('delete', 'namespace', this.namespace, '--wait=false', '--ignore-not-found')
  }

  /** A file with an object, in a folder that is removed. */
  file(name: string, object: object): string {
    const path = join(this.#folder, name)
    writeFileSync(path, JSON.stringify(object))
    return path
  }

  /** `kubectl wait`, while the operator goes on in this process. */
  async wait(...args: readonly string[]): Promise<void> {
    const [folder = ''] = await kubectlPrograms()
    const whole = ['--kubeconfig', this.#cluster.kubeconfig, '-n', this.namespace, 'wait', ...args]
    await promisify(execFile)(join(folder, 'kubectl'), whole)
  }

  kubectl(...args: readonly string[]): string {
    return this.#cluster.kubectl('-n', this.namespace, ...args)
  }

  apply(
    ...objects: readonly {
      readonly kind: string
      readonly name: string
      readonly spec: object
      readonly labels?: object
    }[]
  ): void {
    this.#cluster.apply(
      ...objects.map(({ kind, name, spec, labels }) => ({
        apiVersion: 'kontroler.greedykomodo/v1alpha1',
        kind,
        metadata: { name, namespace: this.namespace, ...(labels === undefined ? {} : { labels }) },
        spec,
      })),
    )
  }

  async createDagRuns(names: readonly string[], dagName: string): Promise<void> {
    const create = (name: string): Promise<unknown> =>
      this.client.createBrief(resourceOf('DagRun'), this.namespace, {
        apiVersion: 'kontroler.greedykomodo/v1alpha1',
        kind: 'DagRun',
        metadata: { name },
        spec: { dagName },
      })
    await Promise.all(names.map(create))
  }

  async dagRun(name: string): Promise<DagRunObject> {
    return await this.client.get<DagRunObject>(resourceOf('DagRun'), { namespace: this.namespace, name })
  }

  async dag(name: string): Promise<DagObject> {
    return await this.client.get<DagObject>(resourceOf('DAG'), { namespace: this.namespace, name })
  }

  async dagTask(name: string): Promise<DagTaskObject> {
    return await this.client.get<DagTaskObject>(resourceOf('DagTask'), { namespace: this.namespace, name })
  }

  async dagRuns(): Promise<readonly DagRunObject[]> {
    const query = { namespace: this.namespace }
    return (await this.client.list<DagRunObject>(resourceOf('DagRun'), query)).items
  }

  async isThere(kind: 'DAG' | 'DagRun', name: string): Promise<boolean> {
    try {
      await this.client.get(resourceOf(kind), { namespace: this.namespace, name })
      return true
    } catch (error) {
      if (isProblem(error, 'notFound')) return false
      throw error
    }
  }

  /** A run that no DagRun asks for, as the command line or a trigger makes one. */
  async submit(dagName: string, name: string): Promise<string> {
    const stored = await this.store.dag(this.namespace, dagName)
    if (stored === null) throw new Error(`there is no DAG ${dagName}`)
    const run = systemIdentity.id()
    const created = createRun(
      {
        run,
        name,
        dag: stored.dag,
        dagHash: stored.hash,
        parameters: [],
        labels: {},
        trigger: { kind: 'manual', key: run, by: 'anna' },
        workdir: null,
      },
      systemClock.now(),
    )
    if (!created.ok) throw new Error('it cannot run')
    await this.engine.submit(stored.dag, created.value)
    return run
  }

  /** A DAG and its DagRun `x`, whose run is under way: tasks run until a test ends them. The run's id. */
  async underWay(dag: string, spec: object): Promise<string> {
    this.machine.script = () => 'runs'
    this.apply({ kind: 'DAG', name: dag, spec }, { kind: 'DagRun', name: 'x', spec: { dagName: dag } })
    const { runId = '' } = await this.until('x', ({ phase }) => phase === 'running')
    return runId
  }

  /** A DAG and a run of it that no DagRun asked for, once it has its DagRun: tasks run until a test ends them. */
  async shown(dag: string, spec: object, name: string): Promise<string> {
    this.machine.script = () => 'runs'
    this.apply({ kind: 'DAG', name: dag, spec })
    await this.dagIs(dag, ({ version }) => version === 1)
    const run = await this.submit(dag, name)
    await eventually('its DagRun', async () => ((await this.isThere('DagRun', name)) ? true : null))
    return run
  }

  /** Everything that is known was looked at. */
  async calm(): Promise<void> {
    await delay(500)
    await eventually('calm', async () => (this.operator.busy() === 0 ? true : null))
  }

  /** Waits until the status of a DagRun is such. */
  async until(name: string, is: (status: DagRunStatus) => boolean): Promise<DagRunStatus> {
    return await eventually(`DagRun ${name}`, async () => {
      const { status } = await this.dagRun(name)
      return status !== undefined && is(status) ? status : null
    })
  }

  async ended(name: string, phase: string): Promise<DagRunStatus> {
    const status = await this.until(name, ({ completionTime }) => completionTime !== undefined)
    if (status.phase !== phase) throw new Error(`${name} has ${status.phase}: ${status.message}`)
    return status
  }

  async dagIs(name: string, is: (status: DagStatus) => boolean): Promise<DagStatus> {
    return await eventually(`DAG ${name}`, async () => {
      const { status } = await this.dag(name)
      return status !== undefined && is(status) ? status : null
    })
  }
}

export async function eventually<T>(
  what: string,
  look: () => Promise<T | null>,
  withinMs = 30_000,
): Promise<T> {
  const until = Date.now() + withinMs
  for (;;) {
    const found = await look()
    if (found !== null) return found
    if (Date.now() > until) throw new Error(`${what} is not as it should be within ${withinMs / 1000} s`)
    await delay(50)
  }
}

/** A task that the machine runs, whatever stands in it. */
export const task = (name: string, more: object = {}): object => ({
  name,
  image: 'busybox:1.36',
  command: ['true'],
  ...more,
})

export const conditionOf = (
  status:
    | {
        readonly conditions?:
          | readonly {
              readonly type: string
              readonly status: string
              readonly reason: string
              readonly message: string
            }[]
          | undefined
      }
    | undefined,
  type: string,
): string => status?.conditions?.find(condition => condition.type === type)?.status ?? 'absent'
