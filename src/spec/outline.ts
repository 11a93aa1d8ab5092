import outlines from './outlines.json' with { type: 'json' }

/**
 * What a document looks like, in a form that takes no time to load. It is made from the zod schema
 * (`npm run generate`) and only ever says "this fits": then the schema has nothing to say. What does not fit is shown
 * to the schema itself, which tells why; building that takes longer than all the rest of a short command.
 */
export interface Outlines {
  /** Parts by number, so that what is used in many places is there once. */
  readonly parts: readonly Outline[]
  /** The number of each kind's document. */
  readonly documents: Readonly<Record<DocumentKind, number>>
}

export type DocumentKind = 'DAG' | 'DagRun' | 'DagTask'

export type Outline =
  | { readonly is: 'any' | 'text' | 'boolean' }
  | { readonly is: 'number'; readonly whole: boolean; readonly min?: number; readonly max?: number }
  | { readonly is: 'word'; readonly words: readonly string[] }
  | { readonly is: 'list'; readonly of: number; readonly min?: number; readonly max?: number }
  | { readonly is: 'map'; readonly of: number }
  | { readonly is: 'either'; readonly of: readonly number[] }
  | {
      readonly is: 'object'
      /** Fields that are not known are let through. */
      readonly open: boolean
      readonly required: readonly string[]
      readonly fields: Readonly<Record<string, number>>
    }

/** Whether a value fits the schema of a kind for sure. False says nothing: ask the schema. */
export function fitsKind(kind: DocumentKind, value: unknown): boolean {
  const { parts, documents } = OUTLINES
  return fits(parts, documents[kind], value)
}

// The file is generated from the same types.
const OUTLINES = outlines as Outlines

function fits(parts: readonly Outline[], part: number, value: unknown): boolean {
  const outline = parts[part]
  if (outline === undefined) return false
  switch (outline.is) {
    case 'any':
      return value !== undefined
    case 'text':
      return typeof value === 'string'
    case 'boolean':
      return typeof value === 'boolean'
    case 'number':
      return (
        typeof value === 'number' &&
        (outline.whole ? Number.isSafeInteger(value) : Number.isFinite(value)) &&
        isWithin(value, outline)
      )
    case 'word':
      return typeof value === 'string' && outline.words.includes(value)
    case 'list':
      return (
        Array.isArray(value) &&
        isWithin(value.length, outline) &&
        value.every(item => fits(parts, outline.of, item))
      )
    case 'map':
      return isPlain(value) && Object.values(value).every(item => fits(parts, outline.of, item))
    case 'either':
      return outline.of.some(option => fits(parts, option, value))
    case 'object':
      return isPlain(value) && fitsObject(parts, outline, value)
  }
}

function fitsObject(
  parts: readonly Outline[],
  { open, required, fields }: Extract<Outline, { is: 'object' }>,
  value: Readonly<Record<string, unknown>>,
): boolean {
  for (const [key, item] of Object.entries(value)) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined
    if (field === undefined ? !open : !fits(parts, field, item)) return false
  }
  return required.every(key => Object.hasOwn(value, key))
}

function isWithin(value: number, { min, max }: { readonly min?: number; readonly max?: number }): boolean {
  return (min === undefined || value >= min) && (max === undefined || value <= max)
}

/** What a text in JSON or YAML gives. A field `__proto__` is left to the schema. */
function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !Object.hasOwn(value, '__proto__')
  )
}
