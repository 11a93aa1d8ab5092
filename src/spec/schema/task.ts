import * as z from 'zod'
import { parameter } from './parameter.ts'
import { podTemplate } from './pod-template.ts'
import {
  cel,
  count,
  duration,
  envVar,
  json,
  namedValue,
  positive,
  resources,
  text,
  textList,
} from './shapes.ts'

export const TRIGGER_RULES = [
  'allSucceeded',
  'noneFailed',
  'allDone',
  'anySucceeded',
  'anyFailed',
  'always',
] as const

const backoff = z
  .strictObject({
    limit: count.describe('Number of retries after the first execution.').meta({ default: 0 }).optional(),
    delay: duration.describe('Time before the first retry.').meta({ default: '0s' }).optional(),
    factor: z
      .number()
      .min(1)
      .max(100)
      .describe('Each further delay is the one before times this.')
      .meta({ default: 2 })
      .optional(),
    maxDelay: duration.describe('Longest delay.').meta({ default: '1h' }).optional(),
    jitter: z
      .number()
      .min(0)
      .max(1)
      .describe('Share of a delay that is drawn at random, 0 to 1.')
      .meta({ default: 0 })
      .optional(),
  })
  .describe('Retries of a failed task. Failures of the infrastructure have a budget of their own.')

const conditional = z
  .strictObject({
    enabled: z
      .boolean()
      .describe('Retry only on the codes in `retryCodes`.')
      .meta({ default: false })
      .optional(),
    retryCodes: z.array(z.int()).describe('Exit codes that are retried while `enabled`.').optional(),
  })
  .describe('Limits retries to some exit codes.')

/** Fields that say what runs; a `DagTask` brings them along. */
export const workFields = {
  image: text.describe('Container image. Ignored by local processes.').optional(),
  command: textList.describe('What is executed; may hold `${{ … }}`.').optional(),
  args: textList.describe('Arguments after `command`; may hold `${{ … }}`.').optional(),
  script: text
    .describe(
      'Script that runs instead of `command`: by its `#!` line, or by /bin/sh. Never holds `${{ … }}`.',
    )
    .optional(),
  scriptInjectorImage: text.describe('Accepted; scripts need no injector image any more.').optional(),
  env: z.array(envVar).describe('Environment variables, as in core/v1.').optional(),
  resources: resources.optional(),
  podTemplate: podTemplate.optional(),
  parameters: textList
    .describe('Names of DAG parameters handed over as environment variables, name verbatim.')
    .optional(),
  backoff: backoff.optional(),
  conditional: conditional.optional(),
  timeout: duration.describe('Longest an attempt may run, from its start.').optional(),
  pendingTimeout: duration.describe('Longest an attempt may take until it runs.').optional(),
  outputs: textList
    .describe('Names of values that the task writes as `name=value` lines to the file $KONTROLER_OUTPUT.')
    .optional(),
  dag: z
    .strictObject({
      name: text.describe('Name of the DAG in the same namespace.'),
      parameters: z
        .array(namedValue)
        .describe('Parameters of that run; values may hold `${{ … }}`.')
        .optional(),
    })
    .describe('Runs another DAG as this task.')
    .optional(),
  approval: z
    .strictObject({
      message: text.describe('What the person decides; may hold `${{ … }}`.'),
      form: z
        .array(parameter)
        .describe('Fields that the person fills in; the answers become outputs of the task.')
        .optional(),
      timeout: duration.describe('How long the person has. Without it: as long as the run may.').optional(),
      onTimeout: z
        .enum(['reject', 'approve'])
        .describe('What happens when nobody answers in time.')
        .meta({ default: 'reject' })
        .optional(),
    })
    .describe('Waits for a person; holds no pod.')
    .optional(),
}

/** Fields that say when a task runs and what its end means. */
export const placeFields = {
  runAfter: textList.describe('Names of tasks that must settle first.').optional(),
  when: cel.describe('CEL that gives true or false; false skips the task.').optional(),
  triggerRule: z
    .enum(TRIGGER_RULES)
    .describe('Which ends of the tasks in `runAfter` let this one run.')
    .meta({ default: 'allSucceeded' })
    .optional(),
  allowFailure: z
    .boolean()
    .describe('A final failure of this task does not fail the run.')
    .meta({ default: false })
    .optional(),
  forEach: z
    .union([z.array(json), cel])
    .describe('Fan-out: a list, or CEL that gives one. Inside, `item` and `index` are known.')
    .optional(),
  matrix: z
    .record(z.string(), z.array(json))
    .describe('Fan-out over the product of lists; `item` has one value for each name.')
    .optional(),
  maxParallel: positive.describe('Most items of the fan-out that run at once.').optional(),
  pool: text.describe('Pool that each attempt takes a slot from.').optional(),
  priority: z.int().describe('Larger goes first where slots are short.').optional(),
  onLost: z
    .enum(['retry', 'fail', 'wait'])
    .describe('What to do when the outcome of an attempt is unknown.')
    .meta({ default: 'retry' })
    .optional(),
}

const taskRef = z
  .strictObject({
    name: text.describe('Name of the DagTask in the same namespace.'),
    version: positive.describe('Version of the DagTask; the first is 1, each changed content the next.'),
  })
  .describe('A reusable task; says what runs in place of the fields here.')

/** One task of a DAG. */
export const task = z
  .strictObject({
    name: text.describe('Name of the task, unique in the DAG; an RFC 1123 label.'),
    ...placeFields,
    ...workFields,
    taskRef: taskRef.optional(),
  })
  .meta({
    'x-kubernetes-validations': [
      {
        rule: '!(has(self.dag) && has(self.approval))',
        message: 'a task runs a DAG or waits for an approval, not both',
      },
    ],
  })
