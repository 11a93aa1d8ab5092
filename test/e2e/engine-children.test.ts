import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Dag, Task } from '../../src/core/dag/dag.ts'
import { childRunId } from '../../src/core/run/child.ts'
import type { RunRequest } from '../../src/core/run/requests.ts'
import { dagHash } from '../../src/engine/dag-hash.ts'
import { aDag, aTask } from '../model/dags.ts'
import { EngineWorld } from '../model/engine-world.ts'
import { anOutcome, succeeded } from '../model/machine.ts'

const CANCEL: RunRequest = { kind: 'cancel', by: 'anna', skipFinally: false }
const CHILD = aDag({
  name: 'child',
  tasks: [aTask({ name: 'copy' })],
  finally: [aTask({ name: 'tidy' })],
})
const PARENT = aDag({
  name: 'parent',
  tasks: [runs('sub', 'child'), aTask({ name: 'z', runAfter: ['sub'] })],
})

function runs(name: string, dag: string, given: Partial<Task> = {}): Task {
  return aTask({ name, work: { kind: 'dag', dag, parameters: [] }, ...given })
}

async function world(t: TestContext): Promise<EngineWorld> {
  const made = await EngineWorld.open()
  t.after(() => made.close())
  await put(made, CHILD)
  return made
}

async function put(here: EngineWorld, dag: Dag): Promise<void> {
  await here.store.putDag(dag, dagHash(dag), null, here.clock.now())
}

async function childOf(here: EngineWorld, parent: string): Promise<string> {
  const [child] = (await here.store.runs({ parentRun: parent })).items
  assert.ok(child !== undefined, 'there is a child')
  return child.id
}

test('a child runs as a run of its own and ends its task', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const run = await here.submit(a, PARENT)
  await here.quiet()
  assert.equal(await here.phase(run), 'succeeded')
  assert.equal(await here.phase(await childOf(here, run)), 'succeeded')
  assert.equal(here.machine.started.length, 3)
})

test('a child that fails fails its task, and is retried as a new run', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = ({ task }) => (task === 'copy' ? anOutcome() : succeeded())
  const retry = { limit: 1, delayMs: 0, factor: 1, maxDelayMs: 0, jitter: 0, retryCodes: null }
  const run = await here.submit(a, aDag({ name: 'parent', tasks: [runs('sub', 'child', { retry })] }))
  await here.pass(1_000)
  assert.equal(await here.phase(run), 'failed')
  assert.equal((await here.store.runs({ parentRun: run })).items.length, 2)
})

test('cancelling the parent cancels the child, whose finally still runs', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = ({ task }) => (task === 'copy' ? 'runs' : succeeded())
  const run = await here.submit(a, PARENT)
  await here.quiet()
  const child = await childOf(here, run)
  assert.equal(await a.engine.request(run, CANCEL), null)
  await here.quiet()
  assert.equal(await here.phase(child), 'cancelled')
  assert.equal(await here.phase(run), 'cancelled')
  assert.deepEqual(here.machine.started, [`${child}/copy/1`, `${child}/tidy/1`])
})

test('Ctrl-C twice reaches the tasks of children', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'ignores TERM'
  const run = await here.submit(a, PARENT)
  await here.quiet()
  const child = await childOf(here, run)
  await a.engine.request(run, CANCEL)
  await here.quiet()
  assert.equal(await here.phase(child), 'running')
  await a.engine.request(run, { ...CANCEL, skipFinally: true })
  a.engine.hurry(run, 0)
  await here.quiet()
  assert.equal(await here.phase(child), 'cancelled')
  assert.equal(await here.phase(run), 'cancelled')
  assert.deepEqual(here.machine.started, [`${child}/copy/1`], 'and its finally does not run either')
})

test('parent and child of a killed engine go on in the next, the child adopted with its parent', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, PARENT)
  await here.quiet()
  const child = await childOf(here, run)
  a.kill()
  const b = await here.engine('b')
  await b.engine.adopt(run, 'a')
  await here.quiet()
  assert.equal((await here.store.run(child))?.owner, 'b')
  here.machine.script = () => succeeded()
  here.machine.end(`${child}/copy/1`)
  await here.quiet()
  assert.equal(await here.phase(run), 'succeeded')
  assert.equal(here.machine.started.length, 3)
})

test('a child that another engine drives is left to it, and its end is noticed', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, PARENT)
  await here.quiet()
  const child = await childOf(here, run)
  a.kill()
  const [b, c] = [await here.engine('b'), await here.engine('c')]
  await c.engine.adopt(child, 'a')
  await b.engine.adopt(run, 'a')
  await here.pass(200)
  assert.equal((await here.store.run(child))?.owner, 'c')
  here.machine.script = () => succeeded()
  here.machine.end(`${child}/copy/1`)
  await here.pass(300)
  assert.equal(await here.phase(run), 'succeeded')
})

test('a child whose engine dies while its parent lives elsewhere is taken over', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, PARENT)
  await here.quiet()
  const child = await childOf(here, run)
  a.kill()
  const [b, c] = [await here.engine('b'), await here.engine('c')]
  await c.engine.adopt(child, 'a')
  await b.engine.adopt(run, 'a')
  await here.pass(200)
  c.kill()
  here.machine.script = () => succeeded()
  here.machine.end(`${child}/copy/1`)
  await here.pass(6_000)
  assert.equal(await here.phase(run), 'succeeded')
})

test('a child that cannot be read does not keep the next one from being taken over', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, aDag({ name: 'parent', tasks: [runs('x', 'child'), runs('y', 'child')] }))
  await here.quiet()
  const [broken, sound] = [childRunId(run, 'x', 1), childRunId(run, 'y', 1)]
  a.kill()
  const [b, c] = [await here.engine('b'), await here.engine('c')]
  for (const child of [broken, sound]) await c.engine.adopt(child, 'a')
  await b.engine.adopt(run, 'a')
  await here.pass(200)
  c.kill()
  b.fragile.fault = (method, [child]) =>
    method === 'events' && child === broken ? new Error('unread') : null
  await here.pass(6_000)
  assert.equal((await here.store.run(sound))?.owner, 'b')
})

test('a parent that is read again while its child is being created has one child with one driver', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const b = await here.engine('b')
  here.machine.script = () => 'runs'
  const held = a.fragile.hold('dag', 'after')
  const submitted = here.submit(a, PARENT)
  await held.reached
  const run = await submitted
  // Both make the engine read the run again, and then start its attempts again.
  await b.engine.request(run, { kind: 'pause', by: 'anna' })
  await here.pass(200)
  await b.engine.request(run, { kind: 'resume', by: 'anna' })
  held.release()
  await here.pass(200)
  const child = await childOf(here, run)
  assert.equal((await here.store.runs({ parentRun: run })).items.length, 1)
  assert.ok(a.engine.stateOf(child) !== null, 'it is driven')
  here.machine.script = () => succeeded()
  here.machine.end(`${child}/copy/1`)
  await here.pass(200)
  assert.equal(await here.phase(run), 'succeeded')
})

test('a child whose parent is cancelled while it is being created never starts', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const held = a.fragile.hold('dag', 'after')
  const submitted = here.submit(a, PARENT)
  await held.reached
  const run = await submitted
  assert.equal(await a.engine.request(run, CANCEL), null)
  await here.quiet()
  held.release()
  await here.quiet()
  assert.equal(await here.phase(run), 'cancelled')
  assert.deepEqual((await here.store.runs({ parentRun: run })).items, [])
  assert.deepEqual(here.machine.started, [])
})

test('a full disk at the creation of a child costs the task nothing', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  let broken = true
  let refused = 0
  a.fragile.fault = (method, [append]) => {
    if (method !== 'append' || !broken) return null
    if (
      (append as { readonly rows: { readonly run: { parentRun: string | null } } }).rows.run.parentRun ===
      null
    )
      return null
    refused += 1
    return 'DISK_FULL'
  }
  const run = await here.submit(a, PARENT)
  await here.pass(10_000)
  assert.ok(refused > 3)
  broken = false
  await here.pass(2_000)
  const state = await here.state(run)
  assert.equal(state.phase, 'succeeded')
  assert.equal(state.tasks[0]?.attempts.length, 1)
})

test('the end of a child that could not be read is found later', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = ({ task }) => (task === 'copy' ? 'runs' : succeeded())
  const run = await here.submit(a, PARENT)
  await here.quiet()
  const child = await childOf(here, run)
  let broken = true
  a.fragile.fault = method => (broken && method === 'run' ? 'DATABASE_BUSY' : null)
  here.machine.end(`${child}/copy/1`)
  await here.pass(3_000)
  assert.equal(await here.phase(run), 'running')
  broken = false
  await here.pass(6_000)
  assert.equal(await here.phase(run), 'succeeded')
})

test('a child that was removed ends its task as lost rather than never', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  const run = await here.submit(
    a,
    aDag({ name: 'parent', tasks: [runs('sub', 'child', { onLost: 'fail' })] }),
  )
  await here.quiet()
  const child = await childOf(here, run)
  a.kill()
  const b = await here.engine('b')
  await b.engine.adopt(child, 'a')
  here.machine.script = () => succeeded()
  here.machine.end(`${child}/copy/1`)
  await here.quiet()
  assert.equal(await here.store.removeRun(child), true)
  const c = await here.engine('c')
  await c.engine.adopt(run, 'a')
  await here.pass(10_000)
  const state = await here.state(run)
  assert.equal(state.phase, 'failed')
  assert.equal(state.tasks[0]?.reason, 'LOST')
})

test('a DAG that runs itself ends, with the reason', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const run = await here.submit(a, aDag({ name: 'endless', tasks: [runs('again', 'endless')] }))
  await here.pass(1_000)
  const state = await here.state(run)
  assert.equal(state.phase, 'failed')
  assert.match(state.message, /nested 10 deep|did not succeed|run /)
})
