import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * The log of an attempt as readers see it, written from its beginning. What a container engine keeps of a container's
 * output is always the same bytes in the same order, so every writer puts the same byte in the same place: a second pass
 * after an interruption, or another engine at the same time, changes nothing, and the file never shrinks.
 */
export class LogFile {
  readonly #file: FileHandle
  #position = 0

  private constructor(file: FileHandle) {
    this.#file = file
  }

  static async open(folder: string): Promise<LogFile> {
    const { O_WRONLY, O_CREAT, O_NOFOLLOW } = constants
    return new LogFile(await open(join(folder, 'log'), O_WRONLY | O_CREAT | O_NOFOLLOW, 0o600))
  }

  get bytes(): number {
    return this.#position
  }

  async write(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#position)
      done += bytesWritten
      this.#position += bytesWritten
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
