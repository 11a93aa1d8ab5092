import * as z from 'zod'
import { json, secretRef, text } from './shapes.ts'

export const PARAMETER_TYPES = ['string', 'integer', 'number', 'boolean', 'json'] as const

/** A declared parameter of a DAG, or a field of an approval's form. */
export const parameter = z.strictObject({
  name: text.describe('Name of the parameter; tasks get it as an environment variable of just this name.'),
  type: z
    .enum(PARAMETER_TYPES)
    .describe('Type of the value. Values are checked when a run is asked for.')
    .meta({ default: 'string' })
    .optional(),
  description: text.describe('What the value is for; shown in the run form.').optional(),
  required: z
    .boolean()
    .describe('Every run must give a value; there is no default then.')
    .meta({ default: false })
    .optional(),
  enum: z.array(json).min(1).describe('The only values allowed.').optional(),
  defaultValue: json.describe('Value when a run gives none. Must fit the type; may be empty.').optional(),
  defaultFromSecret: secretRef
    .describe('Secret that holds the default: its name (key `secret`), or `{name, key}`.')
    .optional(),
})
