import { Heap } from '../heap.ts'
import { LIMITS } from '../limits.ts'
import type { Json } from '../json.ts'
import type { AttemptEnded, ReusedTask, RunCreated, RunEvent, StopRequested } from './events.ts'
import type { Dag } from '../dag/dag.ts'
import type { ReasonCode } from './reasons.ts'
import type { TaskStateName } from './rows.ts'
import {
  type AttemptState,
  type ReadyEntry,
  type RunState,
  type TaskState,
  isTerminal,
  lastAttempt,
  newRunState,
  newTask,
  poolOf,
  priorityOf,
  setRunDeadline,
  taskAt,
  taskByKey,
} from './state.ts'

/**
 * Rebuilds a run from its log.
 * @throws {Error} The log does not begin with `runCreated`, or holds an impossible step.
 */
export function replay(dag: Dag, events: readonly RunEvent[]): RunState {
  const [first, ...rest] = events
  if (first?.type !== 'runCreated') throw new Error('a log must begin with runCreated')
  const state = newRunState(dag, first)
  for (const event of rest) evolve(state, event)
  return state
}

/**
 * Makes one fact part of the state, in place: O(what it touches), never O(tasks).
 * @throws {Error} A step that cannot follow (a bug, or another program's log): the run must not be driven on.
 */
export function evolve(state: RunState, event: RunEvent): void {
  if (isTerminal(state.phase))
    throw new Error(`run ${state.created.run} has settled; ${event.type} cannot follow`)
  state.version += 1
  switch (event.type) {
    case 'runCreated':
      throw new Error('runCreated can only be the first event')
    case 'runStarted':
      return startRun(state, event.at)
    case 'taskExpanded':
      return expand(state, taskByKey(state, event.task), event.items, event.at)
    case 'tasksReady':
      return event.tasks.forEach(key => makeReady(state, taskByKey(state, key), event.at))
    case 'tasksSettled':
      return event.tasks.forEach(key => {
        const task = taskByKey(state, key)
        task.message = event.message
        settle(state, task, event.state, event.reason, event.at)
      })
    case 'tasksReused':
      return event.tasks.forEach(reused => reuse(state, reused, event.at))
    case 'attemptStarted':
      return startAttempt(state, taskByKey(state, event.task), event.attempt, event.at)
    case 'attemptRunning':
      return attemptRuns(state, event.task, event.attempt, event.at, event.handle)
    case 'attemptStopping': {
      const { task, attempt } = liveAttempt(state, event.task, event.attempt)
      attempt.phase = 'stopping'
      attempt.stopping = { why: event.why, at: event.at }
      task.reason = 'STOPPING'
      state.work.changed.add(task.index)
      return
    }
    case 'attemptEnded':
      return endAttempt(state, event)
    case 'approvalRequested':
      return requestApproval(state, taskByKey(state, event.task), event.at)
    case 'approvalAnswered': {
      const task = taskByKey(state, event.task)
      task.outputs = event.values
      task.message = event.message ?? `by ${event.by}`
      const reason =
        event.by === 'deadline' && !event.approved
          ? 'APPROVAL_TIMED_OUT'
          : event.approved
            ? 'APPROVED'
            : 'APPROVAL_REJECTED'
      return settle(state, task, event.approved ? 'succeeded' : 'failed', reason, event.at)
    }
    case 'runPaused':
      state.paused = true
      if (state.phase === 'running') state.phase = 'paused'
      state.reason = 'RUN_PAUSED'
      return
    case 'runResumed':
      state.paused = false
      if (state.phase === 'paused') state.phase = 'running'
      state.reason = null
      return
    case 'stopRequested':
      return requestStop(state, event)
    case 'finallyStarted':
      return startFinally(state)
    case 'runSettled':
      state.phase = event.phase
      state.reason = event.reason
      state.message = event.message
      state.endedAt = event.at
      return
    default:
      return event satisfies never
  }
}

/** The state of a run that is only now created; the same as replaying its first event. */
export function begin(dag: Dag, created: RunCreated): RunState {
  return newRunState(dag, created)
}

function startRun(state: RunState, at: number): void {
  state.startedAt = at
  state.phase = state.paused ? 'paused' : 'running'
  state.reason = state.paused ? 'RUN_PAUSED' : null
  setRunDeadline(state, at)
}

function startFinally(state: RunState): void {
  state.finallyStarted = true
  for (let index = state.plan.mainCount; index < state.plan.nodes.length; index += 1) {
    if (taskAt(state, index).remaining === 0) state.work.dirty.push(index)
  }
}

function requestStop(state: RunState, event: StopRequested): void {
  // A later, harder stop replaces a softer one; what was asked first stays the reason of the run.
  const first = state.stop
  const skipFinally = event.skipFinally || (first?.skipFinally ?? false)
  const person = event.why === 'cancelled' || event.why === 'replaced'
  state.stop =
    first === null || (first.why === 'failFast' && person)
      ? { ...event, skipFinally }
      : { ...first, skipFinally }
  state.work.stopApplied = false
}

function makeReady(state: RunState, task: TaskState, at: number): void {
  if (task.group !== null && task.state !== 'queued') groupOf(state, task).active += 1
  task.state = 'queued'
  task.reason = null
  task.retryAt = null
  task.readyAt = at
  state.work.readySequence += 1
  task.readySequence = state.work.readySequence
  readyHeap(state, poolOf(state, task)).push({
    task: task.index,
    priority: priorityOf(state, task),
    sequence: task.readySequence,
  })
  state.work.changed.add(task.index)
}

function readyHeap(state: RunState, pool: string | null): Heap<ReadyEntry> {
  const known = state.work.ready.get(pool ?? '')
  if (known !== undefined) return known
  const heap = new Heap<ReadyEntry>(
    (a, b) => a.priority > b.priority || (a.priority === b.priority && a.sequence < b.sequence),
  )
  state.work.ready.set(pool ?? '', heap)
  return heap
}

function expand(state: RunState, task: TaskState, items: readonly Json[], at: number): void {
  const children = items.map((item, itemIndex) => {
    const index = state.tasks.length
    const key = `${task.key}[${itemIndex}]`
    state.tasks.push(
      newTask({
        index,
        key,
        task: task.task,
        part: task.part,
        remaining: 0,
        group: task.index,
        itemIndex,
        item,
      }),
    )
    state.byKey.set(key, index)
    return index
  })
  task.fan = { children, open: children.length, active: 0, backlog: [...children], backlogHead: 0 }
  task.state = 'running'
  task.readyAt = at
  state.total += children.length === 0 ? 0 : children.length - 1
  if (children.length === 0) state.work.dirty.push(task.index)
  else state.work.groups.add(task.index)
  state.work.changed.add(task.index)
  if (state.reusedItems.size > 0) for (const index of children) reuseItem(state, taskAt(state, index), at)
}

function reuseItem(state: RunState, task: TaskState, at: number): void {
  const reused = state.reusedItems.get(task.key)
  if (reused === undefined || JSON.stringify(reused.item) !== JSON.stringify(task.item)) return
  task.outputs = reused.outputs
  task.exitCode = reused.exitCode
  settle(state, task, reused.state, 'REUSED', at)
}

function startAttempt(state: RunState, task: TaskState, number: number, at: number): void {
  if (number !== task.attempts.length + 1) throw new Error(`${task.key}: attempt ${number} does not follow`)
  task.attempts.push({
    number,
    phase: 'starting',
    startedAt: at,
    runningAt: null,
    endedAt: null,
    handle: null,
    stopping: null,
    outcome: null,
  })
  task.state = 'starting'
  task.reason = 'STARTING'
  state.work.live.add(task.index)
  if (task.task.work.kind === 'container') state.work.slots += 1
  const { pendingTimeoutMs } = task.task
  if (pendingTimeoutMs !== null) {
    state.work.deadlines.push({
      at: at + pendingTimeoutMs,
      kind: 'pendingTimeout',
      task: task.index,
      attempt: number,
    })
  }
  state.work.changed.add(task.index)
}

function attemptRuns(state: RunState, key: string, number: number, at: number, handle: Json): void {
  const { task, attempt } = liveAttempt(state, key, number)
  attempt.handle = handle
  attempt.runningAt = at
  if (attempt.phase === 'starting') {
    attempt.phase = 'running'
    task.state = 'running'
    task.reason = 'RUNNING'
    const timeoutMs = timeoutOf(state, task)
    if (timeoutMs !== null) {
      state.work.deadlines.push({ at: at + timeoutMs, kind: 'timeout', task: task.index, attempt: number })
    }
  }
  state.work.changed.add(task.index)
}

/** A task under `finally` always has an end, even when the run itself is out of time. */
function timeoutOf(state: RunState, task: TaskState): number | null {
  if (task.task.timeoutMs !== null) return task.task.timeoutMs
  return task.part === 'finally' && state.stop !== null ? LIMITS.finallyTimeoutMs : null
}

function endAttempt(state: RunState, event: AttemptEnded): void {
  const { task, attempt } = liveAttempt(state, event.task, event.attempt)
  attempt.phase = 'ended'
  attempt.endedAt = event.at
  attempt.outcome = event.outcome
  task.exitCode = event.outcome.exitCode
  task.message = event.outcome.message
  state.work.live.delete(task.index)
  if (task.task.work.kind === 'container') state.work.slots -= 1
  state.work.changed.add(task.index)
  leaveGroupSlot(state, task)
  switch (event.next.kind) {
    case 'settle':
      if (event.next.state === 'succeeded') task.outputs = event.outcome.outputs
      return settle(state, task, event.next.state, event.outcome.reason, event.at)
    case 'retry':
      task.state = 'backoff'
      task.reason = 'WAITING_FOR_BACKOFF'
      task.retryAt = event.next.at
      if (event.next.budget === 'task') task.taskRetries += 1
      else task.infrastructureRetries += 1
      state.work.deadlines.push({
        at: event.next.at,
        kind: 'backoff',
        task: task.index,
        attempt: event.attempt,
      })
      return
    case 'wait':
      task.state = 'waiting'
      task.reason = 'WAITING_FOR_DECISION'
      task.waitingSince = event.at
      return
    default:
      return event.next satisfies never
  }
}

function requestApproval(state: RunState, task: TaskState, at: number): void {
  task.state = 'waiting'
  task.reason = 'WAITING_FOR_APPROVAL'
  task.waitingSince = at
  const { work } = task.task
  if (work.kind === 'approval' && work.approval.timeoutMs !== null) {
    state.work.deadlines.push({
      at: at + work.approval.timeoutMs,
      kind: 'approval',
      task: task.index,
      attempt: 0,
    })
  }
  state.work.changed.add(task.index)
}

function reuse(state: RunState, reused: ReusedTask, at: number): void {
  if (reused.item !== undefined) {
    state.reusedItems.set(reused.task, reused)
    return
  }
  const task = taskByKey(state, reused.task)
  task.outputs = reused.outputs
  task.exitCode = reused.exitCode
  settle(state, task, reused.state, 'REUSED', at)
}

function settle(state: RunState, task: TaskState, to: TaskStateName, reason: ReasonCode, at: number): void {
  if (task.settledAt !== null)
    throw new Error(`${task.key} has settled as ${task.state}; it cannot become ${to}`)
  if (task.state === 'queued') leaveGroupSlot(state, task)
  task.state = to
  task.reason = reason
  task.settledAt = at
  state.work.changed.add(task.index)
  if (task.fan === null || task.fan.children.length === 0) state.done += 1
  // A fan-out fails through its items; each final failure is named once, where it happened.
  if (to === 'failed' && !task.task.allowFailure && !failedThroughItems(task)) state.failures.push(task.index)
  if (task.group !== null) {
    const fan = groupOf(state, task)
    fan.open -= 1
    state.work.changed.add(task.group)
    if (fan.open === 0) state.work.dirty.push(task.group)
    return
  }
  if (task.part === 'main') state.openMain -= 1
  else state.openFinally -= 1
  tellDependents(state, task)
}

function failedThroughItems(task: TaskState): boolean {
  return task.fan !== null && task.reason === 'FAN_OUT_FAILED'
}

function tellDependents(state: RunState, task: TaskState): void {
  for (const index of state.plan.nodes[task.index]?.dependents ?? []) {
    const dependent = taskAt(state, index)
    dependent.remaining -= 1
    if (task.state === 'succeeded') dependent.succeeded += 1
    else if (task.state === 'skipped') dependent.skipped += 1
    else dependent.failed += 1
    const early = dependent.task.triggerRule === 'anySucceeded' || dependent.task.triggerRule === 'anyFailed'
    if (dependent.state === 'pending' && (dependent.remaining === 0 || early)) state.work.dirty.push(index)
  }
}

function leaveGroupSlot(state: RunState, task: TaskState): void {
  if (task.group === null) return
  groupOf(state, task).active -= 1
  state.work.groups.add(task.group)
}

function groupOf(state: RunState, task: TaskState): NonNullable<TaskState['fan']> {
  const fan = task.group === null ? null : taskAt(state, task.group).fan
  if (fan === null) throw new Error(`${task.key} is not an item of a fan-out`)
  return fan
}

function liveAttempt(
  state: RunState,
  key: string,
  number: number,
): { task: TaskState; attempt: AttemptState } {
  const task = taskByKey(state, key)
  const attempt = lastAttempt(task)
  if (attempt === undefined || attempt.number !== number || attempt.phase === 'ended') {
    throw new Error(`${key}: attempt ${number} is not live`)
  }
  return { task, attempt }
}
