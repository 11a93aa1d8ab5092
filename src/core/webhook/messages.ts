import type { RunCreated, RunEvent } from '../run/events.ts'
import { moment, parameterData } from '../run/run-data.ts'

/** One message to a receiver: the event it is filtered by, and its body as JSON. */
export interface WebhookMessage {
  readonly event: string
  readonly body: string
}

/** What the messages of a run are made with. */
export interface MessageContext {
  readonly created: RunCreated
  /** Number of the run, for receivers that know runs by numbers. */
  readonly runNumber: number
  readonly taskNumber: (task: string) => number
  /** How long an attempt took, from its start to its end. */
  readonly attemptMs: (task: string, attempt: number) => number
}

/**
 * What a fact tells a receiver. Bodies have the members of the messages of the first Kontroler, with their meaning
 * (`type`, `status`, `dagRunId`, `taskName`, `taskId`, of pods `duration` in seconds), and more beside them. Facts
 * become messages one by one, so that the same log always gives the same messages in the same order.
 */
export function messagesOf(event: RunEvent, context: MessageContext): readonly WebhookMessage[] {
  const say = saying(context, event.at)
  switch (event.type) {
    case 'runCreated':
      return event.queued ? [] : [say.run('runStarted', 'started', startOf(context))]
    case 'runStarted':
      return [say.run('runStarted', 'started', startOf(context))]
    case 'runSettled': {
      const { reason, message } = event
      const [name, status] = RUN_ENDS[event.phase]
      return [say.run(name, status, { reason, message })]
    }
    case 'attemptStarted': {
      const { task, attempt } = event
      return [say.task('taskPending', 'pending', task, { attempt }), say.pod('Pending', task, attempt)]
    }
    case 'attemptRunning': {
      const { task, attempt } = event
      return [say.task('taskStarted', 'started', task, { attempt }), say.pod('Running', task, attempt)]
    }
    case 'attemptEnded':
      return attemptEnded(event, say)
    case 'tasksSettled': {
      const { state, reason, message } = event
      const named = TASK_ENDS[state]
      if (named === null) return []
      return event.tasks.map(task => say.task(named[0], named[1], task, { reason, message }))
    }
    case 'approvalRequested':
      return [say.task('approvalRequested', 'approvalRequested', event.task, {})]
    case 'approvalAnswered': {
      const { by, message } = event
      const [name, status] = event.approved ? TASK_ENDS.succeeded : TASK_ENDS.failed
      return [say.task(name, status, event.task, { by, message })]
    }
    case 'taskExpanded':
    case 'tasksReady':
    case 'tasksReused':
    case 'attemptPending':
    case 'attemptStopping':
    case 'runPaused':
    case 'runResumed':
    case 'stopRequested':
    case 'finallyStarted':
      return []
  }
  // A newer program wrote it; a receiver of today does not miss it.
  return []
}

const RUN_ENDS = {
  succeeded: ['runSucceeded', 'success'],
  failed: ['runFailed', 'failed'],
  cancelled: ['runCancelled', 'cancelled'],
} as const

/** A task that will not run because of another one was called suspended. A cancelled one is told of by its run. */
const TASK_ENDS = {
  succeeded: ['taskSucceeded', 'success'],
  failed: ['taskFailed', 'failed'],
  skipped: ['taskSkipped', 'skipped'],
  upstreamFailed: ['taskSkipped', 'suspended'],
  cancelled: null,
} as const

function attemptEnded(
  { task, attempt, outcome, next }: Extract<RunEvent, { type: 'attemptEnded' }>,
  say: Saying,
): readonly WebhookMessage[] {
  const { kind, reason, exitCode, message } = outcome
  const phase = kind === 'succeeded' ? 'Succeeded' : kind === 'lost' ? 'Unknown' : 'Failed'
  const pod = say.pod(phase, task, attempt)
  const facts = { attempt, exitCode, reason, message }
  if (next.kind === 'retry') {
    const retryAt = moment(next.at)
    return [pod, say.task('taskRetried', 'retrying', task, { ...facts, retryAt })]
  }
  if (next.kind === 'wait') return [pod]
  const named = TASK_ENDS[next.state]
  return named === null ? [pod] : [pod, say.task(named[0], named[1], task, facts)]
}

interface Saying {
  run(event: string, status: string, more: object): WebhookMessage
  task(event: string, status: string, task: string, more: object): WebhookMessage
  pod(status: string, task: string, attempt: number): WebhookMessage
}

function saying({ created, runNumber, taskNumber, attemptMs }: MessageContext, at: number): Saying {
  const { run, name, namespace, dag } = created
  const made = (type: string, event: string, status: string, more: object): WebhookMessage => ({
    event,
    body: JSON.stringify({
      type,
      status,
      dagRunId: runNumber,
      ...more,
      event,
      at: moment(at),
      namespace,
      dag,
      run,
      runName: name,
    }),
  })
  const ofTask = (task: string) => ({ taskName: task, taskId: taskNumber(task) })
  return {
    run: (event, status, more) => made('run', event, status, more),
    task: (event, status, task, more) => made('taskrun', event, status, { ...ofTask(task), ...more }),
    pod(status, task, attempt) {
      const duration = ENDED.has(status) ? Math.round(attemptMs(task, attempt) / 1_000) : 0
      return made('pod', 'pod', status, { ...ofTask(task), duration, attempt })
    },
  }
}

const ENDED: ReadonlySet<string> = new Set(['Succeeded', 'Failed', 'Unknown'])

/** Of parameters from Secrets only the reference is known, and told. */
function startOf({ created }: MessageContext): object {
  const { trigger, parent, parameters } = created
  return { trigger: trigger.kind, parentRun: parent?.run ?? null, parameters: parameterData(parameters) }
}
