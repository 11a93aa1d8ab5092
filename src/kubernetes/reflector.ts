import { backOff } from './back-off.ts'
import type { Client } from './client.ts'
import { createKnown, type Difference, type Known, type Remembered } from './known.ts'
import { CLIENT_LIMITS } from './limits.ts'
import type { KubeObject } from './object.ts'
import { ApiProblem, isProblem } from './problem.ts'
import { problemOfFailure } from './problem-of.ts'
import { pathOf, type Resource } from './resource.ts'
import { pause } from './timing.ts'
import { watchStream } from './watch-stream.ts'

/** What hears of objects. Called one at a time, in the order in which things happened to each object. */
export interface ReflectorListener<K> {
  /**
   * An object is there for the first time (`before` is null), or is other than it was. May come before the reply to the
   * request that caused it, and skips states that came and went while nobody looked.
   */
  changed(object: KubeObject, before: Remembered<K> | null): void
  /**
   * An object is not there any more, or does not fit the selector. `object` is its last state, null when it went while
   * nobody looked, or when another object has taken its name.
   */
  deleted(last: Remembered<K>, object: KubeObject | null): void
  /** A list is complete: everything that exists has been told. The first time `synced` resolves too. */
  listed?(objects: number): void
  /** Something failed; the reflector goes on by itself. Also gets what `changed`, `deleted` and `listed` throw. */
  trouble?(error: unknown): void
}

export interface ReflectorOptions<K> {
  readonly client: Client
  readonly resource: Resource
  /** Default: all namespaces. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Objects have only their metadata. Default false. */
  readonly metadataOnly?: boolean
  /** What is held of each object while it exists, besides its name, UID and version. Default: nothing. */
  readonly keep?: (object: KubeObject) => K
  readonly listener: ReflectorListener<K>
  /** Objects in a page of a list. Default 250. */
  readonly pageSize?: number
  /** Everything is listed again after about this time, in milliseconds; 0 never. Default 600,000. */
  readonly relistMs?: number
  /** A stream is asked to end after this many seconds. Default: between 180 and 300. */
  readonly watchSeconds?: number
  /** How much later than that it must have ended, in milliseconds. Default 30,000. */
  readonly graceMs?: number
  /** First and longest wait after trouble, in milliseconds. Default 200 and 30,000. */
  readonly backOffMs?: readonly [first: number, max: number]
  /** What the listener failed to take in is told again after this time, in milliseconds. Default 30,000. */
  readonly retellMs?: number
}

/** How a reflector is, for metrics and for "the cluster view is 42 s old". */
export interface ReflectorState {
  readonly phase: 'listing' | 'watching' | 'waiting' | 'stopped'
  /** `Timing.now` of the last proof that the view is fresh: a page, an event, an opened or a cleanly ended stream. */
  readonly heardAt: number | null
  readonly objects: number
  readonly lists: number
  readonly streams: number
  readonly events: number
  readonly listenerErrors: number
  readonly problem: ApiProblem | null
}

/** What is seen of the objects of one kind. */
export interface View {
  /** Plural of the kind, and the namespace when it is a part of them. */
  readonly name: string
  readonly state: () => ReflectorState
}

export interface Reflector<K> extends AsyncDisposable {
  /** Resolves when the first list is complete. Rejects only when it is stopped before (`aborted`). */
  readonly synced: Promise<void>
  state(): ReflectorState
  /** What is there, as far as it is remembered. */
  known(): IterableIterator<Remembered<K>>
  find(namespace: string, name: string): Remembered<K> | undefined
  /** Lists again soon, because somebody doubts. */
  relist(): void
  /** Nothing is told after this resolves. */
  stop(): Promise<void>
}

/**
 * Follows all objects of a kind: a list, then watches from there on, for ever. Whatever breaks (a stream, the server, a
 * listener that throws), it comes back with a back-off that starts from the beginning only after a stream that lived
 * for 30 s. After a version that is too old it lists again and tells the differences by UID.
 */
export function startReflector<K = undefined>(options: ReflectorOptions<K>): Reflector<K> {
  const keep = options.keep ?? (() => undefined as K)
  return new RunningReflector<K>(options, createKnown(keep))
}

/** Answers to a watch after which it may be the version that the server does not like. */
const REFUSALS = ['internal', 'timeout', 'badRequest', 'invalid'] as const

class RunningReflector<K> implements Reflector<K> {
  readonly synced: Promise<void>
  readonly #options: ReflectorOptions<K>
  readonly #known: Known<K>
  readonly #stopping = new AbortController()
  readonly #done: Promise<void>
  #hurry = new AbortController()
  #state: Omit<ReflectorState, 'objects'> = {
    phase: 'listing',
    heardAt: null,
    lists: 0,
    streams: 0,
    events: 0,
    listenerErrors: 0,
    problem: null,
  }
  /** null: a list has to come first. */
  #version: string | null = null
  #listedAt = 0
  #openedAt: number | null = null
  /** Deletions that the listener failed to take in. */
  #untold: Remembered<K>[] = []
  /** Calls off the list that is to tell them again; null when none is due. */
  #retellOff: (() => void) | null = null
  #settle: { resolve(): void; reject(error: unknown): void }

  constructor(options: ReflectorOptions<K>, known: Known<K>) {
    this.#options = options
    this.#known = known
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.synced = promise
    this.#settle = { resolve, reject }
    // Whoever does not wait for it need not hear of its end.
    promise.catch(() => undefined)
    this.#done = this.#run()
  }

  state = (): ReflectorState => ({ ...this.#state, objects: this.#known.size })
  known = (): IterableIterator<Remembered<K>> => this.#known.values()
  find = (namespace: string, name: string): Remembered<K> | undefined => this.#known.find(namespace, name)

  relist(): void {
    this.#version = null
    this.#hurry.abort()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#done
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #run(): Promise<void> {
    const { timing } = this.#options.client
    const signal = this.#stopping.signal
    let tries = 0
    let refusals = 0
    while (!signal.aborted) {
      this.#openedAt = null
      const problem = await this.#once()
      if (signal.aborted) break
      const livedMs = this.#openedAt === null ? 0 : timing.now() - this.#openedAt
      const good = livedMs >= CLIENT_LIMITS.goodStreamMs
      if (good) tries = 0
      refusals = problem !== null && isProblem(problem, ...REFUSALS) && problem.status > 0 ? refusals + 1 : 0
      if (refusals >= CLIENT_LIMITS.barrenStreamsMax) {
        refusals = 0
        this.#version = null
      }
      if (problem === null && (good || this.#hurry.signal.aborted)) continue
      this.#note({ phase: 'waiting' })
      await pause(timing, this.#wait(tries, livedMs, problem), signal)
      tries += 1
    }
    this.#retellOff?.()
    this.#note({ phase: 'stopped' })
    this.#settle.reject(
      new ApiProblem({ kind: 'aborted', effect: 'none', message: 'stopped before the first list' }),
    )
  }

  /**
   * A stream that lived for some seconds is not answered with a longer blindness: some load balancers end every stream
   * after ten.
   */
  #wait(tries: number, livedMs: number, problem: ApiProblem | null): number {
    const [firstMs, maxMs] = this.#options.backOffMs ?? [
      CLIENT_LIMITS.reflectorBackOffFirstMs,
      CLIENT_LIMITS.reflectorBackOffMaxMs,
    ]
    const longest = livedMs >= 1_000 ? Math.max(firstMs, Math.min(maxMs, livedMs)) : maxMs
    const wait = backOff(tries, firstMs, longest, this.#options.client.timing.random())
    return Math.max(wait, problem?.retryAfterMs ?? 0)
  }

  /** A list if one is due, then one stream to its end. */
  async #once(): Promise<ApiProblem | null> {
    try {
      if (this.#version === null || this.#relistDue()) await this.#list()
      if (this.#version !== null) await this.#watch(this.#version)
      this.#note({ problem: null, heardAt: this.#options.client.timing.now() })
      return null
    } catch (error) {
      if (this.#stopping.signal.aborted) return null
      if (isProblem(error, 'aborted') && this.#hurry.signal.aborted) return null
      const { resource, namespace } = this.#options
      const problem = problemOfFailure(error, `GET ${pathOf(resource, namespace)}`, true)
      if (problem.kind === 'gone') this.#version = null
      this.#note({ problem })
      this.#guard(() => this.#options.listener.trouble?.(problem))
      return problem
    }
  }

  async #list(): Promise<void> {
    const { client, resource, namespace, labelSelector, fieldSelector, pageSize, metadataOnly } =
      this.#options
    this.#note({ phase: 'listing' })
    // Whoever doubts from here on may doubt what this list says.
    this.#hurry = new AbortController()
    this.#known.listBegins()
    const query = { namespace, labelSelector, fieldSelector, pageSize }
    const options = { metadataOnly: metadataOnly === true, signal: this.#stopping.signal }
    let version = ''
    for await (const page of client.pages<KubeObject>(resource, query, options)) {
      if (page.restarted) this.#known.listBegins()
      for (const object of page.items) this.#see(object)
      version = page.resourceVersion
      this.#note({ heardAt: client.timing.now() })
    }
    const untold = this.#untold
    this.#untold = []
    for (const last of untold) this.#tell({ kind: 'deleted', last, object: null })
    this.#known.listEnds(this.#tell)
    this.#version = this.#hurry.signal.aborted ? null : version
    this.#listedAt = client.timing.now()
    this.#note({ lists: this.#state.lists + 1 })
    this.#guard(() => this.#options.listener.listed?.(this.#known.size))
    this.#settle.resolve()
  }

  async #watch(resourceVersion: string): Promise<void> {
    const { client, resource, namespace, labelSelector, fieldSelector, metadataOnly, graceMs } = this.#options
    const seconds =
      this.#options.watchSeconds ??
      this.#between(CLIENT_LIMITS.watchSecondsMin, CLIENT_LIMITS.watchSecondsMax)
    const filter = { resource, namespace, labelSelector, fieldSelector, metadataOnly }
    const query = { ...filter, resourceVersion, seconds, graceMs }
    const stop = AbortSignal.any([this.#stopping.signal, this.#hurry.signal])
    const heard = (): void => this.#note({ heardAt: client.timing.now() })
    await watchStream(
      client,
      query,
      {
        open: () => {
          this.#openedAt = client.timing.now()
          this.#note({ phase: 'watching', streams: this.#state.streams + 1 })
          heard()
        },
        event: ({ type, object }) => {
          this.#note({ events: this.#state.events + 1 })
          if (type === 'DELETED') this.#known.gone(object, this.#tell)
          else this.#see(object)
        },
        resourceVersion: version => {
          if (this.#version !== null) this.#version = version
          heard()
        },
      },
      stop,
    )
  }

  #relistDue(): boolean {
    const every = this.#options.relistMs ?? CLIENT_LIMITS.relistMs
    return every > 0 && this.#options.client.timing.now() - this.#listedAt >= every
  }

  #between(min: number, max: number): number {
    return Math.round(min + (max - min) * this.#options.client.timing.random())
  }

  #see(object: KubeObject): void {
    // `keep` is the caller's too.
    this.#guard(() => this.#known.seen(object, this.#tell))
  }

  #tell = (difference: Difference<K>): void => {
    const { listener } = this.#options
    if (difference.kind === 'deleted') {
      if (!this.#guard(() => listener.deleted(difference.last, difference.object)))
        this.#untold.push(difference.last)
    } else if (!this.#guard(() => listener.changed(difference.object, difference.before))) {
      this.#known.forgetVersion(difference.object)
    }
  }

  /** A listener that throws is counted and told, and does not stop the others. */
  #guard(call: () => void): boolean {
    if (this.#stopping.signal.aborted) return true
    try {
      call()
      return true
    } catch (error) {
      this.#note({ listenerErrors: this.#state.listenerErrors + 1 })
      this.#retellOff ??= this.#options.client.timing.after(
        this.#options.retellMs ?? CLIENT_LIMITS.retellMs,
        () => {
          this.#retellOff = null
          this.relist()
        },
      )
      try {
        this.#options.listener.trouble?.(error)
      } catch {
        // There is nobody left to tell; the count says it.
      }
      return false
    }
  }

  #note(change: Partial<Omit<ReflectorState, 'objects'>>): void {
    this.#state = { ...this.#state, ...change }
  }
}
