import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anObject } from '../../test/model/cluster-objects.ts'
import { aDag } from '../../test/model/dags.ts'
import type { ProblemCode } from '../core/problem-codes.ts'
import type { Problem } from '../core/problem.ts'
import { dagStatus as schema } from '../spec/schema/status.ts'
import { type DagFacts, dagStatus, standingOfDag } from './dag-status.ts'

const NOW = Date.UTC(2026, 0, 1)
const problem = (code: ProblemCode, severity: Problem['severity'] = 'error'): Problem => ({
  code,
  severity,
  path: ['spec', 'task', 0],
  message: 'it is so',
  fix: 'change it',
})
const facts = (given: Partial<DagFacts> = {}): DagFacts => ({
  problems: [],
  inForce: null,
  lastRuns: [],
  activeRuns: 0,
  ...given,
})
const nightly = aDag({ schedules: ['30 2 * * *', '@hourly'], timeZone: 'Europe/Berlin' })
const object = anObject('d', {}, { generation: 3 })

test('what waits for a DagTask is on its way; any other problem is not', () => {
  assert.equal(standingOfDag([]), 'current')
  assert.equal(standingOfDag([problem('SCRIPT_WINS', 'warning')]), 'current')
  assert.equal(standingOfDag([problem('TASK_REF_UNKNOWN'), problem('TASK_REF_VERSION')]), 'inProgress')
  assert.equal(standingOfDag([problem('TASK_REF_UNKNOWN'), problem('DAG_CYCLE')]), 'stalled')
})

test('schedules are told in words, with the next tick of all of them', () => {
  const status = dagStatus(object, facts({ inForce: { dag: nightly, version: 2 } }), NOW)
  assert.equal(status.schedule, 'every day at 02:30 (Europe/Berlin); every hour')
  assert.equal(status.nextScheduleTime, '2026-01-01T01:00:00Z')
  assert.ok(schema.safeParse(status).success)
})

test('a suspended DAG has no next tick, and one without schedules no words', () => {
  const suspended = dagStatus(
    object,
    facts({ inForce: { dag: { ...nightly, suspended: true }, version: 2 } }),
    NOW,
  )
  assert.equal(suspended.nextScheduleTime, undefined)
  const plain = dagStatus(object, facts({ inForce: { dag: aDag({}), version: 2 } }), NOW)
  assert.equal(plain.schedule, undefined)
})

test('a broken text says what stays in force; warnings are told of a good one', () => {
  const broken = dagStatus(
    object,
    facts({ problems: [problem('DAG_CYCLE')], inForce: { dag: nightly, version: 2 } }),
    NOW,
  )
  assert.equal(broken.phase, 'Failed')
  assert.equal(
    broken.message,
    'DAG_CYCLE at spec.task[0]: it is so (fix: change it); version 2 stays in force',
  )
  const warned = dagStatus(
    object,
    facts({ problems: [problem('SCRIPT_WINS', 'warning')], inForce: { dag: nightly, version: 2 } }),
    NOW,
  )
  assert.equal(warned.phase, 'Successful')
  assert.equal(warned.message, 'version 2 is in force; warning SCRIPT_WINS: it is so')
})

test('the last tick is kept when newer runs were started by hand', () => {
  const before = anObject('d', {}, { status: { lastScheduleTime: '2025-12-31T00:00:00Z' } })
  assert.equal(dagStatus(before, facts(), NOW).lastScheduleTime, '2025-12-31T00:00:00Z')
})
