import { charge, type Meter, sizeOf, ValueError } from './meter.ts'

/**
 * Whether two values are equal as CEL has it: numbers by value whatever their type, lists and maps element by element,
 * things of different kinds never. The library's own comparison looks at the first element of a list only and fails
 * on lists of JSON whose elements differ in type.
 */
export function equals(left: unknown, right: unknown, meter: Meter): boolean {
  charge(meter, Math.min(sizeOf(left), sizeOf(right)))
  if (left === right) return true
  if (typeof left === 'bigint' && typeof right === 'number') return equalsInteger(right, left)
  if (typeof left === 'number' && typeof right === 'bigint') return equalsInteger(left, right)
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
  if (Array.isArray(left)) {
    return (
      Array.isArray(right) &&
      left.length === right.length &&
      left.every((element, index) => equals(element, right[index], meter))
    )
  }
  if (left instanceof Map) {
    if (!(right instanceof Map) || left.size !== right.size) return false
    for (const [key, value] of left)
      if (!right.has(key) || !equals(value, right.get(key), meter)) return false
    return true
  }
  // Times and durations: of one kind, and the same number of milliseconds.
  const times = [left.valueOf(), right.valueOf()] as const
  return left.constructor === right.constructor && typeof times[0] === 'number' && times[0] === times[1]
}

/**
 * Whether a list has an element, or a map a key.
 *
 * @throws {ValueError} It is neither a list nor a map.
 */
export function isIn(value: unknown, collection: unknown, meter: Meter): boolean {
  if (collection instanceof Map) return collection.has(value)
  if (!Array.isArray(collection)) throw new ValueError('in wants a list or a map on its right')
  return collection.some(element => equals(element, value, meter))
}

function equalsInteger(double: number, integer: bigint): boolean {
  return Number.isInteger(double) && BigInt(double) === integer
}
