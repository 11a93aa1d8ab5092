import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AttemptEnded, Outcome, RunEvent } from '../core/run/events.ts'
import { evolve } from '../core/run/evolve.ts'
import { newRunState, type RunState } from '../core/run/state.ts'
import type { Client } from '../kubernetes/client.ts'
import { ApiProblem } from '../kubernetes/problem.ts'
import { PODS } from '../kubernetes/resource.ts'
import { openSqliteStore } from '../stores/sqlite/open.ts'
import { aCreation, aDag, aTask } from '../../test/model/dags.ts'
import { measuredClient, measuredStore } from './measured.ts'
import { METRICS } from './metric-table.ts'
import { createMetrics, type Metrics } from './metrics.ts'

const metrics = (): Metrics =>
  createMetrics({ version: '1.2.3', installation: 'blue', now: () => 10_000, processMetrics: false })

/** Lines of the text that tell of these metrics, without comments and empty buckets. */
async function lines(from: Metrics, ...names: readonly string[]): Promise<string[]> {
  const text = await from.text()
  return text
    .split('\n')
    .filter(line => names.some(name => line.startsWith(`${name}{`) || line.startsWith(`${name} `)))
}

const outcome = (given: Partial<Outcome>): Outcome =>
  ({
    kind: 'succeeded',
    reason: 'done',
    exitCode: 0,
    signal: null,
    message: null,
    outputs: {},
    ...given,
  }) as Outcome

/** A run of one task whose attempt ends like this, told event by event as an engine does. */
function oneAttempt(
  to: Metrics,
  end: Pick<AttemptEnded, 'outcome' | 'next'>,
  retryCodes: readonly number[] | null = null,
): RunState {
  const task = aTask({ name: 'build' })
  const dag = aDag({ tasks: [{ ...task, retry: { ...task.retry, retryCodes } }] })
  const created = aCreation({ namespace: 'team', at: 0 })
  const state = newRunState(dag, created)
  to.notices.events?.(state, [created])
  const events: readonly RunEvent[] = [
    { type: 'tasksReady', at: 1_000, tasks: ['build'] },
    { type: 'attemptStarted', at: 1_020, task: 'build', attempt: 1 },
    { type: 'attemptRunning', at: 2_000, task: 'build', attempt: 1, handle: null },
    { type: 'attemptEnded', at: 12_000, task: 'build', attempt: 1, ...end },
  ]
  for (const event of events) {
    evolve(state, event)
    to.notices.events?.(state, [event])
  }
  return state
}

const done = { kind: 'settle', state: 'succeeded' } as const
const failed = { kind: 'settle', state: 'failed' } as const
const again = { kind: 'retry', at: 13_000, budget: 'task' } as const

test('a run and its attempt are counted and timed', async () => {
  const own = metrics()
  oneAttempt(own, { outcome: outcome({}), next: done })
  assert.deepEqual(
    await lines(
      own,
      'kontroler_runs_created_total',
      'kontroler_attempts_started_total',
      'kontroler_attempts_ended_total',
      'kontroler_task_queue_seconds_sum',
      'kontroler_attempt_start_seconds_sum',
      'kontroler_task_outcome_total',
      'kontroler_task_execution_duration_seconds_sum',
    ),
    [
      'kontroler_runs_created_total{namespace="team",dag_name="flow",trigger="manual"} 1',
      'kontroler_attempts_started_total{namespace="team"} 1',
      'kontroler_attempts_ended_total{namespace="team",outcome="succeeded"} 1',
      'kontroler_task_queue_seconds_sum 0.02',
      'kontroler_attempt_start_seconds_sum 0.98',
      'kontroler_task_outcome_total{namespace="team",dag_name="flow",task_name="build",outcome="success"} 1',
      'kontroler_task_execution_duration_seconds_sum{namespace="team",dag_name="flow",task_name="build",outcome="success"} 10',
    ],
  )
})

const ENDS: readonly (readonly [
  what: string,
  end: Pick<AttemptEnded, 'outcome' | 'next'>,
  codes: readonly number[] | null,
  kept: string | null,
  reason: string | null,
])[] = [
  [
    'a failure that is retried',
    { outcome: outcome({ kind: 'exitCode', exitCode: 3 }), next: again },
    null,
    'failed',
    'exit_code_3',
  ],
  [
    'an exit code that is not to be retried',
    { outcome: outcome({ kind: 'exitCode', exitCode: 3 }), next: failed },
    [7],
    'unretryable',
    null,
  ],
  [
    'an exit code that is, and was for the last time',
    { outcome: outcome({ kind: 'exitCode', exitCode: 7 }), next: failed },
    [7],
    'failed',
    null,
  ],
  [
    'an image that is not there',
    { outcome: outcome({ kind: 'imageError', exitCode: null }), next: failed },
    null,
    'config_error',
    null,
  ],
  [
    'an eviction',
    { outcome: outcome({ kind: 'disrupted', exitCode: null }), next: again },
    null,
    'failed',
    'disrupted',
  ],
  [
    'a cancel',
    { outcome: outcome({ kind: 'cancelled', exitCode: null }), next: { kind: 'settle', state: 'cancelled' } },
    null,
    null,
    null,
  ],
]
for (const [what, end, codes, kept, reason] of ENDS)
  test(`${what}: ${kept ?? 'no outcome of old'}${reason === null ? '' : `, retried for ${reason}`}`, async () => {
    const own = metrics()
    oneAttempt(own, end, codes)
    const label = (line: string): string => /"([^"]*)"\} 1$/.exec(line)?.[1] ?? ''
    assert.deepEqual(
      (await lines(own, 'kontroler_task_outcome_total')).map(label),
      kept === null ? [] : [kept],
    )
    assert.deepEqual(
      (await lines(own, 'kontroler_task_retry_total')).map(label),
      reason === null ? [] : [reason],
    )
  })

test('a cluster with very many tasks does not get very many series', async () => {
  const own = metrics()
  for (let at = 0; at < 5_010; at += 1) {
    const state = newRunState(aDag({ tasks: [aTask({ name: `t${at}` })] }), aCreation())
    for (const event of [
      { type: 'tasksReady', at: 0, tasks: [`t${at}`] },
      { type: 'attemptStarted', at: 0, task: `t${at}`, attempt: 1 },
      { type: 'attemptEnded', at: 0, task: `t${at}`, attempt: 1, outcome: outcome({}), next: done },
    ] as const) {
      evolve(state, event)
      own.notices.events?.(state, [event])
    }
  }
  const series = await lines(own, 'kontroler_task_outcome_total')
  assert.equal(series.length, 5_001)
  assert.match(series.at(-1) ?? '', /task_name="_other",outcome="success"\} 10$/)
})

test('what is driven now is told as it is now, not as it was', async () => {
  const own = metrics()
  const runs = [oneAttempt(metrics(), { outcome: outcome({ kind: 'exitCode', exitCode: 1 }), next: again })]
  own.from({ runs: () => runs, slots: 5 })
  assert.deepEqual(
    await lines(own, 'kontroler_runs', 'kontroler_tasks', 'kontroler_slots', 'kontroler_slots_used'),
    [
      'kontroler_runs{phase="queued"} 0',
      'kontroler_runs{phase="running"} 1',
      'kontroler_runs{phase="paused"} 0',
      'kontroler_tasks{state="backoff"} 1',
      'kontroler_slots 5',
      'kontroler_slots_used 0',
    ],
  )
  runs.pop()
  assert.deepEqual(await lines(own, 'kontroler_tasks'), [])
})

test('views and backlogs tell how old they are', async () => {
  const own = metrics()
  own.from({
    views: () => [
      {
        name: 'pods',
        state: () => ({
          phase: 'watching',
          heardAt: 8_000,
          objects: 3,
          lists: 2,
          streams: 4,
          events: 9,
          listenerErrors: 0,
          problem: null,
        }),
      },
    ],
    backlogs: () => [{ queue: 'logs', items: 2, oldestMs: 1_500 }],
  })
  await own.text()
  assert.deepEqual(
    await lines(
      own,
      'kontroler_view_age_seconds',
      'kontroler_view_lists_total',
      'kontroler_view_events_total',
      'kontroler_backlog_items',
      'kontroler_backlog_oldest_seconds',
    ),
    [
      'kontroler_view_age_seconds{view="pods"} 2',
      'kontroler_view_lists_total{view="pods"} 2',
      'kontroler_view_events_total{view="pods"} 9',
      'kontroler_backlog_items{queue="logs"} 2',
      'kontroler_backlog_oldest_seconds{queue="logs"} 1.5',
    ],
  )
})

test('calls of a store are counted; a refusal is no fault', async () => {
  const own = metrics()
  await using closing = new AsyncDisposableStack()
  const inner = await openSqliteStore(':memory:')
  closing.defer(() => inner.close())
  const store = measuredStore(inner, 'sqlite', own, () => 0)
  assert.equal(await store.run('none'), null)
  assert.equal(typeof (await store.changeMark()), 'number')
  const state = { run: 'r', version: 3, events: [], engine: null, pools: new Map() }
  await assert.rejects(store.append({ ...state, rows: { run: null, tasks: [], attempts: [] } } as never))
  const told = await lines(own, 'kontroler_database_transactions_total')
  assert.ok(
    told.includes(
      'kontroler_database_transactions_total{database_type="sqlite",operation="run",status="success"} 1',
    ),
  )
  assert.ok(told.some(line => line.includes('operation="append"')))
  assert.ok(!told.some(line => line.includes('changeMark')))
})

test('requests to the API server are counted by verb, resource and how they ended', async () => {
  const own = metrics()
  const inner = {
    get: async () => ({}),
    remove: async () => {
      throw new ApiProblem({ kind: 'forbidden', effect: 'none', message: 'no' })
    },
    serverTime: () => null,
  } as unknown as Client
  const client = measuredClient(inner, own, () => 0)
  await client.get(PODS, { name: 'a', namespace: 'b' })
  await assert.rejects(client.remove(PODS, { name: 'a', namespace: 'b' }), { kind: 'forbidden' })
  assert.equal(client.serverTime(), null)
  assert.deepEqual(await lines(own, 'kontroler_api_requests_total'), [
    'kontroler_api_requests_total{verb="get",resource="pods",outcome="ok"} 1',
    'kontroler_api_requests_total{verb="remove",resource="pods",outcome="forbidden"} 1',
  ])
})

test('names are as Prometheus wants them: counters end with _total, times are in seconds', () => {
  for (const [name, { type, help }] of Object.entries(METRICS)) {
    assert.match(name, /^kontroler_[a-z_]+$/)
    assert.equal(name.endsWith('_total'), type === 'counter', name)
    if (type === 'histogram') assert.match(name, /_seconds$/)
    assert.match(help, /\.$/)
  }
})
