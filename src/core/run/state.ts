import type { Dag, Task } from '../dag/dag.ts'
import { Heap } from '../heap.ts'
import type { Json } from '../json.ts'
import type { Outcome, ReusedTask, RunCreated, StopRequested, StopWhy } from './events.ts'
import { type Plan, planOf } from './plan.ts'
import type { ReasonCode } from './reasons.ts'
import type { RunPhase, TaskStateName } from './rows.ts'

/**
 * Everything known about one run: what its events say, and what `evolve` keeps beside it so that `decide` never has
 * to look at all tasks. It is owned by one engine, changed in place by `evolve` alone, and thrown away when another
 * engine was faster.
 */
export interface RunState {
  readonly created: RunCreated
  readonly dag: Dag
  readonly plan: Plan
  /** Events applied so far. */
  version: number
  phase: RunPhase
  reason: ReasonCode | null
  message: string
  startedAt: number | null
  endedAt: number | null
  paused: boolean
  stop: StopRequested | null
  finallyStarted: boolean
  /** Planned tasks first, at their position in the plan; children of fan-outs behind them. */
  readonly tasks: TaskState[]
  readonly byKey: Map<string, number>
  /** Unsettled planned tasks of each part. */
  openMain: number
  openFinally: number
  /** For progress: settled and all tasks, a fan-out counted by its items. */
  done: number
  total: number
  /** Final failures that fail the run, in the order they happened. */
  readonly failures: number[]
  /** Results for items of fan-outs that are not expanded yet, by task key. */
  readonly reusedItems: Map<string, ReusedTask>
  readonly work: Worklists
}

/** What `decide` has still to look at. All of it can be made again from the events. */
export interface Worklists {
  /** Tasks whose inputs changed; each is looked at once, however many of its inputs did. */
  readonly dirty: Set<number>
  /** Fan-outs that may hand more items to the slots. */
  readonly groups: Set<number>
  /** Ready tasks that need a slot, per pool (`''` for no pool), best first. */
  readonly ready: Map<string, Heap<ReadyEntry>>
  /** Ready tasks that need none: those that start another run. A lack of slots must not hold them back. */
  readonly readyWithoutSlot: Heap<ReadyEntry>
  readonly deadlines: Heap<Deadline>
  /** Tasks with a live attempt, in the order they started. */
  readonly live: Set<number>
  /** Live attempts that hold a slot of the run (not sub-DAGs). */
  slots: number
  /** Tasks whose rows changed since they were last written, each with its first changed attempt (0: none did). */
  readonly changed: Map<number, number>
  stopApplied: boolean
  readySequence: number
}

export interface ReadyEntry {
  readonly task: number
  readonly priority: number
  /** Earlier ready goes first among equals; also tells a stale entry. */
  readonly sequence: number
}

export interface Deadline {
  readonly at: number
  readonly kind: 'pendingTimeout' | 'timeout' | 'backoff' | 'approval' | 'run'
  readonly task: number
  readonly attempt: number
}

export interface TaskState {
  readonly index: number
  readonly key: string
  readonly task: Task
  readonly part: 'main' | 'finally'
  /** Position of the fan-out this is an item of. */
  readonly group: number | null
  readonly itemIndex: number | null
  readonly item: Json
  state: TaskStateName
  reason: ReasonCode | null
  message: string | null
  /** Dependencies by how they stand. */
  remaining: number
  succeeded: number
  failed: number
  skipped: number
  readySequence: number
  readyAt: number | null
  settledAt: number | null
  exitCode: number | null
  outputs: Readonly<Record<string, string>>
  readonly attempts: AttemptState[]
  /** Retries used so far, of each budget. */
  taskRetries: number
  infrastructureRetries: number
  /** When the next attempt is due, while in `backoff`. */
  retryAt: number | null
  waitingSince: number | null
  /** Of a fan-out that was expanded; null before. */
  fan: FanState | null
}

export interface FanState {
  readonly children: readonly number[]
  open: number
  /** Children that hold or wait for a slot, or wait for a person: what `maxParallel` bounds. */
  active: number
  /** Worklist: position in `children` of the first that was never handed to the slots. */
  next: number
  /** Worklist: children whose retry is due; they go first, in the order of the items. */
  readonly due: Heap<number>
}

export interface AttemptState {
  readonly number: number
  phase: 'starting' | 'running' | 'stopping' | 'ended'
  readonly startedAt: number
  /** Era of the executor that was to start it; null when it has none. */
  readonly era: string | null
  runningAt: number | null
  endedAt: number | null
  handle: Json
  /** When it is stopped for taking too long: to start, while `starting`; to end, while `running`. */
  deadlineAt: number | null
  stopping: { readonly why: StopWhy; readonly at: number } | null
  outcome: Outcome | null
}

/** Makes the state of a run that has only been created. The event itself counts as applied. */
export function newRunState(dag: Dag, created: RunCreated): RunState {
  const plan = planOf(dag)
  const tasks = plan.nodes.map((node, index) =>
    newTask({
      index,
      key: node.task.name,
      task: node.task,
      part: node.part,
      remaining: node.dependencies.length,
    }),
  )
  const state: RunState = {
    created,
    dag,
    plan,
    version: 1,
    phase: created.queued ? 'queued' : 'running',
    reason: created.queued ? 'RUN_QUEUED' : null,
    message: '',
    startedAt: created.queued ? null : created.at,
    endedAt: null,
    paused: false,
    stop: null,
    finallyStarted: false,
    tasks,
    byKey: new Map(tasks.map(task => [task.key, task.index])),
    openMain: plan.mainCount,
    openFinally: plan.nodes.length - plan.mainCount,
    done: 0,
    total: tasks.length,
    failures: [],
    reusedItems: new Map(),
    work: {
      dirty: new Set(
        tasks.filter(task => task.part === 'main' && task.remaining === 0).map(task => task.index),
      ),
      groups: new Set(),
      ready: new Map(),
      readyWithoutSlot: newReadyHeap(),
      deadlines: new Heap<Deadline>((a, b) => a.at < b.at || (a.at === b.at && a.task < b.task)),
      live: new Set(),
      slots: 0,
      changed: new Map(tasks.map(task => [task.index, 0])),
      stopApplied: false,
      readySequence: 0,
    },
  }
  if (!created.queued) setRunDeadline(state, created.at)
  return state
}

/** Larger priority first, then earlier ready. */
export function newReadyHeap(): Heap<ReadyEntry> {
  return new Heap<ReadyEntry>(isBefore)
}

/** The order in which ready tasks start, whatever pool they wait for. */
export function isBefore(a: ReadyEntry, b: ReadyEntry): boolean {
  return a.priority > b.priority || (a.priority === b.priority && a.sequence < b.sequence)
}

export function setRunDeadline(state: RunState, startedAt: number): void {
  if (state.dag.timeoutMs === null) return
  state.work.deadlines.push({ at: startedAt + state.dag.timeoutMs, kind: 'run', task: -1, attempt: 0 })
}

/** @throws {Error} No such task: the caller holds a key that this run does not have. */
export function taskByKey(state: RunState, key: string): TaskState {
  const index = state.byKey.get(key)
  const task = index === undefined ? undefined : state.tasks[index]
  if (task === undefined) throw new Error(`run ${state.created.run} has no task ${key}`)
  return task
}

export function taskAt(state: RunState, index: number): TaskState {
  const task = state.tasks[index]
  if (task === undefined) throw new Error(`run ${state.created.run} has no task number ${index}`)
  return task
}

export function lastAttempt(task: TaskState): AttemptState | undefined {
  return task.attempts[task.attempts.length - 1]
}

export function isSettled(state: TaskStateName): boolean {
  switch (state) {
    case 'succeeded':
    case 'failed':
    case 'skipped':
    case 'upstreamFailed':
    case 'cancelled':
      return true
    case 'pending':
    case 'waiting':
    case 'queued':
    case 'starting':
    case 'running':
    case 'backoff':
      return false
  }
}

export function isTerminal(phase: RunPhase): boolean {
  return phase === 'succeeded' || phase === 'failed' || phase === 'cancelled'
}

/** Whether its attempts hold a slot of the run, the pool and the engine. Those that start another run do not. */
export function takesSlot(task: TaskState): boolean {
  return task.task.work.kind === 'container'
}

/** The pool an attempt of this task takes a slot of; null for none. Sub-DAGs and approvals take none. */
export function poolOf(state: RunState, task: TaskState): string | null {
  return takesSlot(task) ? (task.task.pool ?? state.dag.pool) : null
}

export function priorityOf(state: RunState, task: TaskState): number {
  return task.task.priority ?? state.created.priority
}

export function newTask(
  given: Pick<TaskState, 'index' | 'key' | 'task' | 'part' | 'remaining'> &
    Partial<Pick<TaskState, 'group' | 'itemIndex' | 'item'>>,
): TaskState {
  return {
    group: null,
    itemIndex: null,
    item: null,
    ...given,
    state: 'pending',
    reason: null,
    message: null,
    succeeded: 0,
    failed: 0,
    skipped: 0,
    readySequence: 0,
    readyAt: null,
    settledAt: null,
    exitCode: null,
    outputs: {},
    attempts: [],
    taskRetries: 0,
    infrastructureRetries: 0,
    retryAt: null,
    waitingSince: null,
    fan: null,
  }
}
