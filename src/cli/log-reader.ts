import type { AttemptRef } from '../ports/executor.ts'
import { offsetOfLast } from '../engine/log-tail.ts'
import type { LogSource } from './records.ts'
import type { LogSink } from './show/log-text.ts'

const CHUNK_BYTES = 256 * 1024

/** Reads one attempt's log from a place on, a bounded piece at a time. */
export class LogReader {
  readonly ref: AttemptRef
  readonly #logs: LogSource
  readonly #sink: LogSink
  #offset = 0

  constructor(ref: AttemptRef, logs: LogSource, sink: LogSink) {
    this.ref = ref
    this.#logs = logs
    this.#sink = sink
  }

  /** Begins with the last lines instead of the first. */
  async startAtLast(lines: number): Promise<void> {
    const size = (await this.#logs.size(this.ref)) ?? 0
    this.#offset = await offsetOfLast(lines, size, (from, bytes) => this.#logs.read(this.ref, from, bytes))
  }

  /** Writes what is there beyond the last time, at most one piece and never beyond `until`; says whether it did. */
  async step(until = Number.POSITIVE_INFINITY): Promise<boolean> {
    return await this.#take(
      await this.#logs.read(this.ref, this.#offset, Math.min(CHUNK_BYTES, until - this.#offset)),
    )
  }

  /** The same of a log that is still being written; what is there already may come with a later call. */
  async grow(): Promise<boolean> {
    return await this.#take(await this.#logs.grown(this.ref, this.#offset, CHUNK_BYTES))
  }

  async #take(bytes: Uint8Array): Promise<boolean> {
    if (bytes.length === 0) return false
    this.#offset += bytes.length
    await write(this.#sink.take(bytes))
    return true
  }

  async size(): Promise<number | null> {
    return await this.#logs.size(this.ref)
  }

  async end(): Promise<void> {
    await write(this.#sink.end())
  }
}

/** One write for many short lines. Waits while the reader of our output is slower than we are. */
async function write(parts: readonly (Uint8Array | string)[]): Promise<void> {
  if (parts.length === 0) return
  const whole = Buffer.concat(parts.map(part => (typeof part === 'string' ? Buffer.from(part) : part)))
  if (process.stdout.write(whole)) return
  await new Promise<void>(resolve => process.stdout.once('drain', resolve))
}
