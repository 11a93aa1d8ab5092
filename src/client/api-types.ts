/* Made from docs/reference/openapi.json by npm run generate. Not edited by hand. */

export interface AppliedDag {
  namespace: string
  name: string
  version: number
  /** Of its content; suspending it does not change it. */
  hash: string
  /** Who looks after it: only a DAG kept by the API is changed through the API. */
  keeper: 'api' | 'file' | 'cluster'
  /** When this version was first stored. */
  createdAt: string
  suspended: boolean
  schedules: Schedule[]
  timeZone: string
  tasks: number
  labels: Record<string, string>
  parameters: Parameter[]
  /** Whether who asks may change it here. */
  mayEdit: boolean
  warnings: {
    code: string
    message: string
    fix: string
  }[]
  /** What nothing here does with it, such as an image for a process. */
  notes: string[]
}

export interface Attempt {
  attempt: number
  phase: 'starting' | 'running' | 'stopping' | 'ended'
  outcome: string | null
  /** A reason code; the closed list is in the reference. */
  reason: string | null
  exitCode: number | null
  signal: string | null
  message: string | null
  /** RFC 3339, UTC. */
  startedAt: string
  runningAt: string | null
  endedAt: string | null
  /** What finds it outside: a pid, a container, a pod. */
  handle: unknown
  /** Where its log is read; null when it can have none. */
  log: string | null
}

export interface AttemptList {
  items: Attempt[]
}

export interface AuditEntry {
  seq: number
  /** RFC 3339, UTC. */
  at: string
  actor: string
  actorName: string
  /** Name of the operation, as in this document. */
  action: string
  namespace: string | null
  object: string | null
  outcome: 'done' | 'denied' | 'refused' | 'failed'
  /** Of the problem, when it was not done. */
  code: string | null
  address: string | null
  /** Names the content of the object before. */
  before: string | null
  after: string | null
  /** Denied requests of this origin that were too many to be written down. */
  unrecorded: number
  /** Hash of the entry before. */
  previous: string
  hash: string
}

export interface AuditPage {
  items: AuditEntry[]
  /** Give it as `after` to read on; null at the end. */
  next: string | null
}

export interface AuditVerdict {
  intact: boolean
  entries: number
  /** The oldest entry that is kept. */
  first: number | null
  /** Note it elsewhere, and give it to a later verification. */
  last: {
    seq: number
    hash: string
  } | null
  broken: {
    seq: number
    why: string
  } | null
}

export interface Change {
  /** Number of the change; the id of the event. */
  seq: number
  /** Length of the log of the run before it. */
  from: number
  /** And after it. */
  version: number
  /** The run as it is when this is told. */
  run: Run
  events: RunEvent[]
}

export interface Dag {
  namespace: string
  name: string
  version: number
  /** Of its content; suspending it does not change it. */
  hash: string
  /** Who looks after it: only a DAG kept by the API is changed through the API. */
  keeper: 'api' | 'file' | 'cluster'
  /** When this version was first stored. */
  createdAt: string
  suspended: boolean
  schedules: Schedule[]
  timeZone: string
  tasks: number
  labels: Record<string, string>
  parameters: Parameter[]
  /** Whether who asks may change it here. */
  mayEdit: boolean
}

export interface DagContent {
  version: number
  hash: string
  /** RFC 3339, UTC. */
  createdAt: string
  current: boolean
  /** The DAG as the engine understands it. */
  content: unknown
}

export interface DagPage {
  items: Dag[]
  /** Give it as `after` to read on; null at the end. */
  next: string | null
}

export interface DagVersion {
  version: number
  hash: string
  /** RFC 3339, UTC. */
  createdAt: string
  current: boolean
}

export interface DagVersionList {
  items: DagVersion[]
}

export interface Delivery {
  /** What the receiver gets as `webhook-id`, the same with each attempt. */
  id: string
  run: string
  /** Its place among the messages of the run. */
  number: number
  namespace: string
  dag: string
  event: string
  /** Host and port. */
  receiver: string
  state: 'waiting' | 'delivered' | 'failed' | 'gone'
  attempts: number
  /** RFC 3339, UTC. */
  createdAt: string
  /** When it is tried next, once those before it are settled. */
  nextAt: string | null
  settledAt: string | null
  /** The last attempts, the newest last. */
  log: DeliveryAttempt[]
  /** What is sent. */
  message: unknown
}

export interface DeliveryAttempt {
  /** RFC 3339, UTC. */
  at: string
  durationMs: number
  code: 'DELIVERED' | 'RECEIVER_REFUSED' | 'RECEIVER_BUSY' | 'RECEIVER_GONE' | 'REDIRECTED' | 'TIMED_OUT' | 'CONNECTION_FAILED' | 'TLS_FAILED' | 'NAME_NOT_FOUND' | 'ADDRESS_REFUSED' | 'PORT_REFUSED' | 'URL_INVALID' | 'SECRET_MISSING' | 'SECRET_REFUSED' | 'HEADER_INVALID' | 'WEBHOOK_REMOVED'
  /** What the code means. */
  sentence: string
  /** Of the answer; null when there was none. */
  status: number | null
  /** Where it was sent; for editors. */
  address: string | null
  /** Whether the certificate was checked; null without TLS. */
  verified: boolean | null
  /** The beginning of the answer; for editors. */
  response: string | null
}

export interface DeliveryPage {
  items: Delivery[]
  /** Give it as `after` to read on; null at the end. */
  next: string | null
}

export interface EventPage {
  items: RunEvent[]
  /** Give it as `after` to read on; null at the end of what is there now. */
  next: number | null
}

export interface Explanation {
  code: string
  sentence: string
  /** What to do next. */
  next: string
  deadline: {
    /** RFC 3339, UTC. */
    at: string
    what: string
  } | null
  run: string
  name: string
  task: string | null
  state: string
  /** Where it began, nearest first. */
  root: ({
    code: string
    sentence: string
    /** What to do next. */
    next: string
    deadline: {
      /** RFC 3339, UTC. */
      at: string
      what: string
    } | null
    task: string
  })[]
}

export interface Graph {
  nodes: ({
    task: string
    part: 'main' | 'finally'
    work: 'container' | 'dag' | 'approval'
    fanOut: boolean
    triggerRule: string
    when: string | null
    /** Longest way from a task that waits for none. */
    layer: number
  })[]
  edges: {
    from: string
    to: string
  }[]
}

export interface HookAccepted {
  accepted: true
  /** The run that this event has started; the same for the same event. */
  run: string
}

export interface HookPassed {
  accepted: false
  reason: 'FILTERED' | 'DAG_SUSPENDED' | 'CONCURRENCY_FORBID'
  message: string
}

export interface Me {
  id: string
  name: string
  /** `other`: known by other means than an account. */
  by: 'session' | 'token' | 'other'
  roles: Record<string, 'viewer' | 'editor' | 'admin'>
  /** When the session or token ends, used or not. */
  endsAt: string | null
}

export interface NewToken {
  id: string
  name: string
  roles: Record<string, 'viewer' | 'editor' | 'admin'>
  /** RFC 3339, UTC. */
  createdAt: string
  expiresAt: string | null
  usedAt: string | null
  revokedAt: string | null
  /** Shown this once. */
  token: string
}

export interface NextFires {
  items: ({
    /** RFC 3339, UTC. */
    at: string
    /** Why it starts nothing. */
    skippedReason: string | null
  })[]
}

export interface OneProblem {
  code: string
  severity: 'error' | 'warning'
  path: (string | number)[]
  message: string
  fix: string
  /** Where in the text; lines and columns count from 1. */
  at?: {
    line: number
    column: number
  }
}

export interface Parameter {
  name: string
  type: 'string' | 'integer' | 'number' | 'boolean' | 'json'
  description: string | null
  required: boolean
  enum: unknown[] | null
  default: {
    kind: 'none'
  } | {
    kind: 'value'
    value: string
  } | {
    kind: 'secret'
    secret: SecretRef
  }
}

export type ParameterValue = {
  name: string
  value: string
} | {
  name: string
  fromSecret: SecretRef
}

export interface Problem {
  type: string
  title: string
  status: number
  /** Stable; the same as the CLI says. */
  code: string
  detail: string
  /** What to do about it. */
  fix: string
  /** Stands in the log of the server, too. */
  correlationId: string
  problems: OneProblem[]
}

export interface ProblemList {
  problems: OneProblem[]
}

export interface Root {
  name: string
  version: string
  links: string[]
}

export interface Run {
  id: string
  name: string
  namespace: string
  dag: string
  /** Content of the DAG version that it runs. */
  dagHash: string
  phase: 'queued' | 'running' | 'paused' | 'succeeded' | 'failed' | 'cancelled'
  /** A reason code; the closed list is in the reference. */
  reason: string | null
  /** Leads with the root failure; empty while nothing is to be said. */
  message: string
  /** Nothing drives it, though it has not ended. */
  interrupted: boolean
  tasksDone: number
  tasksTotal: number
  /** RFC 3339, UTC. */
  createdAt: string
  startedAt: string | null
  endedAt: string | null
  durationMs: number | null
  trigger: Trigger
  labels: Record<string, string>
  /** The run that this one is a task of. */
  parentRun: string | null
  /** The run that it is a retry or fork of. */
  continues: string | null
}

export interface RunDetail {
  id: string
  name: string
  namespace: string
  dag: string
  /** Content of the DAG version that it runs. */
  dagHash: string
  phase: 'queued' | 'running' | 'paused' | 'succeeded' | 'failed' | 'cancelled'
  /** A reason code; the closed list is in the reference. */
  reason: string | null
  /** Leads with the root failure; empty while nothing is to be said. */
  message: string
  /** Nothing drives it, though it has not ended. */
  interrupted: boolean
  tasksDone: number
  tasksTotal: number
  /** RFC 3339, UTC. */
  createdAt: string
  startedAt: string | null
  endedAt: string | null
  durationMs: number | null
  trigger: Trigger
  labels: Record<string, string>
  /** The run that this one is a task of. */
  parentRun: string | null
  /** The run that it is a retry or fork of. */
  continues: string | null
  dagVersion: number | null
  parameters: ParameterValue[]
}

export interface RunEvent {
  type: string
  /** Milliseconds since 1970. */
  at: number
  [field: string]: unknown
}

export interface RunPage {
  items: Run[]
  /** Give it as `after` to read on; null at the end. */
  next: string | null
}

export interface Schedule {
  text: string
  /** The same for people who do not read cron. */
  words: string
}

export interface SecretRef {
  name: string
  key: string
}

export interface SignInMethods {
  /** There is no user yet: the first one is made with the setup code. */
  setup: boolean
  password: boolean
  providers: {
    name: string
    title: string
    href: string
  }[]
}

export interface Skips {
  items: {
    /** RFC 3339, UTC. */
    from: string
    /** RFC 3339, UTC. */
    to: string
    count: number
    reason: string
    sentence: string
    /** RFC 3339, UTC. */
    at: string
  }[]
}

export interface StartedRun {
  id: string
  name: string
  namespace: string
  dag: string
  /** Content of the DAG version that it runs. */
  dagHash: string
  phase: 'queued' | 'running' | 'paused' | 'succeeded' | 'failed' | 'cancelled'
  /** A reason code; the closed list is in the reference. */
  reason: string | null
  /** Leads with the root failure; empty while nothing is to be said. */
  message: string
  /** Nothing drives it, though it has not ended. */
  interrupted: boolean
  tasksDone: number
  tasksTotal: number
  /** RFC 3339, UTC. */
  createdAt: string
  startedAt: string | null
  endedAt: string | null
  durationMs: number | null
  trigger: Trigger
  labels: Record<string, string>
  /** The run that this one is a task of. */
  parentRun: string | null
  /** The run that it is a retry or fork of. */
  continues: string | null
  /** Results of an earlier run that it begins with. */
  reused: number
}

export interface Stats {
  runs: Record<'queued' | 'running' | 'paused' | 'succeeded' | 'failed' | 'cancelled', number>
}

export interface Status {
  status: 'ok'
}

export interface Task {
  task: string
  part: 'main' | 'finally'
  group: string | null
  /** Any JSON value. */
  item: unknown
  runAfter: string[]
  state: 'pending' | 'waiting' | 'queued' | 'starting' | 'running' | 'backoff' | 'succeeded' | 'failed' | 'skipped' | 'upstreamFailed' | 'cancelled'
  /** A reason code; the closed list is in the reference. */
  reason: string | null
  message: string | null
  exitCode: number | null
  outputs: Record<string, string>
  readyAt: string | null
  endedAt: string | null
  retryAt: string | null
  attempts: Attempt[]
}

export interface TaskPage {
  items: TaskRow[]
  /** Give it as `after` to read on; null at the end. */
  next: string | null
}

export interface TaskRow {
  task: string
  /** Place in the plan; items of a fan-out come after all planned tasks. */
  index: number
  state: 'pending' | 'waiting' | 'queued' | 'starting' | 'running' | 'backoff' | 'succeeded' | 'failed' | 'skipped' | 'upstreamFailed' | 'cancelled'
  /** A reason code; the closed list is in the reference. */
  reason: string | null
  message: string | null
  attempts: number
  exitCode: number | null
  startedAt: string | null
  endedAt: string | null
}

export interface Token {
  id: string
  name: string
  roles: Record<string, 'viewer' | 'editor' | 'admin'>
  /** RFC 3339, UTC. */
  createdAt: string
  expiresAt: string | null
  usedAt: string | null
  revokedAt: string | null
}

export interface TokenList {
  items: Token[]
}

export type Trigger = {
  kind: 'manual'
  key: string
  by: string
} | {
  kind: 'schedule'
  key: string
  /** RFC 3339, UTC. */
  scheduledTime: string
} | {
  kind: 'event'
  key: string
  source: string
} | {
  kind: 'dag'
  key: string
} | {
  kind: 'dagRun'
  key: string
}

export interface User {
  id: string
  name: string
  roles: Record<string, 'viewer' | 'editor' | 'admin'>
  disabled: boolean
  hasPassword: boolean
  /** The identity provider that vouches for them. */
  issuer: string | null
  /** RFC 3339, UTC. */
  createdAt: string
}

export interface UserPage {
  items: User[]
  /** Give it as `after` to read on; null at the end. */
  next: string | null
}

export interface Version {
  version: string
}

/** What each operation takes and gives. */
export interface Operations {
  /** DAGs in force, by namespace and name */
  listDags: {
    query?: {
      namespace?: string
      /** Only DAGs whose name starts with it. */
      name?: string
      /** Most items of the page; default 50. */
      limit?: number
      /** `next` of the page before. */
      after?: string
    }
    answer: DagPage
  }
  /** One DAG, as it is in force */
  getDag: {
    params: {
      namespace: string
      name: string
    }
    headers?: {
      /** An ETag: answered with 304 when it is still in force. */
      'if-none-match'?: string
    }
    answer: Dag
  }
  /** Creates a DAG, or puts another version in force */
  putDag: {
    params: {
      namespace: string
      name: string
    }
    headers?: {
      /** ETag of what the change was made from; `*` for whatever is there. Needed to change a DAG. */
      'if-match'?: string
      /** `*`: only where there is none yet. */
      'if-none-match'?: string
    }
    body: string
    answer: AppliedDag
  }
  /** Takes a DAG out of force; its runs and versions stay */
  deleteDag: {
    params: {
      namespace: string
      name: string
    }
    headers?: {
      /** ETag of what is to go. */
      'if-match'?: string
    }
    answer: undefined
  }
  /** Lets its schedules start nothing */
  suspendDag: {
    params: {
      namespace: string
      name: string
    }
    answer: Dag
  }
  /** Lets its schedules start runs again */
  unsuspendDag: {
    params: {
      namespace: string
      name: string
    }
    answer: Dag
  }
  /** Versions of a DAG, newest first */
  listDagVersions: {
    params: {
      namespace: string
      name: string
    }
    answer: DagVersionList
  }
  /** One version of a DAG, as the engine understands it */
  getDagVersion: {
    params: {
      namespace: string
      name: string
      version: number
    }
    answer: DagContent
  }
  /** One version of a DAG as a YAML document that means the same */
  getDagSource: {
    params: {
      namespace: string
      name: string
      version: number
    }
    answer: string
  }
  /** Tasks of a version and what waits for what */
  getDagGraph: {
    params: {
      namespace: string
      name: string
      version: number
    }
    answer: Graph
  }
  /** All that is wrong with documents; nothing is stored */
  validate: {
    query?: {
      namespace?: string
    }
    body: string
    answer: ProblemList
  }
  /** Runs, newest first */
  listRuns: {
    query?: {
      namespace?: string
      dag?: string
      /** Only runs whose name starts with it. */
      name?: string
      /** Several mean any of them. */
      phase?: ('queued' | 'running' | 'paused' | 'succeeded' | 'failed' | 'cancelled')[]
      /** NAME=value; several must all hold. */
      label?: string[]
      /** RFC 3339, or milliseconds since 1970. */
      createdFrom?: string
      /** RFC 3339, or milliseconds since 1970. */
      createdBefore?: string
      /** Tasks of this run; `none`: only runs that are no task. */
      parent?: string
      /** Most items of the page; default 50. */
      limit?: number
      /** `next` of the page before. */
      after?: string
    }
    answer: RunPage
  }
  /** Starts a run of a DAG */
  createRun: {
    headers?: {
      /** The same key gives the same run, however often it is sent. */
      'idempotency-key'?: string
    }
    body: {
      namespace?: string
      dag: string
      name?: string
      parameters?: ({
        name: string
        /** Any JSON value. */
        value: unknown
      } | {
        name: string
        fromSecret: string | {
          name: string
          key?: string
        }
      })[]
      labels?: Record<string, string>
    }
    answer: StartedRun
  }
  /** One run, with its parameters */
  getRun: {
    params: {
      run: string
    }
    answer: RunDetail
  }
  /** Tasks of a run in the order of its plan */
  listTasks: {
    params: {
      run: string
    }
    query?: {
      /** Several mean any of them. */
      state?: ('pending' | 'waiting' | 'queued' | 'starting' | 'running' | 'backoff' | 'succeeded' | 'failed' | 'skipped' | 'upstreamFailed' | 'cancelled')[]
      /** Most items of the page; default 500. */
      limit?: number
      /** `next` of the page before. */
      after?: string
    }
    answer: TaskPage
  }
  /** One task: what it waits for, what it gave, and each attempt */
  getTask: {
    params: {
      run: string
      /** Key of the task: its name, or `name[3]` for the fourth item of a fan-out. */
      task: string
    }
    answer: Task
  }
  /** Attempts of a task */
  listAttempts: {
    params: {
      run: string
      /** Key of the task: its name, or `name[3]` for the fourth item of a fan-out. */
      task: string
    }
    answer: AttemptList
  }
  /** The log of a run: facts in the order they became true */
  listEvents: {
    params: {
      run: string
    }
    query?: {
      /** How many of its events are known already. */
      after?: number
      /** Most items of the page; default 500. */
      limit?: number
    }
    answer: EventPage
  }
  /** Why a run or a task of it waits, or ended as it did, and what to do next */
  explainRun: {
    params: {
      run: string
    }
    query?: {
      task?: string
    }
    answer: Explanation
  }
  /** Ends a run: its tasks are stopped, the tasks under finally still run */
  cancelRun: {
    params: {
      run: string
    }
    body?: {
      /** Do not run the tasks under finally either. */
      skipFinally?: boolean
    }
    answer: Run
  }
  /** Starts nothing new in a run; what runs goes on */
  pauseRun: {
    params: {
      run: string
    }
    answer: Run
  }
  /** Lets a paused run go on */
  resumeRun: {
    params: {
      run: string
    }
    answer: Run
  }
  /** Answers an approval that waits, with the values of its form */
  answerApproval: {
    params: {
      run: string
      /** Key of the task: its name, or `name[3]` for the fourth item of a fan-out. */
      task: string
    }
    body: {
      approved: boolean
      message?: string | null
      values?: Record<string, string>
    }
    answer: Run
  }
  /** A new run that reuses what succeeded and runs the rest again */
  retryRun: {
    params: {
      run: string
    }
    headers?: {
      /** The same key gives the same run, however often it is sent. */
      'idempotency-key'?: string
    }
    body?: {
      /** With other values everything runs again. */
      parameters?: ({
        name: string
        /** Any JSON value. */
        value: unknown
      } | {
        name: string
        fromSecret: string | {
          name: string
          key?: string
        }
      })[]
    }
    answer: StartedRun
  }
  /** A new run that starts from some tasks of a run that has ended */
  forkRun: {
    params: {
      run: string
    }
    headers?: {
      /** The same key gives the same run, however often it is sent. */
      'idempotency-key'?: string
    }
    body?: {
      /** These tasks and all that come after them run; empty: everything. */
      from?: string[]
      parameters?: ({
        name: string
        /** Any JSON value. */
        value: unknown
      } | {
        name: string
        fromSecret: string | {
          name: string
          key?: string
        }
      })[]
      /** The DAG in force instead of the version of that run. */
      latest?: boolean
    }
    answer: StartedRun
  }
  /** What an attempt wrote: a range, its end, all of it, or as it grows */
  getLog: {
    params: {
      run: string
      /** Key of the task: its name, or `name[3]` for the fourth item of a fan-out. */
      task: string
    }
    query?: {
      /** Default: the newest. */
      attempt?: number
      /** An init container or sidecar of its pod instead of the task itself. */
      container?: string
      /** First byte. */
      offset?: number
      /** Only the last lines of what is there now. */
      tail?: number
      /** Most bytes of the answer; default 4 MiB. */
      bytes?: number
      /** `true`: goes on until the attempt has ended. */
      follow?: 'true' | 'false'
      /** `true`: all of it, as a file. */
      download?: 'true' | 'false'
    }
    answer: string
  }
  /** Messages of a run to the receiver that its DAG names, in their order */
  listRunDeliveries: {
    params: {
      run: string
    }
    query?: {
      /** Several mean any of them. */
      state?: ('waiting' | 'delivered' | 'failed' | 'gone')[]
      /** Most items of the page; default 50. */
      limit?: number
      /** `next` of the page before. */
      after?: string
    }
    answer: DeliveryPage
  }
  /** Messages of the runs of a DAG, newest first */
  listDagDeliveries: {
    params: {
      namespace: string
      name: string
    }
    query?: {
      /** Several mean any of them. */
      state?: ('waiting' | 'delivered' | 'failed' | 'gone')[]
      /** Most items of the page; default 50. */
      limit?: number
      /** `next` of the page before. */
      after?: string
    }
    answer: DeliveryPage
  }
  /** Sends a message again, or one that waits at once; under the same id */
  sendDelivery: {
    params: {
      run: string
      number: number
    }
    answer: Delivery
  }
  /** An event for a trigger of a DAG; its sender proves itself as the trigger says */
  receiveHook: {
    params: {
      namespace: string
      dag: string
      trigger: string
    }
    answer: HookPassed | HookAccepted
  }
  /** What its schedules will do, by the function that the scheduler asks */
  nextFires: {
    params: {
      namespace: string
      name: string
    }
    query?: {
      /** Default: now. */
      from?: string
      /** Default 10. */
      limit?: number
    }
    answer: NextFires
  }
  /** Ticks that did not become runs, and why, newest first */
  listSkips: {
    params: {
      namespace: string
      name: string
    }
    query?: {
      /** Most items of the page; default 50. */
      limit?: number
    }
    answer: Skips
  }
  /** What happens to runs, as it happens (server-sent events) */
  followEvents: {
    query?: {
      namespace?: string
      dag?: string
      run?: string
      /** Like Last-Event-ID, for a client that cannot send it. */
      after?: number
    }
    headers?: {
      /** Number of the last change that is known: what came since is told first. */
      'last-event-id'?: string
    }
    answer: string
  }
  /** How many runs there are of each phase */
  getStats: {
    query?: {
      namespace?: string
      dag?: string
      /** RFC 3339, or milliseconds since 1970. */
      createdFrom?: string
    }
    answer: Stats
  }
  /** The process answers */
  getHealth: {
    answer: Status
  }
  /** The database answers, too */
  getReady: {
    answer: Status
  }
  /** Version of the program */
  getVersion: {
    answer: Version
  }
  /** Figures for Prometheus, where somebody counts */
  getMetrics: {
    answer: string
  }
  /** Where to begin */
  getRoot: {
    answer: Root
  }
  /** Takes a one-time code from a link, and gives a cookie for it */
  signIn: {
    query: {
      code: string
    }
    answer: undefined
  }
  /** Who asks, and what they may do */
  getSession: {
    answer: Me
  }
  /** Signs a user in with name and password, and gives a cookie */
  signInWithPassword: {
    body: {
      name: string
      password: string
    }
    answer: Me
  }
  /** Ends the session of the cookie, at once */
  signOut: {
    answer: undefined
  }
  /** How one can sign in here */
  listSignInMethods: {
    answer: SignInMethods
  }
  /** Changes the own password; all other sessions end, and this one gets another cookie */
  changeOwnPassword: {
    body: {
      old: string
      new: string
    }
    answer: Me
  }
  /** Makes the first user, who may do everything, with the code that the server showed when it started */
  setUp: {
    body: {
      code: string
      name: string
      password: string
    }
    answer: Me
  }
  /** Sends a browser to an identity provider, to sign in there */
  beginOidc: {
    params: {
      provider: string
    }
    query?: {
      /** Path of this server to go on at; anything else: `/`. */
      to?: string
    }
    answer: undefined
  }
  /** Where an identity provider sends a browser back to: signs its user in */
  finishOidc: {
    params: {
      provider: string
    }
    answer: undefined
  }
  /** Users, in order of their names */
  listUsers: {
    query?: {
      /** Only users whose name starts with it. */
      name?: string
      /** Most items of the page; default 50. */
      limit?: number
      /** `next` of the page before. */
      after?: string
    }
    answer: UserPage
  }
  /** Makes a user who signs in with a password */
  createUser: {
    body: {
      name: string
      password: string
      /** Role by namespace; `*` stands for all that are not named. */
      roles?: Record<string, 'viewer' | 'editor' | 'admin'>
    }
    answer: User
  }
  /** One user */
  getUser: {
    params: {
      /** Name of the user. */
      user: string
    }
    answer: User
  }
  /** Changes roles, password, or whether a user may come in; what is left out stays. Their sessions end */
  changeUser: {
    params: {
      /** Name of the user. */
      user: string
    }
    headers?: {
      /** ETag of what the change was made from. */
      'if-match'?: string
    }
    body: {
      /** Role by namespace; `*` stands for all that are not named. */
      roles?: Record<string, 'viewer' | 'editor' | 'admin'>
      disabled?: boolean
      password?: string
    }
    answer: User
  }
  /** Takes a user away, with all sessions and tokens */
  deleteUser: {
    params: {
      /** Name of the user. */
      user: string
    }
    headers?: {
      /** ETag of who is to go. */
      'if-match'?: string
    }
    answer: undefined
  }
  /** Tokens of a user, newest first */
  listUserTokens: {
    params: {
      /** Name of the user. */
      user: string
    }
    answer: TokenList
  }
  /** Revokes a token of a user, at once */
  revokeUserToken: {
    params: {
      /** Name of the user. */
      user: string
      token: string
    }
    answer: undefined
  }
  /** Own tokens, newest first; never the tokens themselves */
  listTokens: {
    answer: TokenList
  }
  /** Makes a token for a program; it is shown this once */
  createToken: {
    body: {
      name: string
      /** What it may do at most. Default: what its owner may, whenever it is used. */
      roles?: Record<string, 'viewer' | 'editor' | 'admin'>
      /** Default: in 90 days; null: never. */
      expiresAt?: string | null
    }
    answer: NewToken
  }
  /** Revokes an own token, at once */
  revokeToken: {
    params: {
      token: string
    }
    answer: undefined
  }
  /** What was done and what was denied, newest first */
  listAudit: {
    query?: {
      namespace?: string
      /** Id of who asked, such as `user:…`. */
      actor?: string
      action?: string
      outcome?: 'done' | 'denied' | 'refused' | 'failed'
      /** RFC 3339, or milliseconds since 1970. */
      from?: string
      /** RFC 3339, or milliseconds since 1970. */
      before?: string
      /** Most items of the page; default 50. */
      limit?: number
      /** `next` of the page before. */
      after?: string
    }
    answer: AuditPage
  }
  /** Reads the whole log, and says whether an entry was changed or taken out */
  verifyAudit: {
    query?: {
      /** Number of an entry that was noted elsewhere. */
      seq?: number
      /** Its hash. */
      hash?: string
    }
    answer: AuditVerdict
  }
  /** The same as JSON lines, newest first, as the hashes are made of them */
  exportAudit: {
    query?: {
      namespace?: string
      /** Id of who asked, such as `user:…`. */
      actor?: string
      action?: string
      outcome?: 'done' | 'denied' | 'refused' | 'failed'
      /** RFC 3339, or milliseconds since 1970. */
      from?: string
      /** RFC 3339, or milliseconds since 1970. */
      before?: string
    }
    answer: string
  }
  /** This document */
  getOpenApi: {
    answer: Record<string, unknown>
  }
}

/** How each operation is asked for. */
export const OPERATIONS = {
  listDags: { method: 'GET', path: '/api/v1/dags', body: 'nothing', answer: 'json' },
  getDag: { method: 'GET', path: '/api/v1/dags/{namespace}/{name}', body: 'nothing', answer: 'json' },
  putDag: { method: 'PUT', path: '/api/v1/dags/{namespace}/{name}', body: 'document', answer: 'json' },
  deleteDag: { method: 'DELETE', path: '/api/v1/dags/{namespace}/{name}', body: 'nothing', answer: 'nothing' },
  suspendDag: { method: 'POST', path: '/api/v1/dags/{namespace}/{name}/suspend', body: 'nothing', answer: 'json' },
  unsuspendDag: { method: 'POST', path: '/api/v1/dags/{namespace}/{name}/unsuspend', body: 'nothing', answer: 'json' },
  listDagVersions: { method: 'GET', path: '/api/v1/dags/{namespace}/{name}/versions', body: 'nothing', answer: 'json' },
  getDagVersion: { method: 'GET', path: '/api/v1/dags/{namespace}/{name}/versions/{version}', body: 'nothing', answer: 'json' },
  getDagSource: { method: 'GET', path: '/api/v1/dags/{namespace}/{name}/versions/{version}/source', body: 'nothing', answer: 'text' },
  getDagGraph: { method: 'GET', path: '/api/v1/dags/{namespace}/{name}/versions/{version}/graph', body: 'nothing', answer: 'json' },
  validate: { method: 'POST', path: '/api/v1/validate', body: 'document', answer: 'json' },
  listRuns: { method: 'GET', path: '/api/v1/runs', body: 'nothing', answer: 'json' },
  createRun: { method: 'POST', path: '/api/v1/runs', body: 'json', answer: 'json' },
  getRun: { method: 'GET', path: '/api/v1/runs/{run}', body: 'nothing', answer: 'json' },
  listTasks: { method: 'GET', path: '/api/v1/runs/{run}/tasks', body: 'nothing', answer: 'json' },
  getTask: { method: 'GET', path: '/api/v1/runs/{run}/tasks/{task}', body: 'nothing', answer: 'json' },
  listAttempts: { method: 'GET', path: '/api/v1/runs/{run}/tasks/{task}/attempts', body: 'nothing', answer: 'json' },
  listEvents: { method: 'GET', path: '/api/v1/runs/{run}/events', body: 'nothing', answer: 'json' },
  explainRun: { method: 'GET', path: '/api/v1/runs/{run}/explain', body: 'nothing', answer: 'json' },
  cancelRun: { method: 'POST', path: '/api/v1/runs/{run}/cancel', body: 'json', answer: 'json' },
  pauseRun: { method: 'POST', path: '/api/v1/runs/{run}/pause', body: 'nothing', answer: 'json' },
  resumeRun: { method: 'POST', path: '/api/v1/runs/{run}/resume', body: 'nothing', answer: 'json' },
  answerApproval: { method: 'POST', path: '/api/v1/runs/{run}/tasks/{task}/answer', body: 'json', answer: 'json' },
  retryRun: { method: 'POST', path: '/api/v1/runs/{run}/retry', body: 'json', answer: 'json' },
  forkRun: { method: 'POST', path: '/api/v1/runs/{run}/fork', body: 'json', answer: 'json' },
  getLog: { method: 'GET', path: '/api/v1/runs/{run}/tasks/{task}/log', body: 'nothing', answer: 'text' },
  listRunDeliveries: { method: 'GET', path: '/api/v1/runs/{run}/deliveries', body: 'nothing', answer: 'json' },
  listDagDeliveries: { method: 'GET', path: '/api/v1/dags/{namespace}/{name}/deliveries', body: 'nothing', answer: 'json' },
  sendDelivery: { method: 'POST', path: '/api/v1/runs/{run}/deliveries/{number}/send', body: 'nothing', answer: 'json' },
  receiveHook: { method: 'POST', path: '/hooks/{namespace}/{dag}/{trigger}', body: 'json', answer: 'json' },
  nextFires: { method: 'GET', path: '/api/v1/dags/{namespace}/{name}/schedule/next', body: 'nothing', answer: 'json' },
  listSkips: { method: 'GET', path: '/api/v1/dags/{namespace}/{name}/schedule/skips', body: 'nothing', answer: 'json' },
  followEvents: { method: 'GET', path: '/api/v1/events', body: 'nothing', answer: 'text' },
  getStats: { method: 'GET', path: '/api/v1/stats', body: 'nothing', answer: 'json' },
  getHealth: { method: 'GET', path: '/health', body: 'nothing', answer: 'json' },
  getReady: { method: 'GET', path: '/ready', body: 'nothing', answer: 'json' },
  getVersion: { method: 'GET', path: '/version', body: 'nothing', answer: 'json' },
  getMetrics: { method: 'GET', path: '/metrics', body: 'nothing', answer: 'text' },
  getRoot: { method: 'GET', path: '/', body: 'nothing', answer: 'json' },
  signIn: { method: 'GET', path: '/sign-in', body: 'nothing', answer: 'nothing' },
  getSession: { method: 'GET', path: '/api/v1/session', body: 'nothing', answer: 'json' },
  signInWithPassword: { method: 'POST', path: '/api/v1/session', body: 'json', answer: 'json' },
  signOut: { method: 'DELETE', path: '/api/v1/session', body: 'nothing', answer: 'nothing' },
  listSignInMethods: { method: 'GET', path: '/api/v1/session/methods', body: 'nothing', answer: 'json' },
  changeOwnPassword: { method: 'PUT', path: '/api/v1/session/password', body: 'json', answer: 'json' },
  setUp: { method: 'POST', path: '/api/v1/setup', body: 'json', answer: 'json' },
  beginOidc: { method: 'GET', path: '/api/v1/oidc/{provider}', body: 'nothing', answer: 'nothing' },
  finishOidc: { method: 'GET', path: '/api/v1/oidc/{provider}/callback', body: 'nothing', answer: 'nothing' },
  listUsers: { method: 'GET', path: '/api/v1/users', body: 'nothing', answer: 'json' },
  createUser: { method: 'POST', path: '/api/v1/users', body: 'json', answer: 'json' },
  getUser: { method: 'GET', path: '/api/v1/users/{user}', body: 'nothing', answer: 'json' },
  changeUser: { method: 'PUT', path: '/api/v1/users/{user}', body: 'json', answer: 'json' },
  deleteUser: { method: 'DELETE', path: '/api/v1/users/{user}', body: 'nothing', answer: 'nothing' },
  listUserTokens: { method: 'GET', path: '/api/v1/users/{user}/tokens', body: 'nothing', answer: 'json' },
  revokeUserToken: { method: 'DELETE', path: '/api/v1/users/{user}/tokens/{token}', body: 'nothing', answer: 'nothing' },
  listTokens: { method: 'GET', path: '/api/v1/tokens', body: 'nothing', answer: 'json' },
  createToken: { method: 'POST', path: '/api/v1/tokens', body: 'json', answer: 'json' },
  revokeToken: { method: 'DELETE', path: '/api/v1/tokens/{token}', body: 'nothing', answer: 'nothing' },
  listAudit: { method: 'GET', path: '/api/v1/audit', body: 'nothing', answer: 'json' },
  verifyAudit: { method: 'GET', path: '/api/v1/audit/verification', body: 'nothing', answer: 'json' },
  exportAudit: { method: 'GET', path: '/api/v1/audit/export', body: 'nothing', answer: 'text' },
  getOpenApi: { method: 'GET', path: '/api/v1/openapi.json', body: 'nothing', answer: 'json' },
} as const
