/** Lets a few at a time do what costs much; the others wait, in order. */
export class Turns {
  readonly #most: number
  readonly #waiting: (() => void)[] = []
  #under = 0

  constructor(most: number) {
    this.#most = most
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#under >= this.#most) await new Promise<void>(resolve => this.#waiting.push(resolve))
    else this.#under += 1
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      // Handed on, so that nobody who comes now is faster.
      if (next === undefined) this.#under -= 1
      else next()
    }
  }
}
