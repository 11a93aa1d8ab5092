import { Heap } from '../heap.ts'
import type { Json } from '../json.ts'
import { LIMITS } from '../limits.ts'
import type {
  ApprovalAnswered,
  AttemptEnded,
  AttemptPending,
  AttemptRunning,
  AttemptStarted,
  AttemptStopping,
  ReusedTask,
  TasksSettled,
} from './events.ts'
import type { ReasonCode } from './reasons.ts'
import type { TaskStateName } from './rows.ts'
import {
  type AttemptState,
  type FanState,
  type RunState,
  type TaskState,
  lastAttempt,
  newReadyHeap,
  newTask,
  poolOf,
  priorityOf,
  takesSlot,
  taskAt,
  taskByKey,
} from './state.ts'

/** The steps of single tasks; `evolve` is the only caller. Each throws when it cannot follow. */

/** From here on the task waits for nothing but slots. */
export function makeReady(state: RunState, task: TaskState, at: number): void {
  expect(task, 'pending', 'backoff')
  if (task.group !== null) fanOf(state, task.group).active += 1
  task.state = 'queued'
  task.reason = null
  task.retryAt = null
  task.readyAt = at
  state.work.readySequence += 1
  task.readySequence = state.work.readySequence
  readyHeap(state, task).push({
    task: task.index,
    priority: priorityOf(state, task),
    sequence: task.readySequence,
  })
  touch(state, task.index)
}

export function expand(state: RunState, task: TaskState, items: readonly Json[], at: number): void {
  expect(task, 'pending')
  if (task.fan !== null) throw new Error(`${task.key} was expanded already`)
  const children = items.map((item, itemIndex) => {
    const index = state.tasks.length
    const key = `${task.key}[${itemIndex}]`
    const group = task.index
    state.tasks.push(
      newTask({ index, key, task: task.task, part: task.part, remaining: 0, group, itemIndex, item }),
    )
    state.byKey.set(key, index)
    touch(state, index)
    return index
  })
  task.fan = {
    children,
    open: children.length,
    active: 0,
    next: 0,
    due: new Heap<number>((a, b) => a < b),
  }
  task.state = 'running'
  task.reason = 'RUNNING'
  task.readyAt = at
  state.total += children.length === 0 ? 0 : children.length - 1
  if (children.length === 0) state.work.dirty.add(task.index)
  else state.work.groups.add(task.index)
  touch(state, task.index)
  if (state.reusedItems.size > 0) for (const index of children) reuseItem(state, taskAt(state, index), at)
}

export function startAttempt(state: RunState, task: TaskState, event: AttemptStarted): void {
  const { attempt: number, at, era = null } = event
  expect(task, 'queued')
  if (number !== task.attempts.length + 1) throw new Error(`${task.key}: attempt ${number} does not follow`)
  const { pendingTimeoutMs } = task.task
  const deadlineAt = pendingTimeoutMs === null ? null : at + pendingTimeoutMs
  task.attempts.push({
    number,
    phase: 'starting',
    startedAt: at,
    era,
    runningAt: null,
    endedAt: null,
    handle: null,
    deadlineAt,
    stopping: null,
    outcome: null,
  })
  task.state = 'starting'
  task.reason = 'STARTING'
  task.message = null
  state.work.live.add(task.index)
  if (takesSlot(task)) state.work.slots += 1
  if (deadlineAt !== null) {
    state.work.deadlines.push({ at: deadlineAt, kind: 'pendingTimeout', task: task.index, attempt: number })
  }
  touch(state, task.index, number)
}

export function attemptPends(state: RunState, event: AttemptPending): void {
  const { task, attempt } = liveAttempt(state, event.task, event.attempt)
  if (attempt.phase !== 'starting') return
  task.reason = event.reason
  task.message = event.message
  if (event.handle !== undefined) attempt.handle = event.handle
  touch(state, task.index, attempt.number)
}

export function attemptRuns(state: RunState, event: AttemptRunning): void {
  const { task, attempt } = liveAttempt(state, event.task, event.attempt)
  attempt.handle = event.handle
  attempt.runningAt = event.at
  touch(state, task.index, attempt.number)
  if (attempt.phase !== 'starting') return
  attempt.phase = 'running'
  task.state = 'running'
  task.reason = 'RUNNING'
  task.message = null
  const timeoutMs = timeoutOf(state, task)
  attempt.deadlineAt = timeoutMs === null ? null : event.at + timeoutMs
  if (attempt.deadlineAt !== null) {
    const { number } = attempt
    state.work.deadlines.push({ at: attempt.deadlineAt, kind: 'timeout', task: task.index, attempt: number })
  }
}

export function stopAttempt(state: RunState, event: AttemptStopping): void {
  const { task, attempt } = liveAttempt(state, event.task, event.attempt)
  if (attempt.phase === 'stopping') throw new Error(`${task.key}: attempt ${attempt.number} is stopping`)
  attempt.phase = 'stopping'
  attempt.stopping = { why: event.why, at: event.at }
  attempt.deadlineAt = null
  task.reason = 'STOPPING'
  touch(state, task.index, attempt.number)
}

export function endAttempt(state: RunState, event: AttemptEnded): void {
  const { task, attempt } = liveAttempt(state, event.task, event.attempt)
  attempt.phase = 'ended'
  attempt.endedAt = event.at
  attempt.deadlineAt = null
  attempt.outcome = event.outcome
  task.exitCode = event.outcome.exitCode
  task.message = event.outcome.message
  state.work.live.delete(task.index)
  if (takesSlot(task)) state.work.slots -= 1
  touch(state, task.index, attempt.number)
  leaveGroupSlot(state, task)
  switch (event.next.kind) {
    case 'settle':
      if (event.next.state === 'succeeded') task.outputs = event.outcome.outputs
      return settle(state, task, event.next.state, event.outcome.reason, event.at)
    case 'retry': {
      task.state = 'backoff'
      task.reason = 'WAITING_FOR_BACKOFF'
      task.retryAt = event.next.at
      if (event.next.budget === 'task') task.taskRetries += 1
      else task.infrastructureRetries += 1
      const { attempt: number } = event
      state.work.deadlines.push({ at: event.next.at, kind: 'backoff', task: task.index, attempt: number })
      return
    }
    case 'wait':
      task.state = 'waiting'
      task.reason = 'WAITING_FOR_DECISION'
      task.waitingSince = event.at
      return
    default:
      return event.next satisfies never
  }
}

export function requestApproval(state: RunState, task: TaskState, at: number): void {
  expect(task, 'pending')
  if (task.group !== null) fanOf(state, task.group).active += 1
  task.state = 'waiting'
  task.reason = 'WAITING_FOR_APPROVAL'
  task.waitingSince = at
  touch(state, task.index)
  const { work } = task.task
  if (work.kind !== 'approval' || work.approval.timeoutMs === null) return
  const due = at + work.approval.timeoutMs
  state.work.deadlines.push({ at: due, kind: 'approval', task: task.index, attempt: 0 })
}

export function answerApproval(state: RunState, event: ApprovalAnswered): void {
  const task = taskByKey(state, event.task)
  if (task.reason !== 'WAITING_FOR_APPROVAL') throw new Error(`${task.key} waits for no approval`)
  leaveGroupSlot(state, task)
  task.outputs = event.values
  task.message = event.message === null ? `by ${event.by}` : `by ${event.by}: ${event.message}`
  if (event.approved) return settle(state, task, 'succeeded', 'APPROVED', event.at)
  const reason = event.by === 'deadline' ? 'APPROVAL_TIMED_OUT' : 'APPROVAL_REJECTED'
  return settle(state, task, 'failed', reason, event.at)
}

export function reuse(state: RunState, reused: ReusedTask, at: number): void {
  if (reused.item !== undefined) {
    state.reusedItems.set(reused.task, reused)
    return
  }
  takeOver(state, taskByKey(state, reused.task), reused, at)
}

/** A settlement that no attempt of the task decided. */
export function settleWithout(state: RunState, task: TaskState, event: TasksSettled): void {
  if (state.work.live.has(task.index)) throw new Error(`${task.key} has an attempt that has not ended`)
  if (task.state === 'queued' || task.reason === 'WAITING_FOR_APPROVAL') leaveGroupSlot(state, task)
  task.message = event.message
  settle(state, task, event.state, event.reason, event.at)
}

function reuseItem(state: RunState, task: TaskState, at: number): void {
  const reused = state.reusedItems.get(task.key)
  if (reused === undefined || JSON.stringify(reused.item) !== JSON.stringify(task.item)) return
  takeOver(state, task, reused, at)
}

function takeOver(state: RunState, task: TaskState, reused: ReusedTask, at: number): void {
  expect(task, 'pending')
  task.outputs = reused.outputs
  task.exitCode = reused.exitCode
  settle(state, task, reused.state, 'REUSED', at)
}

function settle(state: RunState, task: TaskState, to: TaskStateName, reason: ReasonCode, at: number): void {
  if (task.settledAt !== null)
    throw new Error(`${task.key} has settled as ${task.state}; it cannot become ${to}`)
  task.state = to
  task.reason = reason
  task.retryAt = null
  task.settledAt = at
  touch(state, task.index)
  if (task.fan === null || task.fan.children.length === 0) state.done += 1
  // A fan-out fails through its items; each final failure is named once, where it happened.
  if (to === 'failed' && !task.task.allowFailure && reason !== 'FAN_OUT_FAILED')
    state.failures.push(task.index)
  if (task.group !== null) {
    const fan = fanOf(state, task.group)
    fan.open -= 1
    touch(state, task.group)
    if (fan.open === 0) state.work.dirty.add(task.group)
    return
  }
  if (task.part === 'main') state.openMain -= 1
  else state.openFinally -= 1
  tellDependents(state, task)
}

function tellDependents(state: RunState, task: TaskState): void {
  for (const index of state.plan.nodes[task.index]?.dependents ?? []) {
    const dependent = taskAt(state, index)
    dependent.remaining -= 1
    if (task.state === 'succeeded') dependent.succeeded += 1
    else if (task.state === 'skipped') dependent.skipped += 1
    else dependent.failed += 1
    const early = dependent.task.triggerRule === 'anySucceeded' || dependent.task.triggerRule === 'anyFailed'
    if (dependent.state === 'pending' && (dependent.remaining === 0 || early)) state.work.dirty.add(index)
  }
}

/** A task under `finally` always has an end, even when the run itself is out of time. */
function timeoutOf(state: RunState, task: TaskState): number | null {
  if (task.task.timeoutMs !== null) return task.task.timeoutMs
  return task.part === 'finally' && state.stop !== null ? LIMITS.finallyTimeoutMs : null
}

function readyHeap(state: RunState, task: TaskState): RunState['work']['readyWithoutSlot'] {
  if (!takesSlot(task)) return state.work.readyWithoutSlot
  const pool = poolOf(state, task) ?? ''
  const known = state.work.ready.get(pool)
  if (known !== undefined) return known
  const heap = newReadyHeap()
  state.work.ready.set(pool, heap)
  return heap
}

function leaveGroupSlot(state: RunState, task: TaskState): void {
  if (task.group === null) return
  fanOf(state, task.group).active -= 1
  state.work.groups.add(task.group)
}

function fanOf(state: RunState, group: number): FanState {
  const { fan, key } = taskAt(state, group)
  if (fan === null) throw new Error(`${key} is not a fan-out`)
  return fan
}

/** Remembers that rows of this task, and of its attempts from this one on, are to be written. */
function touch(state: RunState, index: number, attempt = 0): void {
  const known = state.work.changed.get(index) ?? 0
  const first = known === 0 || attempt === 0 ? Math.max(known, attempt) : Math.min(known, attempt)
  state.work.changed.set(index, first)
}

function expect(task: TaskState, ...states: readonly TaskStateName[]): void {
  if (!states.includes(task.state))
    throw new Error(`${task.key} is ${task.state}, not ${states.join(' or ')}`)
}

function liveAttempt(
  state: RunState,
  key: string,
  number: number,
): { readonly task: TaskState; readonly attempt: AttemptState } {
  const task = taskByKey(state, key)
  const attempt = lastAttempt(task)
  if (attempt === undefined || attempt.number !== number || attempt.phase === 'ended') {
    throw new Error(`${key}: attempt ${number} is not live`)
  }
  return { task, attempt }
}
