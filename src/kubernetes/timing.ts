import { performance } from 'node:perf_hooks'

/** Time and chance as an argument. */
export interface Timing {
  /** Milliseconds that never jump. */
  now(): number
  /** Milliseconds since 1970; may jump. */
  wall(): number
  /** Calls once, `delayMs` from now, and returns how to call it off. */
  after(delayMs: number, call: () => void): () => void
  /** In [0, 1). */
  random(): number
}

export const REAL_TIMING: Timing = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(delayMs, call) {
    const timer = setTimeout(call, delayMs)
    return () => clearTimeout(timer)
  },
  random: () => Math.random(),
}

/** Waits; gives `false` at once when the signal is or becomes aborted. */
export function pause(timing: Timing, delayMs: number, signal: AbortSignal | undefined): Promise<boolean> {
  if (signal?.aborted === true) return Promise.resolve(false)
  return new Promise(resolve => {
    const done = (whole: boolean): void => {
      callOff()
      signal?.removeEventListener('abort', aborted)
      resolve(whole)
    }
    const aborted = (): void => done(false)
    const callOff = timing.after(delayMs, () => done(true))
    signal?.addEventListener('abort', aborted, { once: true })
  })
}
