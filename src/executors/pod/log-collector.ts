import type { Clock } from '../../ports/clock.ts'
import type { AttemptRef } from '../../ports/executor.ts'
import { type LogRef, type LogStore, LogStoreFull } from '../../ports/logs.ts'
import { type CollectorHost, ContainerLog } from './container-log.ts'
import { LOG_LIMITS, type LogLimits } from './log-plan.ts'
import { LogSlots } from './log-slots.ts'
import type { ContainerLogSource } from './log-source.ts'
import type { LoggedPod } from './logged-pod.ts'

/** Something that people should know; collecting goes on. */
export interface LogTrouble {
  /** `LOG_DISK_FULL`, `LOG_GAP`, `LOG_LOST`, `LOG_DELAYED`. */
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
  readonly limits?: Partial<LogLimits>
}

export const STREAMS_MAX = 64
export const GIVE_UP_MS = 10 * 60_000

/** Copies what containers of pods say to where logs are kept: nothing twice, nothing left out without saying so. */
export interface LogCollector {
  /** The pod runs. May be said again, with containers that were not known before. */
  started(pod: LoggedPod): void
  /** As `started`, for a pod that ran while nobody looked: its log is read soon. */
  adopt(pod: LoggedPod): void
  /**
   * The pod's containers have ended. Resolves with true once all of its logs are durable, or say what is missing; with
   * false when the collector was closed before. Need not have been started here; may be called again.
   */
  ended(pod: LoggedPod): Promise<boolean>
  /** Somebody reads this log: as long as it runs it is followed, until what is returned is called. */
  watch(log: LogRef): () => void
  /** Forgets a pod without waiting for its logs: its run was removed. */
  forget(attempt: AttemptRef): void
  /** Stops. What was copied is kept; the next collector goes on from there. */
  close(): Promise<void>
}

export function createLogCollector(options: LogCollectorOptions): LogCollector {
  return new Collector(options)
}

class Collector implements LogCollector {
  readonly #logs = new Map<string, Map<string, ContainerLog>>()
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
    const logs = this.#logsOf(pod, 'ended')
    const durable = await Promise.all(logs.map(log => log.end()))
    if (durable.every(Boolean)) this.#logs.delete(keyOf(pod.attempt))
    return durable.every(Boolean)
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
        ?.watch(count > 0)
    }
    change(1)
    let over = false
    return () => {
      if (!over) change(-1)
      over = true
    }
  }

  forget(attempt: AttemptRef): void {
    for (const log of this.#logs.get(keyOf(attempt))?.values() ?? []) log.forget()
    this.#logs.delete(keyOf(attempt))
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all(this.#lives)
    this.#logs.clear()
  }

  /** The pod's logs; those that were not known before begin to be looked after. */
  #logsOf(pod: LoggedPod, state: 'new' | 'old' | 'ended'): ContainerLog[] {
    const key = keyOf(pod.attempt)
    const known = this.#logs.get(key) ?? new Map<string, ContainerLog>()
    this.#logs.set(key, known)
    for (const container of [pod.own, ...pod.others]) {
      const name = container === pod.own ? '' : container
      if (known.has(name)) continue
      const { run, task, attempt } = pod.attempt
      const ref: LogRef = { run, task, attempt, ...(name === '' ? {} : { container: name }) }
      const place = { namespace: pod.namespace, pod: pod.pod, uid: pod.uid, container }
      const log = new ContainerLog(this.#host, ref, place, state)
      log.watch(this.#watched.has(`${key} ${name}`))
      known.set(name, log)
      this.#live(log)
    }
    return [...known.values()]
  }

  #live(log: ContainerLog): void {
    this.#running += 1
    const life = log.live(this.#closing.signal).finally(() => {
      this.#running -= 1
      this.#lives.delete(life)
    })
    this.#lives.add(life)
  }
}

const keyOf = ({ run, task, attempt }: AttemptRef): string => JSON.stringify([run, task, attempt])
