import type { EngineParts } from './parts.ts'

/** Between two of these, the engine says that it lives and looks at everything it owns, whatever notices said. */
const BEAT_MS = 5_000
/** A hint that somebody wrote is followed this soon; several within this time are one. */
const HINT_MS = 10
const FEED_PAGE = 1_000

/** What is done about what was found. */
export interface WatchHost {
  readonly parts: EngineParts
  now(): number
  /** A run's log has this length in the store. Called for runs of every engine. */
  heard(run: string, version: number): Promise<void>
  /** All notices up to now were heard. */
  caughtUp(): void
  /** The safety net: whatever a lost notice or a failed step left behind is found here. */
  sweep(): Promise<void>
  /** Work that is under way until it settles. */
  track(work: Promise<void>): void
}

/**
 * Looks for what other processes wrote: they leave their notices in the feed, and a mark says that it is worth
 * reading.
 */
export class Watch {
  readonly #host: WatchHost
  #mark: number | null = null
  #feed = 0
  #beatAt = 0
  #callOff: (() => void) | null = null
  #unhear: (() => void) | null = null
  #looking = false
  #hinted = false
  #closed = false

  constructor(host: WatchHost) {
    this.#host = host
  }

  async open(): Promise<void> {
    await this.#beat()
    this.#feed = await this.#host.parts.store.feedEnd()
    this.#unhear = this.#host.parts.store.onChange(() => this.#hint())
    this.#later()
  }

  close(): void {
    this.#closed = true
    this.#unhear?.()
    this.#callOff?.()
  }

  #later(): void {
    if (this.#closed) return
    const { clock, settings } = this.#host.parts
    const delayMs = this.#hinted ? Math.min(HINT_MS, settings.pollMs) : settings.pollMs
    this.#callOff = clock.after(delayMs, () => {
      this.#looking = true
      this.#hinted = false
      const look = this.#poll().finally(() => {
        this.#looking = false
        this.#later()
      })
      this.#host.track(look)
    })
  }

  /** A store that hears of other writers saves the wait; one that does not is looked at just the same. */
  #hint(): void {
    if (this.#hinted || this.#closed) return
    this.#hinted = true
    if (this.#looking) return
    this.#callOff?.()
    this.#later()
  }

  async #beat(): Promise<void> {
    const { store, me } = this.#host.parts
    const seenAt = this.#host.now()
    this.#beatAt = seenAt
    await store.beat({ ...me, seenAt })
  }

  async #poll(): Promise<void> {
    await this.#readFeed()
    // A clock that was set back must not silence it.
    if (Math.abs(this.#host.now() - this.#beatAt) < BEAT_MS) return
    try {
      await this.#beat()
    } finally {
      await this.#host.sweep()
    }
  }

  /** The mark and the place in the feed move only when what they stand for was dealt with. */
  async #readFeed(): Promise<void> {
    const { store } = this.#host.parts
    const mark = await store.changeMark()
    if (mark === this.#mark) return
    for (;;) {
      const entries = await store.feed(this.#feed, FEED_PAGE)
      for (const { run, version, seq } of entries) {
        await this.#host.heard(run, version)
        this.#feed = seq
      }
      if (entries.length < FEED_PAGE || this.#closed) break
    }
    this.#mark = mark
    this.#host.caughtUp()
  }
}
