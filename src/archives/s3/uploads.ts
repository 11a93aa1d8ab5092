import type { Clock } from '../../ports/clock.ts'
import type { LogRef } from '../../ports/logs.ts'
import { problemOf, S3Problem } from './problem.ts'

const RETRY_MS = 500
const RETRY_MS_MAX = 60_000

export interface UploadOptions {
  readonly bucket: string
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  /** Small logs at once, and large ones. */
  readonly smallMax: number
  readonly largeMax: number
  readonly trouble: (log: LogRef, problem: S3Problem) => void
}

/**
 * Does work that may fail for long again and again, so much of it at a time. Whoever waits for his next try holds
 * nothing up: another one takes his place.
 */
export class Uploads {
  readonly #options: UploadOptions
  readonly #closing = new AbortController()
  readonly #queues: Record<'small' | 'large', { free: number; readonly waiting: (() => void)[] }>

  constructor(options: UploadOptions) {
    this.#options = options
    this.#queues = {
      small: { free: options.smallMax, waiting: [] },
      large: { free: options.largeMax, waiting: [] },
    }
  }

  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** Until it comes through; rejects only when closed. */
  async run(
    log: LogRef,
    size: 'small' | 'large',
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const { clock, random, bucket, trouble } = this.#options
    for (let failures = 0; ; failures += 1) {
      try {
        await this.#inTurn(size, work)
        return
      } catch (error) {
        if (this.#closing.signal.aborted) throw CLOSED()
        trouble(log, problemOf(error, bucket))
      }
      const ms = Math.min(RETRY_MS * 2 ** failures, RETRY_MS_MAX) * (0.5 + random() / 2)
      await pause(clock, ms, this.#closing.signal)
    }
  }

  close(): void {
    this.#closing.abort()
    for (const queue of Object.values(this.#queues)) for (const start of queue.waiting.splice(0)) start()
  }

  async #inTurn(size: 'small' | 'large', work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const queue = this.#queues[size]
    if (queue.free > 0) queue.free -= 1
    else await new Promise<void>(resolve => queue.waiting.push(resolve))
    try {
      if (this.#closing.signal.aborted) throw CLOSED()
      await work(this.#closing.signal)
    } finally {
      const next = queue.waiting.shift()
      if (next === undefined) queue.free += 1
      else next()
    }
  }
}

const CLOSED = (): S3Problem =>
  new S3Problem('LOG_S3_CLOSED', 'The store was closed before the log was in its bucket.')

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const over = (): void => {
      callOff()
      signal.removeEventListener('abort', over)
      resolve()
    }
    const callOff = clock.after(ms, over)
    if (signal.aborted) over()
    else signal.addEventListener('abort', over)
  })
}
