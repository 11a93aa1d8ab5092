import type { LogRef, LogStore, LogWriter } from '../../ports/logs.ts'
import { cursorOf, cursorToJson, type LogCursor, type LogPlace } from './log-cursor.ts'

/**
 * The copy of one container's log in the store. Its writer is open only while there is something to write, so that
 * thousands of running pods hold no files.
 */
export class LogSink {
  readonly #store: LogStore
  readonly #log: LogRef
  #writer: LogWriter | null = null
  #cursor: LogCursor | null = null
  #unflushed = 0
  #doubt: string | null = null

  constructor(store: LogStore, log: LogRef) {
    this.#store = store
    this.#log = log
  }

  /** What was flushed last, here or by an earlier engine. */
  async cursor(): Promise<LogCursor> {
    if (this.#cursor === null) await this.#open()
    return this.#cursor ?? cursorOf(null)
  }

  /** Bytes that a kill would lose, and that would be read again. */
  get unflushed(): number {
    return this.#unflushed
  }

  /** Bytes of the log so far; known once `cursor` was asked for. */
  get bytes(): number {
    return (this.#cursor?.bytes ?? 0) + this.#unflushed
  }

  /** Time of the first line, when there may have been others before it; kept with the next flush. */
  get doubt(): string | null {
    return this.#doubt ?? this.#cursor?.doubt ?? null
  }

  set doubt(first: string) {
    this.#doubt = first
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return
    const writer = await this.#open()
    await writer.write(bytes)
    this.#unflushed += bytes.length
  }

  async flush(place: LogPlace | null): Promise<void> {
    if (this.#unflushed === 0) return
    await this.#flush(this.#next(place, false))
  }

  /** Nothing will be copied any more; it is still to be finished. */
  async end(place: LogPlace | null): Promise<void> {
    await this.#flush(this.#next(place, true))
  }

  /** Nothing will be copied any more. Resolves when the log is durable; called again after a kill. */
  async finish(place: LogPlace | null): Promise<void> {
    const writer = await this.#open()
    const cursor = this.#next(place, true)
    await writer.finish(cursorToJson(cursor))
    this.#cursor = cursor
    this.#unflushed = 0
  }

  /** What was not flushed is forgotten; the next use begins at the last flush. */
  async close(): Promise<void> {
    const writer = this.#writer
    this.#writer = null
    if (this.#unflushed > 0) this.#cursor = null
    this.#unflushed = 0
    await writer?.close()
  }

  #next(place: LogPlace | null, ended: boolean): LogCursor {
    return { place, ended, bytes: this.bytes, doubt: this.doubt }
  }

  async #flush(cursor: LogCursor): Promise<void> {
    const writer = await this.#open()
    await writer.flush(cursorToJson(cursor))
    this.#cursor = cursor
    this.#unflushed = 0
  }

  async #open(): Promise<LogWriter> {
    if (this.#writer !== null) return this.#writer
    const writer = await this.#store.writer(this.#log)
    this.#writer = writer
    this.#cursor = cursorOf(writer.cursor)
    return writer
  }
}
