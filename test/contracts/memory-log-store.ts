import type { Json } from '../../src/core/json.ts'
import type { AttemptRef } from '../../src/ports/executor.ts'
import { type LogRef, type LogStore, LogStoreFull, type LogWriter } from '../../src/ports/logs.ts'

interface Kept {
  bytes: Buffer
  /** Bytes behind those, not joined yet. */
  fresh: Uint8Array[]
  flushed: number
  cursor: Json
  complete: boolean
}

/** Logs in memory, under the contract of all stores; it can be killed and can be full. */
export class MemoryLogStore implements LogStore {
  readonly #kept: Map<string, Kept>
  #dead = false
  full = false
  /** A flush takes effect, and then says that it failed. */
  failAfterFlush = false
  flushes = 0
  writersOpen = 0

  constructor(kept: Map<string, Kept> = new Map()) {
    this.#kept = kept
  }

  /** From now on whoever uses this one does nothing any more; what was not flushed is gone. */
  kill(): MemoryLogStore {
    this.#dead = true
    return new MemoryLogStore(this.#kept)
  }

  /** What a reader would see. */
  peek(log: LogRef): Buffer | null {
    const kept = this.#kept.get(keyOf(log))
    return kept === undefined ? null : bytesOf(kept)
  }

  read(log: LogRef, offset: number, bytesMax: number): Promise<Uint8Array> {
    return Promise.resolve(this.peek(log)?.subarray(offset, offset + bytesMax) ?? new Uint8Array())
  }

  size(log: LogRef): Promise<number | null> {
    return Promise.resolve(this.peek(log)?.length ?? null)
  }

  containers({ run, task, attempt }: AttemptRef): Promise<readonly string[]> {
    const names = [...this.#kept.keys()].map(key => JSON.parse(key) as [string, string, number, string])
    const own = names.filter(([r, t, a, name]) => r === run && t === task && a === attempt && name !== '')
    return Promise.resolve(own.map(([, , , name]) => name).toSorted())
  }

  remove(run: string): Promise<void> {
    for (const key of this.#kept.keys()) if ((JSON.parse(key) as string[])[0] === run) this.#kept.delete(key)
    return Promise.resolve()
  }

  isComplete(log: LogRef): Promise<boolean> {
    return Promise.resolve(this.#kept.get(keyOf(log))?.complete ?? false)
  }

  writer(log: LogRef): Promise<LogWriter> {
    if (this.full) return Promise.reject(new LogStoreFull(null))
    const kept = this.#kept.get(keyOf(log)) ?? {
      bytes: Buffer.alloc(0),
      fresh: [],
      flushed: 0,
      cursor: null,
      complete: false,
    }
    if (!this.#dead) {
      kept.bytes = bytesOf(kept).subarray(0, kept.flushed)
      this.#kept.set(keyOf(log), kept)
    }
    this.writersOpen += 1
    const alive = (work: () => void): Promise<void> => {
      if (this.full) return Promise.reject(new LogStoreFull(null))
      try {
        if (!this.#dead) work()
        return Promise.resolve()
      } catch (error) {
        return Promise.reject(error)
      }
    }
    return Promise.resolve({
      get cursor() {
        return kept.cursor
      },
      write: bytes => {
        if (kept.complete) return Promise.reject(new Error('the log is complete'))
        return alive(() => {
          kept.fresh.push(Buffer.from(bytes))
        })
      },
      flush: cursor =>
        alive(() => {
          this.flushes += 1
          kept.flushed = bytesOf(kept).length
          kept.cursor = cursor
          if (this.failAfterFlush) throw new Error('the folder could not be synchronised')
        }),
      finish: cursor =>
        alive(() => {
          if (kept.complete) return
          kept.flushed = bytesOf(kept).length
          kept.cursor = cursor
          kept.complete = true
        }),
      close: () => {
        this.writersOpen -= 1
        return Promise.resolve()
      },
    })
  }
}

function bytesOf(kept: Kept): Buffer {
  if (kept.fresh.length > 0) kept.bytes = Buffer.concat([kept.bytes, ...kept.fresh])
  kept.fresh = []
  return kept.bytes
}

const keyOf = ({ run, task, attempt, container }: LogRef): string =>
  JSON.stringify([run, task, attempt, container ?? ''])
