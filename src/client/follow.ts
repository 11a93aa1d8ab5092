import type { Change, Operations } from './api-types.ts'
import { ApiProblem } from './problem.ts'

type Query = NonNullable<Operations['followEvents']['query']>

export interface FollowOptions extends Omit<Query, 'after'> {
  /** Number of the last change that is known; what came since comes first. */
  readonly after?: number
  readonly signal?: AbortSignal
  /** Hears why a connection broke before another one is tried. */
  readonly trouble?: (error: unknown) => void
}

/** What the stream says. After a `reset` whatever was read before may be stale: read it again. */
export type Told =
  | { readonly kind: 'change'; readonly change: Change }
  | { readonly kind: 'ready' | 'reset'; readonly seq: number }

export type Follow = AsyncIterable<Told>

const RETRY_MS = 500
const RETRY_MS_MAX = 10_000

/**
 * Reads the stream of events for as long as it is wanted. A connection that breaks is opened again with the number of
 * the last change, so that nothing is missed and nothing told twice.
 */
export async function* follow(
  options: FollowOptions,
  open: (after: number | null, signal: AbortSignal) => Promise<Response>,
): AsyncGenerator<Told> {
  const leaving = new AbortController()
  const signal =
    options.signal === undefined ? leaving.signal : AbortSignal.any([options.signal, leaving.signal])
  let after = options.after ?? null
  let waitMs = RETRY_MS
  try {
    while (!signal.aborted) {
      try {
        const response = await open(after, signal)
        for await (const event of eventsOf(response)) {
          const told = toldBy(event)
          if (told === null) continue
          after = told.kind === 'change' ? told.change.seq : told.seq
          waitMs = RETRY_MS
          yield told
        }
      } catch (error) {
        // No is an answer; a connection that broke is none.
        if (error instanceof ApiProblem && error.status < 500 && error.status !== 429) throw error
        if (!signal.aborted) options.trouble?.(error)
      }
      if (signal.aborted) return
      await pause(waitMs, signal)
      waitMs = Math.min(2 * waitMs, RETRY_MS_MAX)
    }
  } finally {
    leaving.abort()
  }
}

interface ServerEvent {
  readonly event: string
  readonly data: string
}

/** Takes a stream of server-sent events apart. */
export async function* eventsOf(response: Response): AsyncGenerator<ServerEvent> {
  if (response.body === null) return
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of response.body) {
    text += decoder.decode(bytes, { stream: true })
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const fields = new Map<string, string>()
      for (const line of block.split('\n')) {
        const [, name = '', value = ''] = /^(\w+): ?(.*)$/.exec(line) ?? []
        if (name !== '') fields.set(name, value)
      }
      const data = fields.get('data')
      if (data !== undefined) yield { event: fields.get('event') ?? 'message', data }
    }
  }
}

function toldBy({ event, data }: ServerEvent): Told | null {
  const value: unknown = JSON.parse(data)
  if (event === 'change') return { kind: 'change', change: value as Change }
  if (event === 'ready' || event === 'reset') return { kind: event, seq: (value as { seq: number }).seq }
  return null
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(over, ms)
    signal.addEventListener('abort', over, { once: true })
    function over(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', over)
      resolve()
    }
  })
}
