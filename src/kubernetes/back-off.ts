/**
 * The wait before repetition `attempt` (0 for the first): anywhere in the upper three quarters of a window that doubles
 * each time. The lower quarter is left out, so that a broken server is never asked again at once.
 *
 * @param random In [0, 1).
 */
export function backOff(attempt: number, firstMs: number, maxMs: number, random: number): number {
  const window = Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30))
  return window * (0.25 + 0.75 * random)
}
