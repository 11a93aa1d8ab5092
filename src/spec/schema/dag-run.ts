import * as z from 'zod'
import { document } from './metadata.ts'
import { namedValue, text } from './shapes.ts'

/** Fields of `spec` of a DagRun. */
export const dagRunSpec = z.strictObject({
  dagName: text.describe('Name of the DAG in the same namespace.').meta({
    minLength: 1,
    maxLength: 253,
    'x-kubernetes-validations': [
      { rule: 'self == oldSelf', message: 'a DagRun keeps its DAG; make another DagRun' },
    ],
  }),
  parameters: z
    .array(namedValue)
    .max(1000)
    .describe('Values in place of the defaults; `value` or `fromSecret` each.')
    .optional(),
  action: z
    .strictObject({
      type: z
        .enum(['retry', 'fork'])
        .describe('`retry` continues a run; `fork` makes a new one from a task.'),
      run: text
        .describe(
          'Name of the DagRun, or id of the run, in the same namespace. It is waited for until it has ended.',
        )
        .meta({ minLength: 1, maxLength: 253 }),
      task: text
        .describe('With `fork`: the task to start from; its results and later ones are new.')
        .meta({ maxLength: 253 })
        .optional(),
    })
    .describe('Makes this run out of an earlier one, reusing its results.')
    .meta({
      'x-kubernetes-validations': [
        { rule: "self.type != 'fork' || has(self.task)", message: 'a fork needs the task to start from' },
      ],
    })
    .optional(),
  cancel: z
    .boolean()
    .describe(
      'In a cluster: true ends the run; the tasks under `finally` still run. It cannot be taken back.',
    )
    .meta({ default: false })
    .optional(),
  paused: z
    .boolean()
    .describe('In a cluster: true starts nothing new until it is false again; what runs goes on.')
    .optional(),
})

/** What the API server refuses of the object as a whole. A run that has begun is told by its status. */
export const dagRunRules = [
  {
    rule: '!has(oldSelf.status) || !has(oldSelf.status.completionTime) || self.spec == oldSelf.spec',
    message:
      'the run has ended, and what has ended never changes; make another DagRun, with action to continue it',
  },
  {
    rule:
      '!has(oldSelf.status) || !has(oldSelf.status.runId) || (has(self.spec.action) == has(oldSelf.spec.action)' +
      ' && (!has(self.spec.action) || self.spec.action == oldSelf.spec.action))',
    message: 'the run has begun and keeps its action; make another DagRun',
  },
  {
    rule:
      '!has(oldSelf.status) || !has(oldSelf.status.runId) ||' +
      ' (has(self.spec.parameters) == has(oldSelf.spec.parameters)' +
      ' && (!has(self.spec.parameters) || self.spec.parameters == oldSelf.spec.parameters))',
    message: 'the run has begun and keeps its parameters; make another DagRun',
  },
] as const

/** One run of a DAG, as a person asks for it. */
export const dagRunDocument = document('DagRun', dagRunSpec.describe('Which DAG runs, and with what.'))

export type DagRunSpec = z.input<typeof dagRunSpec>
export type DagRunDocument = z.input<typeof dagRunDocument>
