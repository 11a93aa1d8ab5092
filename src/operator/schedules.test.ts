import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aDag } from '../../test/model/dags.ts'
import { EngineWorld } from '../../test/model/engine-world.ts'
import { Scheduler } from '../engine/scheduler.ts'
import type { OperatorParts } from './parts.ts'
import { Schedules } from './schedules.ts'

/** Far more turns of promises than lie between the end of a batch and the rest after it. */
const TURNS = 30

test('a change that comes while a batch ends is not left behind', async t => {
  const world = await EngineWorld.open()
  t.after(() => world.close())
  const { engine, fragile } = await world.engine('engine')
  const scheduler = new Scheduler(engine, { workdir: null, nameOf: () => 'x' })
  // Of its parts it needs no others.
  const parts = { scheduler, store: fragile.store, clock: world.clock.for('schedules') }
  const schedules = new Schedules(parts as unknown as OperatorParts)
  const look = scheduler.look.bind(scheduler)
  for (let turn = 0; turn < TURNS; turn += 1) {
    const late = Promise.withResolvers<number>()
    let looks = 0
    const addLate = async (): Promise<void> => {
      for (let passed = 0; passed < turn; passed += 1) await Promise.resolve()
      late.resolve(await schedules.put(aDag({ name: `late-${turn}` }), 's', null))
    }
    scheduler.look = async () => {
      await look()
      looks += 1
      // The first look is before the batch; after the second one the batch is over.
      if (looks === 2) void addLate()
    }
    const first = schedules.put(aDag({ name: `first-${turn}` }), 's', null)
    await world.pass(1_000)
    assert.equal(await first, 1)
    const left = world.pass(1_000).then(() => 'left behind')
    assert.equal(await Promise.race([late.promise, left]), 1, `turn ${turn}`)
  }
  scheduler.look = look
  await scheduler.close()
})
