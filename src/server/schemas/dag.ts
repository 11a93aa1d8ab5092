import * as z from 'zod'
import { json, pageOf, timeText } from './values.ts'
import { secretRef } from './run.ts'

const parameterDefinition = z
  .object({
    name: z.string(),
    type: z.enum(['string', 'integer', 'number', 'boolean', 'json']),
    description: z.string().nullable(),
    required: z.boolean(),
    enum: z.array(json).nullable(),
    default: z.union([
      z.object({ kind: z.literal('none') }),
      z.object({ kind: z.literal('value'), value: z.string() }),
      z.object({ kind: z.literal('secret'), secret: secretRef }),
    ]),
  })
  .meta({ id: 'Parameter' })

const schedule = z
  .object({ text: z.string(), words: z.string().describe('The same for people who do not read cron.') })
  .meta({ id: 'Schedule' })

export const dagAnswer = z
  .object({
    namespace: z.string(),
    name: z.string(),
    version: z.int(),
    hash: z.string().describe('Of its content; suspending it does not change it.'),
    keeper: z
      .enum(['api', 'file', 'cluster'])
      .describe('Who looks after it: only a DAG kept by the API is changed through the API.'),
    createdAt: timeText.describe('When this version was first stored.'),
    suspended: z.boolean(),
    schedules: z.array(schedule),
    timeZone: z.string(),
    tasks: z.int(),
    labels: z.record(z.string(), z.string()),
    parameters: z.array(parameterDefinition),
    mayEdit: z.boolean().describe('Whether who asks may change it here.'),
  })
  .meta({ id: 'Dag' })
export type DagAnswer = z.infer<typeof dagAnswer>
export const dagPage = pageOf(dagAnswer).meta({ id: 'DagPage' })

export const dagVersion = z
  .object({ version: z.int(), hash: z.string(), createdAt: timeText, current: z.boolean() })
  .meta({ id: 'DagVersion' })
export const dagVersions = z.object({ items: z.array(dagVersion) }).meta({ id: 'DagVersionList' })

export const dagContent = dagVersion
  .extend({ content: json.describe('The DAG as the engine understands it.') })
  .meta({ id: 'DagContent' })

export const graphAnswer = z
  .object({
    nodes: z.array(
      z.object({
        task: z.string(),
        part: z.enum(['main', 'finally']),
        work: z.enum(['container', 'dag', 'approval']),
        fanOut: z.boolean(),
        triggerRule: z.string(),
        when: z.string().nullable(),
        layer: z.int().describe('Longest way from a task that waits for none.'),
      }),
    ),
    edges: z.array(z.object({ from: z.string(), to: z.string() })),
  })
  .meta({ id: 'Graph' })

export const appliedDag = dagAnswer
  .extend({
    warnings: z.array(z.object({ code: z.string(), message: z.string(), fix: z.string() })),
    notes: z.array(z.string()).describe('What nothing here does with it, such as an image for a process.'),
  })
  .meta({ id: 'AppliedDag' })

export const fires = z
  .object({
    items: z.array(
      z.object({ at: timeText, skippedReason: z.string().nullable().describe('Why it starts nothing.') }),
    ),
  })
  .meta({ id: 'NextFires' })

export const skips = z
  .object({
    items: z.array(
      z.object({
        from: timeText,
        to: timeText,
        count: z.int(),
        reason: z.string(),
        sentence: z.string(),
        at: timeText,
      }),
    ),
  })
  .meta({ id: 'Skips' })
