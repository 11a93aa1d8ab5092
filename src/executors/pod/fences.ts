import { randomBytes } from 'node:crypto'
import type { Client } from '../../kubernetes/client.ts'
import { isProblem } from '../../kubernetes/problem.ts'
import { CONFIG_MAPS, PODS } from '../../kubernetes/resource.ts'
import type { Clock } from '../../ports/clock.ts'
import { fenceLabels, fenceName, fenceOfLabels, installationSelector, KEYS } from './names.ts'

export interface FenceLimits {
  /** Attempts that mount one fence. Each finished one keeps its pod, as a tombstone, until the fence is closed. */
  readonly attemptsMax: number
  /** A fence takes new attempts for so long. */
  readonly ageMaxMs: number
  /** So long at least, though a workspace waits for its end: so that many short runs do not make a fence each. */
  readonly ageMinMs: number
  /** From the last attempt it took until it may be closed: an intent that was under way is durable by then. */
  readonly restMs: number
  /** From the fence's end until its tombstones go: every kubelet has heard of it by then. */
  readonly waitMs: number
}

export const FENCE_LIMITS: FenceLimits = {
  attemptsMax: 500,
  ageMaxMs: 5 * 60_000,
  ageMinMs: 30_000,
  restMs: 30_000,
  waitMs: 5_000,
}

export interface FencesOptions {
  readonly client: Client
  readonly installation: string
  readonly clock: Clock
  /** Where fences may be; null for the whole cluster. */
  readonly namespaces: readonly string[] | null
  readonly limits: FenceLimits
  /** Fences of attempts that have not ended, as the database says; null when it cannot be told now. */
  readonly inUse: () => Promise<ReadonlySet<string> | null>
  /** Whether an attempt of this fence is looked after here, or a log of one is not durable yet. */
  readonly isBusy: (fence: string) => boolean
  /** Fences that pods name, and the namespaces these are in. */
  readonly ofPods: () => ReadonlyMap<string, ReadonlySet<string>>
  readonly trouble: (message: string) => void
}

interface Fence {
  /** Namespaces in which its ConfigMap is or may be; null where nobody knows what became of the create. */
  readonly namespaces: Map<string, Promise<void> | null>
  /** Where it is made before its first attempt; null once it stands, or a start is to find out why it does not. */
  readonly prepared: Map<string, Promise<void> | null>
  /** Pods that were made to mount it. */
  attempts: number
  /** From when on it takes nothing new; null: not before it is full or old. */
  retiresAt: number | null
  readonly since: number
  lastUsedAt: number
}

const LOOK_MS = 5_000

/**
 * The ConfigMaps without which no kubelet starts a pod of ours: `docs/adr/0011-pod-start.md`. A name is drawn by lot,
 * so it is never used twice; what is open is read from the cluster, what is wanted from the database.
 */
export class Fences {
  readonly #options: FencesOptions
  readonly #open = new Map<string, Fence>()
  /** Where earlier engines left scripts of fences. */
  readonly #scripts = new Map<string, Set<string>>()
  /** Fences of which only pods or scripts are left, and since when that is known. */
  readonly #strays = new Map<string, number>()
  #current: string
  #callOff: (() => void) | null = null
  #looking: Promise<void> | null = null
  #endPause: (() => void) | null = null
  #closed = false

  constructor(options: FencesOptions) {
    this.#options = options
    this.#current = this.#begin()
  }

  /** The fence that the next attempt is to mount. */
  get current(): string {
    if (this.#isFull()) this.#current = this.#begin()
    const fence = this.#open.get(this.#current)
    // Whoever asks is about to write it down as an intent.
    if (fence !== undefined) fence.lastUsedAt = this.#now()
    return this.#current
  }

  /** Somebody waits for the fence's end: it is given to no further attempt, so that the last of its own ends it. */
  retire(fence: string): void {
    const known = this.#open.get(fence)
    if (known !== undefined) known.retiresAt ??= known.since + this.#options.limits.ageMinMs
  }

  /** The fence is not there any more: whatever mounts it never starts. */
  gone(fence: string): void {
    const known = this.#open.get(fence)
    if (known !== undefined) known.retiresAt = this.#now()
  }

  #isFull(): boolean {
    const fence = this.#open.get(this.#current)
    const { attemptsMax, ageMaxMs } = this.#options.limits
    if (fence === undefined || fence.attempts >= attemptsMax) return true
    if (fence.retiresAt !== null && this.#now() >= fence.retiresAt) return true
    return fence.attempts > 0 && this.#now() - fence.since > ageMaxMs
  }

  /** Finds the fences that earlier engines left, and looks after all of them from here on. */
  async open(): Promise<void> {
    const { client, installation, namespaces } = this.#options
    for (const namespace of namespaces ?? [undefined]) {
      const { items } = await client.list(
        CONFIG_MAPS,
        { namespace, labelSelector: `${installationSelector(installation)},${FENCE_ONLY}` },
        { metadataOnly: true, priority: 'housekeeping' },
      )
      for (const { metadata } of items) {
        const fence = fenceOfLabels(metadata.labels ?? {})
        if (fence === null) continue
        const place = metadata.namespace ?? ''
        if (metadata.name !== fenceName(installation, fence)) {
          this.#scripts.set(fence, (this.#scripts.get(fence) ?? new Set()).add(place))
          continue
        }
        const known = this.#open.get(fence) ?? this.#fence()
        known.namespaces.set(place, Promise.resolve())
        this.#open.set(fence, known)
      }
    }
    this.#lookLater()
  }

  /**
   * Sees to it that the fence stands in the namespace, before a pod is sent there.
   *
   * @returns false when it was closed: a pod that mounts it can never have started and never will.
   */
  async stand(fence: string, namespace: string): Promise<boolean> {
    const known = this.#open.get(fence)
    if (known === undefined) return false
    known.lastUsedAt = this.#now()
    const made = known.namespaces.get(namespace) ?? null
    if (made !== null) {
      await made
      return true
    }
    const making = this.#make(fence, namespace)
    known.namespaces.set(namespace, making)
    try {
      await making
      return true
    } catch (error) {
      if (isProblem(error) && error.effect === 'none') known.namespaces.delete(namespace)
      else known.namespaces.set(namespace, null)
      throw error
    }
  }

  /**
   * Makes it before an attempt is meant for it: one that was never made cannot be told from one that was closed, so the
   * attempts of an engine that dies between the two could not be started any more. Null when there is nothing to do.
   */
  prepare(fence: string, namespace: string): Promise<void> | null {
    const prepared = this.#open.get(fence)?.prepared
    if (prepared === undefined) return null
    const under = prepared.get(namespace)
    if (under !== undefined) return under
    const done = (): void => void prepared.set(namespace, null)
    const work = this.stand(fence, namespace).then(done, done)
    prepared.set(namespace, work)
    return work
  }

  /** A pod was made that mounts it. */
  taken(fence: string): void {
    const known = this.#open.get(fence)
    if (known !== undefined) known.attempts += 1
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#callOff?.()
    this.#endPause?.()
    await this.#looking
  }

  /** Closes what can be closed now. */
  async look(): Promise<void> {
    const { isBusy, inUse, limits, ofPods } = this.#options
    // Its tombstones do not wait for the next attempt, which may come tomorrow.
    if (this.#isFull()) this.#current = this.#begin()
    const rested = ({ lastUsedAt }: Fence): boolean => this.#now() - lastUsedAt >= limits.restMs
    const idle = [...this.#open].filter(
      ([name, fence]) => name !== this.#current && rested(fence) && !isBusy(name),
    )
    const named = new Map([...this.#scripts, ...ofPods()])
    const strays = this.#straysOf(named).filter(name => !isBusy(name))
    if (idle.length === 0 && strays.length === 0) return
    const used = await inUse()
    if (used === null) return
    await this.#endAll(idle.filter(([name]) => !used.has(name)))
    for (const name of strays) {
      if (used.has(name) || this.#closed) continue
      await this.#guarded(async () => {
        await this.#removeRest(name, [...(named.get(name) ?? []), ...(this.#scripts.get(name) ?? [])])
        this.#scripts.delete(name)
      })
    }
  }

  /** Fences that only pods and scripts know of: an engine was killed while it closed them. */
  #straysOf(named: ReadonlyMap<string, unknown>): readonly string[] {
    for (const name of this.#strays.keys())
      if (!named.has(name) || this.#open.has(name)) this.#strays.delete(name)
    for (const name of named.keys())
      if (!this.#open.has(name) && !this.#strays.has(name)) this.#strays.set(name, this.#now())
    return [...this.#strays].flatMap(([name, since]) =>
      this.#now() - since >= this.#options.limits.restMs ? [name] : [],
    )
  }

  /**
   * The order matters: without its ConfigMap nothing starts any more; only then may names become free again. Whatever
   * this leaves undone, also of an engine that is closed or killed meanwhile, is done later, as of strays.
   */
  async #endAll(idle: readonly (readonly [name: string, fence: Fence])[]): Promise<void> {
    const ended: (readonly [name: string, namespaces: readonly string[]])[] = []
    for (const [name, fence] of idle)
      if (!this.#closed) await this.#guarded(async () => ended.push([name, await this.#end(name, fence)]))
    const rest = ended.filter(([, namespaces]) => namespaces.length > 0)
    if (rest.length === 0 || !(await this.#pause(this.#options.limits.waitMs))) return
    for (const [name, namespaces] of rest)
      if (!this.#closed) await this.#guarded(() => this.#removeRest(name, namespaces))
  }

  /** @returns Where its ConfigMap is no more. */
  async #end(name: string, fence: Fence): Promise<readonly string[]> {
    const { client, installation } = this.#options
    // What cannot be closed is tried again, but not at once.
    fence.lastUsedAt = this.#now()
    const ended: string[] = []
    for (const namespace of Array.from(fence.namespaces.keys())) {
      const place = { namespace, name: fenceName(installation, name) }
      try {
        await client.remove(CONFIG_MAPS, place, { priority: 'housekeeping' })
        ended.push(namespace)
        fence.namespaces.delete(namespace)
      } catch (error) {
        // With a namespace our rights in it are gone; that is no reason to leave pods in the others.
        if (!isProblem(error, 'forbidden')) throw error
        this.#options.trouble(`fences: ${String(error)}`)
      }
    }
    if (fence.namespaces.size === 0) this.#open.delete(name)
    return ended
  }

  /** What cannot be done for one fence is no reason to leave the others. */
  async #guarded(work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#options.trouble(`fences: ${String(error)}`)
    }
  }

  /** False when it is closed before that time is over. */
  async #pause(ms: number): Promise<boolean> {
    if (this.#closed) return false
    await new Promise<void>(resolve => {
      const callOff = this.#options.clock.after(ms, resolve)
      this.#endPause = () => {
        callOff()
        resolve()
      }
    })
    this.#endPause = null
    return !this.#closed
  }

  async #removeRest(fence: string, namespaces: Iterable<string>): Promise<void> {
    const { client, installation } = this.#options
    const labelSelector = `${installationSelector(installation)},${FENCE_ONLY}=${fence}`
    const last = { priority: 'housekeeping' } as const
    for (const namespace of new Set(namespaces)) {
      await client.removeAll(PODS, { namespace, labelSelector }, last)
      const scripts = await client.list(
        CONFIG_MAPS,
        { namespace, labelSelector },
        { ...last, metadataOnly: true },
      )
      for (const { metadata } of scripts.items)
        await client.remove(CONFIG_MAPS, { namespace, name: metadata.name }, { ...last, uid: metadata.uid })
    }
  }

  async #make(fence: string, namespace: string): Promise<void> {
    const { client, installation } = this.#options
    const body = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: fenceName(installation, fence), labels: fenceLabels(installation, fence) },
      data: { fence },
    }
    try {
      await client.createBrief(CONFIG_MAPS, namespace, body, { priority: 'dependent' })
    } catch (error) {
      // The name is ours alone; an earlier try whose fate was not known made it.
      if (!isProblem(error, 'alreadyExists')) throw error
    }
  }

  #begin(): string {
    const name = randomBytes(6).toString('hex')
    this.#open.set(name, this.#fence())
    return name
  }

  #fence(): Fence {
    const now = this.#now()
    return {
      namespaces: new Map(),
      prepared: new Map(),
      attempts: 0,
      retiresAt: null,
      since: now,
      lastUsedAt: now,
    }
  }

  #now(): number {
    return this.#options.clock.now()
  }

  #lookLater(): void {
    if (this.#closed) return
    this.#callOff = this.#options.clock.after(LOOK_MS, () => {
      this.#looking = this.look()
        .catch((error: unknown) => this.#options.trouble(`fences: ${String(error)}`))
        .finally(() => {
          this.#looking = null
          this.#lookLater()
        })
    })
  }
}

const FENCE_ONLY = KEYS.fence
