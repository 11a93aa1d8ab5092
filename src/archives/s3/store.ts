import { logKey, logKeyOfAttempt, logKeyOfRun } from '../../core/run/attempt-path.ts'
import type { Clock } from '../../ports/clock.ts'
import type { LogRef, LogSpool, LogStore, LogWriter } from '../../ports/logs.ts'
import { openBucket, type S3Bucket, type S3BucketOptions } from './bucket.ts'
import { S3Problem } from './problem.ts'
import { Uploads } from './uploads.ts'

/** Most bytes one `read` gives, whatever is asked for. */
const READ_BYTES_MAX = 8 * 1024 * 1024
const SPOOL_READ_BYTES = 1024 * 1024
/** S3 takes at most 10,000 parts of one object. */
const PARTS_MAX = 9000

export const S3_LOG_LIMITS = {
  /** Logs up to this size go up in one request, larger ones in parts of it; two parts of each are in memory. */
  partBytes: 8 * 1024 * 1024,
  smallBytes: 1024 * 1024,
  smallUploadsMax: 16,
  largeUploadsMax: 2,
}

export interface S3LogStoreOptions extends S3BucketOptions {
  /** In front of every key; may hold slashes. Default: nothing. */
  readonly prefix?: string
  /** Id of this installation: several may share a bucket and a prefix. */
  readonly installation: string
  /** Where a log grows until it is whole, and stays until it is safe in the bucket. */
  readonly spool: LogSpool
  readonly clock: Clock
  /** From 0 to 1: spreads what is tried again. */
  readonly random: () => number
  /** A log could not be stored yet; it is tried again. */
  readonly trouble?: (log: LogRef, problem: S3Problem) => void
  readonly limits?: Partial<typeof S3_LOG_LIMITS>
}

export interface S3LogStore extends LogStore {
  /**
   * Whether the bucket can be used, by asking for what lies below the prefix.
   *
   * @throws {S3Problem}
   */
  check(): Promise<void>
  /**
   * Of these logs, none that waits for the bucket waits on: their calls of `finish` reject with `LOG_S3_CLOSED`. The
   * spool keeps them.
   */
  giveUp(which: (log: LogRef) => boolean): void
  /** Gives up all that is going up. */
  close(): void
}

/**
 * Logs in a bucket, one object each: `PREFIX/INSTALLATION/RUN/TASK/ATTEMPT.log`. An object is written at once when its
 * log is whole, so one that is there is complete; until then readers find the log in the spool.
 *
 * Logs that the first Kontroler left in the same bucket are read as well: see {@link firstKontrolerKey}.
 */
export async function createS3LogStore(options: S3LogStoreOptions): Promise<S3LogStore> {
  return new BucketLogs(options, await openBucket(options))
}

class BucketLogs implements S3LogStore {
  readonly #bucket: S3Bucket
  readonly #spool: LogSpool
  readonly #root: string
  readonly #limits: typeof S3_LOG_LIMITS
  readonly #uploads: Uploads
  /** Logs that are on their way, by key. */
  readonly #storing = new Map<string, Promise<void>>()

  constructor(options: S3LogStoreOptions, bucket: S3Bucket) {
    this.#bucket = bucket
    this.#spool = options.spool
    const prefix = (options.prefix ?? '').replaceAll(/^\/+|\/+$/g, '')
    this.#root = `${prefix === '' ? '' : `${prefix}/`}${logKeyOfRun(options.installation)}`
    this.#limits = { ...S3_LOG_LIMITS, ...options.limits }
    this.#uploads = new Uploads({
      bucket: options.bucket,
      clock: options.clock,
      random: options.random,
      smallMax: this.#limits.smallUploadsMax,
      largeMax: this.#limits.largeUploadsMax,
      trouble: options.trouble ?? (() => undefined),
    })
  }

  async read(log: LogRef, offset: number, bytesMax: number): Promise<Uint8Array> {
    const most = Math.min(bytesMax, READ_BYTES_MAX)
    if (most <= 0) return new Uint8Array()
    if ((await this.#spool.size(log)) !== null) {
      const bytes = await this.#spool.read(log, offset, most)
      // It may have moved to the bucket meanwhile.
      if (bytes.length > 0 || (await this.#spool.size(log)) !== null) return bytes
    }
    const own = await this.#bucket.read(this.#keyOf(log), offset, most)
    const first = own === null ? firstKontrolerKey(log) : null
    return own ?? (first === null ? null : await this.#bucket.read(first, offset, most)) ?? new Uint8Array()
  }

  async size(log: LogRef): Promise<number | null> {
    const spooled = await this.#spool.size(log)
    if (spooled !== null) return spooled
    const size = await this.#bucket.size(this.#keyOf(log))
    if (size !== null) return size
    const first = firstKontrolerKey(log)
    return first === null ? null : await this.#bucket.size(first)
  }

  async containers(attempt: LogRef): Promise<readonly string[]> {
    const prefix = `${this.#root}${logKeyOfAttempt(attempt.run, attempt.task, attempt.attempt)}`
    const names = new Set(await this.#spool.containers(attempt))
    for await (const keys of this.#bucket.list(prefix))
      for (const key of keys) {
        const name = CONTAINER.exec(key.slice(prefix.length))?.[1]
        if (name !== undefined) names.add(name)
      }
    return [...names].toSorted()
  }

  async isComplete(log: LogRef): Promise<boolean> {
    return (await this.#bucket.size(this.#keyOf(log))) !== null
  }

  async writer(log: LogRef): Promise<LogWriter> {
    const writer = await this.#spool.writer(log)
    return {
      get cursor() {
        return writer.cursor
      },
      write: bytes => writer.write(bytes),
      flush: cursor => writer.flush(cursor),
      finish: async cursor => {
        await writer.finish(cursor)
        // It may take hours until the bucket is there, and thousands may wait.
        await writer.close()
        await this.#store(log)
      },
      close: () => writer.close(),
    }
  }

  async remove(run: string): Promise<void> {
    await this.#spool.remove(run)
    const prefix = `${this.#root}${logKeyOfRun(run)}`
    for await (const keys of this.#bucket.list(prefix)) await this.#bucket.delete(keys)
    await this.#bucket.abortUploads(prefix)
  }

  async check(): Promise<void> {
    for await (const _ of this.#bucket.list(`${this.#root}check/`)) return
  }

  giveUp(which: (log: LogRef) => boolean): void {
    this.#uploads.giveUp(which)
  }

  close(): void {
    this.#uploads.close()
    this.#bucket.close()
  }

  #keyOf(log: LogRef): string {
    return `${this.#root}${logKey(log.run, log.task, log.attempt, log.container)}`
  }

  /** From the spool into the bucket. Two who ask at once are answered by the same work. */
  async #store(log: LogRef): Promise<void> {
    const key = this.#keyOf(log)
    const storing = this.#storing.get(key) ?? this.#storeOnce(log).finally(() => this.#storing.delete(key))
    this.#storing.set(key, storing)
    await storing
  }

  /** Safe to repeat: an object that is there is whole, and never written again. */
  async #storeOnce(log: LogRef): Promise<void> {
    const size = await this.#spool.size(log)
    // Its run was removed, or it was stored before.
    if (size === null) return
    const key = this.#keyOf(log)
    await this.#uploads.run(log, size <= this.#limits.smallBytes ? 'small' : 'large', async signal => {
      // Its run may have been removed since the last try.
      if ((await this.#spool.size(log)) === null) return
      if ((await this.#bucket.size(key)) === null) await this.#upload(log, key, size, signal)
    })
    if ((await this.#spool.size(log)) === null) await this.#bucket.delete([key])
    else await this.#spool.discard(log)
  }

  async #upload(log: LogRef, key: string, size: number, signal: AbortSignal): Promise<void> {
    if (size <= this.#limits.partBytes) {
      await this.#bucket.put(key, await this.#readAll(log, size))
    } else {
      // What a killed engine left half done costs money until somebody ends it. A server may not let us; never mind.
      await this.#bucket.abortUploads(key).catch(() => undefined)
      const partBytes = Math.max(this.#limits.partBytes, Math.ceil(size / PARTS_MAX))
      await this.#bucket.putParts(key, this.#chunks(log, size), partBytes, signal)
    }
    const stored = await this.#bucket.size(key)
    if (stored === size) return
    await this.#bucket.delete([key])
    throw new S3Problem('LOG_S3_DIFFERS', `The object ${key} has ${stored ?? 'no'} bytes instead of ${size}.`)
  }

  async #readAll(log: LogRef, size: number): Promise<Uint8Array> {
    const chunks: Uint8Array[] = []
    for await (const chunk of this.#chunks(log, size)) chunks.push(chunk)
    return Buffer.concat(chunks, size)
  }

  async *#chunks(log: LogRef, size: number): AsyncGenerator<Uint8Array> {
    for (let offset = 0; offset < size; ) {
      const chunk = await this.#spool.read(log, offset, Math.min(SPOOL_READ_BYTES, size - offset))
      if (chunk.length === 0)
        throw new S3Problem('LOG_S3_DIFFERS', `The spool lost what it had of ${this.#keyOf(log)}.`)
      offset += chunk.length
      yield chunk
    }
  }
}

/**
 * The key that the first Kontroler gave to a log. It had one for each pod, so that its run is a whole number, and the
 * UID of the pod stands for the task; null for all other logs, as runs of this one are never called so.
 *
 * @example firstKontrolerKey({ run: '7', task: '6c2f…', attempt: 1 }) → '7/6c2f…-log.txt'
 */
function firstKontrolerKey({ run, task, attempt, container }: LogRef): string | null {
  const isFirst = attempt === 1 && container === undefined && /^\d{1,19}$/u.test(run) && UID.test(task)
  return isFirst ? `${run}/${task}-log.txt` : null
}

const UID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u
const CONTAINER = /^([a-z0-9-]+)\.log$/
