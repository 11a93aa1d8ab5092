import * as z from 'zod'
import { document } from './metadata.ts'
import { parameter } from './parameter.ts'
import { count, duration, header, positive, quantity, secretRef, text, textList } from './shapes.ts'
import { task } from './task.ts'
import { trigger } from './trigger.ts'

/** Events of outgoing notifications. */
export const WEBHOOK_EVENTS = [
  'runStarted',
  'runSucceeded',
  'runFailed',
  'runCancelled',
  'taskPending',
  'taskStarted',
  'taskSucceeded',
  'taskFailed',
  'taskSkipped',
  'taskRetried',
  'approvalRequested',
  'pod',
] as const

const pvc = z
  .looseObject({
    accessModes: textList.describe('Access modes, such as ReadWriteMany.').optional(),
    selector: z.looseObject({}).describe('Selector of volumes.').optional(),
    resources: z
      .looseObject({
        limits: z.record(z.string(), quantity).describe('Limits of the claim.').optional(),
        requests: z.record(z.string(), quantity).describe('Size, as `storage`.').optional(),
      })
      .describe('Size of the claim.')
      .optional(),
    storageClassName: text.describe('Storage class.').optional(),
    volumeMode: text.describe('Filesystem or Block.').optional(),
    volumeName: text.describe('Volume to bind to.').optional(),
  })
  .describe('Spec of the PersistentVolumeClaim that each run gets.')

const workspace = z
  .strictObject({
    enable: z
      .boolean()
      .describe('Give every run a shared directory at /workspace.')
      .meta({ default: false })
      .optional(),
    pvc: pvc.optional(),
  })
  .describe('A directory that all tasks of a run share; removed when the run has ended.')

const webhook = z
  .strictObject({
    url: text.describe('Address that gets a POST request; empty for none.'),
    verifySSL: z
      .boolean()
      .describe('Check the certificate of the receiver.')
      .meta({ default: true })
      .optional(),
    events: z.array(z.enum(WEBHOOK_EVENTS)).describe('Events that are sent; all when absent.').optional(),
    headers: z.array(header).describe('Headers of the request.').optional(),
    secret: secretRef
      .describe('Secret with the key that signs requests (Standard Webhooks): its name, or `{name, key}`.')
      .optional(),
  })
  .describe('Outgoing notifications.')

const retention = z
  .strictObject({
    runs: positive.describe('Number of ended runs to keep.').optional(),
    age: duration.describe('How long ended runs are kept.').optional(),
  })
  .describe('How much history is kept.')

/** Most triggers of one DAG. */
const TRIGGERS_MAX = 100

/** What the API server refuses of a DAG, beside types. Everything else becomes a condition. */
const dagRules = [
  {
    rule: '!has(self.dsl) || size(self.dsl) == 0 || !has(self.task) || size(self.task) == 0',
    message: 'a DAG has tasks or the arrow language (dsl), not both',
  },
] as const

export const dagObjectRules = [
  {
    rule: 'size(self.metadata.name) <= 63',
    message: 'the name of a DAG becomes a label on its pods and has at most 63 characters',
  },
] as const

/** Fields of `spec` of a DAG. */
export const dagSpec = z
  .strictObject({
    schedule: z
      .union([text, z.array(text)])
      .describe('Cron of five fields, or @daily and friends; a list gives several; empty for none.')
      .optional(),
    timeZone: text.describe('IANA zone that the schedules are read in.').meta({ default: 'UTC' }).optional(),
    catchUp: z
      .enum(['latest', 'none', 'all'])
      .describe('What becomes of ticks missed while no engine ran.')
      .meta({ default: 'latest' })
      .optional(),
    startingDeadlineSeconds: count
      .describe('A tick later than this is skipped, and the skip recorded.')
      .optional(),
    concurrencyPolicy: z
      .enum(['Allow', 'Forbid', 'Replace', 'Queue'])
      .describe('What happens when a run is due while another runs.')
      .meta({ default: 'Allow' })
      .optional(),
    suspended: z
      .boolean()
      .describe('No scheduled starts; runs by hand still run.')
      .meta({ default: false })
      .optional(),
    parameters: z.array(parameter).describe('Declared parameters of a run.').optional(),
    task: z.array(task).max(100_000).describe('The tasks.').optional(),
    finally: z.array(task).max(100_000).describe('Tasks that run at the end, whatever happened.').optional(),
    triggers: z.array(trigger).max(TRIGGERS_MAX).describe('Event sources that start runs.').optional(),
    maxParallelTasks: positive.describe('Most tasks of one run that run at once.').optional(),
    timeout: duration.describe('Longest a run may take until its tasks have settled.').optional(),
    failFast: z
      .boolean()
      .describe('Stop everything else at the first failure.')
      .meta({ default: false })
      .optional(),
    priority: z.int().describe('Larger goes first where slots are short.').meta({ default: 0 }).optional(),
    pool: text.describe('Pool of every task that does not name its own.').optional(),
    retention: retention.optional(),
    workspace: workspace.optional(),
    webhook: webhook.optional(),
    startGuarantee: z
      .enum(['fence', 'strict'])
      .describe('How hard a pod’s single start is secured.')
      .meta({ default: 'fence' })
      .optional(),
    evidence: z
      .enum(['watch', 'finalizer'])
      .describe('How hard a pod’s outcome is secured.')
      .meta({ default: 'watch' })
      .optional(),
    podSecurity: z
      .enum(['hardened', 'restricted'])
      .describe('Pod Security level that the pods meet.')
      .meta({ default: 'hardened' })
      .optional(),
    dsl: text.describe('The arrow language, instead of `schedule`, `parameters` and `task`.').optional(),
  })
  .meta({ 'x-kubernetes-validations': dagRules })

/** A workflow, as a person writes it. */
export const dagDocument = document('DAG', dagSpec.describe('What the workflow does, and when.'))

export type DagSpec = z.input<typeof dagSpec>
export type DagDocument = z.input<typeof dagDocument>
export type TaskSpec = z.input<typeof task>
export type ParameterSpec = z.input<typeof parameter>
export type TriggerSpec = z.input<typeof trigger>
