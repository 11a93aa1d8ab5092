import { Heap } from '../../src/core/heap.ts'
import type { Clock } from '../../src/ports/clock.ts'

interface Timer {
  readonly at: number
  readonly sequence: number
  readonly owner: string
  readonly call: () => void
  off: boolean
}

/**
 * Time that moves only when a test says so. Timers count time that has passed, as the machine's do; `jump` sets the
 * wall clock without letting any pass. Calls of an owner that was killed never come.
 */
export class ManualClock {
  #wall: number
  #passed = 0
  #sequence = 0
  #soon = 0
  readonly #timers = new Heap<Timer>((a, b) => a.at < b.at || (a.at === b.at && a.sequence < b.sequence))
  readonly #dead = new Set<string>()

  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#wall = start
  }

  now(): number {
    return this.#wall
  }

  /** The clock as one engine has it. */
  for(owner: string): Clock {
    return {
      now: () => this.#wall,
      after: (delayMs, call) => {
        this.#sequence += 1
        const timer = { at: this.#passed + delayMs, sequence: this.#sequence, owner, call, off: false }
        this.#timers.push(timer)
        return () => {
          timer.off = true
        }
      },
      soon: call => {
        this.#soon += 1
        setImmediate(() => {
          this.#soon -= 1
          if (!this.#dead.has(owner)) call()
        })
      },
    }
  }

  /** Calls asked for with `soon` that have not come yet. */
  get pending(): number {
    return this.#soon
  }

  /** Timers that would still call: what would keep a real process alive. */
  get armed(): number {
    const timers: Timer[] = []
    for (let timer = this.#timers.pop(); timer !== undefined; timer = this.#timers.pop()) timers.push(timer)
    const live = timers.filter(({ off, owner }) => !off && !this.#dead.has(owner))
    for (const timer of live) this.#timers.push(timer)
    return live.length
  }

  kill(owner: string): void {
    this.#dead.add(owner)
  }

  /** Somebody set the clock. */
  jump(byMs: number): void {
    this.#wall += byMs
  }

  /** Lets the next timer that is due within `ms` call; false when there is none, and then all of `ms` has passed. */
  next(ms: number): { readonly passed: number; readonly called: boolean } {
    for (let timer = this.#timers.peek(); timer !== undefined; timer = this.#timers.peek()) {
      if (!timer.off && !this.#dead.has(timer.owner)) {
        if (timer.at > this.#passed + ms) break
        this.#timers.pop()
        const passed = Math.max(0, timer.at - this.#passed)
        this.#pass(passed)
        timer.call()
        return { passed, called: true }
      }
      this.#timers.pop()
    }
    this.#pass(ms)
    return { passed: ms, called: false }
  }

  #pass(ms: number): void {
    this.#passed += ms
    this.#wall += ms
  }
}
