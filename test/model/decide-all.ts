import type { Task } from '../../src/core/dag/dag.ts'
import type { RunEvent } from '../../src/core/run/events.ts'
import { type ExpressionLanguage, conditionOf, itemsOf } from '../../src/core/run/inputs.ts'
import type { Room } from '../../src/core/run/starts.ts'
import type { RunState, TaskState } from '../../src/core/run/state.ts'
import type { TaskStateName } from '../../src/core/run/rows.ts'

/**
 * What `decide` must answer, said plainly and slowly: every question looks at all tasks, counts everything anew from
 * the document, and uses no worklist and no counter. The property tests hold the two equal.
 *
 * An effect is one line of text about one task, so that the two can be compared whatever events they came in.
 */
export type Effect = string

export function decideAll(state: RunState, now: number, language: ExpressionLanguage): readonly Effect[] {
  if (SETTLED_RUN.includes(state.phase)) return []
  const steps: readonly (() => Effect[])[] = [
    () => stops(state),
    () => deadlines(state, now),
    () => (state.phase === 'queued' && state.stop === null ? ['nothing'] : []),
    () => settlements(state, language),
    () => failFast(state),
    () => releases(state, now),
    () => ends(state),
  ]
  for (const step of steps) {
    const effects = step()
    if (effects.length > 0) return effects.filter(effect => effect !== 'nothing')
  }
  return []
}

/** The same lines, of what `decide` really answered. */
export function effectsOf(events: readonly RunEvent[]): readonly Effect[] {
  return events.flatMap((event): Effect[] => {
    switch (event.type) {
      case 'tasksSettled':
        return event.tasks.map(task => settled(task, event.state, event.reason, event.message))
      case 'tasksReady':
        return event.tasks.map(ready)
      case 'taskExpanded':
        return [expanded(event.task, event.items)]
      case 'approvalRequested':
        return [asked(event.task)]
      case 'approvalAnswered':
        return [answered(event.task, event.approved, event.by)]
      case 'attemptStopping':
        return [stopping(event.task, event.attempt, event.why)]
      case 'stopRequested':
        return [`stop the run: ${event.why}`]
      case 'finallyStarted':
        return ['start finally']
      case 'runSettled':
        return [`settle the run: ${event.phase} ${event.reason}`]
      default:
        return [`unexpected ${event.type}`]
    }
  })
}

/** The tasks that may start now, in order: sorted anew, each asked whether there is still room for it. */
export function decideStartsAll(state: RunState, room: Room): readonly string[] {
  if (SETTLED_RUN.includes(state.phase) || state.phase === 'queued' || state.paused) return []
  const limits = [state.dag.maxParallelTasks, state.created.maxParallelTasks]
  const held = state.tasks.filter(task => isLive(task) && task.task.work.kind === 'container').length
  let free = Math.min(...limits.map(limit => limit ?? Number.POSITIVE_INFINITY)) - held
  let { slots } = room
  const pools = new Map(room.pools)
  const started: string[] = []
  const priority = (task: TaskState): number => task.task.priority ?? state.created.priority
  const queued = state.tasks
    .filter(task => task.state === 'queued')
    .toSorted((a, b) => priority(b) - priority(a) || a.readySequence - b.readySequence)
  for (const task of queued) {
    if (task.task.work.kind === 'container') {
      const pool = task.task.pool ?? state.dag.pool
      const places = pool === null ? 1 : (pools.get(pool) ?? 0)
      if (free <= 0 || slots <= 0 || places <= 0) continue
      free -= 1
      slots -= 1
      if (pool !== null) pools.set(pool, places - 1)
    }
    started.push(`${task.key} ${task.attempts.length + 1}`)
  }
  return started
}

/** The next moment after `now` at which time alone changes something. */
export function nextDeadlineAll(state: RunState, now: number): number | null {
  if (SETTLED_RUN.includes(state.phase)) return null
  const moments = [runDeadline(state), ...state.tasks.map(task => taskDeadline(task))]
  const ahead = moments.filter(at => at !== null && at > now) as number[]
  return ahead.length === 0 ? null : Math.min(...ahead)
}

export type Fate =
  | 'wait'
  | 'go'
  | { readonly state: TaskStateName; readonly reason: string; readonly message: string }

/** The trigger rules of the product page, one line each. */
export function fateOf(state: RunState, task: TaskState): Fate {
  const before = dependenciesOf(state, task)
  const open = before.some(other => !isSettled(other))
  const good = before.filter(other => other.state === 'succeeded')
  const skipped = before.filter(other => other.state === 'skipped')
  const bad = before.filter(other => ['failed', 'upstreamFailed', 'cancelled'].includes(other.state))
  const upstream = { state: 'upstreamFailed', reason: 'UPSTREAM_FAILED', message: names(bad) } as const
  const skip = { state: 'skipped', reason: 'DEPENDENCY_SKIPPED', message: names(skipped) } as const
  const rule = task.task.triggerRule
  const unmet = { state: 'skipped', reason: 'TRIGGER_RULE_UNMET', message: rule } as const
  switch (rule) {
    case 'allSucceeded':
      return open ? 'wait' : bad.length > 0 ? upstream : skipped.length > 0 ? skip : 'go'
    case 'noneFailed':
      return open ? 'wait' : bad.length > 0 ? upstream : 'go'
    case 'allDone':
    case 'always':
      return open ? 'wait' : 'go'
    case 'anySucceeded':
      if (good.length > 0 || before.length === 0) return 'go'
      return open ? 'wait' : bad.length > 0 ? upstream : unmet
    case 'anyFailed':
      return bad.length > 0 ? 'go' : open ? 'wait' : unmet
  }
}

/** Whether the run's stop, if there is one, reaches this task. */
export function isStopped(state: RunState, task: TaskState): boolean {
  if (state.stop === null) return false
  if (state.startedAt === null) return true
  if (task.part === 'finally') return state.stop.skipFinally
  return !(state.stop.why === 'failFast' && task.task.triggerRule === 'always')
}

export function dependenciesOf(state: RunState, task: TaskState): readonly TaskState[] {
  if (task.group !== null) return []
  return [...new Set(task.task.runAfter)].flatMap(name => state.tasks.filter(({ key }) => key === name))
}

export function childrenOf(state: RunState, task: TaskState): readonly TaskState[] {
  return state.tasks.filter(({ group }) => group === task.index)
}

export function isSettled(task: TaskState): boolean {
  return ['succeeded', 'failed', 'skipped', 'upstreamFailed', 'cancelled'].includes(task.state)
}

export function isLive(task: TaskState): boolean {
  return task.attempts.some(({ phase }) => phase !== 'ended')
}

/** Items that `maxParallel` counts: those that have a slot, wait for one, or wait for a person. */
export function holdsPlace(task: TaskState): boolean {
  const approval = task.state === 'waiting' && task.task.work.kind === 'approval'
  return task.state === 'queued' || approval || isLive(task)
}

const SETTLED_RUN: readonly string[] = ['succeeded', 'failed', 'cancelled']

function stops(state: RunState): Effect[] {
  const { stop } = state
  if (stop === null) return []
  return state.tasks
    .filter(task => !isSettled(task) && isStopped(state, task))
    .flatMap(task => {
      const attempt = task.attempts.find(({ phase }) => phase !== 'ended')
      const why = {
        failFast: 'failFast',
        timedOut: 'runTimedOut',
        cancelled: 'cancelled',
        replaced: 'cancelled',
      }
      if (attempt !== undefined)
        return attempt.stopping === null ? [stopping(task.key, attempt.number, why[stop.why])] : []
      return task.fan === null ? [cancelled(state, task)] : []
    })
}

/** Those of tasks that came due before the run's own go first; the run's own stops what is left. */
function deadlines(state: RunState, now: number): Effect[] {
  const end = runDeadline(state)
  const before = end !== null && end <= now ? end : now + 1
  const effects: Effect[] = []
  for (const task of state.tasks) {
    const at = taskDeadline(task)
    if (at === null || at >= before) continue
    const attempt = task.attempts.find(({ phase }) => phase !== 'ended')
    const { work } = task.task
    if (attempt?.phase === 'starting') effects.push(stopping(task.key, attempt.number, 'pendingTimedOut'))
    else if (attempt?.phase === 'running') effects.push(stopping(task.key, attempt.number, 'timedOut'))
    else if (task.state === 'backoff' && task.group === null) effects.push(ready(task.key))
    else if (task.state === 'waiting' && work.kind === 'approval')
      effects.push(answered(task.key, work.approval.onTimeout === 'approve', 'deadline'))
  }
  return effects.length === 0 && before <= now ? ['stop the run: timedOut'] : effects
}

function runDeadline(state: RunState): number | null {
  const over = state.stop !== null && state.stop.why !== 'failFast'
  if (state.dag.timeoutMs === null || state.startedAt === null || over || mainIsOver(state)) return null
  return state.startedAt + state.dag.timeoutMs
}

function taskDeadline(task: TaskState): number | null {
  const attempt = task.attempts.find(({ phase }) => phase !== 'ended')
  const { pendingTimeoutMs, timeoutMs, work } = task.task
  if (attempt?.phase === 'starting')
    return pendingTimeoutMs === null ? null : attempt.startedAt + pendingTimeoutMs
  // Under `finally` there is a time-out that depends on when the run was stopped; the attempt knows it.
  if (attempt?.phase === 'running')
    return timeoutMs === null ? attempt.deadlineAt : (attempt.runningAt ?? 0) + timeoutMs
  if (task.state === 'backoff') return task.retryAt
  if (task.state !== 'waiting' || work.kind !== 'approval' || work.approval.timeoutMs === null) return null
  return (task.waitingSince ?? 0) + work.approval.timeoutMs
}

function settlements(state: RunState, language: ExpressionLanguage): Effect[] {
  const effects: Effect[] = []
  for (const task of state.tasks.filter(({ group }) => group === null)) {
    const children = childrenOf(state, task)
    if (task.fan !== null) {
      if (!isSettled(task) && children.every(isSettled)) effects.push(groupEnd(task, children))
    } else if (task.state === 'pending' && (task.part === 'main' || state.finallyStarted)) {
      effects.push(...firstStep(state, task, language))
    }
  }
  return effects
}

function firstStep(state: RunState, task: TaskState, language: ExpressionLanguage): Effect[] {
  if (isStopped(state, task)) return [cancelled(state, task)]
  const fate = fateOf(state, task)
  if (fate === 'wait') return []
  if (fate !== 'go') return [settled(task.key, fate.state, fate.reason, fate.message)]
  const condition = conditionOf(state, task, language)
  if (condition.kind === 'error') return [settled(task.key, 'failed', 'EXPRESSION_ERROR', condition.message)]
  if (condition.kind === 'false') return [settled(task.key, 'skipped', 'CONDITION_FALSE', task.task.when)]
  if (task.task.fanOut !== null) {
    const items = itemsOf(state, task, language)
    if (!items.ok) return [settled(task.key, 'failed', 'FAN_OUT_INVALID', items.message)]
    return [expanded(task.key, items.value)]
  }
  return [turn(task.task, task.key)]
}

function groupEnd(task: TaskState, children: readonly TaskState[]): Effect {
  const failed = children.filter(child => child.state === 'failed')
  const stopped = children.find(child => child.state === 'cancelled')
  if (children.length === 0) return settled(task.key, 'succeeded', 'EMPTY_FAN_OUT', null)
  if (failed.length > 0) {
    const text = `${failed.length} of ${children.length} items failed, first ${failed[0]?.key}`
    return settled(task.key, 'failed', 'FAN_OUT_FAILED', text)
  }
  if (stopped !== undefined) return settled(task.key, 'cancelled', stopped.reason ?? '', stopped.message)
  return settled(task.key, 'succeeded', 'SUCCEEDED', null)
}

function failFast(state: RunState): Effect[] {
  const failed = state.tasks.some(isFinalFailure)
  const wanted = state.dag.failFast && state.stop === null && failed && !mainIsOver(state)
  return wanted ? ['stop the run: failFast'] : []
}

export function isFinalFailure(task: TaskState): boolean {
  return task.state === 'failed' && !task.task.allowFailure && task.reason !== 'FAN_OUT_FAILED'
}

function releases(state: RunState, now: number): Effect[] {
  return state.tasks
    .filter(task => task.fan !== null)
    .flatMap(group => {
      const children = childrenOf(state, group)
      const room = (group.task.fanOut?.maxParallel ?? children.length) - children.filter(holdsPlace).length
      const due = children.filter(child => child.state === 'backoff' && (child.retryAt ?? 0) <= now)
      const fresh = children.filter(child => child.state === 'pending')
      return [...due, ...fresh].slice(0, Math.max(0, room)).map(child => turn(child.task, child.key))
    })
}

function ends(state: RunState): Effect[] {
  if (!mainIsOver(state)) return []
  if (state.tasks.some(task => !isSettled(task))) return state.finallyStarted ? [] : ['start finally']
  return [`settle the run: ${endOfRunAll(state)}`]
}

/** How a run ends, as a function of why it was stopped and how its tasks stand. */
export function endOfRunAll(state: RunState): string {
  if (state.stop?.why === 'cancelled') return 'cancelled CANCELLED'
  if (state.stop?.why === 'replaced') return 'cancelled REPLACED'
  if (state.stop?.why === 'timedOut') return 'failed RUN_TIMED_OUT'
  return state.tasks.some(isFinalFailure) ? 'failed RUN_FAILED' : 'succeeded SUCCEEDED'
}

function mainIsOver(state: RunState): boolean {
  return state.tasks.every(task => task.part !== 'main' || isSettled(task))
}

function turn(task: Task, key: string): Effect {
  return task.work.kind === 'approval' ? asked(key) : ready(key)
}

function cancelled(state: RunState, task: TaskState): Effect {
  const { stop } = state
  const [reason, message] = {
    failFast: ['FAIL_FAST', state.tasks[state.failures[0] ?? -1]?.key ?? null],
    timedOut: ['RUN_TIMED_OUT', null],
    cancelled: ['CANCELLED', `by ${stop?.by}`],
    replaced: ['REPLACED', null],
  }[stop?.why ?? 'cancelled'] as [string, string | null]
  return settled(task.key, 'cancelled', reason, message)
}

function names(tasks: readonly TaskState[]): string {
  const first = tasks.slice(0, 3).map(({ key }) => key)
  return first.join(', ') + (tasks.length > 3 ? ` and ${tasks.length - 3} more` : '')
}

const settled = (task: string, to: string, reason: string, message: string | null): Effect =>
  `settle ${task}: ${to} ${reason} ${message ?? ''}`
const ready = (task: string): Effect => `ready ${task}`
const expanded = (task: string, items: readonly unknown[]): Effect =>
  `expand ${task}: ${JSON.stringify(items)}`
const asked = (task: string): Effect => `ask ${task}`
const answered = (task: string, approved: boolean, by: string): Effect =>
  `answer ${task}: ${approved} by ${by}`
const stopping = (task: string, attempt: number, why: string): Effect => `stop ${task} ${attempt}: ${why}`
