import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AttemptEnded, Outcome, RunCreated, RunEvent } from '../run/events.ts'
import { messagesOf } from './messages.ts'

const created: RunCreated = {
  type: 'runCreated',
  at: 1_000,
  v: 1,
  run: 'r1',
  name: 'etl-1',
  namespace: 'team',
  dag: 'etl',
  dagHash: 'h',
  parameters: [
    { name: 'day', value: { kind: 'value', value: 'monday' } },
    { name: 'password', value: { kind: 'secret', secret: { name: 'db', key: 'secret' } } },
  ],
  labels: {},
  trigger: { kind: 'manual', key: 'k', by: 'ana' },
  priority: 0,
  parent: null,
  continues: null,
  workdir: null,
  maxParallelTasks: null,
  queued: false,
}

const said = (event: RunEvent): Record<string, unknown>[] =>
  messagesOf(event, { created, runNumber: 7, taskNumber: () => 3, attemptMs: () => 2_400 }).map(
    ({ body }) => JSON.parse(body) as Record<string, unknown>,
  )
const statuses = (event: RunEvent): string[] =>
  said(event).map(({ type, status, event: name }) => `${String(type)} ${String(status)} ${String(name)}`)
const ended = (
  kind: Outcome['kind'],
  next: AttemptEnded['next'],
  exitCode: number | null = 1,
): AttemptEnded => ({
  type: 'attemptEnded',
  at: 2_000,
  task: 'load',
  attempt: 1,
  outcome: { kind, reason: 'EXIT_CODE', exitCode, signal: null, message: 'no', outputs: {} },
  next,
})

test('a task tells pending, started and how it ended, as receivers know it', () => {
  assert.deepEqual(statuses({ type: 'attemptStarted', at: 1, task: 'load', attempt: 1 }), [
    'taskrun pending taskPending',
    'pod Pending pod',
  ])
  assert.deepEqual(statuses({ type: 'attemptRunning', at: 1, task: 'load', attempt: 1, handle: null }), [
    'taskrun started taskStarted',
    'pod Running pod',
  ])
  assert.deepEqual(statuses(ended('succeeded', { kind: 'settle', state: 'succeeded' }, 0)), [
    'pod Succeeded pod',
    'taskrun success taskSucceeded',
  ])
})

test('a failure is told once, after the last attempt; before it, a retry', () => {
  assert.deepEqual(statuses(ended('exitCode', { kind: 'retry', at: 9_000, budget: 'task' })), [
    'pod Failed pod',
    'taskrun retrying taskRetried',
  ])
  assert.deepEqual(statuses(ended('exitCode', { kind: 'settle', state: 'failed' })), [
    'pod Failed pod',
    'taskrun failed taskFailed',
  ])
})

test('an attempt whose end nobody knows is an unknown pod', () =>
  assert.deepEqual(statuses(ended('lost', { kind: 'wait' })), ['pod Unknown pod']))

test('the members of old messages are there, with the old types', () => {
  const [pod, task] = said(ended('exitCode', { kind: 'settle', state: 'failed' }))
  for (const message of [pod, task]) {
    assert.equal(message?.['dagRunId'], 7)
    assert.equal(message?.['taskName'], 'load')
    assert.equal(message?.['taskId'], 3)
  }
  assert.equal(pod?.['duration'], 2)
  assert.equal(task?.['exitCode'], 1)
})

test('each task that will not run is told of: suspended behind a failure, skipped by its condition', () => {
  const settled = {
    type: 'tasksSettled',
    at: 1,
    tasks: ['a', 'b'],
    reason: 'SUCCEEDED',
    message: null,
  } as const
  assert.deepEqual(statuses({ ...settled, state: 'upstreamFailed' }), [
    'taskrun suspended taskSkipped',
    'taskrun suspended taskSkipped',
  ])
  assert.deepEqual(statuses({ ...settled, tasks: ['a'], state: 'skipped' }), ['taskrun skipped taskSkipped'])
  assert.deepEqual(statuses({ ...settled, state: 'cancelled' }), [])
})

test('a run tells its start and its end; one that waits in line starts later', () => {
  assert.deepEqual(statuses(created), ['run started runStarted'])
  assert.deepEqual(statuses({ ...created, queued: true }), [])
  assert.deepEqual(statuses({ type: 'runStarted', at: 1 }), ['run started runStarted'])
  const settled = { type: 'runSettled', at: 1, phase: 'failed', message: 'load: no' } as const
  const [end] = said({ ...settled, reason: 'EXIT_CODE' })
  assert.equal(end?.['event'], 'runFailed')
  assert.equal(end?.['message'], 'load: no')
})

test('a parameter from a Secret is told as its reference', () => {
  const [start] = said(created)
  assert.deepEqual(start?.['parameters'], [
    { name: 'day', value: 'monday' },
    { name: 'password', fromSecret: { name: 'db', key: 'secret' } },
  ])
})

test('an approval tells that it waits and how it was answered', () => {
  assert.deepEqual(statuses({ type: 'approvalRequested', at: 1, task: 'ship' }), [
    'taskrun approvalRequested approvalRequested',
  ])
  const answer = {
    type: 'approvalAnswered',
    at: 1,
    task: 'ship',
    by: 'ana',
    message: null,
    values: {},
  } as const
  assert.deepEqual(statuses({ ...answer, approved: true }), ['taskrun success taskSucceeded'])
  assert.deepEqual(statuses({ ...answer, approved: false }), ['taskrun failed taskFailed'])
})

test('what changes nothing for a receiver is not told', () =>
  assert.deepEqual(statuses({ type: 'tasksReady', at: 1, tasks: ['a'] }), []))
