import type { ContainerWork } from '../../core/dag/dag.ts'
import type { Client } from '../../kubernetes/client.ts'
import type { Remembered } from '../../kubernetes/known.ts'
import type { ApiProblem } from '../../kubernetes/problem.ts'
import { type Reflector, startReflector, type View } from '../../kubernetes/reflector.ts'
import { PODS } from '../../kubernetes/resource.ts'
import type { Clock } from '../../ports/clock.ts'
import type {
  AttemptRef,
  AttemptSpec,
  Executor,
  Intended,
  Observation,
  Observe,
} from '../../ports/executor.ts'
import { mayBeSentAgain, PodAttempt } from './attempt.ts'
import { Cluster, placeOf } from './cluster.ts'
import type { PodLogs } from './cluster-logs.ts'
import { type EventFeed, startEventFeed } from './event-feed.ts'
import { Evidence } from './evidence.ts'
import { FENCE_LIMITS, type FenceLimits, Fences } from './fences.ts'
import { ignoredOf } from './ignored.ts'
import { begunOf, endedOf, type LoggedPod, loggedPod, othersOf } from './logged-pod.ts'
import { installationSelector, podName, refOfPod } from './names.ts'
import { hasEnded } from './outcome.ts'
import { isOver, type Pod } from './pod.ts'
import { type Kept, keptOf, Sweeper } from './sweeper.ts'

export interface PodExecutorOptions {
  readonly client: Client
  /** Which installation this is: pods of others are never looked at. */
  readonly installation: string
  /** Where tasks run; null for every namespace. */
  readonly namespaces: readonly string[] | null
  readonly observe: Observe
  readonly clock: Clock
  readonly logs: PodLogs
  /** Fences (eras) of attempts that have not ended, as the database says; null when it cannot be told now. */
  readonly erasInUse: () => Promise<ReadonlySet<string> | null>
  /** Whether the database holds this attempt, and how it stands there. */
  readonly standing: (ref: AttemptRef) => Promise<'live' | 'ended' | 'unknown'>
  readonly fences?: Partial<FenceLimits>
  /** Time between TERM and KILL that pods are given, in milliseconds. */
  readonly stopGraceMs: number
  readonly trouble?: (code: string, message: string, run: string | null) => void
  /** Ends the wait of an open for what is there, which lasts as long as the API server is away. */
  readonly closing?: AbortSignal
}

export interface PodExecutor extends Executor {
  /** How fresh what is known of the pods is. */
  views(): readonly View[]
}

/**
 * Runs attempts as pods, each started at most once by way of a shared fence (`docs/adr/0011-pod-start.md`). Resolves
 * when it has seen what is there.
 *
 * @throws {ApiProblem} The cluster refuses what is asked for, so that nothing here could work.
 * @throws What `closing` was aborted with.
 */
export async function openPodExecutor(options: PodExecutorOptions): Promise<PodExecutor> {
  const executor = new RunningExecutor(options)
  try {
    await executor.open()
    return executor
  } catch (error) {
    await executor.close()
    throw error
  }
}

class RunningExecutor implements PodExecutor {
  readonly name = 'pod'
  readonly byReference = true
  readonly #options: PodExecutorOptions
  readonly #fences: Fences
  readonly #cluster: Cluster
  readonly #attempts = new Map<string, PodAttempt>()
  /** The same, by namespace and name of their pods. */
  readonly #byPod = new Map<string, PodAttempt>()
  readonly #reflectors: Reflector<Kept>[]
  readonly #evidence: Evidence
  #feed: EventFeed | null = null
  #sweeper: Sweeper | null = null
  #awaySince: number | null = null
  #closed = false

  constructor(options: PodExecutorOptions) {
    const { client, installation, clock, namespaces, erasInUse } = options
    this.#options = options
    this.#fences = new Fences({
      client,
      installation,
      clock,
      namespaces,
      limits: { ...FENCE_LIMITS, ...options.fences },
      inUse: erasInUse,
      isBusy: fence => this.#isBusy(fence),
      ofPods: () => this.#sweeper?.fences() ?? new Map(),
      trouble: message => options.trouble?.('CLUSTER_TROUBLE', message, null),
    })
    this.#cluster = new Cluster({
      client,
      clock,
      installation,
      fences: this.#fences,
      stopGraceMs: options.stopGraceMs,
    })
    this.#reflectors = []
    this.#evidence = new Evidence({
      clock,
      isMine: ref => this.#attempts.has(keyOf(ref)),
      standing: options.standing,
      isLogDurable: pod => options.logs.isComplete(pod),
      drop: pod => this.#cluster.dropFinalizer(pod),
      trouble: message => options.trouble?.('CLUSTER_TROUBLE', message, null),
    })
  }

  get era(): string {
    return this.#fences.current
  }

  prepare(era: string, namespace: string): Promise<void> | null {
    return this.#fences.prepare(era, namespace)
  }

  async open(): Promise<void> {
    await this.#fences.open()
    const { client, clock, installation, namespaces, closing } = this.#options
    for (const namespace of namespaces ?? [undefined])
      this.#reflectors.push(
        startReflector<Kept>({
          client,
          resource: PODS,
          ...(namespace === undefined ? {} : { namespace }),
          labelSelector: installationSelector(installation),
          keep: pod => keptOf(pod, installation, clock.now()),
          listener: {
            changed: pod => this.#seen(pod as Pod),
            deleted: (last, pod) => this.#deleted(last, pod as Pod | null),
            trouble: error => this.#options.trouble?.('CLUSTER_TROUBLE', String(error), null),
          },
        }),
      )
    this.#feed = startEventFeed({
      client,
      namespaces,
      heard: ({ namespace, name, uid }, event) => this.#byPod.get(`${namespace}/${name}`)?.told(uid, event),
      trouble: message => this.#options.trouble?.('CLUSTER_TROUBLE', message, null),
    })
    const synced = Promise.all(this.#reflectors.map(reflector => reflector.synced))
    await (closing === undefined ? synced : Promise.race([synced, aborted(closing)]))
    this.#sweeper = new Sweeper({
      clock,
      logs: this.#options.logs,
      reflectors: this.#reflectors,
      isMine: ref => this.#attempts.has(keyOf(ref)),
      standing: this.#options.standing,
      remove: pod => this.#cluster.remove(pod),
      settle: pod => this.#cluster.settle(pod),
      trouble: (code, message, run) => this.#options.trouble?.(code, message, run),
    })
  }

  views(): readonly View[] {
    return this.#reflectors.map((reflector, index) => {
      const namespace = this.#options.namespaces?.[index]
      return {
        name: namespace === undefined ? 'pods' : `pods of ${namespace}`,
        state: () => reflector.state(),
      }
    })
  }

  ignores(work: ContainerWork): readonly string[] {
    return ignoredOf(work)
  }

  start(spec: AttemptSpec): void {
    this.#attempt(spec, false).start(spec)
  }

  async adopt(ref: Intended): Promise<boolean> {
    const known = this.#attempts.get(keyOf(ref))
    if (known !== undefined) {
      known.adopt(null, ref)
      return true
    }
    // Known before the server is asked, so that nothing which the watch tells meanwhile is missed.
    const attempt = this.#attempt(ref, true)
    try {
      // The watch may lag behind an engine that has just died: only the server knows.
      const pod = await this.#cluster.find(ref)
      if (pod !== null || !attempt.isIdle || !mayBeSentAgain(ref, this.#options.clock.now())) {
        attempt.adopt(pod, ref)
        return true
      }
    } catch (error) {
      if (attempt.isIdle) this.#drop(attempt)
      throw error
    }
    this.#drop(attempt)
    return false
  }

  stop(ref: Intended, graceMs: number): void {
    this.#attempt(ref, true).stop(graceMs)
  }

  /** The pod stays as a tombstone until its fence is closed; that waits for its log, too. */
  release(ref: AttemptRef): void {
    const attempt = this.#attempts.get(keyOf(ref))
    if (attempt === undefined) return
    this.#drop(attempt)
    // Given up before its task began: now that this is durable, it may not begin any more.
    const pod = attempt.endedPod
    if (pod !== null && !isOver(pod) && !hasEnded(pod)) this.#flight(this.#cluster.settle(placeOf(pod)))
  }

  async endRun(run: string, options: { readonly removeWorkspace: boolean }): Promise<void> {
    if (options.removeWorkspace)
      await this.#cluster.removeWorkspace(run, this.#options.namespaces ?? [undefined])
    this.#cluster.forget(run)
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#reflectors.map(reflector => reflector.stop()))
    await Promise.all([this.#feed?.close(), this.#evidence.close(), this.#fences.close()])
    const busy = [...this.#attempts.values()].map(attempt => attempt.close())
    this.#attempts.clear()
    await Promise.all(busy)
    await this.#sweeper?.close()
  }

  #attempt(ref: Intended, found: boolean): PodAttempt {
    if (this.#closed) throw new Error('the pod executor is closed')
    const key = keyOf(ref)
    const known = this.#attempts.get(key)
    if (known !== undefined) return known
    const attempt = new PodAttempt(
      {
        cluster: this.#cluster,
        clock: this.#options.clock,
        report: observation => this.#report(observation),
        logs: (of, pod, running) => this.#takeLogs(of.ref, pod, running, found),
        trouble: (message, run) => this.#options.trouble?.('CLUSTER_TROUBLE', message, run),
        reached: problem => this.#reached(problem),
      },
      ref,
    )
    this.#attempts.set(key, attempt)
    this.#byPod.set(podKey(ref), attempt)
    return attempt
  }

  #drop(attempt: PodAttempt): void {
    void attempt.close()
    if (this.#attempts.get(keyOf(attempt.ref)) !== attempt) return
    this.#attempts.delete(keyOf(attempt.ref))
    this.#byPod.delete(podKey(attempt.ref))
  }

  #report(observation: Observation): void {
    if (!this.#closed) this.#options.observe(observation)
  }

  #seen(pod: Pod): void {
    const ref = refOfPod(pod, this.#options.installation)
    this.#evidence.seen(pod, ref)
    const attempt = ref === null ? undefined : this.#attempts.get(keyOf(ref))
    if (ref === null || attempt === undefined) return
    attempt.seen(pod)
    // Init containers may have much to say before the task begins, and sidecars may begin after it.
    const begun = begunOf(pod, ref)
    if (begun.length > 0 && !attempt.isOver && !isOver(pod))
      this.#follow({ ...loggedPod(pod, ref, begun), ownWaits: true }, false)
  }

  #deleted(last: Remembered<Kept>, pod: Pod | null): void {
    this.#evidence.forget(last.uid)
    const { ref } = last.kept
    const attempt = ref === null ? undefined : this.#attempts.get(keyOf(ref))
    if (ref !== null && attempt === undefined) this.#sweeper?.gone(ref, last.uid)
    this.#sweeper?.forget(last.uid)
    if (pod === null) attempt?.vanished(last.uid)
    else attempt?.removed(pod)
  }

  /** @param found  Whether the pod was there before this engine looked after it. */
  #takeLogs(ref: AttemptRef, pod: Pod, running: boolean, found: boolean): void {
    if (running) {
      if (!isOver(pod)) this.#follow(loggedPod(pod, ref, begunOf(pod, ref)), found)
      return
    }
    this.#flight(this.#collect(ref, pod))
  }

  #follow(pod: LoggedPod, found: boolean): void {
    if (this.#sweeper?.takes(pod.uid) !== true) this.#options.logs.running(pod, found)
  }

  /** What a sidecar says until it is made to end is collected once the pod is over. */
  async #collect(ref: AttemptRef, pod: Pod): Promise<void> {
    const ended = endedOf(pod, ref)
    const whole = ended.length === othersOf(pod, ref).length
    const durable = (await this.#sweeper?.collect(loggedPod(pod, ref, ended), whole)) ?? false
    // One that was given up is told when that is durable: its end would look like another.
    if (durable && !isOver(pod) && hasEnded(pod)) await this.#cluster.settle(placeOf(pod))
  }

  #isBusy(fence: string): boolean {
    for (const attempt of this.#attempts.values()) if (attempt.fence === fence) return true
    return this.#sweeper?.holds(fence) ?? true
  }

  #flight(work: Promise<void>): void {
    work.catch((error: unknown) => this.#options.trouble?.('CLUSTER_TROUBLE', String(error), null))
  }

  #reached(problem: ApiProblem | null): void {
    const { clock, trouble } = this.#options
    if (problem !== null && this.#awaySince === null) {
      this.#awaySince = clock.now()
      trouble?.(
        'CLUSTER_AWAY',
        `the cluster does not do what it is asked: ${problem.message}; runs go on by themselves`,
        null,
      )
    } else if (problem === null && this.#awaySince !== null) {
      const seconds = Math.round((clock.now() - this.#awaySince) / 1000)
      this.#awaySince = null
      trouble?.('CLUSTER_BACK', `the cluster is back after ${seconds} s`, null)
    }
  }
}

const podKey = (ref: Intended): string => `${ref.namespace}/${podName(ref)}`
const keyOf = ({ run, task, attempt }: AttemptRef): string => `${run}/${task}/${attempt}`

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const give = (): void => reject(signal.reason as Error)
    if (signal.aborted) give()
    else signal.addEventListener('abort', give, { once: true })
  })
}
