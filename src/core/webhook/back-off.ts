import { chance } from '../chance.ts'

/** When a message that was not taken is sent again, and when it is given up. */
export const BACK_OFF = {
  firstMs: 5_000,
  factor: 3,
  mostMs: 21_600_000,
  /** In both directions, as a part of the wait. */
  jitter: 0.2,
  /** From when the message was made, or was asked to be sent again. */
  givenUpAfterMs: 259_200_000,
  /** A receiver that asks for more patience than this is asked sooner. */
  retryAfterMaxMs: 86_400_000,
} as const

/**
 * When the next attempt is due; null when the message is given up.
 *
 * @param id          Of the message: spreads its attempts, the same each time.
 * @param attempts    Attempts so far, this one included.
 * @param since       When the message was made.
 * @param retryAfter  Moment before which the receiver does not want to hear of it again; null when it said nothing.
 */
export function nextAttemptAt(
  message: { readonly id: string; readonly attempts: number; readonly since: number },
  now: number,
  retryAfter: number | null,
): number | null {
  const { firstMs, factor, mostMs, jitter, givenUpAfterMs, retryAfterMaxMs } = BACK_OFF
  const { id, attempts, since } = message
  const plain = Math.min(mostMs, firstMs * factor ** Math.min(20, attempts - 1))
  const spread = 1 + jitter * (2 * chance(`${id} ${attempts}`) - 1)
  const asked = Math.min(retryAfter ?? 0, now + retryAfterMaxMs)
  const at = Math.max(now + Math.round(plain * spread), asked)
  return at > since + givenUpAfterMs ? null : at
}

/** The moment that `Retry-After` names, in seconds or as a date; null when it names none. */
export function retryAfterOf(header: string | null, now: number): number | null {
  if (header === null) return null
  if (/^\d{1,9}$/.test(header.trim())) return now + Number(header) * 1_000
  const at = Date.parse(header)
  return Number.isFinite(at) ? at : null
}
