import type { Identity } from './identity.ts'
import type { Limiter, Priority } from './limiter.ts'
import type { KubeObject, ObjectIdentity, Page, Place } from './object.ts'
import type { Query, Resource } from './resource.ts'
import type { Timing } from './timing.ts'
import type { Call, OpenAnswer } from './transport.ts'

/** What may be said with each request. */
export interface RequestOptions {
  /** Who goes first when slots are short. Default `fanOut`. */
  readonly priority?: Priority
  /** Whole time, with waiting for a slot and repetitions, in milliseconds. Default 60,000. */
  readonly deadlineMs?: number
  /** Time of one attempt, in milliseconds. Default 20,000; 65,000 for lists and for what removes many. */
  readonly attemptMs?: number
  /** Ends the request, and the stream that came of it, with an `aborted` problem. */
  readonly signal?: AbortSignal
}

export interface ReadOptions extends RequestOptions {
  /** Only `apiVersion`, `kind` and `metadata`: half of a pod, a third of the work. Default false. */
  readonly metadataOnly?: boolean
}

export interface WriteOptions extends ReadOptions {
  /** Who owns the fields. Default: the client's. */
  readonly fieldManager?: string
  /** Checks everything, stores nothing. Default false. */
  readonly dryRun?: boolean
  /** `Strict` refuses unknown fields. Default: the server's (`Warn`). */
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict'
}

export interface ChangeOptions extends WriteOptions {
  readonly subresource?: 'status' | 'scale' | 'eviction' | 'binding'
}

export interface RemoveOptions extends RequestOptions {
  /** Only the object with this UID is removed; another of the same name is left alone. */
  readonly uid?: string
  readonly resourceVersion?: string
  /** Default: the object's own. */
  readonly gracePeriodSeconds?: number
  /** Default `Background`. */
  readonly propagation?: 'Background' | 'Foreground'
}

/** An object as text (from a template), or as data. */
export type Body = string | Buffer | object

/** Which objects. Without a namespace: of all namespaces. */
export interface ListQuery {
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  /** Objects in one page. Default 250. */
  readonly pageSize?: number | undefined
}

/** A page of a list. */
export interface ListPage<T> extends Page<T> {
  /** The list had to start again: everything before this page is to be forgotten. */
  readonly restarted: boolean
}

/** Which objects are removed. A namespace is needed, so that nobody empties a cluster by leaving one out. */
export interface RemoveQuery {
  readonly namespace: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Objects removed by one request. Default 100; 2 to 7 ms each in the server. */
  readonly chunk?: number
}

/** What a removal of many came to. */
export interface Removal {
  /** Objects that still stand although their removal was accepted: a grace period runs, or a finalizer holds them. */
  readonly going: number
  /** Objects whose removal the server keeps refusing, or that somebody makes anew all the time; usually 0. */
  readonly standing: number
  /** Deletecollections that were sent. */
  readonly requests: number
}

/** Which part of a container's log. */
export interface LogQuery {
  /** May be left out when the pod has one container. */
  readonly container?: string
  readonly follow?: boolean
  /** Of the container that ran before the present one. */
  readonly previous?: boolean
  /** An RFC 3339 time in front of each line. */
  readonly timestamps?: boolean
  /** RFC 3339. The kubelet compares whole nanoseconds, but old ones only seconds: expect lines again. */
  readonly sinceTime?: string
  readonly sinceSeconds?: number
  readonly tailLines?: number
  /** The answer is cut after so many bytes. */
  readonly limitBytes?: number
}

/**
 * A thin client of one cluster: JSON in, JSON out, nothing dropped and nothing cached. Every method throws
 * {@link ApiProblem} and nothing else (but `TypeError` for names that cannot be names).
 *
 * Reading, and writing that comes out the same when done twice, is repeated by itself until the deadline; a create or a
 * JSON patch only when it certainly had no effect. A create whose fate is unknown ends with `effect: 'unknown'`:
 * send it again under the same name and take `alreadyExists` for an answer.
 */
export interface Client extends AsyncDisposable {
  readonly identity: Identity
  readonly limiter: Limiter
  readonly timing: Timing
  /** The server's clock when it was last heard (to one second), and `Timing.wall` at that moment; else null. */
  serverTime(): { readonly server: number; readonly local: number } | null

  get<T extends KubeObject>(resource: Resource, place: Place, options?: ReadOptions): Promise<T>
  /** The whole list, of one moment. Items of most lists come without `apiVersion` and `kind`. */
  list<T extends KubeObject>(resource: Resource, query?: ListQuery, options?: ReadOptions): Promise<Page<T>>
  /** The same page by page. A page with `restarted` says: forget the pages before. */
  pages<T extends KubeObject>(
    resource: Resource,
    query?: ListQuery,
    options?: ReadOptions,
  ): AsyncGenerator<ListPage<T>>

  create<T extends KubeObject>(
    resource: Resource,
    namespace: string | undefined,
    body: Body,
    options?: WriteOptions,
  ): Promise<T>
  /** The same for many objects a second: the reply is not parsed, only who came to be is read from it. */
  createBrief(
    resource: Resource,
    namespace: string | undefined,
    body: Body,
    options?: WriteOptions,
  ): Promise<ObjectIdentity>
  /** A create below an object, such as a pod's `eviction`. */
  createBelow(
    resource: Resource,
    place: Place,
    subresource: string,
    body: Body,
    options?: WriteOptions,
  ): Promise<void>
  /** Replaces it whole. Put a resourceVersion into the body; without one the last writer wins. */
  replace<T extends KubeObject>(
    resource: Resource,
    place: Place,
    body: Body,
    options?: ChangeOptions,
  ): Promise<T>
  /** Server-side apply. `force` takes fields from other managers; the default leaves them, with a `conflict`. */
  apply<T extends KubeObject>(
    resource: Resource,
    place: Place,
    body: Body,
    options?: ChangeOptions & { readonly force?: boolean },
  ): Promise<T>
  /** A JSON merge patch. With a resourceVersion in it, it is a compare-and-set. */
  mergePatch<T extends KubeObject>(
    resource: Resource,
    place: Place,
    patch: Body,
    options?: ChangeOptions,
  ): Promise<T>
  /** A JSON patch; its `test` operations make it conditional (`invalid` when one fails). */
  jsonPatch<T extends KubeObject>(
    resource: Resource,
    place: Place,
    patch: readonly object[],
    options?: ChangeOptions,
  ): Promise<T>

  /** @returns `absent` when there is no such object (with `uid`: no such object any more), else `accepted`. */
  remove(resource: Resource, place: Place, options?: RemoveOptions): Promise<'accepted' | 'absent'>
  /** Removes all that match, in chunks, until a list says that nothing is left that nobody removes. */
  removeAll(resource: Resource, query: RemoveQuery, options?: RequestOptions): Promise<Removal>

  /** A pod's log as it comes in. Ends with the container, unless `follow` is false or `signal` says so. */
  logs(pod: Place, query: LogQuery, options?: RequestOptions): Promise<OpenAnswer>
  /** One watch stream; the reflector is what you want. */
  watch(
    resource: Resource,
    namespace: string | undefined,
    query: Query,
    options: ReadOptions,
  ): Promise<OpenAnswer>

  /** Anything else, in JSON. `write` says that a repetition may do harm. */
  raw(
    method: Call['method'],
    path: string,
    body?: Body,
    options?: RequestOptions & { readonly repeat?: Call['repeat'] },
  ): Promise<unknown>

  /** Breaks off everything that is under way. */
  close(): Promise<void>
}
