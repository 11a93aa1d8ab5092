import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { anObject } from '../../test/model/cluster-objects.ts'
import type { RunPhase, TaskRow } from '../core/run/rows.ts'
import type { StoredRun } from '../ports/store.ts'
import { dagRunStatus } from '../spec/schema/status.ts'
import {
  STATUS_BYTES_MAX,
  TASKS_SHOWN_MAX,
  durationText,
  neverBegunStatus,
  pendingStatus,
  runStatus,
  saysFinished,
} from './run-status.ts'

const NOW = Date.UTC(2026, 0, 1)

function aRun(given: Partial<StoredRun> = {}): StoredRun {
  return {
    id: 'run-id',
    namespace: 'space',
    dag: 'd',
    dagHash: 'hash',
    name: 'x',
    phase: 'running',
    reason: null,
    message: '',
    trigger: { kind: 'dagRun', key: 'run-id' },
    labels: {},
    parentRun: null,
    continues: null,
    createdAt: NOW,
    startedAt: NOW,
    endedAt: null,
    tasksDone: 7,
    tasksTotal: 12,
    version: 3,
    owner: null,
    ...given,
  }
}

function aRow(given: Partial<TaskRow> = {}): TaskRow {
  const row = { run: 'run-id', task: 'a', index: 0, state: 'failed', reason: 'EXIT_CODE' } as const
  return { ...row, message: null, attempts: 1, exitCode: 1, startedAt: NOW, endedAt: NOW, ...given }
}

const facts = (run: StoredRun, tasks: readonly TaskRow[] = []) => ({ run, tasks, dagVersion: 2, waits: null })
const object = anObject('x', { dagName: 'd' }, { generation: 4 })
const conditions = (status: { conditions?: { type: string; status: string }[] | undefined }) =>
  Object.fromEntries((status.conditions ?? []).map(condition => [condition.type, condition.status]))

const TABLE: readonly (readonly [phase: RunPhase, Record<string, string>])[] = [
  [
    'queued',
    { Ready: 'False', Reconciling: 'True', Stalled: 'False', Succeeded: 'Unknown', Complete: 'False' },
  ],
  [
    'running',
    { Ready: 'False', Reconciling: 'True', Stalled: 'False', Succeeded: 'Unknown', Complete: 'False' },
  ],
  [
    'paused',
    { Ready: 'False', Reconciling: 'True', Stalled: 'False', Succeeded: 'Unknown', Complete: 'False' },
  ],
  [
    'succeeded',
    { Ready: 'True', Reconciling: 'False', Stalled: 'False', Succeeded: 'True', Complete: 'True' },
  ],
  ['failed', { Ready: 'False', Reconciling: 'False', Stalled: 'True', Succeeded: 'False', Complete: 'True' }],
  [
    'cancelled',
    { Ready: 'False', Reconciling: 'False', Stalled: 'True', Succeeded: 'False', Complete: 'True' },
  ],
]
for (const [phase, wanted] of TABLE) {
  test(`conditions of a run that is ${phase}`, () => {
    const endedAt = wanted['Complete'] === 'True' ? NOW + 65_000 : null
    assert.deepEqual(conditions(runStatus(object, facts(aRun({ phase, endedAt })), NOW)), wanted)
  })
}

test('it has the fields that people and programs look for, and those of the schema alone', () => {
  const run = aRun({
    phase: 'failed',
    message: 'a exited with code 1',
    reason: 'RUN_FAILED',
    endedAt: NOW + 65_000,
  })
  const status = runStatus(object, facts(run, [aRow()]), NOW)
  assert.equal(status.runId, 'run-id')
  assert.equal(status.progress, '7/12')
  assert.equal(status.duration, '1m5s')
  assert.equal(status.completionTime, '2026-01-01T00:01:05Z')
  assert.equal(status.observedGeneration, 4)
  assert.equal(status.message, 'a exited with code 1')
  assert.ok(dagRunStatus.safeParse(status).success)
})

test('asked again with what it said before, it says the same', () => {
  const first = runStatus(object, facts(aRun()), NOW)
  const again = anObject('x', { dagName: 'd' }, { generation: 4, status: JSON.parse(JSON.stringify(first)) })
  assert.deepEqual(runStatus(again, facts(aRun()), NOW + 60_000), first)
})

test('an engine that does not drive the run leaves what the other one said of it', () => {
  const waits = { code: 'RUNNING', sentence: 'run x is running' }
  const first = runStatus(object, { ...facts(aRun()), waits }, NOW)
  const seen = anObject('x', { dagName: 'd' }, { generation: 4, status: JSON.parse(JSON.stringify(first)) })
  assert.equal(runStatus(seen, facts(aRun()), NOW).message, 'run x is running')
  assert.equal(runStatus(seen, facts(aRun({ phase: 'paused' })), NOW).message, '')
})

test('whatever is said, it stays small', () => {
  const words = fc.string({ unit: 'binary', minLength: 0, maxLength: 3_000 })
  const rows = fc.array(fc.record({ task: words, message: words }), { maxLength: 40 })
  fc.assert(
    fc.property(words, rows, (message, given) => {
      const tasks = given.map(row => aRow(row))
      const run = aRun({ message, phase: 'failed', endedAt: NOW })
      const status = runStatus(object, facts(run, tasks), NOW)
      assert.ok((status.tasks ?? []).length <= TASKS_SHOWN_MAX)
      assert.ok(Buffer.byteLength(JSON.stringify(status)) <= STATUS_BYTES_MAX)
    }),
    { numRuns: 200 },
  )
})

test('before it begins it is pending; cancelled before it began, it is over', () => {
  const waits = pendingStatus(object, 'inProgress', { reason: 'UNKNOWN_DAG', message: 'there is none' }, NOW)
  assert.equal(waits.phase, 'pending')
  assert.equal(saysFinished(JSON.parse(JSON.stringify(waits))), false)
  const never = neverBegunStatus(object, 'it was cancelled before it began', NOW)
  assert.equal(conditions(never)['Complete'], 'True')
  assert.equal(conditions(never)['Succeeded'], 'False')
  assert.equal(saysFinished(JSON.parse(JSON.stringify(never))), true)
})

test('a condition has its status since that began, also at the end of what never did', () => {
  const before = pendingStatus(object, 'inProgress', { reason: 'UNKNOWN_DAG', message: 'no DAG' }, NOW)
  const waiting = anObject('x', {}, { generation: 4, status: JSON.parse(JSON.stringify(before)) })
  const never = neverBegunStatus(waiting, 'it was cancelled before it began', NOW + 60_000)
  const since = new Map(never.conditions?.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]))
  const [first, then] = ['2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z']
  assert.deepEqual(
    ['Ready', 'Reconciling', 'Stalled', 'Succeeded', 'Complete'].map(type => since.get(type)),
    [first, then, then, then, then],
  )
})

test('durations have their two largest units', () => {
  const said = [0, 400, 59_600, 65_000, 3_600_000, 7_500_000, 90_061_000].map(durationText)
  assert.deepEqual(said, ['0s', '0s', '1m', '1m5s', '1h', '2h5m', '1d1h'])
})
