import type { ParameterType } from '../../core/dag/dag.ts'
import type { Json } from '../../core/json.ts'
import { kindOf, shown } from '../shape.ts'

/** A value as the text that tasks get, or what is wrong with it. */
export type ValueText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string; readonly fix: string; readonly notText?: true }

/**
 * The text of a parameter's value. Texts are read by the type (`"5"` is an integer); numbers, booleans and JSON may be
 * written as such where the type is theirs.
 */
export function valueText(type: ParameterType, value: unknown): ValueText {
  if (typeof value === 'string') return checkedText(type, value)
  if (type === 'json') return { ok: true, text: JSON.stringify(value) }
  if (typeof value === 'boolean' && type === 'boolean') return { ok: true, text: String(value) }
  if (typeof value === 'number' && type !== 'boolean' && type !== 'string')
    return checkedText(type, String(value))
  if (type === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
    return {
      ok: false,
      message: `is ${kindOf(value)}, but its type is string`,
      fix: `quote it: "${value}"`,
      notText: true,
    }
  }
  return { ok: false, message: `is ${kindOf(value)}, but its type is ${type}`, fix: EXAMPLES[type] }
}

/** A value of the type as JSON, for lists of allowed values. The text is one that {@link valueText} gave. */
export function typedValue(type: ParameterType, text: string): Json {
  switch (type) {
    case 'string':
      return text
    case 'integer':
    case 'number':
      return Number(text)
    case 'boolean':
      return text === 'true'
    case 'json':
      return JSON.parse(text) as Json
    default:
      return type satisfies never
  }
}

const EXAMPLES: Readonly<Record<ParameterType, string>> = {
  string: 'write text',
  integer: 'write a whole number, such as 5',
  number: 'write a number, such as 0.5',
  boolean: 'write true or false',
  json: 'write JSON, such as ["a", "b"]',
}

function checkedText(type: ParameterType, text: string): ValueText {
  const fits = FITS[type](text)
  if (fits) return { ok: true, text }
  return { ok: false, message: `is ${shown(text)}, which is not of type ${type}`, fix: EXAMPLES[type] }
}

const FITS: Readonly<Record<ParameterType, (text: string) => boolean>> = {
  string: () => true,
  integer: text => /^-?\d+$/.test(text) && Number.isSafeInteger(Number(text)),
  number: text => /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(text) && Number.isFinite(Number(text)),
  boolean: text => text === 'true' || text === 'false',
  json: text => {
    try {
      JSON.parse(text)
      return true
    } catch {
      return false
    }
  },
}
