import { LIMITS } from '../limits.ts'
import type { ExpressionLanguage } from './inputs.ts'
import { conditionOf, itemsOf } from './inputs.ts'
import type { RunEvent, StopWhy, TasksSettled } from './events.ts'
import type { Json } from '../json.ts'
import { endOfGroup, endOfRun } from './settle.ts'
import type { ReasonCode } from './reasons.ts'
import {
  type Deadline,
  type FanState,
  type RunState,
  type TaskState,
  isSettled,
  isTerminal,
  lastAttempt,
  taskAt,
} from './state.ts'
import { isReached, stopMessage, stopReason } from './stop.ts'
import { verdictOf } from './verdict.ts'

/**
 * What follows from the state as it is: facts to append now. It looks only at what changed, and is asked again until
 * it has nothing to say; then the run waits for slots, for observations, for a person or for `nextDeadline`.
 *
 * It takes entries off the state's worklists, so its answer must be applied by `evolve` (or the state be dropped).
 */
export function decide(state: RunState, now: number, language: ExpressionLanguage): readonly RunEvent[] {
  if (isTerminal(state.phase)) return []
  const decisions = new Decisions(now)
  if (state.stop !== null && !state.work.stopApplied) {
    state.work.stopApplied = true
    stopEverything(state, decisions)
  }
  // One step at a time: what a stop ended must not be retried or answered by a deadline in the same breath.
  if (decisions.empty) deadlinesDue(state, now, decisions)
  if (state.phase === 'queued' && state.stop === null) return decisions.events()
  if (decisions.empty) lookAtDirty(state, language, decisions)
  if (decisions.empty) failFast(state, decisions)
  if (decisions.empty) releaseFromGroups(state, decisions)
  if (decisions.empty) nextPart(state, decisions)
  return decisions.events()
}

/** When `decide` must be asked again even if nothing happens; null when only an event can change anything. */
export function nextDeadline(state: RunState): number | null {
  const { deadlines } = state.work
  for (let first = deadlines.peek(); first !== undefined; first = deadlines.peek()) {
    if (stillMatters(state, first)) return first.at
    deadlines.pop()
  }
  return null
}

/** Facts of one answer; tasks that share a fate share an event. */
class Decisions {
  readonly #now: number
  readonly #events: RunEvent[] = []
  readonly #settled = new Map<string, TasksSettled & { tasks: string[] }>()
  readonly #ready: string[] = []
  #newTasks = 0

  constructor(now: number) {
    this.#now = now
  }

  /** Tasks that the expansions decided so far will add to the run. */
  get newTasks(): number {
    return this.#newTasks
  }

  expand(task: TaskState, items: readonly Json[]): void {
    this.#newTasks += items.length
    this.add({ type: 'taskExpanded', at: this.#now, task: task.key, items })
  }

  get empty(): boolean {
    return this.#events.length === 0 && this.#ready.length === 0
  }

  add(event: RunEvent): void {
    this.#events.push(event)
  }

  ready(task: TaskState): void {
    this.#ready.push(task.key)
  }

  settle(task: TaskState, to: TasksSettled['state'], reason: ReasonCode, message: string | null): void {
    const fate = `${to} ${reason} ${message ?? ''}`
    const open = this.#settled.get(fate)
    if (open !== undefined && open.tasks.length < LIMITS.tasksPerEventMax) {
      open.tasks.push(task.key)
      return
    }
    const event = {
      type: 'tasksSettled' as const,
      at: this.#now,
      tasks: [task.key],
      state: to,
      reason,
      message,
    }
    this.#settled.set(fate, event)
    this.#events.push(event)
  }

  events(): readonly RunEvent[] {
    for (let from = 0; from < this.#ready.length; from += LIMITS.tasksPerEventMax) {
      const tasks = this.#ready.slice(from, from + LIMITS.tasksPerEventMax)
      this.#events.push({ type: 'tasksReady', at: this.#now, tasks })
    }
    return this.#events
  }

  get now(): number {
    return this.#now
  }
}

/** Idempotent: after a crash between the decision and its record it finds the same again. */
function stopEverything(state: RunState, decisions: Decisions): void {
  const message = stopMessage(state)
  for (const task of state.tasks) {
    if (isSettled(task.state) || !isReached(state, task)) continue
    if (state.work.live.has(task.index)) {
      const attempt = lastAttempt(task)
      if (attempt === undefined || attempt.phase === 'stopping') continue
      const { number } = attempt
      const why = stopWhy(state)
      decisions.add({ type: 'attemptStopping', at: decisions.now, task: task.key, attempt: number, why })
    } else if (task.fan === null) {
      // A fan-out that was expanded ends through its items.
      decisions.settle(task, 'cancelled', stopReason(state), message)
    }
  }
}

function stopWhy(state: RunState): StopWhy {
  if (state.stop?.why === 'failFast') return 'failFast'
  return state.stop?.why === 'timedOut' ? 'runTimedOut' : 'cancelled'
}

function stillMatters(state: RunState, deadline: Deadline): boolean {
  // A run that failed fast still has its `always` tasks to get through, and no longer than its timeout.
  if (deadline.kind === 'run')
    return (state.stop === null || state.stop.why === 'failFast') && state.openMain > 0
  const task = taskAt(state, deadline.task)
  const attempt = lastAttempt(task)
  switch (deadline.kind) {
    case 'pendingTimeout':
      return attempt?.number === deadline.attempt && attempt.phase === 'starting'
    case 'timeout':
      return attempt?.number === deadline.attempt && attempt.phase === 'running'
    case 'backoff':
      return attempt?.number === deadline.attempt && task.state === 'backoff'
    case 'approval':
      return task.state === 'waiting'
  }
}

/** In the order they came due. The run's own stands alone: what it stops must not be retried in the same step. */
function deadlinesDue(state: RunState, now: number, decisions: Decisions): void {
  const { deadlines } = state.work
  for (let first = deadlines.peek(); first !== undefined && first.at <= now; first = deadlines.peek()) {
    const matters = stillMatters(state, first)
    if (matters && first.kind === 'run' && !decisions.empty) return
    deadlines.pop()
    if (matters) deadlineDue(state, first, decisions)
    if (matters && first.kind === 'run') return
  }
}

function deadlineDue(state: RunState, deadline: Deadline, decisions: Decisions): void {
  const at = decisions.now
  if (deadline.kind === 'run') {
    decisions.add({ type: 'stopRequested', at, why: 'timedOut', by: 'deadline', skipFinally: false })
    return
  }
  const task = taskAt(state, deadline.task)
  const { attempt } = deadline
  switch (deadline.kind) {
    case 'pendingTimeout':
      decisions.add({ type: 'attemptStopping', at, task: task.key, attempt, why: 'pendingTimedOut' })
      return
    case 'timeout':
      decisions.add({ type: 'attemptStopping', at, task: task.key, attempt, why: 'timedOut' })
      return
    case 'backoff':
      backoffOver(state, task, decisions)
      return
    case 'approval': {
      const { work } = task.task
      const approved = work.kind === 'approval' && work.approval.onTimeout === 'approve'
      decisions.add({
        type: 'approvalAnswered',
        at,
        task: task.key,
        approved,
        by: 'deadline',
        message: null,
        values: {},
      })
      return
    }
    default:
      deadline.kind satisfies never
  }
}

/** An item whose retry is due takes its place in the fan-out again; it does not jump over the fan-out's limit. */
function backoffOver(state: RunState, task: TaskState, decisions: Decisions): void {
  const fan = task.group === null ? null : taskAt(state, task.group).fan
  if (fan === null) {
    decisions.ready(task)
    return
  }
  fan.due.push(task.index)
  state.work.groups.add(task.group ?? -1)
}

function lookAtDirty(state: RunState, language: ExpressionLanguage, decisions: Decisions): void {
  // In document order, so that a replay, which remembers more than it must, decides in the same order.
  const dirty = [...state.work.dirty].toSorted((a, b) => a - b)
  state.work.dirty.clear()
  for (const index of dirty) lookAt(state, taskAt(state, index), language, decisions)
}

function lookAt(state: RunState, task: TaskState, language: ExpressionLanguage, decisions: Decisions): void {
  if (task.fan !== null) {
    if (task.fan.open > 0 || task.settledAt !== null) return
    const end = endOfGroup(state, task)
    decisions.settle(task, end.state, end.reason, end.message)
    return
  }
  if (task.state !== 'pending' || (task.part === 'finally' && !state.finallyStarted)) return
  if (state.stop !== null && isReached(state, task)) {
    decisions.settle(task, 'cancelled', stopReason(state), stopMessage(state))
    return
  }
  const verdict = verdictOf(state, task, task)
  if (verdict.kind === 'wait') return
  if (verdict.kind === 'settle') {
    decisions.settle(task, verdict.state, verdict.reason, verdict.message)
    return
  }
  const condition = conditionOf(state, task, language)
  if (condition.kind !== 'true') {
    if (condition.kind === 'false') decisions.settle(task, 'skipped', 'CONDITION_FALSE', task.task.when)
    else decisions.settle(task, 'failed', 'EXPRESSION_ERROR', condition.message)
    return
  }
  go(state, task, language, decisions)
}

/** Everything the task waited for is there: it is expanded, asked about, or put before the slots. */
function go(state: RunState, task: TaskState, language: ExpressionLanguage, decisions: Decisions): void {
  if (task.task.fanOut !== null) {
    const items = itemsOf(state, task, language, decisions.newTasks)
    if (items.ok) decisions.expand(task, items.value)
    else decisions.settle(task, 'failed', 'FAN_OUT_INVALID', items.message)
  } else if (task.task.work.kind === 'approval') {
    decisions.add({ type: 'approvalRequested', at: decisions.now, task: task.key })
  } else {
    decisions.ready(task)
  }
}

function releaseFromGroups(state: RunState, decisions: Decisions): void {
  const groups = [...state.work.groups].toSorted((a, b) => a - b)
  state.work.groups.clear()
  for (const index of groups) {
    const { fan, task } = taskAt(state, index)
    if (fan === null) continue
    let room = (task.fanOut?.maxParallel ?? Number.POSITIVE_INFINITY) - fan.active
    for (; room > 0; room -= 1) {
      const child = nextItem(state, fan)
      if (child === null) break
      if (task.work.kind === 'approval') {
        decisions.add({ type: 'approvalRequested', at: decisions.now, task: child.key })
      } else {
        decisions.ready(child)
      }
    }
  }
}

/** The next item that may have a place: a retry that is due, else the first that never had one. */
function nextItem(state: RunState, fan: FanState): TaskState | null {
  for (let index = fan.due.pop(); index !== undefined; index = fan.due.pop()) {
    const child = taskAt(state, index)
    if (child.state === 'backoff') return child
  }
  while (fan.next < fan.children.length) {
    const child = taskAt(state, fan.children[fan.next] ?? -1)
    fan.next += 1
    if (child.state === 'pending') return child
  }
  return null
}

function failFast(state: RunState, decisions: Decisions): void {
  if (!state.dag.failFast || state.stop !== null || state.failures.length === 0 || state.openMain === 0)
    return
  decisions.add({
    type: 'stopRequested',
    at: decisions.now,
    why: 'failFast',
    by: 'failFast',
    skipFinally: false,
  })
}

function nextPart(state: RunState, decisions: Decisions): void {
  if (state.openMain > 0) return
  if (state.openFinally === 0) decisions.add(endOfRun(state, decisions.now))
  else if (!state.finallyStarted) decisions.add({ type: 'finallyStarted', at: decisions.now })
}
