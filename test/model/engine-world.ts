import assert from 'node:assert/strict'
import type { Dag } from '../../src/core/dag/dag.ts'
import type { ReusedTask, RunCreated, RunEvent } from '../../src/core/run/events.ts'
import { replay } from '../../src/core/run/evolve.ts'
import type { RunState } from '../../src/core/run/state.ts'
import { dagHash } from '../../src/engine/dag-hash.ts'
import { Engine } from '../../src/engine/engine.ts'
import type { EngineSettings } from '../../src/engine/parts.ts'
import type { Observation } from '../../src/ports/executor.ts'
import type { Store } from '../../src/ports/store.ts'
import { openSqliteStore } from '../../src/stores/sqlite/open.ts'
import { aCreation } from './dags.ts'
import { type FragileStore, fragile } from './fragile-store.ts'
import { Machine } from './machine.ts'
import { ManualClock } from './manual-clock.ts'
import { PLAIN_LANGUAGE } from './plain-language.ts'

/** An engine with what it told and ways to hurt it. */
export interface Actor {
  readonly name: string
  readonly engine: Engine
  readonly fragile: FragileStore
  readonly troubles: string[]
  readonly events: { readonly run: string; readonly event: RunEvent }[]
  /** As `kill -9`: nothing it began is heard of again. */
  kill(): void
}

/** Any number of engines over one store, one machine and one clock. */
export class EngineWorld {
  readonly clock = new ManualClock()
  readonly machine = new Machine(this.clock.for('machine'))
  readonly store: Store
  readonly #actors: Actor[] = []
  readonly #dead = new Set<string>()
  #ids = 0

  constructor(store: Store) {
    this.store = store
  }

  static async open(file = ':memory:'): Promise<EngineWorld> {
    return new EngineWorld(await openSqliteStore(file))
  }

  async engine(name: string, settings: Partial<EngineSettings> = {}): Promise<Actor> {
    const hurt = fragile(this.store)
    const troubles: string[] = []
    const events: { run: string; event: RunEvent }[] = []
    const observers: ((observation: Observation) => void)[] = []
    const executor = this.machine.open(
      observation => observers.forEach(observe => observe(observation)),
      () => this.#dead.has(name),
    )
    const engine = new Engine({
      store: hurt.store,
      executor,
      clock: this.clock.for(name),
      identity: { id: () => this.id() },
      values: { secret: async () => null, configMap: async () => null },
      language: PLAIN_LANGUAGE,
      probe: { isAlive: ({ host }) => !this.#dead.has(host) },
      notices: {
        events: (state, some) => some.forEach(event => events.push({ run: state.created.run, event })),
        trouble: code => troubles.push(code),
      },
      me: { id: name, pid: 1, processStart: '1', bootId: 'boot', host: name, seenAt: 0 },
      settings: { maxParallel: 100, pools: new Map(), stopGraceMs: 10_000, pollMs: 100, ...settings },
    })
    observers.push(observation => engine.observe(observation))
    const actor: Actor = {
      name,
      engine,
      fragile: hurt,
      troubles,
      events,
      kill: () => {
        this.#dead.add(name)
        this.clock.kill(name)
        hurt.kill()
      },
    }
    this.#actors.push(actor)
    await engine.open()
    return actor
  }

  id(): string {
    this.#ids += 1
    return `00000000-0000-7000-8000-${String(this.#ids).padStart(12, '0')}`
  }

  /** Stores the DAG and has the engine run it. */
  async submit(
    actor: Actor,
    dag: Dag,
    given: Partial<RunCreated> = {},
    reused: readonly ReusedTask[] = [],
  ): Promise<string> {
    await this.store.putDag(dag, dagHash(dag), null, this.clock.now())
    const run = given.run ?? this.id()
    await actor.engine.submit(dag, this.creation(dag, { ...given, run }), reused)
    return run
  }

  creation(dag: Dag, given: Partial<RunCreated>): RunCreated {
    const { namespace, name } = dag
    const key = given.run ?? 'key'
    return aCreation({
      at: this.clock.now(),
      namespace,
      dag: name,
      dagHash: dagHash(dag),
      trigger: { kind: 'manual', key, by: 'anna' },
      ...given,
    })
  }

  /** Lets everything happen that needs no time. */
  async quiet(): Promise<void> {
    for (let still = 0, turns = 0; still < 4; turns += 1) {
      assert.ok(turns < 20_000, 'the engines never come to rest')
      await new Promise(resolve => setImmediate(resolve))
      const busy =
        this.clock.pending > 0 ||
        this.#actors.some(({ name, fragile: { pending } }) => !this.#dead.has(name) && pending() > 0)
      still = busy ? 0 : still + 1
    }
  }

  /** Lets time pass, and everything happen that is due. */
  async pass(ms: number): Promise<void> {
    await this.quiet()
    for (let left = ms; ; ) {
      const { passed, called } = this.clock.next(left)
      left -= passed
      await this.quiet()
      if (!called) return
    }
  }

  /** The run as its log tells it. */
  async state(run: string): Promise<RunState> {
    const events = await this.store.events(run)
    const [first] = events
    assert.ok(first?.type === 'runCreated', `there is no run ${run}`)
    const dag = await this.store.dagByHash(first.dagHash)
    assert.ok(dag !== null)
    return replay(dag.dag, events)
  }

  async phase(run: string): Promise<string> {
    return (await this.state(run)).phase
  }

  async close(): Promise<void> {
    for (const { name, engine } of this.#actors) if (!this.#dead.has(name)) await engine.close()
    await this.store.close()
  }
}
