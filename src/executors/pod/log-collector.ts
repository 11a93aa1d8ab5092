import type { Clock } from '../../ports/clock.ts'
import type { AttemptRef } from '../../ports/executor.ts'
import { type LogRef, type LogStore, LogStoreFull } from '../../ports/logs.ts'
import { type CollectorHost, ContainerLog, REMOVED } from './container-log.ts'
import { restMissing } from './log-gaps.ts'
import { LOG_LIMITS, type LogLimits } from './log-plan.ts'
import { LogSink } from './log-sink.ts'
import { LogSlots } from './log-slots.ts'
import type { ContainerLogSource } from './log-source.ts'
import type { LoggedPod } from './logged-pod.ts'

/** Something that people should know; collecting goes on. */
export interface LogTrouble {
  /** `LOG_DISK_FULL`, `LOG_GAP`, `LOG_LOST`, `LOG_CUT`, `LOG_DELAYED`. */
  readonly code: string
  readonly log: LogRef
  readonly message: string
}

export interface LogCollectorOptions {
  readonly source: ContainerLogSource
  readonly store: LogStore
  readonly clock: Clock
  /** From 0 to 1: spreads what would otherwise come all at once. */
  readonly random: () => number
  readonly trouble?: (trouble: LogTrouble) => void
  /** Streams that are open at once. */
  readonly streamsMax?: number
  /** An ended pod whose log cannot be read is given up after so long; then the log says what is missing. */
  readonly giveUpMs?: number
  /** What is kept of one log at most; then the log says so. */
  readonly bytesMax?: number
  readonly limits?: Partial<LogLimits>
}

export const STREAMS_MAX = 64
export const GIVE_UP_MS = 10 * 60_000
/** A gigabyte is a log that somebody may want; beyond two it is a task that has run wild. */
export const LOG_BYTES_MAX = 2 * 1024 ** 3

/** Copies what containers of pods say to where logs are kept: nothing twice, nothing left out without saying so. */
export interface LogCollector {
  /** The pod runs. May be said again, with containers that were not known before. */
  started(pod: LoggedPod): void
  /** As `started`, for a pod that ran while nobody looked: its log is read soon. */
  adopt(pod: LoggedPod): void
  /**
   * These containers of the pod have ended. Resolves with true once their logs are durable, or say what is missing;
   * with false when the collector was closed, or the pod forgotten, before. Need not have been started here; may be
   * called again.
   */
  ended(pod: LoggedPod): Promise<boolean>
  /** Somebody reads this log: as long as it runs it is followed, until what is returned is called. */
  watch(log: LogRef): () => void
  /** Whether anything of this attempt is looked after. */
  knows(attempt: AttemptRef): boolean
  /**
   * The attempt has ended, and its pod is gone. What was copied of its logs, here or by an earlier engine, says that
   * the rest is missing, and is finished. An attempt without a log gets none.
   */
  lost(attempt: AttemptRef): Promise<void>
  /** Forgets the pods of these attempts without waiting for their logs. Resolves when nothing writes any more. */
  forget(which: (attempt: AttemptRef) => boolean): Promise<void>
  /** Stops. What was copied is kept; the next collector goes on from there. */
  close(): Promise<void>
}

export function createLogCollector(options: LogCollectorOptions): LogCollector {
  return new Collector(options)
}

class Collector implements LogCollector {
  readonly #logs = new Map<string, Map<string, Kept>>()
  readonly #watched = new Map<string, number>()
  readonly #host: CollectorHost
  readonly #closing = new AbortController()
  readonly #lives = new Set<Promise<void>>()
  #running = 0

  constructor(options: LogCollectorOptions) {
    this.#host = {
      source: options.source,
      store: options.store,
      clock: options.clock,
      random: options.random,
      slots: new LogSlots(options.streamsMax ?? STREAMS_MAX, options.clock),
      limits: { ...LOG_LIMITS, ...options.limits },
      giveUpMs: options.giveUpMs ?? GIVE_UP_MS,
      bytesMax: options.bytesMax ?? LOG_BYTES_MAX,
      running: () => this.#running,
      trouble: (log, error, code) => {
        const full = error instanceof LogStoreFull
        options.trouble?.({ code: full ? error.code : code, log, message: String(error) })
      },
    }
  }

  started(pod: LoggedPod): void {
    this.#logsOf(pod, 'new')
  }

  adopt(pod: LoggedPod): void {
    this.#logsOf(pod, 'old')
  }

  async ended(pod: LoggedPod): Promise<boolean> {
    return await this.#end(pod.attempt, this.#logsOf(pod, 'ended'))
  }

  watch(log: LogRef): () => void {
    const key = `${keyOf(log)} ${log.container ?? ''}`
    const change = (by: number): void => {
      const count = (this.#watched.get(key) ?? 0) + by
      if (count > 0) this.#watched.set(key, count)
      else this.#watched.delete(key)
      this.#logs
        .get(keyOf(log))
        ?.get(log.container ?? '')
        ?.log.watch(count > 0)
    }
    change(1)
    let over = false
    return () => {
      if (!over) change(-1)
      over = true
    }
  }

  knows(attempt: AttemptRef): boolean {
    return this.#logs.has(keyOf(attempt))
  }

  async lost(attempt: AttemptRef): Promise<void> {
    const known = this.#logs.get(keyOf(attempt))
    if (known !== undefined) {
      await this.#end(attempt, [...known.values()])
      return
    }
    const { run, task, attempt: number } = attempt
    const ref: LogRef = { run, task, attempt: number }
    const others = await this.#host.store.containers(ref)
    for (const log of [ref, ...others.map(container => ({ ...ref, container }))]) await this.#finishLost(log)
  }

  async forget(which: (attempt: AttemptRef) => boolean): Promise<void> {
    const lives: Promise<void>[] = []
    for (const [key, known] of this.#logs) {
      const [first] = known.values()
      if (first === undefined || !which(first.attempt)) continue
      this.#logs.delete(key)
      for (const { log, life } of known.values()) {
        log.forget()
        lives.push(life)
      }
    }
    await Promise.all(lives)
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all(this.#lives)
    this.#logs.clear()
  }

  async #end(attempt: AttemptRef, logs: readonly Kept[]): Promise<boolean> {
    const durable = await Promise.all(logs.map(({ log }) => log.end()))
    if (!durable.every(Boolean)) return false
    const known = this.#logs.get(keyOf(attempt))
    for (const one of logs) if (known?.get(one.name) === one) known.delete(one.name)
    if (known?.size === 0) this.#logs.delete(keyOf(attempt))
    return true
  }

  async #finishLost(log: LogRef): Promise<void> {
    const { store } = this.#host
    if ((await store.size(log)) === null || (await store.isComplete(log))) return
    const sink = new LogSink(store, log)
    try {
      const { place, ended } = await sink.cursor()
      if (!ended) {
        await sink.write(restMissing(place, REMOVED))
        this.#host.trouble(log, REMOVED, 'LOG_LOST')
      }
      await sink.finish(place)
    } finally {
      await sink.close()
    }
  }

  /** The pod's logs; those that were not known before begin to be looked after. */
  #logsOf(pod: LoggedPod, state: 'new' | 'old' | 'ended'): Kept[] {
    const key = keyOf(pod.attempt)
    const known = this.#logs.get(key) ?? new Map<string, Kept>()
    this.#logs.set(key, known)
    const containers = [...(pod.ownWaits === true ? [] : [pod.own]), ...pod.others]
    for (const container of containers) {
      const name = container === pod.own ? '' : container
      if (known.has(name)) continue
      const { run, task, attempt } = pod.attempt
      const ref: LogRef = { run, task, attempt, ...(name === '' ? {} : { container: name }) }
      const place = { namespace: pod.namespace, pod: pod.pod, uid: pod.uid, container }
      const log = new ContainerLog(this.#host, ref, place, state, pod.began?.[container] ?? null)
      log.watch(this.#watched.has(`${key} ${name}`))
      known.set(name, { attempt: pod.attempt, name, log, life: this.#live(log) })
    }
    return containers.flatMap(name => known.get(name === pod.own ? '' : name) ?? [])
  }

  #live(log: ContainerLog): Promise<void> {
    this.#running += 1
    const life = log.live(this.#closing.signal).finally(() => {
      this.#running -= 1
      this.#lives.delete(life)
    })
    this.#lives.add(life)
    return life
  }
}

interface Kept {
  readonly attempt: AttemptRef
  /** Of the container; empty for the task's own. */
  readonly name: string
  readonly log: ContainerLog
  readonly life: Promise<void>
}

const keyOf = ({ run, task, attempt }: AttemptRef): string => JSON.stringify([run, task, attempt])
