import * as z from 'zod'
import { json, pageOf, timeText } from './values.ts'

export const PHASES = ['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled'] as const
export const TASK_STATES = [
  'pending',
  'waiting',
  'queued',
  'starting',
  'running',
  'backoff',
  'succeeded',
  'failed',
  'skipped',
  'upstreamFailed',
  'cancelled',
] as const

const reason = z.string().nullable().describe('A reason code; the closed list is in the reference.')

const trigger = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('manual'), key: z.string(), by: z.string() }),
    z.object({ kind: z.literal('schedule'), key: z.string(), scheduledTime: timeText }),
    z.object({ kind: z.literal('event'), key: z.string(), source: z.string() }),
    z.object({ kind: z.literal('dag'), key: z.string() }),
    z.object({ kind: z.literal('dagRun'), key: z.string() }),
  ])
  .meta({ id: 'Trigger' })

export const runAnswer = z
  .object({
    id: z.string(),
    name: z.string(),
    namespace: z.string(),
    dag: z.string(),
    dagHash: z.string().describe('Content of the DAG version that it runs.'),
    phase: z.enum(PHASES),
    reason,
    message: z.string().describe('Leads with the root failure; empty while nothing is to be said.'),
    interrupted: z.boolean().describe('Nothing drives it, though it has not ended.'),
    tasksDone: z.int(),
    tasksTotal: z.int(),
    createdAt: timeText,
    startedAt: timeText.nullable(),
    endedAt: timeText.nullable(),
    durationMs: z.int().nullable(),
    trigger,
    labels: z.record(z.string(), z.string()),
    parentRun: z.string().nullable().describe('The run that this one is a task of.'),
    continues: z.string().nullable().describe('The run that it is a retry or fork of.'),
  })
  .meta({ id: 'Run' })
export type RunAnswer = z.infer<typeof runAnswer>

export const secretRef = z.object({ name: z.string(), key: z.string() }).meta({ id: 'SecretRef' })
export const parameterAnswer = z
  .union([
    z.object({ name: z.string(), value: z.string() }),
    z.object({ name: z.string(), fromSecret: secretRef }),
  ])
  .meta({ id: 'ParameterValue' })

export const runDetail = runAnswer
  .extend({ dagVersion: z.int().nullable(), parameters: z.array(parameterAnswer) })
  .meta({ id: 'RunDetail' })
export const runPage = pageOf(runAnswer).meta({ id: 'RunPage' })

export const taskRow = z
  .object({
    task: z.string(),
    index: z.int().describe('Place in the plan; items of a fan-out come after all planned tasks.'),
    state: z.enum(TASK_STATES),
    reason,
    message: z.string().nullable(),
    attempts: z.int(),
    exitCode: z.int().nullable(),
    startedAt: timeText.nullable(),
    endedAt: timeText.nullable(),
  })
  .meta({ id: 'TaskRow' })
export const taskPage = pageOf(taskRow).meta({ id: 'TaskPage' })

export const attemptAnswer = z
  .object({
    attempt: z.int(),
    phase: z.enum(['starting', 'running', 'stopping', 'ended']),
    outcome: z.string().nullable(),
    reason,
    exitCode: z.int().nullable(),
    signal: z.string().nullable(),
    message: z.string().nullable(),
    startedAt: timeText,
    runningAt: timeText.nullable(),
    endedAt: timeText.nullable(),
    handle: json.describe('What finds it outside: a pid, a container, a pod.'),
    log: z.string().nullable().describe('Where its log is read; null when it can have none.'),
  })
  .meta({ id: 'Attempt' })

export const taskAnswer = z
  .object({
    task: z.string(),
    part: z.enum(['main', 'finally']),
    group: z.string().nullable(),
    item: json,
    runAfter: z.array(z.string()),
    state: z.enum(TASK_STATES),
    reason,
    message: z.string().nullable(),
    exitCode: z.int().nullable(),
    outputs: z.record(z.string(), z.string()),
    readyAt: timeText.nullable(),
    endedAt: timeText.nullable(),
    retryAt: timeText.nullable(),
    attempts: z.array(attemptAnswer),
  })
  .meta({ id: 'Task' })
export const attemptList = z.object({ items: z.array(attemptAnswer) }).meta({ id: 'AttemptList' })

/** Facts of a run as they are kept: types are never renamed, and fields are only ever added. */
const runEvent = z
  .looseObject({ type: z.string(), at: z.int().describe('Milliseconds since 1970.') })
  .meta({ id: 'RunEvent' })
export const eventPage = z
  .object({
    items: z.array(runEvent),
    next: z.int().nullable().describe('Give it as `after` to read on; null at the end of what is there now.'),
  })
  .meta({ id: 'EventPage' })

export const liveMessage = z
  .object({
    seq: z.int().describe('Number of the change; the id of the event.'),
    from: z.int().describe('Length of the log of the run before it.'),
    version: z.int().describe('And after it.'),
    run: runAnswer.describe('The run as it is when this is told.'),
    events: z.array(runEvent),
  })
  .meta({ id: 'Change' })

const explained = z.object({
  code: z.string(),
  sentence: z.string(),
  next: z.string().describe('What to do next.'),
  deadline: z.object({ at: timeText, what: z.string() }).nullable(),
})
export const explanation = explained
  .extend({
    run: z.string(),
    name: z.string(),
    task: z.string().nullable(),
    state: z.string(),
    root: z.array(explained.extend({ task: z.string() })).describe('Where it began, nearest first.'),
  })
  .meta({ id: 'Explanation' })

export const startedRun = runAnswer
  .extend({ reused: z.int().describe('Results of an earlier run that it begins with.') })
  .meta({ id: 'StartedRun' })

/** As in a DagRun. Numbers, booleans and JSON are given as they are. */
export const givenParameters = z
  .array(
    z.union([
      z.strictObject({ name: z.string().min(1).max(253), value: json }),
      z.strictObject({
        name: z.string().min(1).max(253),
        fromSecret: z.union([
          z.string().min(1).max(253),
          z.strictObject({ name: z.string().min(1).max(253), key: z.string().min(1).max(253).optional() }),
        ]),
      }),
    ]),
  )
  .max(1_000)
export type GivenParameters = z.infer<typeof givenParameters>
