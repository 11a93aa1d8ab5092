import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { aCreation, aDag, aTask } from '../../../test/model/dags.ts'
import { outcomeOf } from '../../../test/model/drive.ts'
import { LIMITS } from '../limits.ts'
import type { Outcome, StopWhy } from './events.ts'
import { evolve } from './evolve.ts'
import { observeEnded, observePending, observeRunning } from './observe.ts'
import { type RunState, newRunState } from './state.ts'

suite('an attempt that is being stopped', () => {
  const cases: readonly (readonly [StopWhy, Outcome['kind'], Outcome['reason']])[] = [
    ['timedOut', 'timedOut', 'TIMED_OUT'],
    ['pendingTimedOut', 'startError', 'PENDING_TIMED_OUT'],
    ['cancelled', 'cancelled', 'CANCELLED'],
    ['failFast', 'cancelled', 'FAIL_FAST'],
    ['runTimedOut', 'cancelled', 'RUN_TIMED_OUT'],
  ]
  for (const [why, kind, reason] of cases) {
    test(`because of ${why} has ended for that, with the code it left with and without outputs`, () => {
      const outcome = ended(stopping(why), { ...outcomeOf('exit3'), outputs: { a: '1' } }, 20)
      assert.deepEqual(
        [outcome?.kind, outcome?.reason, outcome?.exitCode, outcome?.outputs],
        [kind, reason, 3, {}],
      )
    })
  }

  test('has succeeded when it did so before the stop, or nobody knows when', () => {
    const success = outcomeOf('succeeded')
    assert.equal(ended(stopping('timedOut'), success, 10)?.kind, 'succeeded')
    assert.equal(ended(stopping('timedOut'), success, null)?.kind, 'succeeded')
    assert.equal(ended(stopping('timedOut'), success, 11)?.kind, 'timedOut')
  })
})

suite('an observation', () => {
  test('of an unknown task, another attempt or an ended one is no fact', () => {
    const state = running()
    const success = outcomeOf('succeeded')
    assert.deepEqual(observeEnded(state, 'b', 1, 5, success), [])
    assert.deepEqual(observeEnded(state, 'a', 2, 5, success), [])
    for (const event of observeEnded(state, 'a', 1, 5, success)) evolve(state, event)
    assert.deepEqual(observeEnded(state, 'a', 1, 6, success), [])
    assert.deepEqual(observeRunning(state, 'a', 1, 6, null), [])
  })

  test('that it runs counts once', () => {
    const state = running()
    const [event] = observeRunning(state, 'a', 1, 5, { pid: 7 })
    assert.ok(event)
    evolve(state, event)
    assert.deepEqual(observeRunning(state, 'a', 1, 6, { pid: 8 }), [])
    assert.deepEqual(state.tasks[0]?.attempts[0]?.handle, { pid: 7 })
  })

  test('what holds a start back is said once for each time it changes, and is over when it runs', () => {
    const state = running()
    const why = { reason: 'IMAGE_ERROR', message: 'pulling' } as const
    const [event] = observePending(state, 'a', 1, 5, why)
    assert.ok(event)
    evolve(state, event)
    assert.deepEqual(observePending(state, 'a', 1, 6, why), [])
    assert.equal(observePending(state, 'a', 1, 6, { ...why, message: 'still pulling' }).length, 1)
    assert.equal(state.tasks[0]?.message, 'pulling')
    for (const runs of observeRunning(state, 'a', 1, 7, null)) evolve(state, runs)
    assert.deepEqual(observePending(state, 'a', 1, 8, { ...why, message: 'late' }), [])
    assert.equal(state.tasks[0]?.message, null)
  })

  test('what was made for it counts once, and does not mean that it runs', () => {
    const state = running()
    const why = { reason: 'STARTING', message: null } as const
    const [event] = observePending(state, 'a', 1, 5, { ...why, handle: { uid: 'first' } })
    assert.ok(event)
    evolve(state, event)
    assert.deepEqual(observePending(state, 'a', 1, 6, { ...why, handle: { uid: 'second' } }), [])
    const attempt = state.tasks[0]?.attempts[0]
    assert.deepEqual(
      [attempt?.handle, attempt?.phase, attempt?.runningAt],
      [{ uid: 'first' }, 'starting', null],
    )
  })

  test('keeps a message within its limit', () => {
    const message = 'x'.repeat(LIMITS.messageLengthMax + 1)
    const outcome = ended(running(), { ...outcomeOf('exitCode'), message }, null)
    assert.equal(outcome?.message?.length, LIMITS.messageLengthMax)
    assert.ok(outcome?.message?.endsWith('…'))
  })
})

function ended(state: RunState, outcome: Outcome, endedAt: number | null): Outcome | null {
  const [event] = observeEnded(state, 'a', 1, 30, outcome, endedAt)
  return event?.type === 'attemptEnded' ? event.outcome : null
}

function running(): RunState {
  const state = newRunState(aDag({ tasks: [aTask({ name: 'a' })] }), aCreation())
  evolve(state, { type: 'tasksReady', at: 0, tasks: ['a'] })
  evolve(state, { type: 'attemptStarted', at: 0, task: 'a', attempt: 1 })
  return state
}

function stopping(why: StopWhy): RunState {
  const state = running()
  evolve(state, { type: 'attemptStopping', at: 10, task: 'a', attempt: 1, why })
  return state
}
