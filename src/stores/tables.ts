/**
 * The tables as kysely sees them; the text that makes them is in `migrations/`, the result in `schema.sql`.
 * Only types that SQLite and PostgreSQL share: ids TEXT, times in milliseconds, JSON as TEXT, booleans 0 or 1.
 */
export interface Tables {
  run: RunTable
  run_label: RunLabelTable
  trigger_key: TriggerKeyTable
  event: EventTable
  task: TaskTable
  attempt: AttemptTable
  feed: FeedTable
  counter: CounterTable
  removed_run: RemovedRunTable
  dag: DagTable
  dag_version: DagVersionTable
  dag_task: DagTaskTable
  engine: EngineTable
  schedule: ScheduleTable
  skip: SkipTable
  writer: WriterTable
  subscriber: SubscriberTable
  delivery_line: DeliveryLineTable
  delivery: DeliveryTable
  account: AccountTable
  role_grant: RoleGrantTable
  identity: IdentityTable
  session: SessionTable
  api_token: ApiTokenTable
  setup_code: SetupCodeTable
  sign_in_try: SignInTryTable
  audit: AuditTable
  audit_base: AuditBaseTable
}

export interface RunTable {
  id: string
  namespace: string
  dag: string
  dag_hash: string
  name: string
  phase: string
  reason: string | null
  message: string
  /** JSON of the whole trigger; its key is unique in `trigger_key`. */
  cause: string
  labels: string
  parent_run: string | null
  continues: string | null
  created_at: number
  started_at: number | null
  ended_at: number | null
  tasks_done: number
  tasks_total: number
  version: number
  owner: string | null
}

/** Repeats what lists filter and sort by, so that a page by label is read from one index. */
export interface RunLabelTable {
  run: string
  key: string
  value: string
  phase: string
  created_at: number
  namespace: string
  dag: string
}

/** Outlives its run: a key never gives a second run, not even after the first was removed. */
export interface TriggerKeyTable {
  namespace: string
  dag: string
  kind: string
  key: string
  run: string
  created_at: number
}

export interface EventTable {
  run: string
  seq: number
  body: string
}

export interface TaskTable {
  run: string
  idx: number
  task: string
  state: string
  reason: string | null
  message: string | null
  attempts: number
  exit_code: number | null
  started_at: number | null
  ended_at: number | null
}

export interface AttemptTable {
  run: string
  task: string
  attempt: number
  phase: string
  pool: string | null
  started_at: number
  running_at: number | null
  ended_at: number | null
  outcome: string | null
  reason: string | null
  exit_code: number | null
  message: string | null
  handle: string
}

export interface FeedTable {
  seq: number
  run: string
  version: number
}

/** Numbers given out under a row lock, so that their order is the order of the commits. */
export interface CounterTable {
  name: string
  value: number
}

/** Runs that are gone for every reader while their rows are still being deleted in slices. */
export interface RemovedRunTable {
  run: string
}

export interface DagTable {
  namespace: string
  name: string
  current_version: number
  suspended: number
  removed_at: number | null
}

export interface DagVersionTable {
  namespace: string
  name: string
  version: number
  hash: string
  body: string
  source: string | null
  created_at: number
}

export interface DagTaskTable {
  namespace: string
  name: string
  version: number
  hash: string
  spec: string
  created_at: number
}

export interface EngineTable {
  id: string
  pid: number
  process_start: string
  boot_id: string
  host: string
  seen_at: number
}

export interface ScheduleTable {
  namespace: string
  dag: string
  high_water: number
}

export interface SkipTable {
  namespace: string
  dag: string
  from_at: number
  to_at: number
  count: number
  reason: string
  at: number
}

/** PostgreSQL only: the number of the last transaction that each store has committed. */
export interface WriterTable {
  id: string
  number: number
}

/** How far somebody who follows the feed has come. */
export interface SubscriberTable {
  name: string
  position: number
}

/** The messages of one run: they are taken one after the other, so the line is what is due and what is claimed. */
export interface DeliveryLineTable {
  run: string
  host: string
  /** Number of its last message. */
  last: number
  /** When its first waiting message is due; of one that is claimed, when the claim ends. Null: none waits. */
  next_at: number | null
  claim: string | null
  gone: number
}

export interface DeliveryTable {
  run: string
  number: number
  namespace: string
  dag: string
  event: string
  body: string
  state: string
  attempts: number
  created_at: number
  since: number
  settled_at: number | null
  /** JSON of the last attempts. */
  log: string
}

export interface AccountTable {
  id: string
  name: string
  /** PHC text of argon2id. */
  password: string | null
  disabled: number
  created_at: number
  version: number
}

export interface RoleGrantTable {
  account: string
  namespace: string
  role: string
}

export interface IdentityTable {
  issuer: string
  subject: string
  account: string
  created_at: number
}

export interface SessionTable {
  hash: string
  account: string
  created_at: number
  seen_at: number
  idle_ms: number
  ends_at: number
}

export interface ApiTokenTable {
  id: string
  hash: string
  account: string
  name: string
  /** JSON: role by namespace. */
  roles: string
  created_at: number
  expires_at: number | null
  used_at: number | null
  revoked_at: number | null
}

export interface SetupCodeTable {
  hash: string
  created_at: number
}

export interface SignInTryTable {
  key: string
  count: number
  ends_at: number
}

export interface AuditTable {
  seq: number
  at: number
  actor: string
  actor_name: string
  action: string
  namespace: string | null
  object: string | null
  outcome: string
  code: string | null
  address: string | null
  before_hash: string | null
  after_hash: string | null
  unrecorded: number
  previous: string
  hash: string
}

/** The last entry that retention took away: the one that is kept first follows it. */
export interface AuditBaseTable {
  one: number
  seq: number
  hash: string
}
