import type { Clock } from '../ports/clock.ts'

export interface Patience {
  readonly clock: Clock
  /** In [0, 1). */
  readonly chance: () => number
  readonly closing: AbortSignal
  /** Whether it may be otherwise in a while. */
  readonly mayPass: (error: unknown) => boolean
  readonly failed: (error: unknown, againInMs: number) => void
}

const WAIT_MS_MIN = 500
const WAIT_MS_MAX = 15_000

/**
 * Does a step of a start until it works: a database or an API server that is away comes back, and whoever waits here
 * is there at once, while one that gave up would be started anew later and later.
 *
 * @throws What may not pass, and whatever failed when `closing` came.
 */
export async function patiently<T>(step: () => Promise<T>, patience: Patience): Promise<T> {
  for (let waitMs = WAIT_MS_MIN; ; waitMs = Math.min(WAIT_MS_MAX, waitMs * 2)) {
    try {
      return await step()
    } catch (error) {
      if (patience.closing.aborted || !patience.mayPass(error)) throw error
      const spreadMs = Math.round(waitMs * (0.8 + 0.4 * patience.chance()))
      patience.failed(error, spreadMs)
      await pause(spreadMs, patience)
      if (patience.closing.aborted) throw error
    }
  }
}

function pause(ms: number, { clock, closing }: Patience): Promise<void> {
  return new Promise(resolve => {
    const over = (): void => {
      callOff()
      closing.removeEventListener('abort', over)
      resolve()
    }
    const callOff = clock.after(ms, over)
    closing.addEventListener('abort', over)
  })
}
