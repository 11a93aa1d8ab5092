/** Sources that are remembered; beyond that the oldest are forgotten. */
const SOURCES_MAX = 10_000

/** How often each source may do something: a bucket that fills up again with time. */
export class Rates {
  readonly #perSecond: number
  readonly #burst: number
  readonly #sources = new Map<string, { left: number; at: number }>()

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond
    this.#burst = burst
  }

  /** Whether it may do it once more; then it counts. */
  take(source: string, now: number): boolean {
    const known = this.#sources.get(source)
    const passed = known === undefined ? 0 : Math.max(0, now - known.at)
    const left = known === undefined ? this.#burst : known.left + (passed / 1_000) * this.#perSecond
    const bucket = { left: Math.min(this.#burst, left), at: now }
    const may = bucket.left >= 1
    if (may) bucket.left -= 1
    this.#sources.delete(source)
    this.#sources.set(source, bucket)
    const [oldest] = this.#sources.keys()
    if (this.#sources.size > SOURCES_MAX && oldest !== undefined) this.#sources.delete(oldest)
    return may
  }
}
