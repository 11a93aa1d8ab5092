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

export const dagStatus = z.strictObject({
  observedGeneration,
  phase: text.describe('Successful or Failed; empty until the DAG was looked at.').optional(),
  message,
  version: z.int().describe('Number of the version in force.').optional(),
  lastScheduleTime: time('Tick of the last scheduled run.'),
  nextScheduleTime: time('Tick of the next scheduled run.'),
  conditions,
})

export const dagRunStatus = z.strictObject({
  observedGeneration,
  dagRunId: z.int().describe('Number of the run.').optional(),
  runId: text.describe('Id of the run.').optional(),
  phase: text.describe('queued, running, paused, succeeded, failed or cancelled.').optional(),
  message,
  progress: text.describe('Settled tasks and all tasks, such as 7/12.').optional(),
  dagVersion: z.int().describe('Version of the DAG that the run is pinned to.').optional(),
  startTime: time('When the run started.'),
  completionTime: time('When the run ended.'),
  conditions,
})

export const dagTaskStatus = z.strictObject({
  observedGeneration,
  version: z.int().describe('Number of the newest version.').optional(),
  message,
  conditions,
})
