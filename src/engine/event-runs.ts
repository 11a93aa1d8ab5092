import type { Checked } from '../core/problem.ts'
import { createRun } from '../core/run/create.ts'
import type { EventOrder, EventRuns, EventStart } from '../ports/event-runs.ts'
import { StoreError } from '../ports/store.ts'
import type { Engine } from './engine.ts'
import { unsettledRuns } from './scheduler.ts'

export interface EventRunsOptions {
  /** Where relative paths of tasks start. */
  readonly workdir: string | null
  nameOf(dag: string): string
}

/** The {@link EventRuns} of a machine: the engine of this process drives what events start. */
export class EngineEventRuns implements EventRuns {
  readonly #engine: Engine
  readonly #options: EventRunsOptions
  /** The last start of each DAG whose policy looks at its other runs: these go one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(engine: Engine, options: EventRunsOptions) {
    this.#engine = engine
    this.#options = options
  }

  async start(order: EventOrder): Promise<Checked<EventStart>> {
    const { dag } = order.dag
    if (dag.concurrencyPolicy === 'Allow') return await this.#start(order)
    const name = `${dag.namespace}/${dag.name}`
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(() => this.#start(order))
    const settled = turn
      .catch(() => undefined)
      .then(() => {
        if (this.#turns.get(name) === settled) this.#turns.delete(name)
      })
    this.#turns.set(name, settled)
    return await turn
  }

  async #start(order: EventOrder): Promise<Checked<EventStart>> {
    const { store } = this.#engine.parts
    const { dag } = order.dag
    const known = await store.runOfTrigger(dag.namespace, dag.name, 'event', order.key)
    if (known !== null) return started(known)
    if (dag.suspended) return skipped('DAG_SUSPENDED')
    const open = dag.concurrencyPolicy === 'Allow' ? [] : await unsettledRuns(store, dag)
    if (dag.concurrencyPolicy === 'Forbid' && open.length > 0) return skipped('CONCURRENCY_FORBID')
    const queued = dag.concurrencyPolicy === 'Queue' && open.length > 0
    const answer = await this.#submit(order, queued)
    if (answer.ok && answer.value.kind === 'run' && dag.concurrencyPolicy === 'Replace') {
      for (const { id } of open) {
        if (id === answer.value.run) continue
        const request = {
          kind: 'cancel',
          by: `trigger ${order.source}`,
          skipFinally: false,
          replaced: true,
        } as const
        await this.#engine.request(id, request)
      }
    }
    return answer
  }

  async #submit({ dag, source, key, parameters }: EventOrder, queued: boolean): Promise<Checked<EventStart>> {
    const run = this.#engine.parts.identity.id()
    const created = createRun(
      {
        run,
        name: this.#options.nameOf(dag.dag.name),
        dag: dag.dag,
        dagHash: dag.hash,
        parameters,
        labels: {},
        trigger: { kind: 'event', key, source },
        workdir: this.#options.workdir,
        queued,
      },
      this.#engine.now(),
    )
    if (!created.ok) return created
    try {
      await this.#engine.submit(dag.dag, created.value)
      return started(run)
    } catch (error) {
      const twice = error instanceof StoreError && error.code === 'DUPLICATE_RUN' ? error.existing : null
      if (twice === null) throw error
      return started(twice)
    }
  }
}

const started = (run: string): Checked<EventStart> => ({
  ok: true,
  value: { kind: 'run', run },
  warnings: [],
})

function skipped(reason: Extract<EventStart, { kind: 'skipped' }>['reason']): Checked<EventStart> {
  return { ok: true, value: { kind: 'skipped', reason }, warnings: [] }
}
