import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../test/model/manual-clock.ts'
import { LogSlots } from './log-slots.ts'

test('nobody is asked for room any more once nobody waits for it', async () => {
  const clock = new ManualClock()
  const slots = new LogSlots(1, clock.for('engine'))
  const first = await slots.take('watched', new AbortController().signal)
  const left = new AbortController()
  const second = slots.take('watched', left.signal)
  assert.equal(clock.armed, 1)
  left.abort()
  assert.equal(await second, null)
  assert.equal(clock.armed, 0)
  assert.equal(first?.turnOver.aborted, false)
})
