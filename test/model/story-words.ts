import type { AttemptEnded, RunEvent } from '../../src/core/run/events.ts'
import { type RunState, taskByKey } from '../../src/core/run/state.ts'

/** What happened in one step, one line a fact; a task that was ready and started at once is only said to start. */
export function inWords(events: readonly RunEvent[], state: RunState): readonly string[] {
  const started = new Set(events.flatMap(event => (event.type === 'attemptStarted' ? [event.task] : [])))
  return events.flatMap(event => lines(event, state, started))
}

/** `10s`, `1m30s`, `200ms`. */
export function longAs(ms: number): string {
  if (ms < 1_000) return `${ms}ms`
  const [minutes, seconds] = [Math.floor(ms / 60_000), Math.round((ms % 60_000) / 1_000)]
  if (minutes === 0) return `${seconds}s`
  return seconds === 0 ? `${minutes}m` : `${minutes}m${seconds}s`
}

function lines(event: RunEvent, state: RunState, started: ReadonlySet<string>): readonly string[] {
  switch (event.type) {
    case 'runCreated':
      return []
    case 'runStarted':
      return ['the run starts']
    case 'taskExpanded':
      return [`${event.task} has ${event.items.length} items: ${event.items.map(item).join(' ')}`.trim()]
    case 'tasksReady':
      return event.tasks.filter(task => !started.has(task)).map(task => `${task} waits for a slot`)
    case 'tasksSettled':
      return event.tasks.map(task => `${task} ${event.state}: ${event.reason} ${event.message ?? ''}`.trim())
    case 'tasksReused':
      return event.tasks.map(({ task }) => `${task} is reused`)
    case 'attemptStarted':
      return [`${event.task} starts${event.attempt === 1 ? '' : `, attempt ${event.attempt}`}`]
    case 'attemptPending':
      return [`${event.task} is held back: ${event.reason} ${event.message ?? ''}`.trim()]
    case 'attemptRunning':
      return [`${event.task} runs`]
    case 'attemptStopping':
      return [`${event.task} is stopped: ${event.why}`]
    case 'attemptEnded':
      return [ended(event)]
    case 'approvalRequested': {
      const { work } = taskByKey(state, event.task).task
      return [`${event.task} asks: ${work.kind === 'approval' ? work.approval.message : ''}`]
    }
    case 'approvalAnswered': {
      const values = Object.entries(event.values).map(([name, value]) => ` ${name}=${value}`)
      return [`${event.task} is ${event.approved ? 'approved' : 'rejected'} by ${event.by}${values.join('')}`]
    }
    case 'runPaused':
      return ['the run pauses']
    case 'runResumed':
      return ['the run goes on']
    case 'stopRequested':
      return [`the run stops: ${event.why}${event.skipFinally ? ', finally too' : ''}`]
    case 'finallyStarted':
      return ['finally begins']
    case 'runSettled':
      return [`run ${event.phase}: ${event.message === '' ? event.reason : event.message}`]
  }
}

function ended(event: AttemptEnded): string {
  const { outcome, next } = event
  const code = outcome.exitCode === null || outcome.exitCode === 0 ? '' : ` ${outcome.exitCode}`
  const reason = `${outcome.reason}${code}`
  switch (next.kind) {
    case 'settle':
      return next.state === 'succeeded' ? `${event.task} succeeded` : `${event.task} ${next.state}: ${reason}`
    case 'retry':
      return `${event.task} failed: ${reason}; ${next.budget} retry in ${longAs(next.at - event.at)}`
    case 'wait':
      return `${event.task} waits for a decision: ${reason}`
  }
}

function item(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
