import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { openPodExecutor, type PodExecutor } from '../../src/executors/pod/executor.ts'
import type { PodLogs } from '../../src/executors/pod/cluster-logs.ts'
import type { LoggedPod } from '../../src/executors/pod/logged-pod.ts'
import { containerName, podName } from '../../src/executors/pod/names.ts'
import type { AttemptRef, AttemptSpec, Observation } from '../../src/ports/executor.ts'
import { attempt, type TaskShape } from '../contracts/executor-harness.ts'
import { ManualClock } from '../model/manual-clock.ts'
import { SmallApi, type Stored } from './small-api.ts'

export const NAMESPACE = 'team'

/** A pod executor over a small API server, with a clock that stands still and logs that end when a test says so. */
export class PodHouse implements AsyncDisposable {
  readonly api: SmallApi
  readonly clock = new ManualClock()
  readonly seen: Observation[] = []
  readonly troubles: string[] = []
  readonly standings = new Map<string, 'live' | 'ended' | 'unknown'>()
  /** Pods of which the logs were asked for, to their end. */
  readonly collected: LoggedPod[] = []
  /** What the logs wait for; null when they are durable at once. */
  logsWait: Promise<void> | null = null
  /** Fences of live attempts, as the database says. */
  erasInUse: ReadonlySet<string> = new Set()
  readonly #opened: PodExecutor[] = []

  private constructor(api: SmallApi) {
    this.api = api
  }

  static async open(): Promise<PodHouse> {
    return new PodHouse(await SmallApi.open())
  }

  async executor(closing?: AbortSignal): Promise<PodExecutor> {
    const executor = await openPodExecutor({
      client: this.api.client,
      installation: 'here',
      namespaces: [NAMESPACE],
      observe: observation => this.seen.push(observation),
      clock: this.clock.for('engine'),
      logs: this.#logs(),
      erasInUse: async () => this.erasInUse,
      standing: async ref => this.standings.get(ref.task) ?? 'live',
      stopGraceMs: 30_000,
      trouble: (code, message) => this.troubles.push(`${code} ${message}`),
      ...(closing === undefined ? {} : { closing }),
    })
    this.#opened.push(executor)
    return executor
  }

  task(shape: TaskShape = {}): AttemptSpec {
    return attempt({ image: 'busybox', workdir: '/', namespace: NAMESPACE }, shape)
  }

  pod(ref: AttemptRef): Stored | undefined {
    return this.api.get(NAMESPACE, 'pods', podName(ref))
  }

  /** What its kubelet says of the task's container and, in one word, of the pod. */
  kubelet(ref: AttemptRef, state: object, phase = 'Running'): void {
    const containerStatuses = [{ name: containerName(ref.task), state, containerID: 'containerd://1' }]
    this.api.put(NAMESPACE, 'pods', podName(ref), { status: { phase, containerStatuses } })
  }

  said(ref: AttemptRef): readonly string[] {
    return this.seen
      .filter(({ ref: { task } }) => task === ref.task)
      .map(one =>
        one.kind === 'ended' ? one.outcome.reason : one.kind === 'pending' ? one.reason : one.kind,
      )
  }

  until(what: string, is: () => boolean): Promise<void> {
    return eventually(what, is, () => `${JSON.stringify(this.seen)}, ${this.troubles.join('; ')}`)
  }

  /** Lets so much time pass, and what it brings about be done. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; ) {
      const { passed, called } = this.clock.next(left)
      left -= passed
      if (called) await delay(2)
    }
    await delay(5)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const executor of this.#opened) await executor.close()
    await this.api[Symbol.asyncDispose]()
  }

  #logs(): PodLogs {
    const closing = Promise.withResolvers<never>()
    closing.promise.catch(() => undefined)
    return {
      running: () => undefined,
      ended: async pod => {
        this.collected.push(pod)
        await Promise.race([this.logsWait, closing.promise])
      },
      isComplete: async () => false,
      leftovers: async () => [],
      lost: async () => undefined,
      forget: async () => undefined,
      close: async () => closing.reject(new Error('the logs are closed')),
    }
  }
}

export async function eventually(what: string, is: () => boolean, seen = () => ''): Promise<void> {
  for (let tries = 0; !is(); tries += 1) {
    assert.ok(tries < 5_000, `${what}: ${seen()}`)
    await delay(1)
  }
}

export const RUNS = { running: { startedAt: '2026-01-01T00:00:00Z' } }
export const ENDED = {
  terminated: {
    exitCode: 0,
    reason: 'Completed',
    startedAt: '2026-01-01T00:00:00Z',
    finishedAt: '2026-01-01T00:00:01Z',
  },
}
