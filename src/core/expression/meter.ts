/** Most steps that one evaluation may take: visits of syntax nodes, elements looked at, 16 characters handled. */
export const STEPS_MAX = 500_000

/** Thrown by functions of ours for a value that cannot be used; its message is shown as it is. */
export class ValueError extends Error {}

/**
 * Counts what an evaluation costs and ends it when that is too much. Once used up it stays so, because `||`, `&&`,
 * `all` and `exists` may swallow the error of one side: whoever started the evaluation looks at it again at the end.
 */
export interface Meter {
  left: number
}

/** Takes steps off the meter. @throws {ValueError} There are none left. */
export function charge(meter: Meter, steps: number): void {
  meter.left -= steps
  if (meter.left < 0) throw new ValueError(`takes more than ${STEPS_MAX} steps`)
}

/** What handling a value once costs, without looking inside it. */
export function sizeOf(value: unknown): number {
  if (typeof value === 'string') return 1 + (value.length >> 4)
  if (Array.isArray(value)) return 1 + value.length
  return value instanceof Map ? 1 + value.size : 1
}
