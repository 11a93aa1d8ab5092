import type { ParameterType } from '../../core/dag/dag.ts'
import { fitsType } from '../../core/dag/value-type.ts'
import type { Json } from '../../core/json.ts'
import { typed } from '../../core/run/scope.ts'
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

/**
 * An allowed value as JSON, for forms. Where that would not give the same text again (`007`, `{"a": 1}`) it stays the
 * text, since values are compared as texts.
 */
export function allowedValue(type: ParameterType, text: string): Json {
  const value = typed(text, type)
  return JSON.stringify(value) === text ? value : text
}

const EXAMPLES: Readonly<Record<ParameterType, string>> = {
  string: 'write text',
  integer: 'write a whole number, such as 5',
  number: 'write a number, such as 0.5',
  boolean: 'write true or false',
  json: 'write JSON, such as ["a", "b"]',
}

function checkedText(type: ParameterType, text: string): ValueText {
  if (fitsType(type, text)) return { ok: true, text }
  return { ok: false, message: `is ${shown(text)}, which is not of type ${type}`, fix: EXAMPLES[type] }
}
