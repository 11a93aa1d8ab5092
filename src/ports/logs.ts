import type { Json } from '../core/json.ts'
import type { AttemptRef } from './executor.ts'

/** Where the output of attempts is kept and read. Bytes are stored as they came. */
export interface LogArchive {
  /** Reads from `offset` (bytes), at most `bytesMax`; an empty chunk at the end of what is there now. */
  read(attempt: AttemptRef, offset: number, bytesMax: number): Promise<Uint8Array>
  /** Bytes there now; null when the attempt never wrote a log. */
  size(attempt: AttemptRef): Promise<number | null>
  /** Removes everything of a run. */
  remove(run: string): Promise<void>
}

/** An archive of logs that come from elsewhere, such as a kubelet: somebody fetches them and writes them here. */
export interface LogStore extends LogArchive {
  /** Begins an attempt's log, or goes on where an earlier writer stopped or died. One writer at a time. */
  writer(attempt: AttemptRef): Promise<LogWriter>
  /** Whether the whole log is durable: `finish` was called, here or by an earlier engine. */
  isComplete(attempt: AttemptRef): Promise<boolean>
}

/** Writes one log. What was given to `flush` survives a kill; what came after it is cut off by the next writer. */
export interface LogWriter {
  /** The last flushed cursor of an earlier writer; null at the beginning. */
  readonly cursor: Json
  /** Takes bytes; resolves when it can take more, so that memory stays bounded. Readers see them soon. */
  write(bytes: Uint8Array): Promise<void>
  /** Makes durable all that was written so far, and with it where the source is to be read on from. */
  flush(cursor: Json): Promise<void>
  /** The log is whole. Resolves when that is durable; may take long (a remote archive), and may be called again. */
  finish(): Promise<void>
  /** Stops writing without finishing; the next writer goes on from the last flush. */
  close(): Promise<void>
}
