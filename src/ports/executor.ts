import type { Json } from '../core/json.ts'
import type { ContainerWork, EnvSource } from '../core/dag/dag.ts'
import type { Outcome } from '../core/run/events.ts'
import type { ReasonCode } from '../core/run/reasons.ts'

/**
 * Runs attempts: as processes, containers or pods. Everything an executor does is safe to ask for twice, by two
 * engines, after a crash of either: an attempt is started **at most once, ever**.
 *
 * What it must do is written down as tests in `test/contracts/executor.ts`.
 */
export interface Executor {
  /** `process`, `container`, `pod`. */
  readonly name: string
  /**
   * What this executor knows of attempts may end with this: for processes and containers of a machine, its state
   * directory; for processes, the boot of the machine too; for pods, their fence. It is written down with each intent;
   * an attempt that was meant to start in another era and of which nothing is known may have run, and ends as lost,
   * also when it is asked to stop. Absent when its knowledge lasts.
   */
  readonly era?: string
  /**
   * Sees to what has to stand in a namespace before an intent of this era is recorded there: what only comes after it
   * would be missing for ever where an engine dies between the two. Absent, and null: nothing is missing. The promise
   * resolves in any case; what could not be done is found out by the starts.
   */
  prepare?(era: string, namespace: string): Promise<void> | null
  /**
   * Secrets, ConfigMaps and fields of the pod are read by what runs the attempt, never by the engine: such variables
   * come as `references`. Default: the engine reads them, and they come in `env`.
   */
  readonly byReference?: true
  /** Sentences about what this executor ignores in this work, such as `image`; empty when nothing is ignored. */
  ignores(work: ContainerWork): readonly string[]
  /**
   * Makes it so that the attempt has been started. Never started: starts it. Running: watches it. Already ended:
   * reports the end again. Every call leads to observations; none throws for what the task or the machine did.
   */
  start(attempt: AttemptSpec): void
  /**
   * For an attempt of which only its intent is known: if it was ever started, watches it (or reports its end) and
   * says true; false when it never was, and then nothing has been done. Also tells an executor that the handle of
   * a `pending` observation is durable.
   */
  adopt(attempt: Intended): Promise<boolean>
  /**
   * Asks the attempt to end: TERM to the whole tree, KILL after `graceMs`. One that was never started never will be.
   * An `ended` observation follows in every case. May be called again with a shorter grace.
   */
  stop(attempt: Intended, graceMs: number): void
  /** The outcome is durable: whatever was kept to tell it again may go. Logs stay. */
  release(attempt: AttemptRef): void
  /** Ends what a finished run left behind (daemons that left their process group, workspace when asked). */
  endRun(run: string, options: { readonly removeWorkspace: boolean }): Promise<void>
  /** Stops watching; running attempts go on and can be adopted by the next engine. */
  close(): Promise<void>
}

/** Who an attempt is. Names of processes, containers and pods are derived from it. */
export interface AttemptRef {
  readonly run: string
  readonly task: string
  /** From 1. */
  readonly attempt: number
}

/** An attempt whose intent is durable. */
export interface Intended extends AttemptRef {
  readonly namespace: string
  /** The executor's era when the intent was made durable; absent when it had none. */
  readonly era?: string
  /** When the intent was made durable; milliseconds since 1970. Absent: just now. */
  readonly at?: number
  /** What the executor said when it reported the attempt as running, or as pending, once that is durable. */
  readonly handle?: Json
}

/** Everything needed to start an attempt, with expressions rendered. It is data and can be derived again. */
export interface AttemptSpec extends Intended {
  readonly dag: string
  readonly runName: string
  readonly work: ContainerWork
  /** Name and value; the last one of a name wins. Secret values are in here only, and only in memory. */
  readonly env: readonly { readonly name: string; readonly value: string }[]
  /** Names in `env` whose values are secret. */
  readonly secretNames: readonly string[]
  /** Variables that the executor looks up itself; none of their names is in `env`. Empty unless it is `byReference`. */
  readonly references: readonly { readonly name: string; readonly source: EnvReference }[]
  readonly outputs: readonly string[]
  readonly workspace: boolean
  readonly workdir: string | null
  /** What only a pod heeds. */
  readonly pod: PodSettings
}

export type EnvReference = Exclude<EnvSource, { readonly kind: 'text' }>

/** Settings of the DAG for the pods of its tasks; every other executor ignores them. */
export interface PodSettings {
  /** Spec of the claim behind the workspace, as it was written; null for the default. */
  readonly workspaceClaim: Json
  readonly startGuarantee: 'fence' | 'strict'
  readonly evidence: 'watch' | 'finalizer'
  readonly security: 'hardened' | 'restricted'
}

/** What an executor saw. The engine turns it into facts; seeing it twice changes nothing. */
export type Observation =
  /** It was started and does not run yet; said again when the reason changes. */
  | {
      readonly kind: 'pending'
      readonly ref: AttemptRef
      readonly at: number
      readonly reason: ReasonCode
      readonly message: string | null
      /** It goes on only when `adopt` says that this is durable: see `Intended.handle`. */
      readonly handle?: Json
    }
  | { readonly kind: 'running'; readonly ref: AttemptRef; readonly at: number; readonly handle: Json }
  | { readonly kind: 'ended'; readonly ref: AttemptRef; readonly at: number; readonly outcome: Outcome }

/** Called by the executor, never inside the call that caused it. */
export type Observe = (observation: Observation) => void
