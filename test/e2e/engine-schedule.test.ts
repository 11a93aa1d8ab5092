import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Dag } from '../../src/core/dag/dag.ts'
import { dagHash } from '../../src/engine/dag-hash.ts'
import { Scheduler } from '../../src/engine/scheduler.ts'
import type { StoredRun } from '../../src/ports/store.ts'
import { aDag, aTask } from '../model/dags.ts'
import { type Actor, EngineWorld } from '../model/engine-world.ts'

const MINUTE = 60_000

function scheduled(given: Partial<Dag> = {}): Dag {
  return aDag({ name: 'tick', schedules: ['* * * * *'], tasks: [aTask({ name: 'a' })], ...given })
}

async function world(t: TestContext): Promise<EngineWorld> {
  const made = await EngineWorld.open()
  t.after(() => made.close())
  return made
}

/** As `dev` does it: the scheduler takes over the DAGs, which are stored on the way. */
async function schedulerOf(here: EngineWorld, actor: Actor, dags: readonly Dag[]): Promise<Scheduler> {
  const scheduler = new Scheduler(actor.engine, {
    workdir: null,
    nameOf: (dag, at) => `${dag.name}-${at}`,
  })
  const replaced = replace(here, actor, scheduler, dags)
  await here.quiet()
  await replaced
  await scheduler.look()
  return scheduler
}

async function replace(
  here: EngineWorld,
  actor: Actor,
  scheduler: Scheduler,
  dags: readonly Dag[],
): Promise<void> {
  await scheduler.replace(
    dags.map(dag => ({ dag, hash: dagHash(dag) })),
    async () => {
      for (const dag of dags) await actor.engine.parts.store.putDag(dag, dagHash(dag), null, here.clock.now())
    },
  )
}

async function ticks(here: EngineWorld): Promise<readonly number[]> {
  const { items } = await here.store.runs({ limit: 500 })
  return items.map(scheduledTime).toSorted((a, b) => a - b)
}

function scheduledTime({ trigger }: StoredRun): number {
  assert.ok(trigger.kind === 'schedule')
  return trigger.scheduledTime
}

function minutes(from: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => from + (index + 1) * MINUTE)
}

test('each tick gives one run', async t => {
  const here = await world(t)
  const start = here.clock.now()
  const a = await here.engine('a')
  const scheduler = await schedulerOf(here, a, [scheduled()])
  await here.pass(5 * MINUTE)
  assert.deepEqual(await ticks(here), minutes(start, 5))
  await scheduler.close()
  await a.engine.close()
  assert.equal(here.clock.armed, 0)
})

test('two engines over the same DAGs give one run a tick, and no trouble', async t => {
  const here = await world(t)
  const start = here.clock.now()
  const actors = [await here.engine('a'), await here.engine('b')]
  for (const actor of actors) await schedulerOf(here, actor, [scheduled()])
  await here.pass(10 * MINUTE)
  assert.deepEqual(await ticks(here), minutes(start, 10))
  assert.deepEqual(
    actors.flatMap(({ troubles }) => troubles),
    [],
  )
  assert.deepEqual(await here.store.skips('default', 'tick', 10), [])
})

test('engines that are killed and replaced at any time leave one run a tick', async t => {
  const here = await world(t)
  const start = here.clock.now()
  for (let life = 0; life < 12; life += 1) {
    const actor = await here.engine(`e${life}`)
    const scheduler = await schedulerOf(here, actor, [scheduled({ catchUp: 'all' })])
    for (const run of await here.store.unsettled()) await actor.engine.adopt(run.id, run.owner)
    // Each life ends at another place: before or after one of the writes of a tick.
    const method = (['append', 'advance', 'highWater', 'runs'] as const)[life % 4] ?? 'append'
    const held = actor.fragile.hold(method, life % 3 === 0 ? 'after' : 'before')
    await here.pass(90_000)
    await Promise.race([held.reached, here.quiet()])
    actor.kill()
    void scheduler
  }
  const last = await here.engine('last')
  await schedulerOf(here, last, [scheduled({ catchUp: 'all' })])
  for (const run of await here.store.unsettled()) await last.engine.adopt(run.id, run.owner)
  await here.pass(MINUTE)
  const expected = minutes(start, Math.floor((here.clock.now() - start) / MINUTE))
  assert.deepEqual(await ticks(here), expected)
  assert.deepEqual(await here.store.unsettled(), [])
})

test('Forbid: a tick is skipped while a run is open, and the skip is recorded', async t => {
  const here = await world(t)
  const start = here.clock.now()
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  await schedulerOf(here, a, [scheduled({ concurrencyPolicy: 'Forbid' })])
  await here.pass(3 * MINUTE)
  assert.deepEqual(await ticks(here), [start + MINUTE])
  const skips = await here.store.skips('default', 'tick', 10)
  assert.deepEqual([...new Set(skips.map(({ reason }) => reason))], ['CONCURRENCY_FORBID'])
  assert.equal(
    skips.reduce((sum, { count }) => sum + count, 0),
    2,
  )
  here.machine.end(here.machine.running()[0] ?? '')
  await here.pass(MINUTE)
  assert.deepEqual(await ticks(here), [start + MINUTE, start + 4 * MINUTE])
})

test('Replace: the run before is cancelled, the new one starts', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  await schedulerOf(here, a, [scheduled({ concurrencyPolicy: 'Replace' })])
  await here.pass(3 * MINUTE)
  const { items } = await here.store.runs({})
  assert.deepEqual(
    items.map(({ phase, reason }) => `${phase} ${reason ?? ''}`.trim()),
    ['running', 'cancelled REPLACED', 'cancelled REPLACED'],
  )
})

test('Queue: one run at a time, in the order of the ticks', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  await schedulerOf(here, a, [scheduled({ concurrencyPolicy: 'Queue' })])
  await here.pass(3 * MINUTE)
  const phases = async (): Promise<readonly string[]> =>
    (await here.store.runs({})).items
      .toSorted((one, other) => scheduledTime(one) - scheduledTime(other))
      .map(({ phase }) => phase)
  assert.deepEqual(await phases(), ['running', 'queued', 'queued'])
  here.machine.end(here.machine.running()[0] ?? '')
  await here.pass(MINUTE)
  assert.deepEqual(await phases(), ['succeeded', 'running', 'queued', 'queued'])
  assert.equal(here.machine.running().length, 1)
})

test('Queue: runs of a DAG that nobody looks after any more still get their turn', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  const scheduler = await schedulerOf(here, a, [scheduled({ concurrencyPolicy: 'Queue' })])
  await here.pass(2 * MINUTE)
  await replace(here, a, scheduler, [])
  here.machine.end(here.machine.running()[0] ?? '')
  await here.pass(MINUTE)
  const { items } = await here.store.runs({})
  const phases = items
    .toSorted((one, other) => scheduledTime(one) - scheduledTime(other))
    .map(({ phase }) => phase)
  assert.deepEqual(phases, ['succeeded', 'running'])
})

test('a run and the mark of its tick are one: what fails leaves neither', async t => {
  const here = await world(t)
  const start = here.clock.now()
  const a = await here.engine('a')
  await schedulerOf(here, a, [scheduled()])
  let broken = true
  a.fragile.fault = (method, [append]) =>
    broken && method === 'append' && (append as { readonly version: number }).version === 0
      ? 'DISK_FULL'
      : null
  await here.pass(90_000)
  assert.deepEqual(await ticks(here), [])
  broken = false
  await here.pass(5_000)
  assert.deepEqual(await ticks(here), [start + MINUTE])
})

test('a commit whose acknowledgement is lost still gives one run', async t => {
  const here = await world(t)
  const start = here.clock.now()
  const a = await here.engine('a')
  await schedulerOf(here, a, [scheduled()])
  let once = true
  a.fragile.fault = (method, [append]) => {
    if (!once || method !== 'append' || (append as { readonly version: number }).version !== 0) return null
    once = false
    return { afterwards: 'DATABASE_UNAVAILABLE' }
  }
  await here.pass(90_000)
  assert.deepEqual(await ticks(here), [start + MINUTE])
  assert.deepEqual(await here.store.unsettled(), [], 'and it is driven to its end')
})

test('a clock that is set back starts no tick twice; set forward, it is as after a sleep', async t => {
  const here = await world(t)
  const start = here.clock.now()
  const a = await here.engine('a')
  await schedulerOf(here, a, [scheduled()])
  await here.pass(2 * MINUTE)
  here.clock.jump(-10 * MINUTE)
  await here.pass(9 * MINUTE)
  assert.deepEqual(await ticks(here), minutes(start, 2))
  await here.pass(2 * MINUTE)
  assert.deepEqual(await ticks(here), minutes(start, 3))
  here.clock.jump(60 * MINUTE)
  await here.pass(MINUTE)
  const all = await ticks(here)
  assert.equal(new Set(all).size, all.length)
  const skipped = (await here.store.skips('default', 'tick', 10)).reduce((sum, { count }) => sum + count, 0)
  assert.equal(all.length + skipped, Math.floor((here.clock.now() - start) / MINUTE))
})

test('ticks that were due before a schedule changed run the version that was in force', async t => {
  const here = await world(t)
  const old = scheduled({ labels: { version: 'old' } })
  const a = await here.engine('a')
  await schedulerOf(here, a, [old])
  await here.pass(MINUTE)
  a.kill()
  await here.pass(5 * MINUTE)
  const b = await here.engine('b')
  await schedulerOf(here, b, [scheduled({ schedules: ['0 0 * * *'], labels: { version: 'new' } })])
  await here.pass(MINUTE)
  const { items } = await here.store.runs({})
  assert.equal(items.length, 2)
  for (const { id, labels } of items) {
    assert.equal(labels['version'], 'old')
    assert.equal(await here.phase(id), 'succeeded')
  }
})

test('no run is of a version that is not in the store yet', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const scheduler = await schedulerOf(here, a, [scheduled({ labels: { version: 'old' } })])
  const held = a.fragile.hold('putDag', 'before')
  const replaced = replace(here, a, scheduler, [scheduled({ labels: { version: 'new' } })])
  await held.reached
  await here.pass(90_000)
  held.release()
  await replaced
  await here.pass(MINUTE)
  const { items } = await here.store.runs({})
  assert.deepEqual(new Set(items.map(({ labels }) => labels['version'])), new Set(['new', 'old']))
  for (const { id } of items) assert.equal(await here.phase(id), 'succeeded')
})
