import type { Json } from '../core/json.ts'
import type { AttemptRef } from './executor.ts'

/** One log: of an attempt's own container, or of another one in its pod (init container, sidecar). */
export interface LogRef extends AttemptRef {
  /** Name of the other container; absent for the one that runs the task. */
  readonly container?: string
}

/** Where the output of attempts is kept and read. Bytes are stored as they came. */
export interface LogArchive {
  /** Reads from `offset` (bytes), at most `bytesMax`; an empty chunk at the end of what is there now. */
  read(log: LogRef, offset: number, bytesMax: number): Promise<Uint8Array>
  /** Bytes there now; null when the attempt never wrote a log. */
  size(log: LogRef): Promise<number | null>
  /** Names of the other containers of which a log is kept, sorted. */
  containers(attempt: AttemptRef): Promise<readonly string[]>
  /** Removes everything of a run. */
  remove(run: string): Promise<void>
}

/** An archive of logs that come from elsewhere, such as a kubelet: somebody fetches them and writes them here. */
export interface LogStore extends LogArchive {
  /**
   * Begins a log, or goes on where an earlier writer stopped or died. One writer at a time, and none of a log that is
   * complete.
   *
   * @throws {LogStoreFull}
   */
  writer(log: LogRef): Promise<LogWriter>
  /** Whether the whole log is durable: `finish` was called and came through, here or by an earlier engine. */
  isComplete(log: LogRef): Promise<boolean>
}

/** A store on this machine where logs grow that are kept elsewhere once they are whole. */
export interface LogSpool extends LogStore {
  /** Removes one log that is safe elsewhere. */
  discard(log: LogRef): Promise<void>
  /** All logs that are there, in no order. */
  list(): AsyncIterable<{ readonly log: LogRef; readonly complete: boolean }>
}

/**
 * Writes one log. What was given to `flush` survives a kill and a power cut; what came after it is cut off by the next
 * writer. Every method but `close` may throw {@link LogStoreFull}; then only `close` is left to call, and the next
 * writer goes on from the last flush.
 */
export interface LogWriter {
  /** The last flushed cursor, of this or an earlier writer; null at the beginning. */
  readonly cursor: Json
  /** Takes bytes; resolves when it can take more, so that memory stays bounded. Readers see them soon. */
  write(bytes: Uint8Array): Promise<void>
  /** Makes durable all that was written so far, and with it where the source is to be read on from. */
  flush(cursor: Json): Promise<void>
  /**
   * The log is whole: its source is needed no more. Resolves when it is durable where it is to stay, which may
   * take long (a remote archive); killed meanwhile, the next writer has this cursor and calls it again. Nothing is
   * written afterwards.
   */
  finish(cursor: Json): Promise<void>
  /** Stops writing without finishing; the next writer goes on from the last flush. */
  close(): Promise<void>
}

/** There is no room for more. What was flushed stays; the source has to be kept until there is room again. */
export class LogStoreFull extends Error {
  readonly code = 'LOG_DISK_FULL'

  constructor(cause: unknown) {
    super('No room is left where logs are kept: free some, or shorten the retention.', { cause })
    this.name = 'LogStoreFull'
  }
}
