import { setImmediate } from 'node:timers/promises'
import {
  createLogCollector,
  type LogCollector,
  type LogTrouble,
} from '../../src/executors/pod/log-collector.ts'
import type { LoggedPod } from '../../src/executors/pod/logged-pod.ts'
import type { LogLimits } from '../../src/executors/pod/log-plan.ts'
import type { ContainerLogSource } from '../../src/executors/pod/log-source.ts'
import { MemoryLogStore } from '../contracts/memory-log-store.ts'
import { ManualClock } from '../model/manual-clock.ts'
import { ScriptedKubelet } from './scripted-kubelet.ts'

export interface LogHouseOptions {
  readonly streamsMax?: number
  readonly giveUpMs?: number
  readonly bytesMax?: number
  readonly limits?: Partial<LogLimits>
}

/** A collector with scripted kubelets, a store in memory and a clock that stands still. */
export class LogHouse {
  readonly clock = new ManualClock()
  readonly troubles: LogTrouble[] = []
  readonly #kubelets = new Map<string, ScriptedKubelet>()
  readonly #options: LogHouseOptions
  #engine = 0
  #open = 0
  /** Streams that were open at once, at most, of all pods together. */
  openMost = 0
  store = new MemoryLogStore()
  collector: LogCollector

  constructor(options: LogHouseOptions = {}) {
    this.#options = options
    this.collector = this.#start()
  }

  kubelet(pod = 'pod', container = 'main'): ScriptedKubelet {
    const key = `${pod}/${container}`
    const kubelet = this.#kubelets.get(key) ?? new ScriptedKubelet()
    this.#kubelets.set(key, kubelet)
    return kubelet
  }

  /** Nanoseconds now, for the times of lines. */
  get nanos(): bigint {
    return BigInt(this.clock.now()) * 1_000_000n
  }

  get requests(): number {
    return [...this.#kubelets.values()].reduce((sum, { requests }) => sum + requests.length, 0)
  }

  /** The engine is killed; the next one starts. What it knows is what the store kept. */
  kill(): void {
    this.clock.kill(`engine ${this.#engine}`)
    const dead = this.collector
    this.store = this.store.kill()
    void dead.close()
    this.#engine += 1
    this.collector = this.#start()
  }

  /** Lets time pass, and everything that is due happen. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; ; ) {
      await setImmediate()
      const { passed, called } = this.clock.next(left)
      left -= passed
      if (!called) break
    }
    await setImmediate()
  }

  /** The promise, while time passes. */
  async until<T>(promise: Promise<T>, mostMs = 3_600_000): Promise<T> {
    const state = { over: false }
    const over = (): void => {
      state.over = true
    }
    promise.then(over, over)
    for (let left = mostMs; ; ) {
      await setImmediate()
      if (state.over) return await promise
      const { passed, called } = this.clock.next(left)
      left -= passed
      if (!called && left <= 0) throw new Error(`nothing happened for ${mostMs} ms`)
    }
  }

  log(pod = 'pod', container?: string): string {
    return this.bytes(pod, container).toString()
  }

  bytes(pod = 'pod', container?: string): Buffer {
    const kept = this.store.peek({
      ...podLogs(pod).attempt,
      ...(container === undefined ? {} : { container }),
    })
    return kept ?? Buffer.from('(no log)')
  }

  #start(): LogCollector {
    const source: ContainerLogSource = {
      open: async (request, signal) => {
        const stream = await this.kubelet(request.pod, request.container).open(request, signal)
        const opened = (by: number): void => {
          this.#open += by
          this.openMost = Math.max(this.openMost, this.#open)
        }
        return (async function* () {
          opened(1)
          try {
            yield* stream
          } finally {
            opened(-1)
          }
        })()
      },
    }
    return createLogCollector({
      source,
      store: this.store,
      clock: this.clock.for(`engine ${this.#engine}`),
      random: () => 0.5,
      trouble: trouble => this.troubles.push(trouble),
      ...this.#options,
    })
  }
}

export const podLogs = (pod = 'pod', others: readonly string[] = []): LoggedPod => ({
  attempt: { run: 'run', task: pod, attempt: 1 },
  namespace: 'ns',
  pod,
  uid: `uid-${pod}`,
  own: 'main',
  others,
})
