import type { Json } from '../json.ts'
import { charge, type Meter, ValueError } from './meter.ts'
import { matchesPattern } from './pattern.ts'
import { toCel } from './values.ts'

/** Longest text that a function of ours makes, in UTF-16 units. */
export const TEXT_LENGTH_MAX = 1_048_576
/** Most numbers that `range` gives. */
export const RANGE_MAX = 10_000

/** Functions that are called as `name(…)`. */
export const FUNCTIONS: readonly string[] =
  'bool double duration dyn has int json range size string timestamp type'.split(' ')

const MACROS = 'all bind exists exists_one filter map'
const SEARCHES = 'contains endsWith indexOf lastIndexOf matches startsWith'
const TEXTS = 'join lowerAscii replace size split substring trim upperAscii'
const TIME_METHODS =
  'getDate getDayOfMonth getDayOfWeek getFullYear getHours getMilliseconds getMinutes getMonth getSeconds'

/** Functions that are called as `value.name(…)`, the macros among them. */
export const METHODS: readonly string[] = `${MACROS} ${SEARCHES} ${TEXTS} ${TIME_METHODS}`.split(' ')

/** Of these only the form without arguments is open: the others read the zone tables of the machine. */
export const UTC_ONLY: readonly string[] = METHODS.filter(name => name.startsWith('get'))

/** One function of ours: its signature under the name that the checker knows, and what it does. */
export interface OwnFunction {
  /** The name in a text; the signature's own name ends in `_` when the library has one by that name already. */
  readonly name: string
  readonly signature: string
  readonly apply: (...values: never[]) => unknown
}

/** What the library lacks, and what it has but does without a bound or differently from machine to machine. */
export function ownFunctions(meter: Meter): readonly OwnFunction[] {
  return [
    { name: 'json', signature: 'json(string): dyn', apply: (text: string) => parseJson(text, meter) },
    { name: 'range', signature: 'range(int): list<int>', apply: (length: bigint) => range(length, meter) },
    {
      name: 'replace',
      signature: 'string.replace(string, string): string',
      apply: replace,
    },
    {
      name: 'join',
      signature: 'list<string>.join_(): string',
      apply: (texts: unknown[]) => bounded(texts, ''),
    },
    {
      name: 'join',
      signature: 'list<string>.join_(string): string',
      apply: (texts: unknown[], separator: string) => bounded(texts, separator),
    },
    {
      name: 'matches',
      signature: 'string.matches_(string): bool',
      apply: (text: string, pattern: string) => matchesPattern(pattern, text, steps => charge(meter, steps)),
    },
    { name: 'lowerAscii', signature: 'string.lowerAscii_(): string', apply: lowerAscii },
    { name: 'upperAscii', signature: 'string.upperAscii_(): string', apply: upperAscii },
    { name: 'int', signature: 'int_(int): int', apply: (value: bigint) => value },
    { name: 'int', signature: 'int_(double): int', apply: intOfDouble },
    { name: 'int', signature: 'int_(string): int', apply: intOfText },
    { name: 'double', signature: 'double_(double): double', apply: (value: number) => value },
    { name: 'double', signature: 'double_(int): double', apply: (value: bigint) => Number(value) },
    { name: 'double', signature: 'double_(string): double', apply: doubleOfText },
    { name: 'timestamp', signature: 'timestamp_(string): google.protobuf.Timestamp', apply: timestamp },
  ]
}

function parseJson(text: string, meter: Meter): unknown {
  charge(meter, text.length >> 4)
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch {
    throw new ValueError(`json() got a text that is not JSON: ${excerpt(text)}`)
  }
  return toCel(value, meter)
}

function range(length: bigint, meter: Meter): bigint[] {
  if (length < 0n || length > BigInt(RANGE_MAX))
    throw new ValueError(`range() takes 0 to ${RANGE_MAX}, not ${length}`)
  charge(meter, Number(length))
  return Array.from({ length: Number(length) }, (_, index) => BigInt(index))
}

/** An empty `from` stands before each character and at the end. */
function replace(text: string, from: string, to: string): string {
  const places = from === '' ? text.length + 1 : text.split(from).length - 1
  if (text.length + places * (to.length - from.length) > TEXT_LENGTH_MAX) throw tooLong()
  return text.replaceAll(from, () => to)
}

function tooLong(): ValueError {
  return new ValueError(`makes a text longer than ${TEXT_LENGTH_MAX} characters`)
}

/** Joins texts, after making sure that the result is not too long. */
function bounded(texts: readonly unknown[], separator: string): string {
  let length = separator.length * Math.max(0, texts.length - 1)
  for (const text of texts) {
    if (typeof text !== 'string') throw new ValueError('join() wants a list of texts')
    length += text.length
  }
  if (length > TEXT_LENGTH_MAX) throw tooLong()
  return texts.join(separator)
}

function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, letters => letters.toLowerCase())
}

function upperAscii(text: string): string {
  return text.replace(/[a-z]+/g, letters => letters.toUpperCase())
}

function intOfDouble(value: number): bigint {
  if (!Number.isSafeInteger(Math.trunc(value))) throw new ValueError(`int() cannot take ${value}`)
  return BigInt(Math.trunc(value))
}

function intOfText(text: string): bigint {
  if (!/^[+-]?[0-9]{1,18}$/.test(text))
    throw new ValueError(`int() got a text that is no integer: ${excerpt(text)}`)
  return BigInt(text.replace('+', ''))
}

function doubleOfText(text: string): number {
  if (!/^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(text))
    throw new ValueError(`double() got a text that is no number: ${excerpt(text)}`)
  return Number(text)
}

/** RFC 3339 only: anything else would be read in the zone of the machine. */
function timestamp(text: string): Date {
  const date = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(text)
    ? new Date(text)
    : null
  if (date === null || Number.isNaN(date.getTime()))
    throw new ValueError(`timestamp() got a text that is no RFC 3339 time: ${excerpt(text)}`)
  return date
}

function excerpt(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}
