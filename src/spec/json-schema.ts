import * as z from 'zod'
import type { Kind } from './kinds.ts'

/** A JSON Schema, or a part of one, as plain data. */
export type JsonSchema = { [key: string]: unknown }

/** The schema for editors: `# yaml-language-server: $schema=…` on the first line of a file switches help on. */
export function editorSchema(kind: Kind): JsonSchema {
  const schema = z.toJSONSchema(kind.document, { io: 'input', reused: 'inline', cycles: 'throw' })
  return { ...(mapped(schema, forEditors) as JsonSchema), title: kind.kind, description: kind.description }
}

/** The plain schema of a document or a part of it, for the converters. */
export function plainSchema(schema: z.ZodType): JsonSchema {
  const plain = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    reused: 'inline',
    cycles: 'throw',
  })
  return mapped(plain, withoutBounds) as JsonSchema
}

/** Applies a change to every schema of a tree, from the leaves up. */
export function mapped(value: unknown, change: (schema: JsonSchema) => JsonSchema): unknown {
  if (Array.isArray(value)) return value.map(item => mapped(item, change))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, item]) => [key, mapped(item, change)])
  return change(Object.fromEntries(entries) as JsonSchema)
}

function forEditors(schema: JsonSchema): JsonSchema {
  const entries = Object.entries(withoutBounds(schema)).filter(([key]) => !key.startsWith('x-kubernetes-'))
  return Object.fromEntries(entries)
}

/** The bounds of whole numbers that JSON can hold say nothing to anybody. */
function withoutBounds(schema: JsonSchema): JsonSchema {
  const { minimum, maximum, ...rest } = schema
  return {
    ...rest,
    ...(minimum === undefined || minimum === Number.MIN_SAFE_INTEGER ? {} : { minimum }),
    ...(maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? {} : { maximum }),
  }
}
