import assert from 'node:assert/strict'
import { LIMITS } from '../../src/core/limits.ts'
import type { RunEvent } from '../../src/core/run/events.ts'
import { budgetOf } from '../../src/core/run/retry.ts'
import type { RunState, TaskState } from '../../src/core/run/state.ts'
import {
  childrenOf,
  dependenciesOf,
  endOfRunAll,
  fateOf,
  holdsPlace,
  isFinalFailure,
  isLive,
  isSettled,
  isStopped,
} from './decide-all.ts'

/** What was true once and must stay so; one of these watches one run from its first event on. */
export interface Watch {
  readonly settled: Map<string, string>
}

export function newWatch(): Watch {
  return { settled: new Map() }
}

/** Everything that must be true of a run after any event. Named as in the reliability page. */
export function checkInvariants(watch: Watch, state: RunState, event: RunEvent): void {
  startsOnlyWhenDue(state, event)
  settledStaysSettled(watch, state)
  runFollowsTasks(state)
  countersEqualRecount(state)
  limitsHold(state)
  for (const task of state.tasks) {
    retriesWithinBudgets(task)
    attemptsFollowEachOther(task)
    saysWhy(task)
  }
}

/** I1: dependencies settled as the trigger rule wants. I20: nothing that a stop reaches starts any more. */
function startsOnlyWhenDue(state: RunState, event: RunEvent): void {
  const keys =
    event.type === 'tasksReady'
      ? event.tasks
      : event.type === 'attemptStarted' || event.type === 'approvalRequested' || event.type === 'taskExpanded'
        ? [event.task]
        : []
  for (const key of keys) {
    const task = state.tasks.find(other => other.key === key)
    assert.ok(task !== undefined)
    const planned = task.group === null ? task : state.tasks[task.group]
    assert.ok(planned !== undefined)
    assert.equal(fateOf(state, planned), 'go', `I1: ${key} started before its dependencies allow it`)
    assert.ok(!isStopped(state, task), `I20: ${key} goes on after ${state.stop?.why}`)
    assert.ok(task.part === 'main' || state.finallyStarted, `I1: ${key} starts before finally`)
  }
}

/** I4: terminal never changes. */
function settledStaysSettled(watch: Watch, state: RunState): void {
  for (const task of state.tasks.filter(isSettled)) {
    const now = JSON.stringify([
      task.state,
      task.reason,
      task.message,
      task.exitCode,
      task.outputs,
      task.attempts,
    ])
    const then = watch.settled.get(task.key)
    if (then === undefined) watch.settled.set(task.key, now)
    else assert.equal(now, then, `I4: ${task.key} changed after its end`)
  }
}

/** I9: the run's state is a function of its tasks' states and of why it was stopped. */
function runFollowsTasks(state: RunState): void {
  const over = state.phase === 'succeeded' || state.phase === 'failed' || state.phase === 'cancelled'
  assert.equal(over, state.endedAt !== null, 'I9: a run has ended exactly when it has an end time')
  if (over) {
    assert.deepEqual(
      state.tasks.filter(task => !isSettled(task)).map(({ key }) => key),
      [],
      'I9: open tasks',
    )
    assert.equal(`${state.phase} ${state.reason}`, endOfRunAll(state), 'I9')
  } else {
    const expected = state.startedAt === null ? 'queued' : state.paused ? 'paused' : 'running'
    assert.equal(state.phase, expected, 'I9')
  }
}

/** I10: counters equal recount. */
function countersEqualRecount(state: RunState): void {
  const planned = state.tasks.filter(({ group }) => group === null)
  const open = (part: string): number => planned.filter(task => task.part === part && !isSettled(task)).length
  assert.equal(state.openMain, open('main'), 'I10: openMain')
  assert.equal(state.openFinally, open('finally'), 'I10: openFinally')
  const counted = state.tasks.filter(task => childrenOf(state, task).length === 0)
  assert.equal(state.total, counted.length, 'I10: total')
  assert.equal(state.done, counted.filter(isSettled).length, 'I10: done')
  const failures = state.tasks.filter(isFinalFailure).map(({ index }) => index)
  assert.deepEqual(
    state.failures.toSorted((a, b) => a - b),
    failures,
    'I10: failures',
  )
  const live = state.tasks.filter(isLive)
  assert.deepEqual(
    [...state.work.live].toSorted((a, b) => a - b),
    live.map(({ index }) => index),
    'I10: live',
  )
  const slots = live.filter(task => task.task.work.kind === 'container').length
  assert.equal(state.work.slots, slots, 'I10: slots')
  for (const task of planned) countersOfTask(state, task)
}

function countersOfTask(state: RunState, task: TaskState): void {
  const before = dependenciesOf(state, task)
  const count = (...states: readonly string[]): number =>
    before.filter(other => states.includes(other.state)).length
  assert.equal(task.remaining, before.filter(other => !isSettled(other)).length, `I10: ${task.key} remaining`)
  assert.equal(task.succeeded, count('succeeded'), `I10: ${task.key} succeeded`)
  assert.equal(task.skipped, count('skipped'), `I10: ${task.key} skipped`)
  assert.equal(task.failed, count('failed', 'upstreamFailed', 'cancelled'), `I10: ${task.key} failed`)
  if (task.fan === null) return
  const children = childrenOf(state, task)
  assert.deepEqual(
    task.fan.children,
    children.map(({ index }) => index),
    `I10: ${task.key} children`,
  )
  assert.equal(task.fan.open, children.filter(child => !isSettled(child)).length, `I10: ${task.key} open`)
  assert.equal(task.fan.active, children.filter(holdsPlace).length, `I10: ${task.key} active`)
}

/** Slots in use stay within the run's own limit, and items within that of their fan-out. */
function limitsHold(state: RunState): void {
  const infinite = Number.POSITIVE_INFINITY
  const { dag, created } = state
  const limit = Math.min(dag.maxParallelTasks ?? infinite, created.maxParallelTasks ?? infinite)
  assert.ok(state.work.slots <= limit, `${state.work.slots} slots in use, limit ${limit}`)
  for (const task of state.tasks) {
    const parallel = task.task.fanOut?.maxParallel ?? infinite
    const active = task.fan?.active ?? 0
    assert.ok(active <= parallel, `${task.key} has ${active} items under way, limit ${parallel}`)
  }
}

/** I12: retries stay within their budgets, each budget counted by the outcomes that use it. */
function retriesWithinBudgets(task: TaskState): void {
  assert.ok(task.taskRetries <= task.task.retry.limit, `I12: ${task.key} retried ${task.taskRetries} times`)
  assert.ok(task.infrastructureRetries <= LIMITS.infrastructureRetriesMax, `I12: ${task.key} infrastructure`)
  const retries = task.taskRetries + task.infrastructureRetries
  assert.ok(task.attempts.length <= retries + 1, `I12: ${task.key} has ${task.attempts.length} attempts`)
  const ended = task.attempts.slice(0, retries)
  const used = (budget: string): number =>
    ended.filter(({ outcome }) => outcome !== null && budgetOf(outcome.kind) === budget).length
  assert.equal(task.taskRetries, used('task'), `I12: ${task.key} budget of the task`)
  assert.equal(task.infrastructureRetries, used('infrastructure'), `I12: ${task.key} infrastructure`)
}

/** I19: attempts are numbered without gaps, and each begins after the one before has ended. */
function attemptsFollowEachOther(task: TaskState): void {
  task.attempts.forEach((attempt, index) => {
    assert.equal(attempt.number, index + 1, `I19: ${task.key} attempt numbers`)
    const before = task.attempts[index - 1]
    if (before === undefined) return
    assert.equal(before.phase, 'ended', `I19: ${task.key} attempt ${before.number} has not ended`)
    assert.ok((before.endedAt ?? Infinity) <= attempt.startedAt, `I19: ${task.key} attempts overlap`)
  })
}

/** Whatever is not settled says why, unless it plainly waits for its turn. */
function saysWhy(task: TaskState): void {
  if (task.state === 'pending' || task.state === 'queued') return
  assert.notEqual(task.reason, null, `${task.key} is ${task.state} and does not say why`)
}
