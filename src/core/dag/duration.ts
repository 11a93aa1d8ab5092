/** Longest duration that can be written: ten years. */
export const DURATION_MS_MAX = 10 * 366 * 24 * 3_600_000

const UNITS_MS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const

/**
 * Milliseconds of a duration as people write it: whole numbers with the units d, h, m, s, ms, largest first.
 *
 * @returns Null when the text is none, or longer than {@link DURATION_MS_MAX}.
 * @example parseDuration('1h30m') === 5_400_000
 */
export function parseDuration(text: string): number | null {
  const match = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/.exec(text)
  if (match === null || text === '') return null
  const units = Object.values(UNITS_MS)
  const ms = units.reduce((sum, unit, index) => sum + Number(match[index + 1] ?? 0) * unit, 0)
  return ms <= DURATION_MS_MAX ? ms : null
}
