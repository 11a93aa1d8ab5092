import type { Clock } from '../ports/clock.ts'

/** What is to be looked at: a name, and nothing about what has happened to it. */
export interface WorkQueueOptions {
  readonly clock: Clock
  /** Looks at one thing. May say after how many milliseconds it wants to be looked at again. */
  work(key: string): Promise<number | null>
  /** Most things looked at at once. */
  readonly concurrency: number
  /** The work failed; it is tried again. */
  failed(key: string, error: unknown): void
  /** In [0, 1): spreads repetitions. */
  chance(): number
}

/** First and longest wait after a failure. */
const RETRY_FIRST_MS = 250
const RETRY_MAX_MS = 60_000
/** Timers hold no more than 24 days; what is due later is looked at in between. */
const DELAY_MAX_MS = 86_400_000

interface Entry {
  /** To be looked at as soon as there is room. */
  due: boolean
  running: boolean
  failures: number
  timer: { readonly at: number; callOff(): void } | null
}

/**
 * Looks at things by name, each one by one at a time, however often it was named meanwhile. What fails is tried again,
 * later each time, and holds up nothing else.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions
  readonly #entries = new Map<string, Entry>()
  readonly #ready = new Set<string>()
  readonly #running = new Set<Promise<void>>()
  #closed = false

  constructor(options: WorkQueueOptions) {
    this.#options = options
  }

  /** Things that wait for their look or are looked at now. */
  get busy(): number {
    return this.#ready.size + this.#running.size
  }

  add(key: string): void {
    if (this.#closed) return
    const entry = this.#entry(key)
    entry.due = true
    if (entry.running) return
    this.#ready.add(key)
    this.#fill()
  }

  /** Looks at it after this time, or sooner when somebody names it sooner. */
  addAfter(key: string, wantedMs: number): void {
    if (this.#closed) return
    const entry = this.#entry(key)
    const delayMs = Math.min(wantedMs, DELAY_MAX_MS)
    const at = this.#options.clock.now() + delayMs
    if (entry.timer !== null && entry.timer.at <= at) return
    entry.timer?.callOff()
    const callOff = this.#options.clock.after(delayMs, () => {
      entry.timer = null
      this.add(key)
    })
    entry.timer = { at, callOff }
  }

  /** Begins nothing more; resolves when what was begun is over. */
  async close(): Promise<void> {
    this.#closed = true
    this.#ready.clear()
    for (const { timer } of this.#entries.values()) timer?.callOff()
    this.#entries.clear()
    await Promise.all(this.#running)
  }

  #fill(): void {
    for (const key of this.#ready) {
      if (this.#running.size >= this.#options.concurrency) return
      this.#ready.delete(key)
      const running = this.#run(key).finally(() => {
        this.#running.delete(running)
        this.#fill()
      })
      this.#running.add(running)
    }
  }

  async #run(key: string): Promise<void> {
    const entry = this.#entry(key)
    entry.running = true
    entry.due = false
    let again: number | null = null
    try {
      again = await this.#options.work(key)
      entry.failures = 0
    } catch (error) {
      entry.failures += 1
      again = this.#delayMs(entry.failures)
      if (!this.#closed) this.#options.failed(key, error)
    }
    entry.running = false
    if (this.#closed) return
    // After a failure even what was named meanwhile waits, or a broken thing would be looked at all the time.
    if (entry.due && entry.failures === 0) this.#ready.add(key)
    else if (again !== null) this.addAfter(key, again)
    else if (entry.timer === null && !entry.due) this.#entries.delete(key)
  }

  #delayMs(failures: number): number {
    const most = Math.min(RETRY_FIRST_MS * 2 ** (failures - 1), RETRY_MAX_MS)
    return Math.round(most * (0.5 + this.#options.chance() / 2))
  }

  #entry(key: string): Entry {
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const entry: Entry = { due: false, running: false, failures: 0, timer: null }
    this.#entries.set(key, entry)
    return entry
  }
}
