import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { aCreation, aDag, aTask, anApproval } from '../../../test/model/dags.ts'
import { outcomeOf } from '../../../test/model/drive.ts'
import type { RunEvent } from './events.ts'
import { evolve, replay } from './evolve.ts'
import { type RunState, newRunState } from './state.ts'

const READY: RunEvent = { type: 'tasksReady', at: 1, tasks: ['a'] }
const START: RunEvent = { type: 'attemptStarted', at: 2, task: 'a', attempt: 1 }
const STOPPING: RunEvent = { type: 'attemptStopping', at: 3, task: 'a', attempt: 1, why: 'cancelled' }
const END: RunEvent = {
  type: 'attemptEnded',
  at: 4,
  task: 'a',
  attempt: 1,
  outcome: outcomeOf('succeeded'),
  next: { kind: 'settle', state: 'succeeded' },
}
const SKIP: RunEvent = {
  type: 'tasksSettled',
  at: 5,
  tasks: ['a'],
  state: 'skipped',
  reason: 'CONDITION_FALSE',
  message: null,
}
const ANSWER: RunEvent = {
  type: 'approvalAnswered',
  at: 6,
  task: 'gate',
  approved: true,
  by: 'anna',
  message: null,
  values: {},
}

suite('a step that cannot follow is refused', () => {
  const cases: readonly (readonly [
    name: string,
    before: readonly RunEvent[],
    event: RunEvent,
    message: RegExp,
  ])[] = [
    ['an attempt of a task that is not ready', [], START, /a is pending, not queued/],
    ['a second attempt with the number of the first', [READY, START], START, /a is starting, not queued/],
    ['an attempt that leaves a number out', [READY], { ...START, attempt: 2 }, /attempt 2 does not follow/],
    ['an end of an attempt that never started', [READY], END, /attempt 1 is not live/],
    ['an end of an attempt that has ended', [READY, START, END], END, /attempt 1 is not live/],
    ['a stop of an attempt that is being stopped', [READY, START, STOPPING], STOPPING, /is stopping/],
    ['a task that is ready twice', [READY], READY, /a is queued/],
    ['a settled task that becomes ready', [SKIP], READY, /a is skipped/],
    ['a settled task that settles again', [SKIP], SKIP, /has settled as skipped/],
    ['a settlement of a task whose attempt lives', [READY, START], SKIP, /has not ended/],
    ['an answer nobody was asked for', [], ANSWER, /waits for no approval/],
    [
      'an expansion of what has settled',
      [SKIP],
      { type: 'taskExpanded', at: 7, task: 'a', items: [] },
      /skipped/,
    ],
    ['a finally before the end', [], { type: 'finallyStarted', at: 7 }, /not at its end/],
    ['a start of a run that has started', [], { type: 'runStarted', at: 7 }, /has started/],
    ['a second creation', [], aCreation(), /only be the first/],
    ['a task that is not in the run', [], { ...READY, tasks: ['b'] }, /has no task b/],
  ]
  for (const [name, before, event, message] of cases) {
    test(name, () => {
      const state = run()
      for (const earlier of before) evolve(state, earlier)
      assert.throws(() => evolve(state, event), message)
    })
  }

  test('anything after the run has settled', () => {
    const state = run()
    evolve(state, { type: 'runSettled', at: 1, phase: 'failed', reason: 'INTERNAL_ERROR', message: 'x' })
    assert.throws(() => evolve(state, READY), /has settled; tasksReady cannot follow/)
  })

  test('a log that does not begin with the creation', () => {
    assert.throws(() => replay(aDag({}), [READY]), /must begin with runCreated/)
    assert.throws(() => replay(aDag({}), []), /must begin with runCreated/)
  })
})

function run(): RunState {
  const tasks = [aTask({ name: 'a' }), aTask({ name: 'gate', work: anApproval() })]
  return newRunState(aDag({ tasks }), aCreation())
}
