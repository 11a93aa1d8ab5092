/** What waits for what, by names. */
export class Waiting {
  readonly #waiters = new Map<string, Set<string>>()
  readonly #awaited = new Map<string, readonly string[]>()

  /** From now on it waits for these, and for nothing else. */
  set(waiter: string, awaited: readonly string[]): void {
    for (const name of this.#awaited.get(waiter) ?? []) {
      const waiters = this.#waiters.get(name)
      waiters?.delete(waiter)
      if (waiters?.size === 0) this.#waiters.delete(name)
    }
    if (awaited.length === 0) this.#awaited.delete(waiter)
    else this.#awaited.set(waiter, awaited)
    for (const name of awaited) {
      const waiters = this.#waiters.get(name) ?? new Set()
      waiters.add(waiter)
      this.#waiters.set(name, waiters)
    }
  }

  of(name: string): readonly string[] {
    return [...(this.#waiters.get(name) ?? [])]
  }
}
