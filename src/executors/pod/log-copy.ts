import type { Clock } from '../../ports/clock.ts'
import { type LogPlace, sinceTime } from './log-cursor.ts'
import { cutLine, gapLine } from './log-gaps.ts'
import { LogLines } from './log-lines.ts'
import type { LogSink } from './log-sink.ts'
import { type ContainerLogSource, LogUnavailable } from './log-source.ts'

/** Unflushed bytes at most: what is read again after a kill. */
export const FLUSH_BYTES = 4 * 1024 * 1024
/** A followed log that is silent for so long is flushed. */
export const SILENT_MS = 1000
/** A log that is read to its end and gives nothing for so long is given up for this time. */
export const STALL_MS = 30_000

/** Which container's log is copied where. */
export interface LogCopy {
  readonly source: ContainerLogSource
  readonly clock: Clock
  readonly sink: LogSink
  /** What is kept of it at most. */
  readonly bytesMax: number
  readonly container: {
    readonly namespace: string
    readonly pod: string
    readonly uid: string
    readonly container: string
  }
}

export interface ReadOptions {
  readonly follow: boolean
  /**
   * From where: `since` asks from the second of the last place on; `whole` looks for that place in everything that the
   * node has; `gap` states that it is no more there and copies everything that is.
   */
  readonly from: 'since' | 'whole' | 'gap'
  /** Whether following may stop here; it is silent or not. */
  readonly enough: (silent: boolean) => boolean
  /** Told from time to time: what the lines that were copied so far take in the node's file, about. */
  readonly grown: (fileBytes: number) => void
  /** Whether what was read is made durable when the answer is over. */
  readonly flush: boolean
  /** Stops reading. What was read is kept. */
  readonly signal: AbortSignal
}

/** How reading ended. */
export interface ReadResult {
  /**
   * `end` the answer was over; `stopped` by the signal; `lost` the place is not there; `full` no more of it is kept,
   * and the log says so; `broken` by something else.
   */
  readonly kind: 'end' | 'stopped' | 'lost' | 'full' | 'broken'
  /** What broke it. */
  readonly error: unknown
  /** Bytes that came, times and repeated lines included. */
  readonly received: number
  /** Bytes that were new. */
  readonly copied: number
  /** What the new lines take in the node's file, about. */
  readonly fileBytes: number
  readonly place: LogPlace | null
  /** Time of the first new line. */
  readonly first: string | null

  /** The held last line, to be copied when the log is known to be over. */
  readonly tail: () => { readonly bytes: Uint8Array; readonly place: LogPlace | null }
}

/**
 * Reads a container's log on, once: one request. Everything that was read is flushed, however it ends; but for an
 * answer that was over, when the caller does that.
 */
export async function readLog(copy: LogCopy, options: ReadOptions): Promise<ReadResult> {
  const { place } = await copy.sink.cursor()
  const lines =
    options.from === 'gap'
      ? new LogLines(null, true, place)
      : new LogLines(place, options.from === 'whole' || place === null)
  const stop = new AbortController()
  const onStop = (): void => stop.abort()
  options.signal.addEventListener('abort', onStop)
  const state = { received: 0, copied: 0 }
  const result = (kind: ReadResult['kind'], error: unknown = null): ReadResult => ({
    ...state,
    kind,
    error,
    fileBytes: lines.fileBytes,
    place: lines.place,
    first: lines.first,

    tail: () => ({ bytes: lines.end(), place: lines.place }),
  })
  try {
    if (options.signal.aborted) return result('stopped')
    let end: ReadResult
    try {
      const stream = await copy.source.open(
        {
          ...copy.container,
          ...(options.from === 'since' && place !== null ? { sinceTime: sinceTime(place) } : {}),
          follow: options.follow,
          timestamps: true,
        },
        stop.signal,
      )
      end = await copyStream(copy, options, lines, stream, state, result)
    } catch (error) {
      if (error instanceof SinkFailed) throw error.cause
      end = options.signal.aborted ? result('stopped') : result('broken', error)
    }
    if (end.kind === 'full') await copy.sink.end(lines.place)
    else if (end.kind !== 'end' || options.flush) await copy.sink.flush(lines.place)
    return { ...end, place: lines.place }
  } finally {
    options.signal.removeEventListener('abort', onStop)
    stop.abort()
  }
}

async function copyStream(
  copy: LogCopy,
  options: ReadOptions,
  lines: LogLines,
  stream: AsyncIterable<Uint8Array>,
  state: { received: number; copied: number },
  result: (kind: ReadResult['kind'], error?: unknown) => ReadResult,
): Promise<ReadResult> {
  const before = lines.place
  const iterator = stream[Symbol.asyncIterator]()
  try {
    for (let next = patient(copy.clock, iterator.next()); ; ) {
      const came = await next(options.follow ? SILENT_MS : STALL_MS)
      if (options.signal.aborted) return result('stopped')
      if (came === SILENT) {
        if (!options.follow) return result('broken', new Error('nothing came any more'))
        if (lines.search === 'searching') return result('lost')
        if (options.enough(true)) return result('stopped')
        await inSink(copy.sink.flush(lines.place))
        continue
      }
      if (came.done === true) return lines.cut ? result('broken', kubeletSaid('')) : result(ended(lines))
      state.received += came.value.length
      const bytes = lines.take(came.value)
      if (bytes.length > 0) {
        if (options.from === 'gap' && state.copied === 0)
          await inSink(copy.sink.write(gapLine(before, lines.first)))
        const room = Math.max(0, copy.bytesMax - copy.sink.bytes)
        state.copied += Math.min(room, bytes.length)
        await inSink(copy.sink.write(bytes.subarray(0, room)))
        if (bytes.length > room) {
          await inSink(copy.sink.write(cutLine(copy.bytesMax, bytes[room - 1])))
          return result('full')
        }
      }
      if (lines.search === 'lost') return result('lost')
      if (lines.noise !== null) return result('broken', kubeletSaid(lines.noise))
      if (copy.sink.unflushed >= FLUSH_BYTES) await inSink(copy.sink.flush(lines.place))
      options.grown(lines.fileBytes)
      if (options.follow && options.enough(false)) return result('stopped')
      next = patient(copy.clock, iterator.next())
    }
  } finally {
    void Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
}

const ended = (lines: LogLines): 'end' | 'lost' => (lines.search === 'found' ? 'end' : 'lost')

/** A kubelet that has begun its answer can tell an error by words only. */
function kubeletSaid(words: string): Error {
  if (
    /^unable to retrieve container logs|^failed to try resolving symlinks|no such file or directory/.test(
      words,
    )
  )
    return new LogUnavailable('gone', words)
  return new LogUnavailable('unreachable', `the kubelet broke the log off: ${words}`)
}

/** Failures of the store are told from those of the source. */
class SinkFailed extends Error {}

async function inSink(work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    throw new SinkFailed('the log could not be written', { cause: error })
  }
}

const SILENT = Symbol('silent')

/** Waits for one promise again and again, each time no longer than so many milliseconds. */
function patient<T>(clock: Clock, promise: Promise<T>): (ms: number) => Promise<T | typeof SILENT> {
  let wake = (): void => undefined
  const settled: { done: boolean } = { done: false }
  const over = (): void => {
    settled.done = true
    wake()
  }
  promise.then(over, over)
  return async ms => {
    if (!settled.done)
      await new Promise<void>(resolve => {
        const callOff = clock.after(ms, resolve)
        wake = () => {
          callOff()
          resolve()
        }
      })
    return settled.done ? await promise : SILENT
  }
}
