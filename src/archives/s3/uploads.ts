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
  readonly #queues: Record<'small' | 'large', Queue>
  readonly #works = new Set<{ readonly log: LogRef; readonly stop: AbortController }>()

  constructor(options: UploadOptions) {
    this.#options = options
    this.#queues = {
      small: { free: options.smallMax, waiting: new Set() },
      large: { free: options.largeMax, waiting: new Set() },
    }
  }

  /** Until it comes through; rejects only when it is given up, or all of it closed. */
  async run(log: LogRef, size: 'small' | 'large', work: Work): Promise<void> {
    const one = { log, stop: new AbortController() }
    this.#works.add(one)
    try {
      await this.#again(log, size, work, AbortSignal.any([this.#closing.signal, one.stop.signal]))
    } finally {
      this.#works.delete(one)
    }
  }

  /** What is done for these logs is not tried again. */
  giveUp(which: (log: LogRef) => boolean): void {
    for (const { log, stop } of this.#works) if (which(log)) stop.abort()
  }

  close(): void {
    this.#closing.abort()
  }

  async #again(log: LogRef, size: 'small' | 'large', work: Work, signal: AbortSignal): Promise<void> {
    const { clock, random, bucket, trouble } = this.#options
    for (let failures = 0; ; failures += 1) {
      try {
        await this.#inTurn(this.#queues[size], work, signal)
        return
      } catch (error) {
        if (signal.aborted) throw CLOSED()
        trouble(log, problemOf(error, bucket))
      }
      const ms = Math.min(RETRY_MS * 2 ** failures, RETRY_MS_MAX) * (0.5 + random() / 2)
      await pause(clock, ms, signal)
    }
  }

  async #inTurn(queue: Queue, work: Work, signal: AbortSignal): Promise<void> {
    if (queue.free > 0) queue.free -= 1
    else if (!(await turnIn(queue, signal))) throw CLOSED()
    try {
      if (signal.aborted) throw CLOSED()
      await work(signal)
    } finally {
      const [next] = queue.waiting
      if (next === undefined) queue.free += 1
      else next()
    }
  }
}

type Work = (signal: AbortSignal) => Promise<void>

interface Queue {
  free: number
  /** In the order in which they came. */
  readonly waiting: Set<() => void>
}

const CLOSED = (): S3Problem =>
  new S3Problem('LOG_S3_CLOSED', 'Given up before the log was in its bucket: closed, or its run removed.')

/** False when the signal came first. */
function turnIn({ waiting }: Queue, signal: AbortSignal): Promise<boolean> {
  return new Promise(resolve => {
    const over = (mine: boolean): void => {
      waiting.delete(start)
      signal.removeEventListener('abort', leave)
      resolve(mine)
    }
    const start = (): void => over(true)
    const leave = (): void => over(false)
    if (signal.aborted) return resolve(false)
    waiting.add(start)
    signal.addEventListener('abort', leave)
  })
}

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
