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
