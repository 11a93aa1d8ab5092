import * as z from 'zod'
import { document } from './metadata.ts'
import { placeFields, workFields } from './task.ts'

/** Fields of `spec` of a DagTask: a task without a name and a reference of its own. */
export const dagTaskSpec = z.strictObject({ ...placeFields, ...workFields })

/** A reusable task. */
export const dagTaskDocument = document('DagTask', dagTaskSpec.describe('What the task does.'))

export type DagTaskSpec = z.input<typeof dagTaskSpec>
export type DagTaskDocument = z.input<typeof dagTaskDocument>
