import type { Clock } from '../../ports/clock.ts'
import type { LogRef, LogStore } from '../../ports/logs.ts'
import { type LogCopy, type ReadOptions, type ReadResult, readLog } from './log-copy.ts'
import type { LogPlace } from './log-cursor.ts'
import { doubtLine, gapLine, restMissing } from './log-gaps.ts'
import {
  atRisk,
  grown,
  type LogLimits,
  type LogProgress,
  mayLackBeginning,
  measured,
  newProgress,
  settled,
  waitMs,
} from './log-plan.ts'
import { LogSink } from './log-sink.ts'
import type { LogSlots, Slot, StreamUse } from './log-slots.ts'
import { type ContainerLogSource, LogUnavailable } from './log-source.ts'

/** What all logs share. */
export interface CollectorHost {
  readonly source: ContainerLogSource
  readonly store: LogStore
  readonly clock: Clock
  readonly random: () => number
  readonly slots: LogSlots
  readonly limits: LogLimits
  readonly giveUpMs: number
  /** What is kept of one log at most. */
  readonly bytesMax: number
  running(): number
  trouble(log: LogRef, error: unknown, code: string): void
}

/**
 * An answer that was longer than this may have been cut where nobody sees it; it counts as whole when the next one has
 * nothing more. A shorter one came in one piece.
 */
const SURE_BYTES = 16 * 1024
const WATCHED_RETRY_MS = 2000
const RETRY_MS = 500
const RETRY_MS_MAX = 30_000

/** The life of one container's log: read in steps or followed while it runs, then once to its end. */
export class ContainerLog {
  readonly #host: CollectorHost
  readonly #ref: LogRef
  readonly #copy: LogCopy
  readonly #sink: LogSink
  readonly #forgotten = new AbortController()
  readonly #durable = Promise.withResolvers<boolean>()
  #progress: LogProgress
  #state: 'new' | 'old' | 'ended'
  #watched = false
  /** The place to read on from is known to be gone from the node. */
  #lost = false
  /** No more of it is kept. */
  #full = false
  /** When the container began, by its node's clock; null when that is not known. */
  readonly #began: number | null
  /** When it was last seen to have said nothing. */
  #emptyAt: number | null = null
  /** Its node has not answered since then, while the cluster did. */
  #unreachableSince: number | null = null
  /** Ends the present wait or the present following. */
  #change = new AbortController()

  constructor(
    host: CollectorHost,
    ref: LogRef,
    container: LogCopy['container'],
    state: 'new' | 'old' | 'ended',
    began: number | null,
  ) {
    this.#began = began
    this.#host = host
    this.#ref = ref
    this.#sink = new LogSink(host.store, ref)
    const { source, clock, bytesMax } = host
    this.#copy = { source, clock, bytesMax, sink: this.#sink, container }
    this.#progress = newProgress(host.clock.now())
    this.#state = state
  }

  /** The container has ended; resolves with true once its log is durable. */
  end(): Promise<boolean> {
    if (this.#state !== 'ended') {
      this.#state = 'ended'
      this.#changed()
    }
    return this.#durable.promise
  }

  watch(watched: boolean): void {
    if (this.#watched === watched) return
    this.#watched = watched
    this.#changed()
  }

  forget(): void {
    this.#forgotten.abort()
  }

  /** Until the log is durable or `closing` comes. Never throws. */
  async live(closing: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([closing, this.#forgotten.signal])
    try {
      if (this.#state !== 'new' && (await this.#isComplete())) return
      while (this.#state !== 'ended' && !this.#full && !stop.aborted) await this.#look(stop)
      if (!stop.aborted) await this.#readToEnd(stop)
    } finally {
      await this.#sink.close().catch(() => undefined)
      this.#durable.resolve(false)
    }
  }

  #changed(): void {
    const change = this.#change
    this.#change = new AbortController()
    change.abort()
  }

  /**
   * An earlier engine may have been killed after it had finished this log. A store that cannot say does not hold up
   * reading: what it has is never replaced by less.
   */
  async #isComplete(): Promise<boolean> {
    try {
      const complete = await this.#host.store.isComplete(this.#ref)
      if (complete) this.#durable.resolve(true)
      return complete
    } catch (error) {
      this.#host.trouble(this.#ref, error, 'LOG_DELAYED')
      return false
    }
  }

  /** One wait and one reading of a container that runs. */
  async #look(stop: AbortSignal): Promise<void> {
    const { limits, clock } = this.#host
    this.#progress = settled(this.#progress, clock.now(), limits)
    const use = this.#use()
    const ms = this.#nextWait(use)
    if (ms > 0 && !(await this.#wait(ms, AbortSignal.any([stop, this.#change.signal])))) return
    const change = this.#change.signal
    const slot = await this.#host.slots.take(use, AbortSignal.any([stop, change]))
    if (slot === null) return
    try {
      await this.#read(use, slot, stop)
    } finally {
      slot.release()
      await this.#sink.close().catch(() => undefined)
    }
  }

  #use(): StreamUse {
    if (this.#watched) return 'watched'
    return atRisk(this.#progress, this.#host.limits) ? 'atRisk' : 'look'
  }

  #nextWait(use: StreamUse): number {
    const { limits, random } = this.#host
    if (this.#state === 'old') {
      this.#state = 'new'
      return limits.firstReadMs * random()
    }
    if (use !== 'look' && this.#progress.failures === 0) return 0
    const ms = waitMs(this.#progress, this.#host.running(), limits)
    if (this.#progress.failures === 0) this.#progress = { ...this.#progress, waitMs: ms }
    const spread = ms * (0.8 + 0.4 * random())
    return use === 'watched' ? Math.min(spread, WATCHED_RETRY_MS) : spread
  }

  async #read(use: StreamUse, slot: Slot, stop: AbortSignal): Promise<void> {
    const follow = use !== 'look' && !this.#lost
    try {
      const signal = follow ? AbortSignal.any([stop, this.#turnOf(slot)]) : stop
      if ((await this.#sink.cursor()).ended) {
        this.#full = true
        return
      }
      const result = await this.#readOn({ follow, signal, flush: true })
      if (result.kind === 'full') this.#fill()
      // What is followed and ends at once is not running any more, or not yet: no reason to ask without pause.
      if (result.kind === 'broken') this.#failed(result.error)
      else if (use !== 'look' && result.kind === 'end' && result.copied === 0) this.#failed(null)
      else this.#progress = { ...this.#progress, failures: 0 }
    } catch (error) {
      this.#failed(error)
    }
  }

  #fill(): void {
    this.#full = true
    this.#host.trouble(
      this.#ref,
      `it has reached ${this.#host.bytesMax} bytes; the rest is not kept`,
      'LOG_CUT',
    )
  }

  /** A container that has ended keeps its turn: it is over soon, and the node closes what is followed. */
  #turnOf(slot: Slot): AbortSignal {
    const turn = new AbortController()
    slot.turnOver.addEventListener('abort', () => {
      if (this.#state !== 'ended') turn.abort()
    })
    return turn.signal
  }

  #failed(error: unknown): void {
    this.#progress = { ...this.#progress, failures: this.#progress.failures + 1 }
    if (error !== null) this.#tell(error)
  }

  /** Reads on from the last place. When that is no more to be found, says so in the log and copies what there is. */
  async #readOn(options: Pick<ReadOptions, 'follow' | 'signal' | 'flush'>): Promise<ReadResult> {
    const read = (from: ReadOptions['from'], follow: boolean): Promise<ReadResult> => {
      let before = 0
      return readLog(this.#copy, {
        signal: options.signal,
        flush: options.flush,
        follow,
        from,
        enough: silent => (this.#state === 'ended' ? silent : !this.#mustFollow()),
        grown: bytes => {
          this.#grown(bytes - before)
          before = bytes
        },
      })
    }
    let result: ReadResult | null = null
    if (!this.#lost) {
      const { place } = await this.#sink.cursor()
      result = await read('since', options.follow)
      if (place === null) this.#judgeBeginning(result)
      if (result.kind !== 'lost') return result
      // An answer that begins in the middle of a line can be misread; the whole file cannot.
      result = await read('whole', false)
      if (result.kind !== 'lost') return result
      this.#lost = true
    }
    result = await read('gap', false)
    if (result.copied > 0) {
      this.#lost = false
      this.#progress = measured(this.#progress, result.fileBytes)
      this.#host.trouble(this.#ref, ROTATED, 'LOG_GAP')
    }
    return result
  }

  /** What was rotated away before the first look leaves no trace but time that is not accounted for. */
  #judgeBeginning({ first, place, fileBytes, kind }: ReadResult): void {
    const { clock, limits } = this.#host
    if (first === null || place === null) {
      if (kind === 'end') this.#emptyAt = clock.now()
      return
    }
    if (this.#began === null) return
    const at = Date.parse(first)
    const silentMs = this.#emptyAt === null ? Number.POSITIVE_INFINITY : clock.now() - this.#emptyAt
    const windowMs = Math.min(at - this.#began, silentMs)
    if (!mayLackBeginning({ fileBytes, spanMs: Date.parse(place.at) - at, windowMs }, limits)) return
    this.#sink.doubt = first
    this.#host.trouble(this.#ref, ROTATED, 'LOG_GAP')
  }

  #grown(bytes: number): void {
    const { clock, limits } = this.#host
    this.#progress = settled(grown(this.#progress, bytes, clock.now(), limits), clock.now(), limits)
  }

  #mustFollow(): boolean {
    this.#progress = settled(this.#progress, this.#host.clock.now(), this.#host.limits)
    return this.#watched || atRisk(this.#progress, this.#host.limits)
  }

  /** The container has ended: what is left is read, and the log finished. */
  async #readToEnd(stop: AbortSignal): Promise<void> {
    for (let failures = 0; !stop.aborted; ) {
      try {
        const { place, ended } = await this.#sink.cursor()
        const end = ended ? { place } : await this.#readRest(stop)
        failures = 0
        if (end === null) continue
        await this.#sink.finish(end.place)
        this.#durable.resolve(true)
        return
      } catch (error) {
        if (stop.aborted) return
        this.#tell(error)
        failures += 1
        await this.#sink.close().catch(() => undefined)
      }
      await this.#wait(retryMs(failures), stop)
    }
  }

  /** One reading to the end. Tells where that is, or null when there may be more to come; throws what may pass. */
  async #readRest(stop: AbortSignal): Promise<{ readonly place: LogPlace | null } | null> {
    const slot = await this.#host.slots.take('ended', stop)
    if (slot === null) return null
    let result: ReadResult
    try {
      result = await this.#readOn({ follow: false, signal: stop, flush: false })
    } finally {
      slot.release()
    }
    if (result.kind === 'full') this.#fill()
    if (result.kind === 'stopped' || result.kind === 'full') return null
    if (result.kind === 'broken') {
      const why = this.#reasonToStop(result.error)
      if (why === null) throw result.error
      await this.#sayMissing(result.place, why)
      return result
    }
    this.#unreachableSince = null
    if (result.copied > 0 && result.received > SURE_BYTES) {
      await this.#sink.flush(result.place)
      return null
    }
    const tail = result.tail()
    if (this.#lost) await this.#sayMissing(result.place, ROTATED, tail.bytes.length > 0 ? tail.place : null)
    await this.#sink.write(tail.bytes)
    await this.#sayDoubt(tail.place)
    return tail
  }

  /** A node or a cluster that does not answer is told by others, once and not for each log. */
  #tell(error: unknown): void {
    if (error instanceof LogUnavailable && error.kind !== 'refused') return
    this.#host.trouble(this.#ref, error, 'LOG_DELAYED')
  }

  async #sayDoubt(end: LogPlace | null): Promise<void> {
    const { doubt } = this.#sink
    if (doubt !== null) await this.#sink.write(doubtLine(doubt, end === null || end.part === null))
  }

  /** Why it is no use to try again; null when it may be. */
  #reasonToStop(error: unknown): string | null {
    const { clock, giveUpMs } = this.#host
    const kind = error instanceof LogUnavailable ? error.kind : 'unreachable'
    if (kind === 'notStarted') return NEVER_STARTED
    if (kind === 'gone') return REMOVED
    if (kind !== 'unreachable') {
      this.#unreachableSince = null
      return null
    }
    this.#unreachableSince ??= clock.now()
    return clock.now() - this.#unreachableSince >= giveUpMs ? 'its node could not be reached' : null
  }

  /** Nothing more can be read: says so, unless the container never said a word. */
  async #sayMissing(place: LogPlace | null, why: string, next: LogPlace | null = null): Promise<void> {
    if (why === NEVER_STARTED && place === null) return
    await this.#sink.write(next === null ? restMissing(place, why) : gapLine(place, next.at))
    this.#host.trouble(this.#ref, why, why === ROTATED ? 'LOG_GAP' : 'LOG_LOST')
  }

  /** False when the signal came first. */
  #wait(ms: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false)
    return new Promise(resolve => {
      const stop = (): void => {
        callOff()
        resolve(false)
      }
      const callOff = this.#host.clock.after(ms, () => {
        signal.removeEventListener('abort', stop)
        resolve(true)
      })
      signal.addEventListener('abort', stop, { once: true })
    })
  }
}

const retryMs = (failures: number): number => Math.min(RETRY_MS * 2 ** (failures - 1), RETRY_MS_MAX)

const ROTATED = 'the node had rotated its file away'
const NEVER_STARTED = 'the container was not there any more'
/** Of a container that nobody will find any more. */
export const REMOVED = 'the container had been removed from its node before it was read'
