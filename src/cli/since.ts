import { parseDuration } from '../core/dag/duration.ts'
import { CommandError } from './exit.ts'

/** The moment that `--since` says: `2h` ago, or a date. */
export function sinceMoment(text: string, now: number): number {
  const days = /^(\d{1,5})d$/.exec(text)
  if (days !== null) return now - Number(days[1]) * 86_400_000
  const ago = parseDuration(text)
  if (ago !== null) return now - ago
  const at = Date.parse(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00` : text)
  if (Number.isFinite(at)) return at
  throw new CommandError(
    'BAD_OPTION',
    `--since ${text} is neither a duration nor a date`,
    'write it as 30m, 2h, 7d, 2026-03-01 or 2026-03-01T12:00:00Z',
  )
}
