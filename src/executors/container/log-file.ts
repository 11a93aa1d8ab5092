import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * The log of an attempt as readers see it, written from its beginning. What a container engine keeps of a container's
 * output is always the same bytes in the same order, so every writer puts the same byte in the same place: a
 * second pass after an interruption, or another engine at the same time, changes nothing, and the file never
 * shrinks.
 */
export class LogFile {
  readonly #file: FileHandle
  #position = 0
  /** Bytes that this very writer has put there. */
  #written = 0

  private constructor(file: FileHandle) {
    this.#file = file
  }

  static async open(folder: string): Promise<LogFile> {
    const { O_WRONLY, O_CREAT, O_NOFOLLOW } = constants
    return new LogFile(await open(join(folder, 'log'), O_WRONLY | O_CREAT | O_NOFOLLOW, 0o600))
  }

  /** What was written by an earlier pass is passed over. */
  async write(bytes: Buffer): Promise<void> {
    let done = Math.min(bytes.length, Math.max(0, this.#written - this.#position))
    this.#position += done
    while (done < bytes.length) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#position)
      done += bytesWritten
      this.#position += bytesWritten
      this.#written = this.#position
    }
  }

  /** From the beginning again. */
  rewind(): void {
    this.#position = 0
  }

  async sync(): Promise<void> {
    await this.#file.datasync()
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}
