import type { Json } from '../json.ts'

/**
 * A workflow as the engine understands it: validated, the arrow language expanded, `taskRef`s resolved, durations
 * in milliseconds, defaults filled in. It is plain JSON data, so it can be stored, hashed and sent as it is.
 * The document a person writes is described in `spec/`; this is what it means.
 */
export interface Dag {
  readonly namespace: string
  readonly name: string
  /** Every schedule text; empty for a DAG that only runs by hand or on events. */
  readonly schedules: readonly string[]
  /** IANA zone in which the schedules are read. Default `UTC`. */
  readonly timeZone: string
  readonly catchUp: CatchUp
  /** A tick that could not start within this time of its due time is skipped, and the skip recorded. */
  readonly startingDeadlineMs: number | null
  readonly concurrencyPolicy: ConcurrencyPolicy
  readonly suspended: boolean
  readonly parameters: readonly Parameter[]
  /** In document order; `runAfter` names point within this list. */
  readonly tasks: readonly Task[]
  /** Run at the end, whatever happened; `runAfter` names point within this list. */
  readonly finally: readonly Task[]
  /** Most tasks of one run that may be live at once; null for no limit of its own. */
  readonly maxParallelTasks: number | null
  /** Longest a run may take from its start until its main tasks settled. */
  readonly timeoutMs: number | null
  readonly failFast: boolean
  /** Larger goes first where slots are short. Default 0. */
  readonly priority: number
  /** Pool that every task of this DAG takes a slot from unless the task names its own. */
  readonly pool: string | null
  readonly workspace: Workspace | null
  readonly labels: Readonly<Record<string, string>>
  /** Parts the local engine hands on untouched: triggers, webhook, retention, pod security, guarantees. */
  readonly extra: Readonly<Record<string, Json>>
}

/** `latest`: one run for all missed ticks; `none`: missed ticks are skipped; `all`: each one, up to a named cap. */
export type CatchUp = 'latest' | 'none' | 'all'
export type ConcurrencyPolicy = 'Allow' | 'Forbid' | 'Replace' | 'Queue'

export type ParameterType = 'string' | 'integer' | 'number' | 'boolean' | 'json'

export interface Parameter {
  readonly name: string
  readonly type: ParameterType
  readonly description: string | null
  readonly required: boolean
  readonly enum: readonly Json[] | null
  readonly default: ParameterDefault
}

export type ParameterDefault =
  | { readonly kind: 'none' }
  | { readonly kind: 'value'; readonly value: string }
  | { readonly kind: 'secret'; readonly secret: SecretRef }

/** A key of a Secret; its value is read when an attempt starts and is stored nowhere. */
export interface SecretRef {
  readonly name: string
  readonly key: string
}

export interface Task {
  readonly name: string
  readonly runAfter: readonly string[]
  readonly work: Work
  /** CEL text; null runs always. */
  readonly when: string | null
  readonly triggerRule: TriggerRule
  readonly allowFailure: boolean
  readonly retry: RetryPolicy
  /** Longest an attempt may run, from its start. */
  readonly timeoutMs: number | null
  /** Longest an attempt may take from being started until it runs. */
  readonly pendingTimeoutMs: number | null
  /** Names of DAG parameters handed over as environment variables, name verbatim. */
  readonly parameters: readonly string[]
  readonly outputs: readonly string[]
  readonly fanOut: FanOut | null
  readonly pool: string | null
  readonly priority: number | null
  readonly onLost: OnLost
}

export type TriggerRule = 'allSucceeded' | 'noneFailed' | 'allDone' | 'anySucceeded' | 'anyFailed' | 'always'
export type OnLost = 'retry' | 'fail' | 'wait'

/** What a task does when its turn comes. */
export type Work =
  | ContainerWork
  | { readonly kind: 'dag'; readonly dag: string; readonly parameters: readonly ParameterValue[] }
  | { readonly kind: 'approval'; readonly approval: Approval }

export interface ContainerWork {
  readonly kind: 'container'
  readonly image: string | null
  /** `command` followed by `args` is what runs; empty when there is a script. Texts may hold `${{ }}`. */
  readonly command: readonly string[]
  readonly args: readonly string[]
  /** Run as a file: by its `#!` line, or by `/bin/sh`. Never holds `${{ }}`. */
  readonly script: string | null
  readonly scriptInjectorImage: string | null
  readonly env: readonly EnvVar[]
  readonly resources: Json
  /** Merged over the safe default pod by the pod executor; null when absent. */
  readonly podTemplate: Json
}

/** One environment variable of a task. */
export type EnvVar = { readonly name: string } & EnvSource

export type EnvSource =
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'secret'; readonly secret: SecretRef; readonly optional: boolean }
  | { readonly kind: 'configMap'; readonly configMap: SecretRef; readonly optional: boolean }
  /** `fieldRef`/`resourceFieldRef`: only a pod can answer it. */
  | { readonly kind: 'pod'; readonly source: Json }

export interface ParameterValue {
  readonly name: string
  readonly value:
    | { readonly kind: 'value'; readonly value: string }
    | { readonly kind: 'secret'; readonly secret: SecretRef }
}

export interface Approval {
  readonly message: string
  /** The form: names and types of what the approver fills in; the answers become the task's outputs. */
  readonly form: readonly Parameter[]
  /** How long a person has; null waits as long as the run may. */
  readonly timeoutMs: number | null
  /** What happens when nobody answers in time. */
  readonly onTimeout: 'reject' | 'approve'
}

export interface RetryPolicy {
  /** Number of retries after the first execution, for failures of the task itself. */
  readonly limit: number
  readonly delayMs: number
  /** Each further delay is the one before times this. */
  readonly factor: number
  readonly maxDelayMs: number
  /** 0..1: the share of a delay that is drawn at random (seeded by run, task and attempt). */
  readonly jitter: number
  /** When not null, only these exit codes are retried. A time-out counts as its exit code or 137. */
  readonly retryCodes: readonly number[] | null
}

export interface FanOut {
  readonly over:
    | { readonly kind: 'list'; readonly items: readonly Json[] }
    /** CEL text that gives a list. */
    | { readonly kind: 'expression'; readonly expression: string }
    /** The product of the lists, in the order of the names; an item is an object of one value per name. */
    | {
        readonly kind: 'matrix'
        readonly axes: readonly { readonly name: string; readonly values: readonly Json[] }[]
      }
  readonly maxParallel: number | null
}

export interface Workspace {
  /** Passed to the cluster as it is; a local workspace is a directory. */
  readonly pvc: Json
}
