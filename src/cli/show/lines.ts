import type { Outcome, RunEvent } from '../../core/run/events.ts'
import { type RunState, taskByKey } from '../../core/run/state.ts'
import { sentenceOf } from '../../core/run/words.ts'
import { type Paint, clockTime, duration, mark, printable, tookMs } from './text.ts'

/** One event as one line for a log; null for events that say nothing new to a reader. */
export function eventLines(state: RunState, event: RunEvent, paint: Paint): readonly string[] {
  const time = paint('dim', clockTime(event.at))
  const line = (shape: string, text: string): string => `${time} ${shape} ${text}`
  switch (event.type) {
    case 'runCreated':
      return [line('▶', `run ${paint('bold', event.name)} (${event.run}) of DAG ${event.dag}`)]
    case 'runStarted':
      return [line('▶', 'the run starts')]
    case 'taskExpanded':
      return [line('▣', `${event.task} has ${event.items.length} items`)]
    case 'tasksReady':
      return []
    case 'attemptStarted':
      return []
    case 'attemptPending':
      if (event.reason === 'STARTING' && event.message === null) return []
      return [
        line(mark('waiting', paint), `${event.task} does not start yet: ${event.message ?? event.reason}`),
      ]
    case 'attemptRunning':
      return [
        line(
          mark('running', paint),
          `${event.task} runs${event.attempt > 1 ? ` (attempt ${event.attempt})` : ''}`,
        ),
      ]
    case 'attemptStopping':
      return [line(mark('cancelled', paint), `${event.task} is being stopped: ${event.why}`)]
    case 'attemptEnded':
      return [line(...ended(state, event, paint))]
    case 'tasksSettled':
      return event.tasks.map(task => line(mark(event.state, paint), settledText(state, task, event)))
    case 'tasksReused':
      return [
        line(
          mark('succeeded', paint),
          `${event.tasks.length} results reused from ${state.created.continues ?? '?'}`,
        ),
      ]
    case 'approvalRequested':
      return [
        line(
          mark('waiting', paint),
          `${event.task} waits for approval: kontroler approve ${state.created.name} ${event.task}`,
        ),
      ]
    case 'approvalAnswered': {
      const shape = mark(event.approved ? 'succeeded' : 'failed', paint)
      return [
        line(shape, `${event.task} ${event.approved ? 'approved' : 'rejected'} by ${printable(event.by)}`),
      ]
    }
    case 'runPaused':
      return [line(mark('paused', paint), `paused by ${printable(event.by)}`)]
    case 'runResumed':
      return [line('▶', `resumed by ${printable(event.by)}`)]
    case 'stopRequested':
      return [line(mark('cancelled', paint), stopText(event.why, event.by))]
    case 'finallyStarted':
      return state.openFinally > 0 ? [line('▷', 'the tasks under finally start')] : []
    case 'runSettled':
      return []
  }
}

function stopText(why: string, by: string): string {
  if (why === 'failFast') return 'a task failed and failFast is on: the rest is stopped'
  return why === 'timedOut' ? 'the run is out of time' : `cancelled by ${printable(by)}`
}

function ended(
  state: RunState,
  event: Extract<RunEvent, { type: 'attemptEnded' }>,
  paint: Paint,
): [string, string] {
  const attempt = taskByKey(state, event.task).attempts[event.attempt - 1]
  const took =
    attempt === undefined ? '' : ` in ${duration(tookMs({ ...attempt, endedAt: event.at }, event.at))}`
  const { outcome, next } = event
  if (outcome.kind === 'succeeded') return [mark('succeeded', paint), `${event.task} succeeded${took}`]
  if (outcome.kind === 'cancelled') return [mark('cancelled', paint), `${event.task} was stopped`]
  const text = printable(howOf(outcome))
  if (next.kind === 'retry') {
    return [
      mark('backoff', paint),
      `${event.task} failed${took}: ${text}; retried in ${duration(next.at - event.at)}`,
    ]
  }
  if (next.kind === 'wait') return [mark('waiting', paint), `${event.task}: ${text}; waits for a decision`]
  return [mark('failed', paint), `${event.task} failed${took}: ${text}`]
}

/** What ended the attempt. One that ran out of time was ended by our signal, which is not the reason. */
function howOf({ kind, exitCode, message, reason }: Outcome): string {
  if (kind === 'timedOut') return sentenceOf('TIMED_OUT', {})
  if (kind === 'exitCode' && message === null) return `exited with code ${exitCode ?? '?'}`
  return message ?? reason
}

function settledText(
  state: RunState,
  key: string,
  event: Extract<RunEvent, { type: 'tasksSettled' }>,
): string {
  const detail = event.message === null ? '' : `: ${printable(event.message)}`
  switch (event.state) {
    case 'succeeded':
      return `${key} succeeded${taskByKey(state, key).fan === null ? detail : ''}`
    case 'upstreamFailed':
      return `${key} does not run: ${printable(event.message ?? 'a dependency')} failed`
    case 'failed':
    case 'skipped':
    case 'cancelled':
      return `${key} ${event.state}${detail}`
  }
}
