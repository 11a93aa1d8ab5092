import type { Clock } from '../../ports/clock.ts'

/** What a stream is for; the first are served first. */
export type StreamUse = 'ended' | 'watched' | 'atRisk' | 'look'

const ORDER: readonly StreamUse[] = ['ended', 'watched', 'atRisk', 'look']
/** Streams that last may take so much of all; the rest is for those that are over at once. */
const LASTING_SHARE = 0.75
/** A stream that lasts is asked to make room after so long, when others wait. */
export const TURN_MS = 10_000
const ASK_AGAIN_MS = 500
/** Every so-manieth turn goes to whoever waits longest, so that nobody waits for ever. */
const FAIR_TURN = 8

/** The right to one stream. */
export interface Slot {
  /** Others wait: make room and queue again. */
  readonly turnOver: AbortSignal
  release(): void
}

interface Waiting {
  readonly use: StreamUse
  readonly number: number
  readonly start: (slot: Slot | null) => void
}

interface Taken {
  readonly since: number
  readonly lasting: boolean
  readonly turnOver: AbortController
}

/** Bounds the streams that are open at once. */
export class LogSlots {
  readonly #most: number
  readonly #clock: Clock
  readonly #queues = new Map<StreamUse, Set<Waiting>>(ORDER.map(use => [use, new Set()]))
  readonly #taken = new Set<Taken>()
  #lasting = 0
  #count = 0
  #turns = 0
  #timer: (() => void) | null = null

  constructor(most: number, clock: Clock) {
    this.#most = most
    this.#clock = clock
  }

  /** Resolves when a stream may be opened; with null when the signal came first. */
  take(use: StreamUse, signal: AbortSignal): Promise<Slot | null> {
    if (signal.aborted) return Promise.resolve(null)
    return new Promise(resolve => {
      const leave = (): void => {
        if (this.#queues.get(use)?.delete(waiting) !== true) return
        resolve(null)
        this.#askForRoom()
      }
      const start = (slot: Slot | null): void => {
        signal.removeEventListener('abort', leave)
        resolve(slot)
      }
      this.#count += 1
      const waiting: Waiting = { use, number: this.#count, start }
      signal.addEventListener('abort', leave, { once: true })
      this.#queues.get(use)?.add(waiting)
      this.#serve()
    })
  }

  #serve(): void {
    for (let next = this.#next(); next !== null; next = this.#next()) {
      this.#queues.get(next.use)?.delete(next)
      this.#turns += 1
      next.start(this.#grant(lasts(next.use)))
    }
    this.#askForRoom()
  }

  #next(): Waiting | null {
    if (this.#taken.size >= this.#most) return null
    const mayLast = this.#lasting < Math.max(1, Math.floor(this.#most * LASTING_SHARE))
    const firsts = ORDER.filter(use => mayLast || !lasts(use)).flatMap(use => this.#first(use) ?? [])
    if (this.#turns % FAIR_TURN === FAIR_TURN - 1) firsts.sort((a, b) => a.number - b.number)
    return firsts[0] ?? null
  }

  #first(use: StreamUse): Waiting | null {
    for (const waiting of this.#queues.get(use) ?? []) return waiting
    return null
  }

  #grant(lasting: boolean): Slot {
    const taken: Taken = { since: this.#clock.now(), lasting, turnOver: new AbortController() }
    this.#taken.add(taken)
    if (lasting) this.#lasting += 1
    return {
      turnOver: taken.turnOver.signal,
      release: () => {
        if (!this.#taken.delete(taken)) return
        if (lasting) this.#lasting -= 1
        this.#serve()
      },
    }
  }

  /** When somebody waits for a stream that lasts, the oldest of those ends its turn. */
  #askForRoom(): void {
    this.#timer?.()
    this.#timer = null
    if (!ORDER.some(use => lasts(use) && this.#first(use) !== null)) return
    for (const taken of this.#taken) {
      if (!taken.lasting || taken.turnOver.signal.aborted) continue
      const left = taken.since + TURN_MS - this.#clock.now()
      if (left <= 0) taken.turnOver.abort()
      this.#timer = this.#clock.after(Math.max(left, ASK_AGAIN_MS), () => this.#askForRoom())
      return
    }
  }
}

const lasts = (use: StreamUse): boolean => use === 'watched' || use === 'atRisk'
