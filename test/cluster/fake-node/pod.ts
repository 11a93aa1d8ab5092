import { setTimeout as delay } from 'node:timers/promises'
import { DEADLINE, OWN_DOING, TARGET, target } from './disruption.ts'
import { type ContainerLife, type Disruption, type Life, lifeOfContainer } from './life.ts'
import {
  type FakeContainer,
  type FakePodObject,
  type Needed,
  neededByVariables,
  neededByVolumes,
} from './pod-object.ts'
import { type ContainerStage, ended, isSidecar, phaseOf, type StatusFacts, statusPatch } from './status.ts'

/** What a pod's life needs of its node. */
export interface PodSurroundings {
  readonly hostIP: string
  /** RFC 3339. */
  now(): string
  isThere(namespace: string, needed: Needed): boolean
  bind(pod: FakePodObject): Promise<void>
  writeStatus(pod: FakePodObject, patch: object): Promise<void>
  warn(pod: FakePodObject, reason: string, message: string): Promise<void>
  /** `graceSeconds` null: the pod's own. */
  remove(pod: FakePodObject, graceSeconds: number | null): Promise<void>
  evict(pod: FakePodObject): Promise<void>
}

/** An object that was made just before the pod may be heard of a little later than the pod. */
const HEARSAY_MS = 250
const GRACE_SECONDS = 30
const KILLED = 137
const TERMINATED = 143

/** Why the ordinary course of a life is broken off. */
type Break = 'deleted' | 'deadline' | 'evicted' | 'shutdown' | 'gone'

/** One pod from its first sight to its end. */
export class FakePod {
  readonly life: Life
  readonly #node: PodSurroundings
  readonly #broken = new AbortController()
  readonly #stages = new Map<string, ContainerStage>()
  #pod: FakePodObject
  #break: Break | null = null
  #placed: { readonly at: string; readonly ms: number } | null = null
  #isOver = false
  #deadline: NodeJS.Timeout | undefined
  #disruption: NodeJS.Timeout | undefined
  #wake: () => void = () => undefined

  constructor(pod: FakePodObject, life: Life, node: PodSurroundings) {
    this.#pod = pod
    this.life = life
    this.#node = node
  }

  get object(): FakePodObject {
    return this.#pod
  }

  stageOf(container: string): ContainerStage | undefined {
    return this.#stages.get(container)
  }

  /** It will say nothing more. */
  isSilent(container: string): boolean {
    return this.#isOver || this.#break === 'gone' || this.#stages.get(container)?.kind === 'terminated'
  }

  /** The pod is other than it was. */
  seen(pod: FakePodObject): void {
    this.#pod = pod
    if (pod.metadata.deletionTimestamp !== undefined) this.#breakOff('deleted')
    this.#watchDeadline()
    this.#wake()
  }

  /** Something that it may wait for is there. */
  look(): void {
    this.#wake()
  }

  /** The object is no more, or the node ends. */
  gone(): void {
    this.#breakOff('gone')
  }

  async run(): Promise<void> {
    try {
      await this.#course()
    } catch (error) {
      if (!this.#broken.signal.aborted) throw error
    } finally {
      clearTimeout(this.#disruption)
    }
    if (this.#break !== null && this.#break !== 'gone') await this.#stop(this.#break)
    clearTimeout(this.#deadline)
  }

  async #course(): Promise<void> {
    await this.#place()
    await this.#mount()
    const { startMs = 0 } = this.life
    if (startMs > 0) {
      await this.#write()
      await this.#pause(startMs)
    }
    if (await this.#initialize()) await this.#work()
  }

  /** Comes to stand on the node. */
  async #place(): Promise<void> {
    const { unschedulable: message, bindMs = 0 } = this.life
    await this.#until(() => (this.#pod.spec.schedulingGates ?? []).length === 0)
    if (message !== undefined) {
      const why = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }
      await this.#note({ conditions: [why] })
      await this.#node.warn(this.#pod, 'FailedScheduling', message)
      await this.#pause(null)
    }
    if (this.#pod.spec.nodeName === undefined) {
      await this.#pause(bindMs)
      await this.#node.bind(this.#pod)
    }
    this.#placed = { at: this.#pod.status?.startTime ?? this.#node.now(), ms: performance.now() }
    this.#watchDeadline()
  }

  async #mount(): Promise<void> {
    const missing = (): Needed | undefined => this.#missing(neededByVolumes(this.#pod))
    await this.#until(() => missing() === undefined, HEARSAY_MS)
    const lacks = missing()
    if (lacks === undefined) return
    await this.#write()
    const text = `MountVolume.SetUp failed for volume: ${lacks.kind} "${lacks.name}" not found`
    await this.#node.warn(this.#pod, 'FailedMount', text)
    await this.#until(() => missing() === undefined)
  }

  #missing(all: readonly Needed[]): Needed | undefined {
    const { namespace = '' } = this.#pod.metadata
    return all.find(one => !this.#node.isThere(namespace, one))
  }

  /** @returns Whether the containers' turn has come. */
  async #initialize(): Promise<boolean> {
    for (const container of this.#pod.spec.initContainers ?? []) {
      const life = this.#lifeOf(container)
      await this.#begin(container, life)
      if (isSidecar(container)) continue
      const { runMs = 0 } = life
      if (runMs !== 0) await this.#write()
      await this.#pause(runMs)
      this.#end(container, life)
      if (phaseOf(this.#pod, this.#stages) !== 'Failed') continue
      await this.#write()
      return false
    }
    return true
  }

  async #work(): Promise<void> {
    const { containers, initContainers = [] } = this.#pod.spec
    for (const container of containers) await this.#begin(container, this.#lifeOf(container))
    const begun = performance.now()
    this.#planDisruption()
    const runMsOf = (container: FakeContainer): number | null => {
      const { runMs = 0 } = this.#lifeOf(container)
      return runMs
    }
    const ends = [...new Set(containers.map(runMsOf).filter(ms => ms !== null))].toSorted((a, b) => a - b)
    if (ends[0] !== 0) await this.#write()
    for (const at of ends) {
      await this.#pause(at - (performance.now() - begun))
      for (const container of containers)
        if (runMsOf(container) === at) this.#end(container, this.#lifeOf(container))
      if (containers.every(({ name }) => this.#stages.get(name)?.kind === 'terminated'))
        for (const sidecar of initContainers.filter(isSidecar)) this.#end(sidecar, this.#lifeOf(sidecar))
      await this.#write()
    }
    if (!this.#isOver) await this.#pause(null)
  }

  /** Starts a container, or waits for ever because it cannot be. */
  async #begin(container: FakeContainer, life: ContainerLife): Promise<void> {
    const missing = (): Needed | undefined => this.#missing(neededByVariables(container))
    await this.#until(() => missing() === undefined, HEARSAY_MS)
    const lacks = missing()
    if (lacks !== undefined) {
      await this.#holdBack(container, 'CreateContainerConfigError', `${lacks.kind} "${lacks.name}" not found`)
      await this.#until(() => missing() === undefined)
    }
    if (life.waiting !== undefined) {
      const { reason, message = `${container.image}: ${reason}` } = life.waiting
      await this.#holdBack(container, reason, message)
      await this.#pause(null)
    }
    this.#stages.set(container.name, { kind: 'running', startedAt: this.#node.now() })
  }

  async #holdBack({ name }: FakeContainer, reason: string, message: string): Promise<void> {
    this.#stages.set(name, { kind: 'waiting', reason, message })
    await this.#write()
    await this.#node.warn(this.#pod, 'Failed', message)
  }

  #end({ name }: FakeContainer, life: ContainerLife): void {
    const stage = this.#stages.get(name)
    if (stage?.kind === 'running') this.#stages.set(name, ended(life, stage.startedAt, this.#node.now()))
  }

  #lifeOf({ name }: FakeContainer): ContainerLife {
    return lifeOfContainer(this.#pod, this.life, name)
  }

  #planDisruption(): void {
    const { disrupted } = this.life
    if (disrupted === undefined) return
    this.#disruption = setTimeout(() => void this.#disrupt(disrupted.by), disrupted.afterMs ?? 0)
  }

  async #disrupt(by: Disruption): Promise<void> {
    if (this.#break !== null || this.#isOver) return
    if (by === 'evicted' || by === 'shutdown') return this.#breakOff(by)
    if (by === 'drained') return await this.#node.evict(this.#pod)
    const mark = TARGET[by]
    const phase = by === 'nodeGone' ? { phase: 'Failed' } : {}
    if (mark !== null)
      await this.#note({ ...phase, conditions: [{ ...mark, lastTransitionTime: this.#node.now() }] })
    await this.#node.remove(this.#pod, by === 'nodeGone' ? 0 : null)
  }

  /** It is to end: its containers do so in their own time, and then that is said. */
  async #stop(why: Exclude<Break, 'gone'>): Promise<void> {
    const { stopMs = 0, disrupted } = this.life
    const isSilent = disrupted?.by === 'nodeLost' || disrupted?.by === 'nodeGone'
    if (this.#placed === null || this.#isOver || isSilent || stopMs === null) return
    const { deletionGracePeriodSeconds = GRACE_SECONDS } = this.#pod.metadata
    const isOwn = why === 'evicted' || why === 'shutdown'
    const graceMs = isOwn ? 0 : deletionGracePeriodSeconds * 1_000
    await delay(Math.min(stopMs, graceMs))
    this.#cut(stopMs < graceMs ? TERMINATED : KILLED)
    const own = isOwn ? OWN_DOING[why] : null
    const said = own ?? (why === 'deadline' ? DEADLINE : {})
    const mark = own === null ? {} : { conditions: [target('TerminationByKubelet', own.message)] }
    await this.#write({ phase: 'Failed', ...said, ...mark })
    if (this.#pod.metadata.deletionTimestamp !== undefined) await this.#node.remove(this.#pod, 0)
  }

  #cut(exitCode: number): void {
    const now = this.#node.now()
    for (const container of [...(this.#pod.spec.initContainers ?? []), ...this.#pod.spec.containers]) {
      const stage = this.#stages.get(container.name)
      if (stage?.kind === 'running') this.#end(container, { exitCode })
      if (stage === undefined || stage.kind === 'waiting')
        this.#stages.set(container.name, ended(UNKNOWN, now, now))
    }
  }

  async #write(more: Partial<StatusFacts> = {}): Promise<void> {
    const now = this.#node.now()
    const facts = { now, startTime: this.#placed?.at ?? now, hostIP: this.#node.hostIP, ...more }
    const phase = more.phase ?? phaseOf(this.#pod, this.#stages)
    if (phase === 'Succeeded' || phase === 'Failed') this.#isOver = true
    await this.#node.writeStatus(this.#pod, statusPatch(this.#pod, this.#stages, facts))
  }

  /** Writes part of the status, as others than the kubelet do. */
  async #note(status: object): Promise<void> {
    await this.#node.writeStatus(this.#pod, { metadata: { uid: this.#pod.metadata.uid }, status })
  }

  /** A deadline may come, or come nearer, at any time. */
  #watchDeadline(): void {
    const { activeDeadlineSeconds } = this.#pod.spec
    clearTimeout(this.#deadline)
    if (activeDeadlineSeconds === undefined || this.#placed === null || this.#isOver) return
    const leftMs = this.#placed.ms + activeDeadlineSeconds * 1_000 - performance.now()
    this.#deadline = setTimeout(() => this.#breakOff('deadline'), Math.max(0, leftMs))
  }

  #breakOff(why: Break): void {
    // The first reason counts; but an object that is gone ends everything.
    if (this.#break !== null && why !== 'gone') return
    this.#break = why
    this.#broken.abort()
    this.#wake()
  }

  /** @param ms  null: for ever. */
  async #pause(ms: number | null): Promise<void> {
    if (ms === null) return await this.#until(() => false)
    this.#broken.signal.throwIfAborted()
    if (ms > 0) await delay(ms, undefined, { signal: this.#broken.signal })
  }

  /** Waits until it is true, or for so long; throws when the life is broken off. */
  async #until(isTrue: () => boolean, ms?: number): Promise<void> {
    const end = ms === undefined ? null : performance.now() + ms
    for (;;) {
      this.#broken.signal.throwIfAborted()
      if (isTrue() || (end !== null && performance.now() >= end)) return
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      const timer = end === null ? undefined : setTimeout(resolve, end - performance.now())
      await promise
      clearTimeout(timer)
    }
  }
}

/** What a kubelet says of a container that it never made. */
const UNKNOWN: ContainerLife = {
  exitCode: KILLED,
  reason: 'ContainerStatusUnknown',
  message: 'The container could not be located when the pod was terminated',
}
