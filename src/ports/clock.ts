/** Time as an argument. The simulator gives a virtual one. */
export interface Clock {
  /** Milliseconds since 1970, UTC. May jump. */
  now(): number
  /** Calls once, `delayMs` from now, and returns how to call it off. */
  after(delayMs: number, call: () => void): () => void
  /** Calls once, when what happens in this turn of the event loop is over. */
  soon(call: () => void): void
}

/** Identity and randomness as an argument. */
export interface Identity {
  /** A UUIDv7 text: sorts by time. */
  id(): string
}
