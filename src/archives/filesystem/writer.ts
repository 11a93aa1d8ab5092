import { constants } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Json } from '../../core/json.ts'
import { LogStoreFull, type LogWriter } from '../../ports/logs.ts'
import { codeOf } from './error-code.ts'
import { type LogPlace, type Mark, readMark, syncFolder, writeMark } from './mark.ts'

/** Opens a log for writing, cut to what was flushed last. */
export async function openLogWriter(place: LogPlace): Promise<LogWriter> {
  try {
    await makeFolder(place.folder)
    const { O_WRONLY, O_CREAT, O_NOFOLLOW } = constants
    const file = await open(join(place.folder, place.name), O_WRONLY | O_CREAT | O_NOFOLLOW, 0o600)
    try {
      return new FileLogWriter(place, file, await cutToMark(place, file))
    } catch (error) {
      await file.close()
      throw error
    }
  } catch (error) {
    throw typed(error)
  }
}

class FileLogWriter implements LogWriter {
  readonly #place: LogPlace
  readonly #file: FileHandle
  #mark: Mark
  #position: number
  /** After a failure nobody knows what reached the disk: only the next writer may go on, from the mark. */
  #broken: unknown = null
  #open = true

  constructor(place: LogPlace, file: FileHandle, mark: Mark) {
    this.#place = place
    this.#file = file
    this.#mark = mark
    this.#position = mark.bytes
  }

  get cursor(): Json {
    return this.#mark.cursor
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#mark.complete) throw new Error(`the log ${this.#place.folder}/${this.#place.name} is complete`)
    await this.#attempt(async () => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#position)
        done += bytesWritten
        this.#position += bytesWritten
      }
    })
  }

  async flush(cursor: Json): Promise<void> {
    await this.#set({ bytes: this.#position, cursor, complete: this.#mark.complete })
  }

  async finish(cursor: Json): Promise<void> {
    if (this.#mark.complete) return
    await this.#set({ bytes: this.#position, cursor, complete: true })
  }

  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.#file.close()
  }

  async #set(mark: Mark): Promise<void> {
    await this.#attempt(async () => {
      if (mark.bytes > this.#mark.bytes) await this.#file.datasync()
      await writeMark(this.#place, mark)
      this.#mark = mark
    })
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    if (this.#broken !== null) throw this.#broken
    try {
      await work()
    } catch (error) {
      this.#broken = typed(error)
      throw this.#broken
    }
  }
}

/** A file shorter than its mark was damaged by other hands: the log begins anew, its source may still be there. */
async function cutToMark(place: LogPlace, file: FileHandle): Promise<Mark> {
  const mark = await readMark(place)
  const { size } = await file.stat()
  if (size < mark.bytes) {
    await file.truncate(0)
    return { bytes: 0, cursor: null, complete: false }
  }
  if (size > mark.bytes) await file.truncate(mark.bytes)
  return mark
}

/** A folder that was just made is durable once the one above it is. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true })
  if (first === undefined) return
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
}

const typed = (error: unknown): unknown =>
  ['ENOSPC', 'EDQUOT'].includes(codeOf(error)) ? new LogStoreFull(error) : error
