import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chance } from '../../src/core/chance.ts'
import type { Dag } from '../../src/core/dag/dag.ts'
import { replay } from '../../src/core/run/evolve.ts'
import type { RunRequest } from '../../src/core/run/requests.ts'
import { isTerminal } from '../../src/core/run/state.ts'
import { takeChangedRows } from '../../src/core/run/to-rows.ts'
import { dagHash } from '../../src/engine/dag-hash.ts'
import { StoreError, type StoreErrorCode } from '../../src/ports/store.ts'
import { aDag, aTask } from '../model/dags.ts'
import { type Actor, EngineWorld } from '../model/engine-world.ts'
import { anOutcome, succeeded } from '../model/machine.ts'

/**
 * Engines that are killed, closed, refused by the store and asked for things at random; then the faults stop, and
 * everything must come to its end. `KONTROLER_SEEDS=1000` for more, `KONTROLER_SEED` for one of them.
 */
const SEEDS = Number(process.env['KONTROLER_SEEDS'] ?? 60)
const ONLY = process.env['KONTROLER_SEED']
const STEPS = 60
const RUNS_MAX = 6
const ROUNDS_TO_END_MAX = 60

const RETRY = { limit: 2, delayMs: 500, factor: 2, maxDelayMs: 60_000, jitter: 0.5, retryCodes: null }
const CHILD = aDag({
  name: 'child',
  tasks: [aTask({ name: 'work', retry: RETRY })],
  finally: [aTask({ name: 'tidy' })],
})
const DAGS: readonly Dag[] = [
  aDag({
    name: 'graph',
    tasks: [
      aTask({ name: 'a' }),
      aTask({ name: 'b', runAfter: ['a'], retry: RETRY }),
      aTask({ name: 'c', runAfter: ['a'], timeoutMs: 20_000 }),
      aTask({ name: 'd', runAfter: ['b', 'c'], triggerRule: 'allDone' }),
    ],
    finally: [aTask({ name: 'last' })],
  }),
  aDag({
    name: 'locks',
    tasks: [
      aTask({
        name: 'locked',
        pool: 'lock',
        fanOut: { over: { kind: 'list', items: [1, 2, 3] }, maxParallel: 2 },
      }),
      aTask({ name: 'locked-too', pool: 'lock' }),
      aTask({ name: 'free' }),
    ],
  }),
  aDag({
    name: 'parent',
    timeoutMs: 3_000_000,
    tasks: [
      aTask({
        name: 'subs',
        work: { kind: 'dag', dag: 'child', parameters: [] },
        fanOut: { over: { kind: 'list', items: ['x', 'y'] }, maxParallel: null },
      }),
      aTask({ name: 'after', runAfter: ['subs'], pool: 'lock' }),
    ],
  }),
]
const CODES: readonly StoreErrorCode[] = ['DISK_FULL', 'DATABASE_BUSY', 'DATABASE_UNAVAILABLE', 'READ_ONLY']

const seeds = ONLY === undefined ? Array.from({ length: SEEDS }, (_, seed) => String(seed)) : [ONLY]

test(`${seeds.length} worlds of engines in trouble: whatever was taken on comes to its end, once`, async t => {
  const figures = { runs: 0, kills: 0, faults: 0, attempts: 0 }
  for (const seed of seeds) {
    const chaos = new Chaos(seed, await EngineWorld.open())
    try {
      await chaos.trouble()
      await chaos.peace()
      await chaos.check()
    } catch (error) {
      throw new Error(`seed ${seed} (KONTROLER_SEED=${seed}):\n${chaos.story.slice(-25).join('\n')}`, {
        cause: error,
      })
    }
    for (const [name, count] of Object.entries(chaos.figures)) figures[name as keyof typeof figures] += count
  }
  t.diagnostic(JSON.stringify(figures))
})

class Chaos {
  readonly story: string[] = []
  readonly figures = { runs: 0, kills: 0, faults: 0, attempts: 0 }
  readonly #seed: string
  readonly #world: EngineWorld
  readonly #runs: string[] = []
  readonly #asked: Promise<unknown>[] = []
  #live: Actor[] = []
  #draws = 0
  #names = 0
  #faultShare = 0

  constructor(seed: string, world: EngineWorld) {
    this.#seed = seed
    this.#world = world
  }

  async trouble(): Promise<void> {
    const { machine, store, clock } = this.#world
    machine.script = ({ task }) => {
      const draw = this.#draw()
      if (draw < 0.3) return succeeded()
      return draw < 0.4 && task !== 'a' ? anOutcome() : draw < 0.5 ? 'ignores TERM' : 'runs'
    }
    for (const dag of [CHILD, ...DAGS]) await store.putDag(dag, dagHash(dag), null, clock.now())
    await this.#engine()
    await this.#engine()
    for (let step = 0; step < STEPS; step += 1) {
      await this.#step()
      this.#checkLock()
    }
  }

  /** No more faults; engines look after what is left, as a standing one does, and tasks end. */
  async peace(): Promise<void> {
    this.story.push('peace')
    const { machine, store } = this.#world
    this.#faultShare = 0
    machine.script = () => succeeded()
    machine.adoptFailures.length = 0
    if (this.#live.length === 0) await this.#engine()
    for (let round = 0; round < ROUNDS_TO_END_MAX; round += 1) {
      // A deadline that was set before the clock was set back may be far away.
      if (round > 10) this.#world.clock.jump(600_000)
      await this.#world.pass(6_000)
      await this.#adoptLeft()
      for (const run of await store.unsettled()) {
        if (run.phase === 'paused') this.#ask(run.id, { kind: 'resume', by: 'anna' })
      }
      for (const key of machine.running()) machine.end(key)
      this.#checkLock()
      if ((await store.unsettled()).length === 0) break
    }
    await this.#world.pass(6_000)
  }

  async check(): Promise<void> {
    const { machine, store } = this.#world
    const left = (await store.unsettled()).map(
      ({ id, dag, phase, owner }) => `${dag} ${id} ${phase} of ${owner ?? 'nobody'}`,
    )
    assert.deepEqual(left, [], 'everything has settled')
    for (const { engine } of this.#live) assert.deepEqual(engine.driving(), [])
    assert.equal(await settled(this.#asked), true, 'every request was answered')
    const recorded = new Set<string>()
    const all = (await store.runs({ limit: 500 })).items
    for (const run of all) {
      const events = await store.events(run.id)
      const dag = await store.dagByHash(run.dagHash)
      assert.ok(dag !== null)
      const state = replay(dag.dag, events)
      const rows = takeChangedRows(state)
      const { version, owner: _, ...stored } = run
      assert.deepEqual(stored, rows.run)
      assert.equal(version, events.length)
      assert.deepEqual(
        (await store.tasks({ run: run.id })).items,
        rows.tasks.toSorted((a, b) => a.index - b.index),
      )
      assert.ok(isTerminal(state.phase))
      for (const { task, attempt, outcome } of await store.attempts(run.id)) {
        const key = `${run.id}/${task}/${attempt}`
        recorded.add(key)
        if (outcome === 'succeeded' && machine.started.includes(key)) {
          assert.equal(machine.outcomeOf(key)?.kind, 'succeeded', `${key} did succeed`)
        }
      }
    }
    for (const key of machine.started) assert.ok(recorded.has(key), `${key} ran and is recorded`)
    assert.equal(new Set(machine.started).size, machine.started.length, 'nothing was started twice')
    this.figures.runs = all.length
    this.figures.attempts = machine.started.length
    await this.#world.close()
    assert.equal(this.#world.clock.armed, 0, 'no timer is left')
  }

  async #step(): Promise<void> {
    const draw = this.#draw()
    if (draw < 0.14) return await this.#submit()
    if (draw < 0.24) return this.#askSomething()
    if (draw < 0.3) return await this.#loseEngine()
    if (draw < 0.34) return await this.#adoptLeft()
    if (draw < 0.42) {
      this.#faultShare = this.#faultShare > 0 ? 0 : 0.05 + this.#draw() * 0.5
      this.story.push(`faults ${this.#faultShare.toFixed(2)}`)
      return
    }
    if (draw < 0.45) {
      this.#world.machine.adoptFailures.push(new Error('EMFILE'))
      return
    }
    if (draw < 0.48) {
      const by = Math.round((this.#draw() - 0.5) * 7_200_000)
      this.story.push(`clock ${by}`)
      this.#world.clock.jump(by)
      return
    }
    if (draw < 0.75) return this.#endSomething()
    const ms = Math.round(this.#draw() ** 3 * 10_000)
    this.story.push(`pass ${ms}`)
    await this.#world.pass(ms)
  }

  async #submit(): Promise<void> {
    if (this.#runs.length >= RUNS_MAX || this.#live.length === 0) return
    const dag = this.#pick(DAGS)
    const actor = this.#pick(this.#live)
    const run = this.#world.id()
    this.story.push(`submit ${dag.name} ${run} to ${actor.name}`)
    this.#runs.push(run)
    this.#asked.push(
      actor.engine.submit(dag, this.#world.creation(dag, { run })).catch((error: unknown) => {
        if (!(error instanceof StoreError)) throw error
      }),
    )
    if (this.#draw() < 0.5) await this.#world.quiet()
  }

  #askSomething(): void {
    if (this.#runs.length === 0) return
    const draw = this.#draw()
    const by = 'anna'
    const request: RunRequest =
      draw < 0.2
        ? { kind: 'cancel', by, skipFinally: draw < 0.05 }
        : draw < 0.5
          ? { kind: 'pause', by }
          : { kind: 'resume', by }
    this.#ask(this.#pick(this.#runs), request)
  }

  #ask(run: string, request: RunRequest): void {
    if (this.#live.length === 0) return
    const actor = this.#pick(this.#live)
    this.story.push(`${request.kind} ${run} by ${actor.name}`)
    this.#asked.push(
      actor.engine.request(run, request).catch((error: unknown) => {
        if (!(error instanceof StoreError)) throw error
      }),
    )
  }

  async #loseEngine(): Promise<void> {
    if (this.#live.length === 0) return
    const actor = this.#pick(this.#live)
    this.#live = this.#live.filter(other => other !== actor)
    const kill = this.#draw() < 0.7
    this.story.push(`${kill ? 'kill' : 'close'} ${actor.name}`)
    this.figures.kills += 1
    if (kill) {
      actor.kill()
      // What was asked of it is not heard of again.
      this.#asked.length = 0
    } else await actor.engine.close()
    await this.#engine()
  }

  async #engine(): Promise<void> {
    this.#names += 1
    const faults = this.#faultShare
    this.#faultShare = 0
    const actor = await this.#world.engine(`e${this.#names}`, { maxParallel: 3 })
    this.#faultShare = faults
    actor.fragile.fault = () => {
      if (this.#draw() >= this.#faultShare) return null
      this.figures.faults += 1
      const code = this.#pick(CODES)
      return this.#draw() < 0.3 ? { afterwards: 'DATABASE_UNAVAILABLE' } : code
    }
    this.#live.push(actor)
  }

  /** As `dev` does it: runs whose owner is dead are taken over. */
  async #adoptLeft(): Promise<void> {
    if (this.#live.length === 0) return
    const names = new Set(this.#live.map(({ name }) => name))
    const left = await this.#world.store.unsettled()
    for (const { id, owner } of left) {
      if (owner !== null && names.has(owner)) continue
      const actor = this.#pick(this.#live)
      this.story.push(`adopt ${id} from ${owner ?? 'nobody'} by ${actor.name}`)
      await actor.engine.adopt(id, owner).catch((error: unknown) => {
        if (!(error instanceof StoreError)) throw error
      })
    }
  }

  #endSomething(): void {
    const running = this.#world.machine.running()
    if (running.length === 0) return
    const key = this.#pick(running)
    const well = this.#draw() < 0.7
    this.story.push(`${key} ${well ? 'succeeds' : 'fails'}`)
    this.#world.machine.end(key, well ? succeeded() : anOutcome())
  }

  #checkLock(): void {
    const holders = this.#world.machine.running().filter(key => /\/(locked|after)/.test(key))
    assert.ok(holders.length <= 1, `the lock is held by ${holders.join(' and ')}`)
  }

  #draw(): number {
    this.#draws += 1
    return chance(`${this.#seed} ${this.#draws}`)
  }

  #pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.#draw() * items.length)]
    assert.ok(item !== undefined)
    return item
  }
}

async function settled(promises: readonly Promise<unknown>[]): Promise<boolean> {
  const all = Promise.allSettled(promises).then(() => true)
  return await Promise.race([all, new Promise<boolean>(resolve => setTimeout(() => resolve(false), 2_000))])
}
