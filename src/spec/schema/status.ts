import * as z from 'zod'
import { text } from './shapes.ts'

/** What the engine says about an object. People only read it, so it is in the CRDs but not checked in files. */

const condition = z.strictObject({
  type: text.describe('Name of the condition, such as Ready or Succeeded.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
  observedGeneration: z.int().describe('Generation of the object that this is about.').optional(),
  lastTransitionTime: text.describe('When the status last changed.').meta({ format: 'date-time' }),
  reason: text.describe('Code of the reason.'),
  message: text.describe('One sentence, and what to do.'),
})

const conditions = z
  .array(condition)
  .describe('Conditions as every Kubernetes object has them.')
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
  .optional()

const time = (description: string) => text.describe(description).meta({ format: 'date-time' }).optional()
const observedGeneration = z.int().describe('Generation of the object that this is about.').optional()
const message = text.describe('One sentence; leads with what went wrong.').optional()
const version = z.int().describe('Number of the version in force.').optional()

const lastRun = z.strictObject({
  name: text.describe('Name of the run, and of its DagRun.'),
  phase: text.describe('How far it is.'),
  startTime: time('When it started.'),
  completionTime: time('When it ended.'),
})

export const dagStatus = z.strictObject({
  observedGeneration,
  phase: text
    .describe(
      'Successful or Failed; Pending while a DagTask it needs is not there; empty until it was looked at.',
    )
    .optional(),
  message,
  version,
  schedule: text.describe('Its schedules in words.').optional(),
  nextScheduleTime: time('Tick of the next scheduled run; absent while suspended.'),
  lastScheduleTime: time('Tick of the last scheduled run.'),
  activeRuns: z.int().describe('Runs that have not ended.').optional(),
  lastRunPhase: text.describe('How far the newest run is.').optional(),
  lastRunTime: time('When the newest run was made.'),
  lastRuns: z.array(lastRun).describe('The newest runs, newest first; at most five.').optional(),
  conditions,
})

const taskStatus = z.strictObject({
  name: text.describe('Name of the task; of an item of a fan-out, with its number.'),
  state: text.describe('State of the task.'),
  reason: text.describe('Code of the reason.').optional(),
  message: text.describe('What the reason is about.').optional(),
  exitCode: z.int().describe('Exit code of the last attempt.').optional(),
  attempts: z.int().describe('Attempts so far.').optional(),
})

export const dagRunStatus = z.strictObject({
  observedGeneration,
  dagRunId: z.int().describe('Number of the run, made from its id.').optional(),
  runId: text.describe('Id of the run.').optional(),
  phase: text
    .describe('pending before it begins; then queued, running, paused, succeeded, failed or cancelled.')
    .optional(),
  reason: text.describe('Code of why it waits, or why it ended so.').optional(),
  message,
  progress: text.describe('Settled tasks and all tasks, such as 7/12.').optional(),
  dagVersion: z.int().describe('Version of the DAG that the run is pinned to.').optional(),
  startTime: time('When the run started.'),
  completionTime: time('When the run ended.'),
  duration: text.describe('How long the run took.').optional(),
  tasks: z
    .array(taskStatus)
    .describe('The tasks that matter most: those that failed, then those under way; at most twenty.')
    .optional(),
  conditions,
})

export const dagTaskStatus = z.strictObject({
  observedGeneration,
  version: z.int().describe('Number of the present text.').optional(),
  versions: z.int().describe('How many versions are known.').optional(),
  message,
  conditions,
})

export type Condition = z.input<typeof condition>
export type DagStatus = z.input<typeof dagStatus>
export type DagRunStatus = z.input<typeof dagRunStatus>
export type DagTaskStatus = z.input<typeof dagTaskStatus>
export type TaskStatus = z.input<typeof taskStatus>
