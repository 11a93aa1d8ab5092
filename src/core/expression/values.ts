import type { Json } from '../json.ts'
import { charge, type Meter, sizeOf, ValueError } from './meter.ts'

/** How deep lists and maps may be inside each other, on the way in and on the way out. */
export const DEPTH_MAX = 64

/**
 * JSON as CEL sees it: whole numbers are CEL integers (`BigInt`), others doubles, objects are `Map`s. A `Map` has no
 * prototype that a key could reach, so `__proto__` and `constructor` are keys like any other.
 *
 * @throws {ValueError} Nested too deeply.
 */
export function toCel(value: Json, meter: Meter, depth = 0): unknown {
  if (depth > DEPTH_MAX) throw new ValueError(`is nested more than ${DEPTH_MAX} deep`)
  charge(meter, 1)
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((element: Json) => toCel(element, meter, depth + 1))
  return new Map(Object.entries(value).map(([key, element]) => [key, toCel(element, meter, depth + 1)]))
}

/**
 * What CEL gave, as JSON.
 *
 * @throws {ValueError} It is not data: a type, an integer beyond ±(2^53 - 1), NaN, or nested too deeply.
 */
export function toJson(value: unknown, meter: Meter, depth = 0): Json {
  if (depth > DEPTH_MAX) throw new ValueError(`gives something nested more than ${DEPTH_MAX} deep`)
  charge(meter, sizeOf(value))
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'bigint':
      if (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER)
        throw new ValueError(`gives the integer ${value}, which is too large to keep exactly`)
      return Number(value)
    case 'number':
      if (!Number.isFinite(value)) throw new ValueError(`gives ${value}, which is no number`)
      return value
    case 'object':
      return value === null ? null : objectToJson(value, meter, depth)
    default:
      throw new ValueError('gives something that is not data')
  }
}

/** The library's duration, which says itself in seconds: `90s`. */
interface Duration {
  toString(): string
}

function objectToJson(value: object, meter: Meter, depth: number): Json {
  if (Array.isArray(value)) return value.map(element => toJson(element, meter, depth + 1))
  if (value instanceof Map) {
    const entries = [...value].map(
      ([key, element]) => [String(key), toJson(element, meter, depth + 1)] as const,
    )
    // Object.fromEntries defines own keys, so a key `__proto__` is data here too.
    return Object.fromEntries(entries)
  }
  if (value instanceof Date) return value.toISOString()
  if (Object.prototype.toString.call(value) === '[object google.protobuf.Duration]')
    return (value as Duration).toString()
  throw new ValueError('gives something that is not data')
}
