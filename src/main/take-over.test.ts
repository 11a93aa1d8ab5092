import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aDag, aTask } from '../../test/model/dags.ts'
import { EngineWorld } from '../../test/model/engine-world.ts'
import { startTakeOver } from './take-over.ts'

test('a run that cannot be read does not keep later ones from being taken over', async t => {
  const here = await EngineWorld.open()
  t.after(() => here.close())
  here.machine.script = () => 'runs'
  const a = await here.engine('a')
  const dag = aDag({ name: 'nightly', tasks: [aTask({ name: 'copy' })] })
  const broken = await here.submit(a, dag)
  await here.quiet()
  const sound = await here.submit(a, dag)
  await here.quiet()
  a.kill()

  const b = await here.engine('b')
  b.fragile.fault = (method, [run]) =>
    method === 'events' && run === broken ? new Error('an event of a later version') : null
  const takeOver = await startTakeOver(b.engine, code => assert.fail(code))
  t.after(() => takeOver.close())
  assert.equal(b.engine.stateOf(broken), null)
  assert.notEqual(b.engine.stateOf(sound), null)
  assert.deepEqual(b.troubles, ['INTERNAL_ERROR'], 'and it is told')
})
