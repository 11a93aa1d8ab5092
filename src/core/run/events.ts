import type { Json } from '../json.ts'
import type { ParameterValue } from '../dag/dag.ts'
import type { ReasonCode } from './reasons.ts'

/**
 * Facts of one run, in the order they became true. They are appended, never changed; a type is never renamed and a
 * field never changes its meaning, since old logs are read by new engines. `at` is milliseconds since 1970 (UTC).
 *
 * A `task` in an event is a task key: the name of the task, or `name[3]` for the fourth item of a fan-out.
 */
export type RunEvent =
  | RunCreated
  | { readonly type: 'runStarted'; readonly at: number }
  /** A fan-out knows its items; its children `task[0]` … exist from here on. */
  | {
      readonly type: 'taskExpanded'
      readonly at: number
      readonly task: string
      readonly items: readonly Json[]
    }
  /** Everything these tasks waited for is there (or their retry is due); from now on they wait only for slots. */
  | { readonly type: 'tasksReady'; readonly at: number; readonly tasks: readonly string[] }
  /** These tasks came to their end without an attempt of their own deciding it. */
  | TasksSettled
  /** Results taken over from the run that this one continues. */
  | { readonly type: 'tasksReused'; readonly at: number; readonly tasks: readonly ReusedTask[] }
  /** Intent: written before the executor is asked. The attempt holds its slots from here until `attemptEnded`. */
  | AttemptStarted
  | AttemptPending
  | AttemptRunning
  /** The engine decided to stop it; whatever it then ends as, this is why. */
  | AttemptStopping
  | AttemptEnded
  | { readonly type: 'approvalRequested'; readonly at: number; readonly task: string }
  | ApprovalAnswered
  | { readonly type: 'runPaused'; readonly at: number; readonly by: string }
  | { readonly type: 'runResumed'; readonly at: number; readonly by: string }
  | StopRequested
  /** The main tasks settled; the tasks under `finally` may start. */
  | { readonly type: 'finallyStarted'; readonly at: number }
  | RunSettled

export interface RunCreated {
  readonly type: 'runCreated'
  readonly at: number
  /** Version of this event's shape. */
  readonly v: 1
  readonly run: string
  readonly name: string
  readonly namespace: string
  readonly dag: string
  /** Content hash of the immutable DAG version that this run is pinned to. */
  readonly dagHash: string
  /** Every declared parameter that has a value, overrides applied; Secrets stay references. */
  readonly parameters: readonly ParameterValue[]
  readonly labels: Readonly<Record<string, string>>
  readonly trigger: Trigger
  readonly priority: number
  /** The attempt of another run that runs this one as its work. */
  readonly parent: { readonly run: string; readonly task: string; readonly attempt: number } | null
  /** The finished run whose results this one may reuse (retry, fork). */
  readonly continues: string | null
  /** Where relative paths of local tasks start; null in a cluster. */
  readonly workdir: string | null
  /** Overrides the DAG's own limit when smaller; null for none. */
  readonly maxParallelTasks: number | null
  /** True while the DAG's concurrency policy (`Queue`) holds it back; `runStarted` ends it. */
  readonly queued: boolean
}

/** What asked for the run. `key` makes it happen once: the same DAG, kind and key never gives a second run. */
export type Trigger =
  | { readonly kind: 'manual'; readonly key: string; readonly by: string }
  | { readonly kind: 'schedule'; readonly key: string; readonly scheduledTime: number }
  | { readonly kind: 'event'; readonly key: string; readonly source: string }
  | { readonly kind: 'dag'; readonly key: string }
  | { readonly kind: 'dagRun'; readonly key: string }

export interface TasksSettled {
  readonly type: 'tasksSettled'
  readonly at: number
  readonly tasks: readonly string[]
  readonly state: 'succeeded' | 'failed' | 'skipped' | 'upstreamFailed' | 'cancelled'
  readonly reason: ReasonCode
  readonly message: string | null
}

export interface ReusedTask {
  readonly task: string
  readonly state: 'succeeded' | 'skipped' | 'failed'
  readonly outputs: Readonly<Record<string, string>>
  readonly exitCode: number | null
  /** Of an item of a fan-out: reused only when the new fan-out gives the same item at the same place. */
  readonly item?: Json
}

export interface AttemptStarted {
  readonly type: 'attemptStarted'
  readonly at: number
  readonly task: string
  readonly attempt: number
  /** The executor's era, for one whose knowledge ends some time (see the executor's port). */
  readonly era?: string
}

/** What holds an attempt back that has been started and does not run yet, such as a node that is too small. */
export interface AttemptPending {
  readonly type: 'attemptPending'
  readonly at: number
  readonly task: string
  readonly attempt: number
  readonly reason: ReasonCode
  readonly message: string | null
  /** What was made for it and starts only now that this is durable (`startGuarantee: strict`); the first one counts. */
  readonly handle?: Json
}

export interface AttemptRunning {
  readonly type: 'attemptRunning'
  readonly at: number
  readonly task: string
  readonly attempt: number
  /** What the executor needs to find it again and what `get` shows: pid, container id, pod name and UID. */
  readonly handle: Json
}

export interface AttemptStopping {
  readonly type: 'attemptStopping'
  readonly at: number
  readonly task: string
  readonly attempt: number
  readonly why: StopWhy
}

export type StopWhy = 'cancelled' | 'timedOut' | 'pendingTimedOut' | 'failFast' | 'runTimedOut'

export interface AttemptEnded {
  readonly type: 'attemptEnded'
  readonly at: number
  readonly task: string
  readonly attempt: number
  readonly outcome: Outcome
  /** What follows, decided once, when the end was recorded. */
  readonly next:
    | { readonly kind: 'settle'; readonly state: 'succeeded' | 'failed' | 'cancelled' }
    | { readonly kind: 'retry'; readonly at: number; readonly budget: 'task' | 'infrastructure' }
    /** `onLost: wait`: a person decides by `retry` or `cancel`. */
    | { readonly kind: 'wait' }
}

export type OutcomeKind =
  | 'succeeded'
  | 'exitCode'
  | 'oomKilled'
  | 'timedOut'
  | 'disrupted'
  | 'imageError'
  | 'configError'
  | 'lost'
  | 'startError'
  | 'cancelled'

/** How an attempt ended: what the container did, or that nobody can know (`lost`). */
export interface Outcome {
  readonly kind: OutcomeKind
  readonly reason: ReasonCode
  /** 0..255; null when no exit code was seen. */
  readonly exitCode: number | null
  /** `SIGKILL` and the like when a signal ended it and that is known. */
  readonly signal: string | null
  /** One sentence for people; never holds a secret's value. */
  readonly message: string | null
  /** Values the task wrote to `$KONTROLER_OUTPUT`; only of a success. */
  readonly outputs: Readonly<Record<string, string>>
}

export interface ApprovalAnswered {
  readonly type: 'approvalAnswered'
  readonly at: number
  readonly task: string
  readonly approved: boolean
  /** Who answered; `deadline` when time did. */
  readonly by: string
  readonly message: string | null
  readonly values: Readonly<Record<string, string>>
}

export interface StopRequested {
  readonly type: 'stopRequested'
  readonly at: number
  readonly why: 'cancelled' | 'failFast' | 'timedOut' | 'replaced'
  readonly by: string
  /** `cancel --now`: the tasks under `finally` do not run either. */
  readonly skipFinally: boolean
}

export interface RunSettled {
  readonly type: 'runSettled'
  readonly at: number
  readonly phase: 'succeeded' | 'failed' | 'cancelled'
  readonly reason: ReasonCode
  /** Leads with the root failure. */
  readonly message: string
}
