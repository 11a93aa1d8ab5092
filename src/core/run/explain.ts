import { childRunOf } from './child.ts'
import { rootsOf } from './causes.ts'
import type { ReasonCode } from './reasons.ts'
import { runLimit } from './starts.ts'
import {
  type RunState,
  type TaskState,
  isSettled,
  isTerminal,
  lastAttempt,
  poolOf,
  taskAt,
  taskByKey,
} from './state.ts'
import { stopMessage } from './stop.ts'
import {
  ABOUT_RUN,
  type Asked,
  type Change,
  type ExplainContext,
  codeOf,
  deadlineOf,
  runDeadline,
} from './waits.ts'
import { type Values, failureOf, listOf, nextStepOf, outcomeValues, sentenceOf } from './words.ts'

/** The answer to "why is it waiting" and "why did it end so". */
export interface Explanation {
  readonly code: ReasonCode
  /** One sentence with its subject: `deploy did not run because test failed: test exited with code 3`. */
  readonly sentence: string
  /** What to do next. */
  readonly next: string
  /** When time alone changes something, and what it does then; null when it never will. */
  readonly deadline: Change | null
  /** The tasks where it began, nearest first; empty when it began here. */
  readonly root: readonly Cause[]
}

export interface Cause {
  readonly task: string
  readonly code: ReasonCode
  readonly sentence: string
}

/** @throws {Error} The run has no such task. */
export function explainTask(state: RunState, key: string, now: number, context: ExplainContext): Explanation {
  const asked: Asked = { state, now, context }
  const task = taskByKey(state, key)
  const code = codeOf(asked, task)
  const about = ABOUT_RUN.has(code) ? [] : rootsOf(state, task)
  const root = about.map(cause => causeOf(asked, cause))
  const values = { ...valuesOf(asked, task, code), ...textOf(asked, task, code, about, root) }
  const said = ABOUT_RUN.has(code) ? becauseOfRun(asked, task, code, values) : words(task, code, values)
  const waitsFor = code === 'WAITING_FOR_TASKS' && root[0] !== undefined ? `: ${root[0].sentence}` : ''
  return {
    code,
    sentence: `${task.key} ${said}${waitsFor}`,
    next: nextOf(asked, task, code, values, about[0]),
    deadline: deadlineOf(asked, task),
    root,
  }
}

/** The same for the run as a whole; while it goes on, `root` names the tasks that are under way or hold it up. */
export function explainRun(state: RunState, now: number, context: ExplainContext): Explanation {
  const asked: Asked = { state, now, context }
  const over = isTerminal(state.phase)
  const about = over ? state.failures.slice(0, ROOTS_MAX).map(index => taskAt(state, index)) : holdUps(asked)
  const root = about.map(task => causeOf(asked, task))
  const code = runCode(asked, root)
  const values: Values = { ...runValues(asked), ...(root[0] === undefined ? {} : { task: root[0].task }) }
  return {
    code,
    sentence: `run ${state.created.name} ${runWords(asked, code, values, root)}`,
    next: nextStepOf(code, values),
    deadline: over ? null : runDeadline(state, 'main'),
    root,
  }
}

const ROOTS_MAX = 20

/** What waits for others is helped by what helps them; a task that runs another run is seen there. */
function nextOf(asked: Asked, task: TaskState, code: ReasonCode, values: Values, root?: TaskState): string {
  if (code === 'WAITING_FOR_TASKS' && root !== undefined) {
    const rootCode = codeOf(asked, root)
    if (HELPED.has(rootCode)) return nextStepOf(rootCode, valuesOf(asked, root, rootCode))
  }
  const child = task.task.work.kind === 'dag' && code === 'RUNNING' ? childRunOf(task) : null
  return child === null ? nextStepOf(code, values) : `kontroler explain ${child}`
}

/** Waits that end sooner when somebody does something. */
const HELPED: ReadonlySet<ReasonCode> = new Set([
  'WAITING_FOR_APPROVAL',
  'WAITING_FOR_DECISION',
  'WAITING_FOR_RUN_SLOT',
  'WAITING_FOR_GROUP_SLOT',
  'WAITING_FOR_POOL',
  'WAITING_FOR_ENGINE_SLOT',
  'RUN_PAUSED',
])

function words(task: TaskState, code: ReasonCode, values: Values): string {
  return task.state === 'failed' && code !== 'FAN_OUT_FAILED' ? failureOf(task) : sentenceOf(code, values)
}

/** `build waits: run nightly-7 is paused and starts nothing new`. */
function becauseOfRun(asked: Asked, task: TaskState, code: ReasonCode, values: Values): string {
  const isLive = asked.state.work.live.has(task.index)
  const lead = isLive ? `is ${task.state}, but` : 'waits:'
  return `${lead} run ${asked.state.created.name} ${sentenceOf(code, values)}`
}

function causeOf(asked: Asked, task: TaskState): Cause {
  const code = codeOf(asked, task)
  const values = { ...valuesOf(asked, task, code), ...textOf(asked, task, code, [], []) }
  const said = ABOUT_RUN.has(code) ? becauseOfRun(asked, task, code, values) : words(task, code, values)
  return { task: task.key, code, sentence: `${task.key} ${said}` }
}

function runValues(asked: Asked): Values {
  const { created } = asked.state
  return { id: created.run, run: asked.context.queuedBehind ?? 'another run' }
}

function valuesOf(asked: Asked, task: TaskState, code: ReasonCode): Values {
  const { state, context } = asked
  const base: Values = { ...runValues(asked), ...outcomeValues(task), task: task.key }
  switch (code) {
    case 'REUSED':
      return { ...base, run: state.created.continues ?? 'another run' }
    case 'CHILD_RUN_FAILED':
      return { ...base, run: childRunOf(task) ?? 'RUN' }
    case 'WAITING_FOR_RUN_SLOT':
      return { ...base, used: state.work.slots, limit: runLimit(state) }
    case 'WAITING_FOR_GROUP_SLOT': {
      const group = taskAt(state, task.group ?? task.index)
      return { ...base, used: group.fan?.active ?? 0, limit: group.task.fanOut?.maxParallel ?? 0 }
    }
    case 'WAITING_FOR_POOL': {
      const pool = poolOf(state, task) ?? ''
      return { ...base, pool, ...context.pools.get(pool) }
    }
    case 'WAITING_FOR_ENGINE_SLOT':
      return { ...base, ...context.engine }
    case 'WAITING_FOR_TASKS': {
      const before = state.plan.nodes[task.index]?.dependencies ?? []
      const open = before.map(index => taskAt(state, index)).filter(other => !isSettled(other.state))
      return { ...base, tasks: listOf(open.map(({ key }) => key)) }
    }
    default:
      return base
  }
}

function textOf(
  asked: Asked,
  task: TaskState,
  code: ReasonCode,
  about: readonly TaskState[],
  root: readonly Cause[],
): Values {
  switch (code) {
    case 'UPSTREAM_FAILED':
    case 'DEPENDENCY_SKIPPED':
    case 'FAIL_FAST':
      return { text: about.length === 0 ? withoutRoots(task, code) : rootText(about, root) }
    case 'FAN_OUT_FAILED':
      return { text: root[0] === undefined ? task.message : `${task.message}: ${root[0].sentence}` }
    case 'CANCELLED':
      return { text: asked.state.stop === null ? task.message : stopMessage(asked.state) }
    case 'TRIGGER_RULE_UNMET':
      return { text: `${task.task.triggerRule}, and none did` }
    case 'WAITING_FOR_APPROVAL':
      return { text: task.task.work.kind === 'approval' ? task.task.work.approval.message : null }
    case 'WAITING_FOR_BACKOFF':
      return { text: failureOf(task, task.task.retry.limit + task.infrastructureRetries + 1) }
    case 'RUNNING':
      return { text: runningText(asked.state, task) }
    case 'STOPPING':
      return { text: stoppingText(asked.state, task) }
    default:
      return task.state === 'starting' ? { text: task.message } : {}
  }
}

/** `test failed: test exited with code 3`; of what was skipped or cancelled, the cause's own sentence says it. */
function rootText(about: readonly TaskState[], root: readonly Cause[]): string {
  const [first, second] = root
  if (first === undefined) return ''
  const states = new Set(about.map(({ state }) => state))
  const names = listOf(about.map(({ key }) => key))
  const sentences = second === undefined ? first.sentence : `${first.sentence}; ${second.sentence}`
  if (states.size > 1) return `${names} did not succeed: ${sentences}`
  if (states.has('failed')) return `${names} failed: ${sentences}`
  return about.length === 1 ? first.sentence : `${names} were ${[...states][0] ?? 'skipped'}: ${sentences}`
}

function withoutRoots(task: TaskState, code: ReasonCode): string {
  const names = task.message ?? 'a task before it'
  return code === 'DEPENDENCY_SKIPPED' ? `${names} was skipped` : `${names} failed`
}

function runningText(state: RunState, task: TaskState): string | null {
  const child = task.task.work.kind === 'dag' ? childRunOf(task) : null
  if (task.fan === null) return child === null ? null : `run ${child}`
  const { children } = task.fan
  const done = children.filter(index => isSettled(taskAt(state, index).state)).length
  return `${done} of ${children.length} items are done`
}

function stoppingText(state: RunState, task: TaskState): string {
  switch (lastAttempt(task)?.stopping?.why) {
    case 'timedOut':
      return 'it ran longer than its timeout'
    case 'pendingTimedOut':
      return 'it did not start within its pendingTimeout'
    case 'failFast':
      return 'another task failed and failFast is on'
    case 'runTimedOut':
      return 'the run took longer than its timeout'
    case 'cancelled':
    case undefined:
      return stopText(state)
  }
}

function stopText(state: RunState): string {
  switch (state.stop?.why) {
    case 'replaced':
      return 'a newer run takes its place'
    case 'failFast':
      return 'a task failed and failFast is on'
    case 'timedOut':
      return 'it took longer than its timeout'
    case 'cancelled':
    case undefined:
      return `cancelled ${stopMessage(state) ?? ''}`.trim()
  }
}

/** Tasks that the run is at, the most telling first: what runs, then what waits for a person, for slots, for time. */
function holdUps(asked: Asked): readonly TaskState[] {
  const ranked = asked.state.tasks.flatMap(task => {
    if (isSettled(task.state) || task.fan !== null) return []
    const rank = RANKS.indexOf(task.state === 'starting' ? 'STARTING' : codeOf(asked, task))
    return rank < 0 ? [] : [{ task, rank }]
  })
  return ranked
    .toSorted((a, b) => a.rank - b.rank)
    .slice(0, ROOTS_MAX)
    .map(({ task }) => task)
}

const RANKS: readonly ReasonCode[] = [
  'STOPPING',
  'RUNNING',
  'STARTING',
  'WAITING_FOR_APPROVAL',
  'WAITING_FOR_DECISION',
  'WAITING_FOR_POOL',
  'WAITING_FOR_ENGINE_SLOT',
  'WAITING_FOR_RUN_SLOT',
  'WAITING_FOR_GROUP_SLOT',
  'WAITING_FOR_BACKOFF',
]

function runCode(asked: Asked, root: readonly Cause[]): ReasonCode {
  const { state, context } = asked
  if (isTerminal(state.phase)) return state.reason ?? 'INTERNAL_ERROR'
  if (!context.driven) return 'ENGINE_GONE'
  if (state.phase === 'queued') return 'RUN_QUEUED'
  if (state.paused) return 'RUN_PAUSED'
  if (state.stop !== null && state.openMain > 0) return 'STOPPING'
  const [first] = root
  if (first === undefined) return 'RUNNING'
  const under = ['starting', 'running'].includes(taskByKey(state, first.task).state)
  return under ? 'RUNNING' : first.code
}

function runWords(asked: Asked, code: ReasonCode, values: Values, root: readonly Cause[]): string {
  const { state } = asked
  switch (code) {
    case 'SUCCEEDED':
      return sentenceOf(code, values)
    case 'RUNNING': {
      const first = root[0] === undefined ? '' : `; ${root[0].sentence}`
      return sentenceOf(code, { text: `${state.done} of ${state.total} tasks are done${first}` })
    }
    case 'STOPPING':
      return sentenceOf(code, { text: stopText(state) })
    case 'CANCELLED':
      return sentenceOf(code, { text: stopMessage(state) })
    case 'RUN_TIMED_OUT':
      return `failed: ${state.message}`
    default:
      if (isTerminal(state.phase) || ABOUT_RUN.has(code))
        return sentenceOf(code, { ...values, text: state.message })
      return `waits: ${root[0]?.sentence ?? ''}`
  }
}
