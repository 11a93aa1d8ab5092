import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anObject } from '../../test/model/cluster-objects.ts'
import { aCreation, aDag, aTask } from '../../test/model/dags.ts'
import { anOutcome } from '../../test/model/machine.ts'
import { ManualClock } from '../../test/model/manual-clock.ts'
import type { RunEvent } from '../core/run/events.ts'
import { evolve } from '../core/run/evolve.ts'
import { type RunState, newRunState } from '../core/run/state.ts'
import type { ClusterEvent, ClusterObject } from './cluster.ts'
import { EventTeller } from './events.ts'
import type { OperatorParts } from './parts.ts'

const started: RunEvent = { type: 'attemptStarted', at: 1, task: 'a', attempt: 1 }
const ended: RunEvent = {
  type: 'attemptEnded',
  at: 2,
  task: 'a',
  attempt: 1,
  outcome: anOutcome({ exitCode: 3 }),
  next: { kind: 'settle', state: 'failed' },
}

function aTeller(objects: Map<string, ClusterObject>) {
  const clock = new ManualClock()
  const told: ClusterEvent[] = []
  const cluster = {
    createEvent: async (event: ClusterEvent) => {
      told.push(event)
    },
  }
  // Of its parts it needs no others.
  const parts = { clock: clock.for('events'), cluster, trouble: () => undefined } as unknown as OperatorParts
  return { teller: new EventTeller(parts, key => objects.get(key)), told, clock }
}

function aRun(run = 'run'): { readonly state: RunState; readonly created: RunEvent } {
  const created = aCreation({ run, namespace: 'space', dag: 'd' })
  const state = newRunState(aDag({ tasks: [aTask({ name: 'a' })] }), created)
  const ready: RunEvent = { type: 'tasksReady', at: 1, tasks: ['a'] }
  for (const event of [ready, started, ended]) evolve(state, event)
  return { state, created }
}

test('the beginning and the end of a run and the failure of a task are told', () => {
  const { teller, told } = aTeller(new Map([['space/run', anObject('x', {})]]))
  const { state, created } = aRun()
  const settled: RunEvent = {
    type: 'runSettled',
    at: 3,
    phase: 'failed',
    reason: 'RUN_FAILED',
    message: 'a failed',
  }
  teller.facts(state, [created, started, ended, settled])
  assert.deepEqual(
    told.map(({ type, reason, note }) => `${type} ${reason}: ${note}`),
    [
      'Normal Started: run run of the DAG d began (manual)',
      'Warning TaskFailed: a exited with code 3 (EXIT_CODE)',
      'Warning Failed: a failed',
    ],
  )
  assert.equal(told[0]?.about.uid, 'uid-of-x')
})

test('told twice, an Event has the same name; other Events have other names', () => {
  const { teller, told } = aTeller(new Map([['space/run', anObject('x', {})]]))
  const { state, created } = aRun()
  teller.facts(state, [created, created, ended])
  assert.equal(told[0]?.name, told[1]?.name)
  assert.notEqual(told[1]?.name, told[2]?.name)
})

test('what happens before the DagRun is there is told when it is', () => {
  const objects = new Map<string, ClusterObject>()
  const { teller, told } = aTeller(objects)
  const { state, created } = aRun()
  teller.facts(state, [created])
  assert.equal(told.length, 0)
  teller.appeared('space/run', anObject('x', {}))
  assert.equal(told.length, 1)
})

test('a run of many failures tells twenty of them and its end', () => {
  const { teller, told } = aTeller(new Map([['space/run', anObject('x', {})]]))
  const { state } = aRun()
  teller.facts(
    state,
    Array.from({ length: 50 }, () => ended),
  )
  const settled: RunEvent = { type: 'runSettled', at: 3, phase: 'failed', reason: 'RUN_FAILED', message: '' }
  teller.facts(state, [settled])
  assert.equal(told.length, 21)
})

test('many runs at once do not flood the cluster, and it recovers with time', () => {
  const names = Array.from({ length: 500 }, (_, index) => `r${index}`)
  const { teller, told, clock } = aTeller(new Map(names.map(name => [`space/${name}`, anObject(name, {})])))
  const tell = (name: string): void => {
    const { state, created } = aRun(name)
    teller.facts(state, [created])
  }
  names.forEach(tell)
  assert.equal(told.length, 100)
  clock.jump(1_000)
  names.forEach(tell)
  assert.equal(told.length, 120)
})
