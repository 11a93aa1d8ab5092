import type * as z from 'zod'
import type { Kind } from './kinds.ts'
import type { DocumentKind, Outline, Outlines } from './outline.ts'

/** Outlines of the documents of these kinds, for the file that is committed. */
export function outlinesOf(kinds: readonly Kind[]): Outlines {
  const parts: Outline[] = []
  const known = new Map<string, number>()
  const add = (schema: z.ZodType): number => {
    const outline = outlineOf(schema, add)
    const text = JSON.stringify(outline)
    const part = known.get(text) ?? parts.push(outline) - 1
    known.set(text, part)
    return part
  }
  const documents = Object.fromEntries(kinds.map(({ kind, document }) => [kind, add(document)]))
  return { parts, documents: documents as Record<DocumentKind, number> }
}

/** What is read of zod's own description of a schema. */
type Definition = {
  readonly type: string
  readonly format?: string
  readonly checks?: readonly { readonly _zod: { readonly def: Check } }[]
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly catchall?: z.ZodType
  readonly element?: z.ZodType
  readonly valueType?: z.ZodType
  readonly innerType?: z.ZodType
  readonly options?: readonly z.ZodType[]
  readonly entries?: Readonly<Record<string, string>>
  readonly values?: readonly unknown[]
}

interface Check {
  readonly check: string
  readonly format?: string
  readonly value?: number
  readonly inclusive?: boolean
  readonly minimum?: number
  readonly maximum?: number
}

const definitionOf = (schema: z.ZodType): Definition => schema._zod.def

function outlineOf(schema: z.ZodType, add: (schema: z.ZodType) => number): Outline {
  const definition = definitionOf(schema)
  const { type } = definition
  switch (type) {
    case 'unknown':
      return bare('any', definition)
    case 'string':
      return bare('text', definition)
    case 'boolean':
      return bare('boolean', definition)
    case 'number': {
      const whole =
        definition.format !== undefined || checksOf(definition).some(({ format }) => format !== undefined)
      return { is: 'number', whole, ...bounds(definition) }
    }
    case 'enum':
      return { is: 'word', words: words(Object.values(definition.entries ?? {}), type) }
    case 'literal':
      return { is: 'word', words: words(definition.values ?? [], type) }
    case 'array':
      return { is: 'list', of: add(given(definition.element, type)), ...bounds(definition) }
    case 'record':
      return { is: 'map', of: add(given(definition.valueType, type)) }
    case 'union':
      return { is: 'either', of: given(definition.options, type).map(add) }
    case 'object':
      return objectOf(definition, add)
    default:
      throw new Error(`an outline cannot say what zod's ${type} means`)
  }
}

function objectOf(definition: Definition, add: (schema: z.ZodType) => number): Outline {
  const { shape = {}, catchall } = definition
  const open = catchall !== undefined && definitionOf(catchall).type === 'unknown'
  if (!open && (catchall === undefined || definitionOf(catchall).type !== 'never'))
    throw new Error('an outline knows strict and loose objects only')
  const required: string[] = []
  const fields: Record<string, number> = {}
  for (const [key, field] of Object.entries(shape)) {
    const { type, innerType } = definitionOf(field)
    if (type !== 'optional') required.push(key)
    fields[key] = add(type === 'optional' ? given(innerType, type) : field)
  }
  return { is: 'object', open, required, fields }
}

const checksOf = ({ checks = [] }: Definition): readonly Check[] => checks.map(({ _zod }) => _zod.def)

function bare(is: 'any' | 'text' | 'boolean', definition: Definition): Outline {
  const [check] = checksOf(definition)
  if (check !== undefined) throw new Error(`an outline cannot say what the check ${check.check} means`)
  return { is }
}

function bounds(definition: Definition): { min?: number; max?: number } {
  const found: { min?: number; max?: number } = {}
  for (const { check, value, inclusive, minimum, maximum } of checksOf(definition)) {
    if (check === 'number_format') continue
    const [min, max] =
      check === 'greater_than'
        ? [value, undefined]
        : check === 'less_than'
          ? [undefined, value]
          : [minimum, maximum]
    if (inclusive === false || (min === undefined && max === undefined))
      throw new Error(`an outline cannot say what the check ${check} means`)
    if (min !== undefined) found.min = Math.max(min, found.min ?? min)
    if (max !== undefined) found.max = Math.min(max, found.max ?? max)
  }
  return found
}

function words(values: readonly unknown[], type: string): readonly string[] {
  return values.map(value => {
    if (typeof value !== 'string') throw new Error(`an outline knows a ${type} of texts only`)
    return value
  })
}

function given<T>(value: T | undefined, type: string): T {
  if (value === undefined) throw new Error(`zod's ${type} is not described as it used to be`)
  return value
}
