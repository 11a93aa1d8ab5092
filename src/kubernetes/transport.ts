import type { Readable } from 'node:stream'
import { backOff } from './back-off.ts'
import type { Connections, Way } from './connections.ts'
import type { Access, Identity } from './identity.ts'
import type { Ended, Limiter, Priority, Slot } from './limiter.ts'
import { CLIENT_LIMITS } from './limits.ts'
import { ApiProblem, type Effect, isProblem, withEffect } from './problem.ts'
import { problemOfAnswer, problemOfFailure } from './problem-of.ts'
import { readBody } from './read-body.ts'
import { pause, type Timing } from './timing.ts'

/**
 * What may be sent a second time: `always` when it may have been carried out already (reading, and what comes out the
 * same when done twice), `ifUntouched` only when it certainly was not, `never` for what the caller repeats himself.
 */
export type Repeat = 'always' | 'ifUntouched' | 'never'

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With its query, without what the server's address puts in front. */
  readonly path: string
  readonly accept?: string
  readonly contentType?: string
  readonly body?: string | Buffer
  readonly repeat: Repeat
  readonly priority: Priority
  /** Whole time with waiting and repetitions, in milliseconds. */
  readonly deadlineMs: number
  /** Time of one attempt, in milliseconds. */
  readonly attemptMs: number
  /** Whether its latency says how busy the server is: requests for one object. */
  readonly measured: boolean
  readonly signal?: AbortSignal
}

export interface Answer {
  readonly status: number
  readonly body: Buffer
}

/** An answer that is still coming in. Whoever has it reads it to its end or destroys it. */
export interface OpenAnswer {
  readonly body: Readable
  /** Turns a failure while reading into a problem. */
  problem(error: unknown): ApiProblem
}

export interface TransportParts {
  readonly identity: Identity
  readonly connections: Connections
  readonly limiter: Limiter
  readonly timing: Timing
  readonly userAgent: string
  /** Aborted when the client is closed. */
  readonly closing: AbortSignal
  /** The server's clock, whenever it is heard. */
  readonly onDate: (text: string) => void
}

export interface Transport {
  /** @throws {ApiProblem} */
  send(call: Call): Promise<Answer>
  /**
   * Opens a stream. It holds a slot only until the server has answered (watches: none at all, as they must come back
   * above all); deadline and attempt end with the first line of the answer, the signal goes on to mean the stream.
   * @throws {ApiProblem}
   */
  stream(call: Call, slot: 'slot' | 'noSlot'): Promise<OpenAnswer>
}

/** Kinds that may be different the next time. */
const PASSING = ['tooManyRequests', 'internal', 'unavailable', 'timeout', 'unreachable'] as const
/** Kinds that mean that the server has too much to do. */
const OVERLOAD = ['tooManyRequests', 'unavailable', 'timeout', 'unreachable'] as const

export function createTransport(parts: TransportParts): Transport {
  const { identity, limiter, timing } = parts

  /** One attempt after the other, until one succeeds, nothing more may be tried, or the time is over. */
  async function repeated<T>(call: Call, attempt: (leftMs: number) => Promise<T>): Promise<T> {
    const end = timing.now() + call.deadlineMs
    let effect: Effect = 'none'
    let refreshed = false
    for (let tried = 0; ; tried += 1) {
      try {
        return await attempt(end - timing.now())
      } catch (error) {
        const problem =
          error instanceof Refused ? error.problem : problemOfFailure(error, nameOf(call), false)
        if (problem.effect === 'unknown') effect = 'unknown'
        const said = withEffect(problem, effect)
        if (isProblem(problem, 'unauthorized', 'untrusted') && error instanceof Refused && !refreshed) {
          refreshed = true
          await identity.refresh(error.access)
          continue
        }
        if (!mayRepeat(call, problem)) throw said
        const wait = waitBefore(tried, problem, timing)
        if (timing.now() + wait >= end) throw said
        const stop = call.signal === undefined ? parts.closing : AbortSignal.any([call.signal, parts.closing])
        if (!(await pause(timing, wait, stop))) throw aborted(call, effect)
      }
    }
  }

  return {
    send: call =>
      repeated(call, async leftMs => {
        const limits = attemptLimits(call, leftMs, timing)
        let slot: Slot | null = null
        let ended: Ended = { kind: 'unused' }
        try {
          slot = await limiter.acquire(call.priority, limits.waiting)
          if (slot === null) throw limits.problem('none')
          limits.begin()
          const way = await parts.connections.way('request')
          const started = timing.now()
          const answer = await exchange(parts, call, way, limits.signal, CLIENT_LIMITS.replyBytesMax)
          ended = { kind: 'answered', latencyMs: call.measured ? timing.now() - started : null }
          return answer
        } catch (error) {
          const known = limits.explain(error)
          if (isProblem(problemIn(known), ...OVERLOAD)) ended = { kind: 'overloaded' }
          throw known
        } finally {
          slot?.release(ended)
          limits.end()
        }
      }),

    stream: (call, use) =>
      repeated(call, async leftMs => {
        const limits = attemptLimits(call, leftMs, timing)
        let slot: Slot | null = null
        let ended: Ended = { kind: 'unused' }
        try {
          if (use === 'slot') {
            slot = await limiter.acquire(call.priority, limits.waiting)
            if (slot === null) throw limits.problem('none')
          }
          limits.begin()
          const way = await parts.connections.way('stream')
          const { body } = await request(parts, call, way, limits.signal)
          ended = { kind: 'answered', latencyMs: null }
          limits.keepUntilClosed(body)
          return { body, problem: error => streamProblem(call, error) }
        } catch (error) {
          const known = limits.explain(error)
          if (isProblem(problemIn(known), ...OVERLOAD)) ended = { kind: 'overloaded' }
          throw known
        } finally {
          slot?.release(ended)
          limits.end()
        }
      }),
  }
}

/** A refusal together with what was refused, so that fresh credentials are fetched only once for many. */
class Refused extends Error {
  readonly problem: ApiProblem
  readonly access: Access

  constructor(problem: ApiProblem, access: Access) {
    super(problem.message)
    this.problem = problem
    this.access = access
  }
}

const problemIn = (error: unknown): unknown => (error instanceof Refused ? error.problem : error)
const nameOf = (call: Call): string => `${call.method} ${call.path.split('?', 1)[0] ?? ''}`
const reads = (call: Call): boolean => call.method === 'GET'

function mayRepeat(call: Call, problem: ApiProblem): boolean {
  if (call.repeat === 'never' || !isProblem(problem, ...PASSING)) return false
  // An eviction that a budget forbids says 429 as well, but without a time: it is an answer.
  if (problem.kind === 'tooManyRequests' && problem.retryAfterMs === null) return reads(call)
  return call.repeat === 'always' || problem.effect === 'none'
}

/** What the server asks for and a little more: it says the same to all, and must not have all back at one moment. */
function waitBefore(tried: number, { retryAfterMs }: ApiProblem, timing: Timing): number {
  const { backOffFirstMs, backOffMaxMs } = CLIENT_LIMITS
  if (retryAfterMs !== null) return retryAfterMs + backOff(0, backOffFirstMs, backOffMaxMs, timing.random())
  return backOff(tried, backOffFirstMs, backOffMaxMs, timing.random())
}

const aborted = (call: Call, effect: Effect): ApiProblem =>
  new ApiProblem({ kind: 'aborted', effect, message: 'called off', request: nameOf(call) })

const streamProblem = (call: Call, error: unknown): ApiProblem =>
  call.signal?.aborted === true ? aborted(call, 'none') : problemOfFailure(error, nameOf(call), true)

async function exchange(
  parts: TransportParts,
  call: Call,
  way: Way,
  signal: AbortSignal,
  bytesMax: number,
): Promise<Answer> {
  const { status, body } = await request(parts, call, way, signal)
  try {
    return { status, body: await readBody(body, bytesMax) }
  } catch (error) {
    throw new Refused(problemOfFailure(error, nameOf(call), reads(call)), way.access)
  }
}

/** Sends it, and gives the answer when it is not a refusal. */
async function request(parts: TransportParts, call: Call, way: Way, signal: AbortSignal) {
  const headers: Record<string, string | string[]> = {
    accept: call.accept ?? 'application/json',
    'user-agent': parts.userAgent,
  }
  for (const [name, value] of Object.entries(way.access.headers))
    headers[name] = typeof value === 'string' ? value : [...value]
  if (way.access.authorization !== null) headers['authorization'] = way.access.authorization
  if (call.contentType !== undefined) headers['content-type'] = call.contentType
  try {
    const {
      statusCode,
      headers: got,
      body,
    } = await way.dispatcher.request({
      origin: way.origin,
      path: way.prefix + call.path,
      method: call.method,
      headers,
      body: call.body ?? null,
      signal,
    })
    if (typeof got['date'] === 'string') parts.onDate(got['date'])
    if (statusCode < 300) return { status: statusCode, body }
    const text = await readBody(body, CLIENT_LIMITS.problemBytesMax, 'cut')
    const retryAfter = typeof got['retry-after'] === 'string' ? got['retry-after'] : undefined
    throw problemOfAnswer({
      status: statusCode,
      body: text.toString('utf8'),
      retryAfter,
      request: nameOf(call),
      reads: reads(call),
    })
  } catch (error) {
    throw new Refused(problemOfFailure(error, nameOf(call), reads(call)), way.access)
  }
}

/**
 * The two ends of an attempt (of its waiting for a slot: the deadline; of the exchange: whichever is nearer) and the
 * caller's signal, as one signal, and afterwards the knowledge of which it was.
 */
function attemptLimits(call: Call, leftMs: number, timing: Timing) {
  const own = new AbortController()
  let why: 'aborted' | 'timeout' | null = null
  let sent = false
  const stop = (reason: 'aborted' | 'timeout') => (): void => {
    why ??= reason
    own.abort()
  }
  const abortedByCaller = stop('aborted')
  const end = timing.now() + leftMs
  let callOff = timing.after(Math.max(0, leftMs), stop('timeout'))
  if (call.signal?.aborted === true) abortedByCaller()
  call.signal?.addEventListener('abort', abortedByCaller)

  const problem = (effect: Effect): ApiProblem =>
    why === 'aborted'
      ? aborted(call, effect)
      : new ApiProblem({
          kind: 'timeout',
          effect,
          message: sent ? 'no answer in time' : 'no free slot in time',
          request: nameOf(call),
        })

  let keep = false
  return {
    signal: own.signal,
    waiting: own.signal,
    problem,
    begin(): void {
      sent = true
      // Waiting for the slot took some of what was left.
      if (call.attemptMs >= end - timing.now()) return
      callOff()
      callOff = timing.after(call.attemptMs, stop('timeout'))
    },
    /** What failed because of us is told as that. */
    explain(error: unknown): unknown {
      if (why === null || !sent) return error
      if (problemIn(error) instanceof ApiProblem && !isProblem(problemIn(error), 'unreachable')) return error
      return problem(reads(call) ? 'none' : 'unknown')
    },
    /** The stream is there: its time is not limited any more, but the caller's signal ends it. */
    keepUntilClosed(body: Readable): void {
      keep = true
      body.once('close', () => call.signal?.removeEventListener('abort', abortedByCaller))
    },
    end(): void {
      callOff()
      if (!keep) call.signal?.removeEventListener('abort', abortedByCaller)
    },
  }
}
