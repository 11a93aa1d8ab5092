import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { aCreation, aDag, aTask } from '../../../test/model/dags.ts'
import type { Task } from '../dag/dag.ts'
import { evolve } from './evolve.ts'
import { type Room, decideStarts, endlessRoom, readyPools } from './starts.ts'
import { type RunState, newRunState } from './state.ts'

const SUB: Task['work'] = { kind: 'dag', dag: 'other', parameters: [] }

suite('the room', () => {
  test('that is endless never says no, pools included', () => {
    const state = ready([
      aTask({ name: 'a' }),
      aTask({ name: 'b', pool: 'gpu' }),
      aTask({ name: 'c', pool: 'gpu' }),
    ])
    assert.deepEqual(starts(state, endlessRoom()), ['a', 'b', 'c'])
  })

  test('has no place in a pool that it does not name', () => {
    const state = ready([aTask({ name: 'a', pool: 'gpu' }), aTask({ name: 'b' })])
    assert.deepEqual(starts(state, { slots: 9, pools: new Map() }), ['b'])
  })

  test('is used up by what starts, so that it can be handed to the next run', () => {
    const room: Room = { slots: 3, pools: new Map([['gpu', 1]]) }
    const tasks = [aTask({ name: 'a', pool: 'gpu' }), aTask({ name: 'b', pool: 'gpu' }), aTask({ name: 'c' })]
    assert.deepEqual(starts(ready(tasks), room), ['a', 'c'])
    assert.deepEqual([room.slots, room.pools.get('gpu')], [1, 0])
    assert.deepEqual(starts(ready(tasks), room), ['c'])
  })
})

suite('nothing starts', () => {
  test('in a run that is asked to stop, before the stop was carried out', () => {
    const state = ready([aTask({ name: 'a' })])
    evolve(state, { type: 'stopRequested', at: 1, why: 'cancelled', by: 'anna', skipFinally: false })
    assert.deepEqual(starts(state, endlessRoom()), [])
  })

  test('in a run that is paused', () => {
    const state = ready([aTask({ name: 'a' }), aTask({ name: 'sub', work: SUB })])
    evolve(state, { type: 'runPaused', at: 1, by: 'anna' })
    assert.deepEqual(starts(state, endlessRoom()), [])
  })
})

test('readyPools names what ready tasks wait for; a task that runs another run waits for none', () => {
  assert.deepEqual(readyPools(ready([aTask({ name: 'a' }), aTask({ name: 'b', pool: 'gpu' })])), ['', 'gpu'])
  const state = ready([aTask({ name: 'sub', work: SUB, pool: 'gpu' })])
  assert.deepEqual(readyPools(state), [''])
  assert.deepEqual(starts(state, { slots: 0, pools: new Map() }), ['sub'])
  assert.deepEqual(readyPools(state), [])
})

function ready(tasks: readonly Task[]): RunState {
  const state = newRunState(aDag({ tasks }), aCreation())
  evolve(state, { type: 'tasksReady', at: 0, tasks: tasks.map(({ name }) => name) })
  return state
}

function starts(state: RunState, room: Room): readonly string[] {
  const events = decideStarts(state, 1, room)
  for (const event of events) evolve(state, event)
  return events.map(event => (event.type === 'attemptStarted' ? event.task : '?'))
}
