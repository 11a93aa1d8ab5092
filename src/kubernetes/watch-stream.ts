import type { Client, ReadOptions } from './client.ts'
import { CLIENT_LIMITS } from './limits.ts'
import { lineSplitter } from './lines.ts'
import type { KubeObject } from './object.ts'
import { ApiProblem } from './problem.ts'
import { problemOfEvent } from './problem-of.ts'
import { type Resource, pathOf } from './resource.ts'
import type { Timing } from './timing.ts'

/** A change, as the server tells it. `DELETED` also means that the object does not fit the selector any more. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: KubeObject
}

export interface WatchQuery {
  readonly resource: Resource
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  readonly metadataOnly?: boolean | undefined
  /** Where it goes on from. */
  readonly resourceVersion: string
  /** Asked of the server: the stream ends by itself after this time. */
  readonly seconds: number
  /** How much later than that it must have ended, in milliseconds. Default 30,000. */
  readonly graceMs?: number | undefined
}

export interface WatchListener {
  event(event: WatchEvent): void
  /** From here a watch can go on: after each event, and from bookmarks. */
  resourceVersion(version: string): void
  /** The server has answered: the stream is open. */
  open(): void
}

/**
 * Listens to one watch stream to its end, which is a normal thing. Events are told as they come in; the next bytes are
 * read only when the listener is done with these.
 *
 * @throws {ApiProblem} `gone` when the version is too old (as an HTTP status, or as an ERROR event in a stream),
 * `timeout` when the stream is silent beyond its time, `aborted`, and all that a request can meet.
 */
export async function watchStream(
  client: Client,
  query: WatchQuery,
  listener: WatchListener,
  signal: AbortSignal,
): Promise<void> {
  const request = `GET ${pathOf(query.resource, query.namespace)} (watch)`
  const alarm = stallAlarm(client.timing, query, signal)
  try {
    const stream = await client.watch(
      query.resource,
      query.namespace,
      parameters(query),
      options(query, alarm.signal),
    )
    listener.open()
    const lines = lineSplitter(CLIENT_LIMITS.eventBytesMax)
    const told = (line: Buffer): void => tell(line, listener, request, alarm)
    try {
      for await (const chunk of stream.body as AsyncIterable<Buffer>) {
        alarm.heard()
        lines.push(chunk, told)
      }
    } catch (error) {
      throw error instanceof ApiProblem ? error : stream.problem(error)
    } finally {
      stream.body.destroy()
    }
  } catch (error) {
    if (alarm.stalled() && !signal.aborted)
      throw new ApiProblem({
        kind: 'timeout',
        effect: 'none',
        reason: 'Stalled',
        message: 'the stream went silent',
        request,
      })
    throw error
  } finally {
    alarm.end()
  }
}

const parameters = (query: WatchQuery) => ({
  labelSelector: query.labelSelector,
  fieldSelector: query.fieldSelector,
  resourceVersion: query.resourceVersion,
  allowWatchBookmarks: true,
  timeoutSeconds: query.seconds,
})

const options = (query: WatchQuery, signal: AbortSignal): ReadOptions => ({
  signal,
  metadataOnly: query.metadataOnly === true,
})

function tell(line: Buffer, listener: WatchListener, request: string, alarm: StallAlarm): void {
  const event = parse(line, request)
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      listener.event({ type: event.type, object: event.object })
      break
    case 'BOOKMARK':
      if (event.object.metadata.annotations?.['k8s.io/initial-events-end'] === undefined) alarm.bookmark()
      break
    case 'ERROR':
      throw problemOfEvent(event.object, request)
    default:
      // A kind of event that is not invented yet cannot be one that was asked for.
      return
  }
  listener.resourceVersion(event.object.metadata.resourceVersion)
}

/** A broken line is a broken stream: what it said would be missed otherwise. */
function parse(line: Buffer, request: string): { readonly type: string; readonly object: KubeObject } {
  try {
    const event = JSON.parse(line.toString('utf8')) as { type: string; object: KubeObject }
    if (event.type === 'ERROR' || typeof event.object.metadata.resourceVersion === 'string') return event
  } catch {
    // Told below.
  }
  throw new ApiProblem({ kind: 'garbled', effect: 'none', message: 'an event that is not one', request })
}

interface StallAlarm {
  /** Aborted by the caller, or by silence. */
  readonly signal: AbortSignal
  readonly stalled: () => boolean
  heard(): void
  bookmark(): void
  end(): void
}

/**
 * Ends a stream that should have ended by itself, and one that had shown its bookmarks once a minute and shows none any
 * more. Bookmarks alone are no heartbeat: many servers send none to a quiet watch.
 */
function stallAlarm(timing: Timing, query: WatchQuery, signal: AbortSignal): StallAlarm {
  const own = new AbortController()
  let stalled = false
  let bookmarks = false
  let heardAt = timing.now()
  const stall = (): void => {
    stalled = true
    own.abort()
  }
  const aborted = (): void => own.abort()
  if (signal.aborted) own.abort()
  signal.addEventListener('abort', aborted)
  const overdue = timing.after(query.seconds * 1_000 + (query.graceMs ?? CLIENT_LIMITS.watchGraceMs), stall)
  let look: () => void = () => undefined
  const lookLater = (delayMs: number): void => {
    look = timing.after(delayMs, () => {
      const left = heardAt + CLIENT_LIMITS.bookmarkSilenceMs - timing.now()
      if (left <= 0) stall()
      else lookLater(left)
    })
  }
  return {
    signal: own.signal,
    stalled: () => stalled,
    heard() {
      heardAt = timing.now()
    },
    bookmark() {
      if (!bookmarks) lookLater(CLIENT_LIMITS.bookmarkSilenceMs)
      bookmarks = true
    },
    end() {
      overdue()
      look()
      signal.removeEventListener('abort', aborted)
    },
  }
}
