/** A binary heap: the smallest entry by `before` comes out first. Equal ones come out in no promised order. */
export class Heap<T> {
  readonly #entries: T[] = []
  readonly #before: (a: T, b: T) => boolean

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before
  }

  get size(): number {
    return this.#entries.length
  }

  peek(): T | undefined {
    return this.#entries[0]
  }

  push(entry: T): void {
    const entries = this.#entries
    let at = entries.length
    entries.push(entry)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = entries[parent]
      if (above === undefined || !this.#before(entry, above)) break
      entries[at] = above
      at = parent
    }
    entries[at] = entry
  }

  pop(): T | undefined {
    const entries = this.#entries
    const first = entries[0]
    const last = entries.pop()
    if (first === undefined || last === undefined || entries.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      let best = entries[child]
      if (best === undefined) break
      const right = entries[child + 1]
      if (right !== undefined && this.#before(right, best)) {
        best = right
        child += 1
      }
      if (!this.#before(best, last)) break
      entries[at] = best
      at = child
    }
    entries[at] = last
    return first
  }
}
