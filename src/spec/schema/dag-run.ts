import * as z from 'zod'
import { document } from './metadata.ts'
import { namedValue, text } from './shapes.ts'

/** Fields of `spec` of a DagRun. */
export const dagRunSpec = z.strictObject({
  dagName: text.describe('Name of the DAG in the same namespace.').meta({
    minLength: 1,
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
      run: text.describe('Name of the DagRun, or id of the run, that has ended.'),
      task: text
        .describe('With `fork`: the task to start from; its results and later ones are new.')
        .optional(),
    })
    .describe('Makes this run out of an earlier one, reusing its results.')
    .optional(),
})

/** One run of a DAG, as a person asks for it. */
export const dagRunDocument = document('DagRun', dagRunSpec.describe('Which DAG runs, and with what.'))

export type DagRunSpec = z.input<typeof dagRunSpec>
export type DagRunDocument = z.input<typeof dagRunDocument>
