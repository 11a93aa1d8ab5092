/** One metric, as it is documented and as it is made. */
export interface MetricRow {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly help: string
  /** Upper bounds, in the metric's unit. */
  readonly buckets?: readonly number[]
  /** The name and its meaning are those of earlier versions of Kontroler, whose dashboards go on working. */
  readonly kept?: true
}

const TASK = ['namespace', 'dag_name', 'task_name'] as const
const FAST = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const
const LONG = [1, 5, 15, 60, 300, 900, 1_800, 3_600, 10_800, 43_200] as const

/** Every metric of the controller itself. The page docs/reference/metrics.md is made from this table. */
export const METRICS = {
  kontroler_build_info: {
    type: 'gauge',
    labels: ['version', 'node_version', 'installation'],
    help: 'Always 1; says what runs.',
  },
  kontroler_runs: {
    type: 'gauge',
    labels: ['phase'],
    help: 'Runs that have not ended, by phase (queued, running, paused).',
  },
  kontroler_tasks: {
    type: 'gauge',
    labels: ['state'],
    help: 'Tasks of those runs, by state; a fan-out counts by its items.',
  },
  kontroler_slots: {
    type: 'gauge',
    labels: [],
    help: 'Most attempts that may be live at once (maxParallel).',
  },
  kontroler_slots_used: { type: 'gauge', labels: [], help: 'Attempts that are live and hold a slot.' },
  kontroler_queue_tasks: {
    type: 'gauge',
    labels: ['pool'],
    help: 'Tasks that wait for nothing but a slot, by pool; empty for tasks without one.',
  },
  kontroler_runs_created_total: {
    type: 'counter',
    labels: ['namespace', 'dag_name', 'trigger'],
    help: 'Runs created, by what asked for them (manual, schedule, event, dag, dag_run).',
  },
  kontroler_runs_ended_total: {
    type: 'counter',
    labels: ['namespace', 'dag_name', 'phase'],
    help: 'Runs that ended, by how (succeeded, failed, cancelled).',
  },
  kontroler_run_duration_seconds: {
    type: 'histogram',
    labels: ['phase'],
    buckets: LONG,
    help: 'From the creation of a run to its end.',
  },
  kontroler_attempts_started_total: { type: 'counter', labels: ['namespace'], help: 'Attempts started.' },
  kontroler_attempts_ended_total: {
    type: 'counter',
    labels: ['namespace', 'outcome'],
    help:
      'Attempts that ended, by outcome (succeeded, exit_code, oom_killed, timed_out, disrupted, image_error, ' +
      'config_error, lost, start_error, cancelled).',
  },
  kontroler_task_queue_seconds: {
    type: 'histogram',
    labels: [],
    buckets: FAST,
    help: 'From the moment a task waits for nothing but a slot to the start of its attempt.',
  },
  kontroler_attempt_start_seconds: {
    type: 'histogram',
    labels: [],
    buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300],
    help: 'From the start of an attempt until its container runs: scheduling, volumes, images.',
  },
  kontroler_task_outcome_total: {
    type: 'counter',
    labels: [...TASK, 'outcome'],
    kept: true,
    help:
      'Attempts that ended, by task: success, failed, unretryable (an exit code that `conditional` excludes from ' +
      'retries), config_error (images and configuration).',
  },
  kontroler_task_execution_duration_seconds: {
    type: 'histogram',
    labels: [...TASK, 'outcome'],
    buckets: [1, 5, 15, 60, 300, 900, 3_600],
    kept: true,
    help: 'How long containers of tasks ran; outcome as above.',
  },
  kontroler_task_retry_total: {
    type: 'counter',
    labels: [...TASK, 'retry_reason'],
    kept: true,
    help: 'Retries, by what they followed: exit_code_N, or the outcome of the attempt, such as disrupted.',
  },
  kontroler_turn_seconds: {
    type: 'histogram',
    labels: [],
    buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 10],
    help: 'Turns of the engine: deciding what follows from what came in.',
  },
  kontroler_troubles_total: {
    type: 'counter',
    labels: ['code'],
    help: 'Failures of the world that the engine met and goes on after, by code.',
  },
  kontroler_database_transactions_total: {
    type: 'counter',
    labels: ['database_type', 'operation', 'status'],
    kept: true,
    help: 'Calls of the database (sqlite, postgresql), by operation and status (success, error).',
  },
  kontroler_database_transaction_duration_seconds: {
    type: 'histogram',
    labels: ['database_type', 'operation'],
    buckets: [0.001, ...FAST],
    kept: true,
    help: 'How long they took, with waiting for others that share the transaction.',
  },
  kontroler_database_errors_total: {
    type: 'counter',
    labels: ['database_type', 'operation', 'error_type'],
    kept: true,
    help: 'Calls that failed, by code. VERSION_CONFLICT and the like are answers, not faults.',
  },
  kontroler_api_requests_total: {
    type: 'counter',
    labels: ['verb', 'resource', 'outcome'],
    help: 'Requests to the API server, repetitions not counted: `ok`, or the kind of the problem.',
  },
  kontroler_api_request_duration_seconds: {
    type: 'histogram',
    labels: ['verb'],
    buckets: FAST,
    help: 'How long they took, with waiting for a place and repetitions.',
  },
  kontroler_api_in_flight: { type: 'gauge', labels: [], help: 'Requests to the API server under way.' },
  kontroler_api_in_flight_limit: {
    type: 'gauge',
    labels: [],
    help: 'How many may be, as learned from the server.',
  },
  kontroler_api_waiting: {
    type: 'gauge',
    labels: ['priority'],
    help: 'Requests that wait for their turn (dependent, fan_out, housekeeping).',
  },
  kontroler_view_age_seconds: {
    type: 'gauge',
    labels: ['view'],
    help: 'Time since the view of these objects was last proven to be fresh.',
  },
  kontroler_view_objects: { type: 'gauge', labels: ['view'], help: 'Objects in the view.' },
  kontroler_view_lists_total: { type: 'counter', labels: ['view'], help: 'Lists that were read whole.' },
  kontroler_view_streams_total: { type: 'counter', labels: ['view'], help: 'Watches that were opened.' },
  kontroler_view_events_total: { type: 'counter', labels: ['view'], help: 'Events that came by watches.' },
  kontroler_backlog_items: {
    type: 'gauge',
    labels: ['queue'],
    help: 'What is still to be done beside scheduling, such as `logs` of ended attempts to be archived.',
  },
  kontroler_backlog_oldest_seconds: {
    type: 'gauge',
    labels: ['queue'],
    help: 'Age of the oldest of these; 0 when there is none.',
  },
} as const satisfies Readonly<Record<string, MetricRow>>

export type MetricName = keyof typeof METRICS

/** Labels of a metric. */
export type LabelsOf<N extends MetricName> = Readonly<Record<(typeof METRICS)[N]['labels'][number], string>>

/** Names that earlier versions had and this one has not, each with what tells the same or why nothing does. */
export const METRICS_GONE: Readonly<Record<string, string>> = {
  'kontroler_database_connections_*': 'the database is one writer and few readers; see the time of its calls',
  'kontroler_database_quer*': '`kontroler_database_transaction*`: statements are not counted one by one',
  kontroler_database_dags_total: '`kubectl get dags`',
  'kontroler_database_dag_runs_total, …_task_runs_total':
    '`kontroler_runs`, `kontroler_tasks`, and the counters of ends',
  'kontroler_database_migration*, …_cleanup*': 'were never recorded',
  'kontroler_worker_*, kontroler_task_claims_total, kontroler_claimed_in_flight':
    'there are no workers; see `kontroler_queue_tasks` and `kontroler_slots_used`',
  'kontroler_lease_*': 'there are no leases',
}
