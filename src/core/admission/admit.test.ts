import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aCreation, aDag, aTask } from '../../../test/model/dags.ts'
import { PLAIN_LANGUAGE } from '../../../test/model/plain-language.ts'
import { decide } from '../run/decide.ts'
import { evolve } from '../run/evolve.ts'
import { endlessRoom } from '../run/starts.ts'
import { type RunState, newRunState } from '../run/state.ts'
import { admit } from './admit.ts'

/** A run whose tasks wait for slots. */
function ready(run: string, at: number, priorities: readonly (number | null)[], own = 0): RunState {
  const dag = aDag({ tasks: priorities.map((priority, index) => aTask({ name: `t${index}`, priority })) })
  const state = newRunState(dag, aCreation({ run, at, priority: own }))
  for (const event of decide(state, at, PLAIN_LANGUAGE)) evolve(state, event)
  return state
}

const started = (runs: readonly RunState[], slots: number): string[] =>
  [...admit(runs, 100, { ...endlessRoom(), slots })].flatMap(([state, events]) =>
    events.map(event => `${state.created.run}/${'task' in event ? event.task : ''}`),
  )

test('the run with the larger priority goes first, however late it came', () => {
  assert.deepEqual(started([ready('old', 1, [null]), ready('urgent', 2, [null], 5)], 1), ['urgent/t0'])
})

test('the priority of a task counts between runs too', () => {
  assert.deepEqual(started([ready('old', 1, [null]), ready('new', 2, [9])], 1), ['new/t0'])
})

test('among equals every run gets its turn, the older one first', () => {
  const wide = ready('wide', 1, [null, null, null, null])
  assert.deepEqual(started([wide, ready('small', 2, [null])], 2), ['wide/t0', 'small/t0'])
})

test('what one run leaves free goes to the others', () => {
  const wide = ready('wide', 2, [null, null, null, null])
  assert.equal(started([ready('small', 1, [null]), wide], 4).length, 4)
})
