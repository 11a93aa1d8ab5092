import type { Clock } from '../../ports/clock.ts'
import type { AttemptRef } from '../../ports/executor.ts'
import type { LogRef, LogSpool, LogStore } from '../../ports/logs.ts'
import type { PodLogs } from './cluster-logs.ts'
import type { LogCollector } from './log-collector.ts'
import type { LoggedPod } from './logged-pod.ts'

export interface CollectedLogsOptions {
  readonly collector: LogCollector
  /** Where the collector writes. */
  readonly store: LogStore
  /** Where its logs grow; the store itself when that keeps files. */
  readonly spool: LogSpool
  readonly clock: Clock
  /** Of these logs, none that waits for a store that is away waits on. */
  readonly giveUp: (which: (log: LogRef) => boolean) => void
  /** Ends all that waits for it. */
  readonly stop: () => void
}

export interface CollectedLogs extends PodLogs {
  /** Logs of ended attempts that are not durable yet: how many attempts, and for how long the first of them. */
  waiting(): { readonly items: number; readonly oldestMs: number }
  /** Counts what somebody else makes durable among those. */
  counted<T>(work: () => Promise<T>): Promise<T>
  /** As the collector does it; what waits for a store that is away does not hold it up. */
  forgetAll(which: (attempt: AttemptRef) => boolean): Promise<void>
}

/** The logs of the executor's pods, copied by a collector. */
export function collectedLogs(options: CollectedLogsOptions): CollectedLogs {
  const { collector, store, spool, clock, giveUp, stop } = options
  const waiting = new Set<{ readonly since: number }>()
  const counted = async <T>(work: () => Promise<T>): Promise<T> => {
    const one = { since: clock.now() }
    waiting.add(one)
    try {
      return await work()
    } finally {
      waiting.delete(one)
    }
  }
  const forgetAll = async (which: (attempt: AttemptRef) => boolean): Promise<void> => {
    const forgotten = collector.forget(which)
    giveUp(which)
    await forgotten
  }
  let closed = false
  return {
    running: (pod, found) => (found ? collector.adopt(pod) : collector.started(pod)),
    ended: pod =>
      counted(async () => {
        // False when it was forgotten, too: then nobody waits for it any more.
        if (!(await collector.ended(pod)) && closed) throw new LogsClosed()
      }),
    async isComplete(pod) {
      for (const log of logsOf(pod)) if (!(await store.isComplete(log))) return false
      return true
    },
    async leftovers() {
      const found = new Map<string, AttemptRef>()
      for await (const { log, complete } of spool.list()) {
        const { run, task, attempt } = log
        if (!complete && !collector.knows(log)) found.set(`${run}/${task}/${attempt}`, { run, task, attempt })
      }
      return [...found.values()]
    },
    lost: attempt => counted(() => collector.lost(attempt)),
    async forget({ run, task, attempt }) {
      await forgetAll(one => one.run === run && one.task === task && one.attempt === attempt)
      const ref = { run, task, attempt }
      await spool.discard(ref)
      for (const container of await spool.containers(ref)) await spool.discard({ ...ref, container })
    },
    async close() {
      closed = true
      stop()
      await collector.close()
    },
    // The first that was added is the oldest.
    waiting: () => {
      const [oldest] = waiting
      return { items: waiting.size, oldestMs: oldest === undefined ? 0 : clock.now() - oldest.since }
    },
    counted,
    forgetAll,
  }
}

/** The logs were closed before this one was durable; the next engine goes on with it. */
export class LogsClosed extends Error {
  readonly code = 'LOGS_CLOSED'

  constructor() {
    super('closed before the log was durable')
    this.name = 'LogsClosed'
  }
}

function logsOf({ attempt, others }: LoggedPod): LogRef[] {
  return [attempt, ...others.map(container => ({ ...attempt, container }))]
}
