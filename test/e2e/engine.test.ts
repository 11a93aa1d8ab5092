import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { ExpressionLanguage } from '../../src/core/run/inputs.ts'
import type { RunRequest } from '../../src/core/run/requests.ts'
import { aDag, aTask } from '../model/dags.ts'
import { EngineWorld } from '../model/engine-world.ts'
import { anOutcome, succeeded } from '../model/machine.ts'

const CANCEL: RunRequest = { kind: 'cancel', by: 'anna', skipFinally: false }
const ONE = aDag({ name: 'one', tasks: [aTask({ name: 'a' })] })
const CHAIN = aDag({
  name: 'chain',
  tasks: [aTask({ name: 'a' }), aTask({ name: 'b', runAfter: ['a'] }), aTask({ name: 'c', runAfter: ['b'] })],
})

async function world(t: TestContext): Promise<EngineWorld> {
  const made = await EngineWorld.open()
  t.after(() => made.close())
  return made
}

test('a run goes to its end, each attempt started once, and nothing stays behind', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const run = await here.submit(a, CHAIN)
  await here.quiet()
  assert.equal(await here.phase(run), 'succeeded')
  assert.deepEqual(here.machine.started, [`${run}/a/1`, `${run}/b/1`, `${run}/c/1`])
  assert.deepEqual(here.machine.runsEnded, [run])
  assert.deepEqual(a.engine.driving(), [])
  assert.deepEqual(a.troubles, [])
  await a.engine.close()
  assert.equal(here.clock.armed, 0, 'a closed engine keeps no timer')
  assert.deepEqual(await here.store.engines(), [])
})

test('nothing is meant to start before the executor is prepared for it; other namespaces do not wait', async t => {
  const here = await world(t)
  const { promise, resolve } = Promise.withResolvers<void>()
  let isPrepared = false
  here.machine.preparing = namespace => (namespace === 'slow' && !isPrepared ? promise : null)
  const a = await here.engine('a')
  const slow = await here.submit(a, aDag({ name: 'one', namespace: 'slow', tasks: [aTask({ name: 'a' })] }))
  const other = await here.submit(a, CHAIN)
  await here.pass(1_000)
  assert.equal(await here.phase(other), 'succeeded')
  assert.deepEqual(await here.store.attempts(slow), [])
  isPrepared = true
  resolve()
  await here.pass(1_000)
  assert.equal(await here.phase(slow), 'succeeded')
})

test('many runs leave nothing in memory', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  for (let count = 0; count < 50; count += 1) await here.submit(a, CHAIN)
  await here.pass(20_000)
  assert.deepEqual(a.engine.driving(), [])
  assert.equal(here.clock.armed, 1, 'only the look at the feed')
})

test('an engine that was overtaken by a request loads again and obeys it', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const b = await here.engine('b')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, CHAIN)
  await here.quiet()
  const held = a.fragile.hold('append', 'before')
  here.machine.end(`${run}/a/1`)
  await held.reached
  assert.equal(await b.engine.request(run, CANCEL), null)
  held.release()
  await here.quiet()
  assert.equal(await here.phase(run), 'cancelled')
  assert.deepEqual(here.machine.started, [`${run}/a/1`])
})

test('a notice that comes while a write is under way is not lost', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const b = await here.engine('b')
  here.machine.script = () => 'runs'
  const first = a.fragile.hold('append', 'after')
  const submitted = here.submit(a, ONE)
  await first.reached
  const held = a.fragile.hold('append', 'after')
  first.release()
  const run = await submitted
  // That the task runs is the last that this engine has to write for a long time.
  await held.reached
  assert.equal(await b.engine.request(run, { kind: 'pause', by: 'anna' }), null)
  await here.pass(200)
  held.release()
  await here.pass(200)
  assert.equal(a.engine.stateOf(run)?.paused, true)
})

test('a slot that becomes free is given to the next run at once', async t => {
  const here = await world(t)
  const a = await here.engine('a', { maxParallel: 1 })
  here.machine.script = () => 'runs'
  const runs = [await here.submit(a, ONE), await here.submit(a, ONE), await here.submit(a, ONE)]
  for (const run of runs) {
    await here.quiet()
    assert.deepEqual(here.machine.running(), [`${run}/a/1`])
    here.machine.end(`${run}/a/1`)
  }
})

test('a notice that could not be read is read again', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const b = await here.engine('b')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, ONE)
  await here.pass(200)
  let failures = 3
  a.fragile.fault = method => {
    if (method !== 'feed' || failures === 0) return null
    failures -= 1
    return 'DATABASE_BUSY'
  }
  await b.engine.request(run, CANCEL)
  await here.pass(1_000)
  assert.equal(await here.phase(run), 'cancelled')
})

test('a lock that is a pool is held by one attempt, whichever engine asks', async t => {
  const here = await world(t)
  const engines = [await here.engine('a'), await here.engine('b'), await here.engine('c')]
  const locked = aDag({
    name: 'locked',
    pool: 'lock',
    tasks: ['a', 'b', 'c'].map(name => aTask({ name })),
  })
  here.machine.script = () => 'runs'
  const runs = await Promise.all(engines.map(engine => here.submit(engine, locked)))
  for (let round = 0; round < 9; round += 1) {
    await here.pass(300)
    const running = here.machine.running()
    assert.equal(running.length, 1, `round ${round}: ${running.join(', ')}`)
    here.machine.end(running[0] ?? '')
  }
  await here.pass(300)
  for (const run of runs) assert.equal(await here.phase(run), 'succeeded')
  assert.equal(new Set(here.machine.started).size, 9)
})

test('pools that cannot be counted now cost nothing that was decided', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const failing = new Set<string>(['poolUse'])
  a.fragile.fault = method => (failing.has(method) ? 'DATABASE_BUSY' : null)
  const mixed = aDag({
    name: 'mixed',
    tasks: [aTask({ name: 'a' }), aTask({ name: 'p', pool: 'lock' })],
  })
  const run = await here.submit(a, mixed)
  await here.pass(500)
  assert.deepEqual(here.machine.started, [`${run}/a/1`])
  assert.equal(await a.engine.request(run, { kind: 'pause', by: 'anna' }), null)
  assert.equal(await a.engine.request(run, { kind: 'resume', by: 'anna' }), null)
  failing.clear()
  await here.pass(2_000)
  assert.equal(await here.phase(run), 'succeeded')
})

for (const code of ['DISK_FULL', 'READ_ONLY', 'DATABASE_BUSY', 'DATABASE_UNAVAILABLE'] as const) {
  test(`${code} for a while: tasks keep running, nothing is lost, it is told once, and the run goes on`, async t => {
    const here = await world(t)
    const a = await here.engine('a')
    here.machine.script = () => 'runs'
    const run = await here.submit(a, CHAIN)
    await here.quiet()
    let broken = true
    a.fragile.fault = method => (broken && ['append', 'beat'].includes(method) ? code : null)
    here.machine.end(`${run}/a/1`)
    const asked = a.engine.request(run, { kind: 'pause', by: 'anna' })
    await here.pass(20_000)
    assert.deepEqual(here.machine.started, [`${run}/a/1`])
    assert.deepEqual(a.troubles.toSorted(), [code, code], 'once for the run, once for the heartbeat')
    broken = false
    await here.pass(2_000)
    assert.equal(await asked, null)
    assert.equal((await here.state(run)).paused, true)
    await a.engine.request(run, { kind: 'resume', by: 'anna' })
    here.machine.script = () => succeeded()
    await here.pass(100)
    here.machine.end(`${run}/b/1`)
    await here.pass(2_000)
    assert.equal(await here.phase(run), 'succeeded')
    assert.deepEqual(here.machine.started, [`${run}/a/1`, `${run}/b/1`, `${run}/c/1`])
  })
}

test('a commit whose acknowledgement is lost is not written twice', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  let lost = 0
  a.fragile.fault = (method, [append]) => {
    if (method !== 'append' || isFirst(append) || lost > 5) return null
    lost += 1
    return { afterwards: 'DATABASE_UNAVAILABLE' }
  }
  const run = await here.submit(a, CHAIN)
  await here.pass(20_000)
  assert.equal(await here.phase(run), 'succeeded')
  assert.ok(lost >= 3)
  assert.deepEqual(here.machine.started, [`${run}/a/1`, `${run}/b/1`, `${run}/c/1`])
})

test('a submission that the store refuses is told to who asked, and leaves nothing behind', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  a.fragile.fault = method => (method === 'append' ? 'DISK_FULL' : null)
  await assert.rejects(here.submit(a, ONE), { code: 'DISK_FULL' })
  assert.deepEqual(a.engine.driving(), [])
})

test('what is seen twice, late, or of somebody unknown changes nothing', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = ({ task }) => (task === 'b' ? 'runs' : succeeded())
  const run = await here.submit(a, CHAIN)
  await here.quiet()
  const before = (await here.state(run)).version
  const at = here.clock.now()
  const refs = [
    { run, task: 'a', attempt: 1 },
    { run, task: 'b', attempt: 2 },
    { run, task: 'nobody', attempt: 1 },
    { run: 'nobody', task: 'a', attempt: 1 },
  ]
  for (const ref of refs) {
    a.engine.observe({ kind: 'running', ref, at, handle: 1 })
    a.engine.observe({ kind: 'ended', ref, at, outcome: anOutcome() })
  }
  await here.quiet()
  assert.equal((await here.state(run)).version, before)
  here.machine.end(`${run}/b/1`)
  await here.quiet()
  assert.equal(await here.phase(run), 'succeeded')
})

test('closing in the middle of a write loses nothing; the next engine goes on', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, CHAIN)
  await here.quiet()
  const held = a.fragile.hold('append', 'before')
  here.machine.end(`${run}/a/1`)
  await held.reached
  const asked = a.engine.request(run, { kind: 'pause', by: 'anna' })
  const closing = a.engine.close()
  held.release()
  await closing
  assert.equal(await asked, null, 'what was asked of a closing engine is written all the same')
  assert.equal((await here.store.run(run))?.owner, null)
  assert.equal(here.clock.armed, 0)
  const b = await here.engine('b')
  assert.equal(await b.engine.adopt(run, null), true)
  here.machine.script = () => succeeded()
  assert.equal(await b.engine.request(run, { kind: 'resume', by: 'anna' }), null)
  await here.pass(100)
  for (const key of here.machine.running()) here.machine.end(key)
  await here.pass(100)
  assert.equal(await here.phase(run), 'succeeded')
  assert.deepEqual(here.machine.started, [`${run}/a/1`, `${run}/b/1`, `${run}/c/1`])
})

test('a closed engine takes no new run, and passes requests on to the store', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, ONE)
  await a.engine.close()
  await assert.rejects(here.submit(a, ONE), { code: 'DATABASE_UNAVAILABLE' })
  assert.equal(await a.engine.request(run, CANCEL), null)
  assert.equal(await a.engine.adopt(run, null), false)
  assert.equal((await here.store.run(run))?.owner, null)
})

test('a killed engine is followed by another: what had started is not started again', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, CHAIN)
  await here.quiet()
  a.kill()
  here.machine.end(`${run}/a/1`)
  const b = await here.engine('b')
  assert.equal(await b.engine.adopt(run, 'a'), true)
  here.machine.script = () => succeeded()
  await here.quiet()
  assert.equal(await here.phase(run), 'succeeded')
  assert.deepEqual(here.machine.started, [`${run}/a/1`, `${run}/b/1`, `${run}/c/1`])
})

test('adopted twice at once in one engine, a run has one driver', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, CHAIN)
  await here.quiet()
  a.kill()
  const b = await here.engine('b')
  assert.deepEqual(await Promise.all([b.engine.adopt(run, 'a'), b.engine.adopt(run, 'a')]), [true, true])
  assert.equal(b.engine.driving().length, 1)
  here.machine.script = () => succeeded()
  here.machine.end(`${run}/a/1`)
  await here.quiet()
  assert.equal(await here.phase(run), 'succeeded')
})

test('adopted by two engines at once, a run has one driver', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, CHAIN)
  await here.quiet()
  a.kill()
  const [b, c] = [await here.engine('b'), await here.engine('c')]
  const taken = await Promise.all([b.engine.adopt(run, 'a'), c.engine.adopt(run, 'a')])
  assert.deepEqual(taken.filter(Boolean), [true])
  assert.equal(b.engine.driving().length + c.engine.driving().length, 1)
})

test('an adoption that cannot read the run lets go of it again', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, ONE)
  a.kill()
  const b = await here.engine('b')
  b.fragile.fault = method => (method === 'events' ? 'DATABASE_BUSY' : null)
  await assert.rejects(b.engine.adopt(run, 'a'), { code: 'DATABASE_BUSY' })
  assert.equal((await here.store.run(run))?.owner, null)
  b.fragile.fault = () => null
  assert.equal(await b.engine.adopt(run, null), true)
})

test('an engine that lost its run to another stops driving it and says so', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const b = await here.engine('b')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, CHAIN)
  await here.quiet()
  assert.equal(await b.engine.adopt(run, 'a'), true)
  here.machine.script = () => succeeded()
  here.machine.end(`${run}/a/1`)
  await here.pass(500)
  assert.equal(await here.phase(run), 'succeeded')
  assert.deepEqual(a.engine.driving(), [])
  assert.equal(here.machine.started.length, 3)
})

test('a run that is owned but, after some failure, not driven is found by the sweep', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const b = await here.engine('b')
  here.machine.script = () => 'runs'
  const run = await here.submit(b, ONE)
  await here.quiet()
  await here.store.claim(run, 'b', 'a')
  b.kill()
  await here.pass(6_000)
  assert.equal(a.engine.stateOf(run)?.phase, 'running')
})

test('a request to a run that nobody drives is written, and waits in the log', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const b = await here.engine('b')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, ONE)
  await here.quiet()
  a.kill()
  assert.equal(await b.engine.request(run, CANCEL), null)
  assert.equal((await b.engine.request('no-such-run', CANCEL))?.code, 'UNKNOWN_RUN')
  await b.engine.adopt(run, 'a')
  await here.quiet()
  assert.equal(await here.phase(run), 'cancelled')
})

test('a request that comes as the run ends is answered', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, ONE)
  await here.quiet()
  const last = a.fragile.hold('append', 'after')
  here.machine.end(`${run}/a/1`)
  await last.reached
  const held = a.fragile.hold('append', 'after')
  last.release()
  await held.reached
  const asked = a.engine.request(run, CANCEL)
  held.release()
  assert.equal((await asked)?.code, 'RUN_FINISHED')
})

test('a run ends only when what it left behind is gone, also when its engine is killed in between', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const tidying = Promise.withResolvers<void>()
  here.machine.tidying = tidying.promise
  const run = await here.submit(a, ONE)
  await here.quiet()
  assert.equal(await here.phase(run), 'running')
  assert.deepEqual(here.machine.runsEnded, [])
  a.kill()
  here.machine.tidying = Promise.resolve()
  const b = await here.engine('b')
  assert.equal(await b.engine.adopt(run, 'a'), true)
  await here.quiet()
  assert.deepEqual(here.machine.runsEnded, [run])
  assert.equal(await here.phase(run), 'succeeded')
  tidying.resolve()
})

test('a request that comes while the end is tidied is heeded', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const b = await here.engine('b')
  const tidying = Promise.withResolvers<void>()
  here.machine.tidying = tidying.promise
  const run = await here.submit(a, ONE)
  await here.quiet()
  assert.equal(await b.engine.request(run, CANCEL), null)
  await here.pass(200)
  tidying.resolve()
  await here.quiet()
  assert.equal(await here.phase(run), 'cancelled')
})

test('a request of another process that meets the end of the run is told that it has ended', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const b = await here.engine('b')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, ONE)
  await here.quiet()
  const held = b.fragile.hold('append', 'before')
  const asked = b.engine.request(run, CANCEL)
  await held.reached
  here.machine.end(`${run}/a/1`)
  await here.quiet()
  held.release()
  assert.equal((await asked)?.code, 'RUN_FINISHED')
})

test('a failing notice to the outside does not hold up the run', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  Object.assign(a.engine.parts.notices, {
    events: () => {
      throw new Error('the terminal is gone')
    },
  })
  const run = await here.submit(a, CHAIN)
  await here.quiet()
  assert.equal(await here.phase(run), 'succeeded')
})

test('an executor that cannot tell now is asked again', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  const run = await here.submit(a, CHAIN)
  await here.quiet()
  a.kill()
  here.machine.adoptFailures.push(new Error('EMFILE'), new Error('EMFILE'))
  here.machine.script = () => succeeded()
  const b = await here.engine('b')
  await b.engine.adopt(run, 'a')
  here.machine.end(`${run}/a/1`)
  await here.pass(5_000)
  assert.equal(await here.phase(run), 'succeeded')
  assert.equal(here.machine.started.length, 3)
})

test('a bug that shows in one run stops that run alone, is told, and does not leave who asked waiting', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  const bad = aDag({ name: 'bad', tasks: [aTask({ name: 'a', when: 'bug' })] })
  const { language } = a.engine.parts
  const buggy: ExpressionLanguage = {
    ...language,
    compileExpression: (text, scope, ...more) => {
      if (text === 'bug') throw new TypeError('undefined is not a function')
      return language.compileExpression(text, scope, ...more)
    },
  }
  Object.assign(a.engine.parts, { language: buggy })
  await assert.rejects(here.submit(a, bad), TypeError)
  const run = await here.submit(a, CHAIN)
  await here.quiet()
  assert.equal(await here.phase(run), 'succeeded')
  assert.deepEqual(a.troubles, ['INTERNAL_ERROR'])
})

test('slots of a run that an engine lost go to the runs that wait for them', async t => {
  const here = await world(t)
  const a = await here.engine('a', { maxParallel: 1 })
  const b = await here.engine('b')
  here.machine.script = () => 'runs'
  const first = await here.submit(a, CHAIN)
  await here.quiet()
  const second = await here.submit(a, ONE)
  await here.quiet()
  assert.deepEqual(here.machine.running(), [`${first}/a/1`])
  await b.engine.adopt(first, 'a')
  await a.engine.request(first, { kind: 'pause', by: 'anna' }).catch(() => undefined)
  await here.pass(500)
  assert.ok(here.machine.running().includes(`${second}/a/1`))
})

test('Ctrl-C twice: what does not obey TERM is killed at once', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'ignores TERM'
  const run = await here.submit(a, ONE)
  await here.quiet()
  await a.engine.request(run, CANCEL)
  await here.quiet()
  assert.equal(await here.phase(run), 'running')
  a.engine.hurry(run, 0)
  await here.quiet()
  assert.equal(await here.phase(run), 'cancelled')
  assert.deepEqual(
    here.machine.stops.map(({ graceMs }) => graceMs),
    [10_000, 0],
  )
})

test('a clock that is set back does not put off a retry', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = ({ task, attempt }) => (task === 'a' && attempt === 1 ? anOutcome() : 'runs')
  const run = await here.submit(a, aDag({ name: 'clock', tasks: [aTask({ name: 'a', retry: RETRY })] }))
  await here.quiet()
  here.clock.jump(-3_600_000)
  await here.pass(10_000)
  assert.deepEqual(here.machine.started, [`${run}/a/1`, `${run}/a/2`])
  const [engine] = await here.store.engines()
  assert.ok(Math.abs((engine?.seenAt ?? 0) - here.clock.now()) < 6_000, 'it still says that it lives')
  here.machine.end(`${run}/a/2`)
  await here.pass(100)
  assert.equal(await here.phase(run), 'succeeded')
})

test('after a sleep, or with a clock that is set forward, what is due is done within seconds', async t => {
  const here = await world(t)
  const a = await here.engine('a')
  here.machine.script = () => 'runs'
  const run = await here.submit(
    a,
    aDag({ name: 'late', tasks: [aTask({ name: 'a' })], timeoutMs: 3_600_000 }),
  )
  await here.quiet()
  here.clock.jump(7_200_000)
  await here.pass(6_000)
  assert.equal(await here.phase(run), 'failed')
  assert.equal((await here.state(run)).reason, 'RUN_TIMED_OUT')
})

const RETRY = { limit: 1, delayMs: 2_000, factor: 1, maxDelayMs: 2_000, jitter: 0, retryCodes: null }

function isFirst(append: unknown): boolean {
  return (append as { readonly version: number }).version === 0
}
