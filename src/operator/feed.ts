import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'

/** How often it is asked whether something was written. */
const LOOK_MS = 200
const PAGE = 1_000

/** Names every run that something happened to, whoever wrote it; also those of other processes. */
export class Feed {
  readonly #store: Store
  readonly #clock: Clock
  readonly #moved: (run: string) => void
  readonly #failed: (error: unknown) => void
  #seq = 0
  #mark: number | null = null
  #callOff: (() => void) | null = null
  #looking: Promise<void> = Promise.resolve()
  #closed = false

  constructor(
    parts: { readonly store: Store; readonly clock: Clock },
    moved: (run: string) => void,
    failed: (error: unknown) => void,
  ) {
    this.#store = parts.store
    this.#clock = parts.clock
    this.#moved = moved
    this.#failed = failed
  }

  /** From now on; what happened before is looked at by whoever opens it. */
  async open(): Promise<void> {
    this.#seq = await this.#store.feedEnd()
    this.#later()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#callOff?.()
    await this.#looking
  }

  #later(): void {
    if (this.#closed) return
    this.#callOff = this.#clock.after(LOOK_MS, () => {
      this.#looking = this.#look()
        .catch((error: unknown) => this.#failed(error))
        .finally(() => this.#later())
    })
  }

  async #look(): Promise<void> {
    const mark = await this.#store.changeMark()
    if (mark === this.#mark) return
    for (;;) {
      const entries = await this.#store.feed(this.#seq, PAGE)
      for (const { run, seq } of entries) {
        this.#moved(run)
        this.#seq = seq
      }
      if (entries.length < PAGE || this.#closed) break
    }
    this.#mark = mark
  }
}
