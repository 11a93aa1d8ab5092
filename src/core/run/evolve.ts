import type { Dag } from '../dag/dag.ts'
import type { RunCreated, RunEvent, StopRequested } from './events.ts'
import {
  answerApproval,
  attemptPends,
  attemptRuns,
  endAttempt,
  expand,
  makeReady,
  requestApproval,
  reuse,
  settleWithout,
  startAttempt,
  stopAttempt,
} from './evolve-task.ts'
import { type RunState, isTerminal, newRunState, setRunDeadline, taskAt, taskByKey } from './state.ts'

/**
 * Rebuilds a run from its log.
 * @throws {Error} The log does not begin with `runCreated`, or holds an impossible step.
 */
export function replay(dag: Dag, events: readonly RunEvent[]): RunState {
  const [first] = events
  if (first?.type !== 'runCreated') throw new Error('a log must begin with runCreated')
  const state = newRunState(dag, first)
  for (let index = 1; index < events.length; index += 1) {
    const event = events[index]
    if (event !== undefined) evolve(state, event)
  }
  return state
}

/** The state of a run that is only now created; the same as replaying its first event. */
export function begin(dag: Dag, created: RunCreated): RunState {
  return newRunState(dag, created)
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
      return event.tasks.forEach(key => settleWithout(state, taskByKey(state, key), event))
    case 'tasksReused':
      return event.tasks.forEach(reused => reuse(state, reused, event.at))
    case 'attemptStarted':
      return startAttempt(state, taskByKey(state, event.task), event)
    case 'attemptPending':
      return attemptPends(state, event)
    case 'attemptRunning':
      return attemptRuns(state, event)
    case 'attemptStopping':
      return stopAttempt(state, event)
    case 'attemptEnded':
      return endAttempt(state, event)
    case 'approvalRequested':
      return requestApproval(state, taskByKey(state, event.task), event.at)
    case 'approvalAnswered':
      return answerApproval(state, event)
    case 'runPaused':
      state.paused = true
      if (state.phase === 'running') state.phase = 'paused'
      state.reason = 'RUN_PAUSED'
      return
    case 'runResumed':
      return unpause(state)
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

function startRun(state: RunState, at: number): void {
  if (state.startedAt !== null) throw new Error(`run ${state.created.run} has started already`)
  state.startedAt = at
  state.phase = state.paused ? 'paused' : 'running'
  state.reason = state.paused ? 'RUN_PAUSED' : null
  setRunDeadline(state, at)
}

function unpause(state: RunState): void {
  state.paused = false
  if (state.phase === 'paused') state.phase = 'running'
  state.reason = state.phase === 'queued' ? 'RUN_QUEUED' : null
}

function startFinally(state: RunState): void {
  if (state.finallyStarted || state.openMain > 0)
    throw new Error(`run ${state.created.run} is not at its end; its finally cannot start`)
  state.finallyStarted = true
  for (let index = state.plan.mainCount; index < state.plan.nodes.length; index += 1) {
    if (taskAt(state, index).remaining === 0) state.work.dirty.add(index)
  }
}

/** A later, harder stop replaces that of `failFast`; otherwise what was asked first stays the reason of the run. */
function requestStop(state: RunState, event: StopRequested): void {
  const first = state.stop
  const skipFinally = event.skipFinally || (first?.skipFinally ?? false)
  state.stop =
    first === null || first.why === 'failFast' ? { ...event, skipFinally } : { ...first, skipFinally }
  state.work.stopApplied = false
  // A paused run that is told to end must be able to: what its `finally` cleans up would wait for ever.
  if (event.why !== 'failFast' && state.paused) unpause(state)
}
