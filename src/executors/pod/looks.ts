import type { Clock } from '../../ports/clock.ts'

export interface LooksOptions {
  readonly clock: Clock
  /** The question. What it throws is no answer: it is asked again later. */
  readonly look: () => Promise<void>
  readonly failed: (error: unknown) => void
}

const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 5_000

/** When a question is asked: after every change, at the earliest time that was wished for, and never twice at once. */
export class Looks {
  readonly #options: LooksOptions
  #timer: { readonly at: number; readonly off: () => void } | null = null
  #retryMs = RETRY_MS_MIN
  #isRetrying = false
  #looking: Promise<void> | null = null
  #again = false
  #closed = false

  constructor(options: LooksOptions) {
    this.#options = options
  }

  /** Something is other than it was. Nothing happens inside this call. */
  soon(): void {
    if (this.#closed) return
    this.#again = true
    this.#looking ??= this.#lookUntilQuiet().finally(() => {
      this.#looking = null
      if (this.#again) this.soon()
    })
  }

  after(delayMs: number): void {
    const { clock } = this.#options
    const at = clock.now() + delayMs
    if (this.#closed || (this.#timer !== null && this.#timer.at <= at)) return
    this.#timer?.off()
    this.#timer = { at, off: clock.after(delayMs, () => this.soon()) }
  }

  /** The same question has to be asked until its answer is another: sooner at first, then every few seconds. */
  retry(): void {
    this.#isRetrying = true
    this.after(this.#retryMs)
    this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2)
  }

  /** What was planned for later is not wanted any more. */
  callOff(): void {
    this.#timer?.off()
    this.#timer = null
  }

  async close(): Promise<void> {
    this.#closed = true
    this.callOff()
    await this.#looking
  }

  async #lookUntilQuiet(): Promise<void> {
    await Promise.resolve()
    while (this.#again && !this.#closed) {
      this.#again = false
      this.#isRetrying = false
      this.callOff()
      try {
        await this.#options.look()
      } catch (error) {
        this.#options.failed(error)
        this.retry()
      }
      if (!this.#isRetrying) this.#retryMs = RETRY_MS_MIN
    }
  }
}
