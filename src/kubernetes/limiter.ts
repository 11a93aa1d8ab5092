import { CLIENT_LIMITS } from './limits.ts'
import type { Timing } from './timing.ts'

/**
 * Who goes first: what a finished task makes possible, before what was possible all along, before what nobody waits
 * for.
 */
export type Priority = 'dependent' | 'fanOut' | 'housekeeping'

/** How a request ended, as far as the limit is concerned. */
export type Ended =
  /** Answered. `latencyMs` of requests for one object only; null for lists and the like, which prove nothing. */
  | { readonly kind: 'answered'; readonly latencyMs: number | null }
  /** 429, 503, no answer in time, or a connection that broke: the server has too much to do. */
  | { readonly kind: 'overloaded' }
  /** Called off, or refused before it reached the server. */
  | { readonly kind: 'unused' }

/** The right to one request in flight. */
export interface Slot {
  /** Gives it back, once. */
  release(ended: Ended): void
}

export interface Limiter {
  /**
   * Waits for a slot: lane by lane, in each lane in the order of asking.
   * @returns null when the signal is or becomes aborted.
   */
  acquire(priority: Priority, signal?: AbortSignal): Promise<Slot | null>
  readonly limit: number
  readonly inFlight: number
  readonly waiting: Readonly<Record<Priority, number>>
}

export interface LimiterOptions {
  readonly start?: number
  readonly min?: number
  readonly max?: number
}

const LANES: readonly Priority[] = ['dependent', 'fanOut', 'housekeeping']
/** Answers between two looks at the limit. */
const WINDOW = 16
/** Median latencies that are all right however fast the server could be: beside dependents, and for fan-outs alone. */
const DEPENDENT_LATENCY_MS = 25
const FAN_OUT_LATENCY_MS = 100
/** A slow server is measured by what it does when it has little to do: up to so many times that is all right. */
const SLOWDOWN = 3
/** Little to do: so many requests in flight. */
const QUIET = 4
/** Dependents count as there for so long after the last one asked. */
const DEPENDENT_MS = 1_000
/** A burst of refusals is one message: the limit is halved at most so often. */
const HALVE_MS = 1_000
/** Every so many slots, whoever has waited longer than this goes first, so that no lane starves. */
const FAIR_EVERY = 8
const PATIENCE_MS = 5_000

/**
 * How many requests may be in flight, learned from the server: one more for each window of answers in which all slots
 * were used, a tenth less when the median answer got slow, half when the server refuses. Waiting in our own queue is
 * better than in the server's, because here a dependent task can go first.
 */
export function createLimiter(timing: Timing, options: LimiterOptions = {}): Limiter {
  const min = options.min ?? CLIENT_LIMITS.inFlightMin
  const max = Math.max(min, options.max ?? CLIENT_LIMITS.inFlightMax)
  const lanes = createLanes(timing)
  const pace = createPace(timing)
  let limit = Math.min(max, Math.max(min, options.start ?? CLIENT_LIMITS.inFlightStart))
  let inFlight = 0
  let full = false
  let halvedAt = Number.NEGATIVE_INFINITY

  const slot = (): Slot => {
    const startedWith = inFlight
    let held = true
    inFlight += 1
    if (inFlight >= Math.floor(limit)) full = true
    return {
      release(ended) {
        if (!held) return
        held = false
        // A request is alone only if it was at its start and is at its end: a burst begins with few as well.
        learn(ended, Math.max(startedWith + 1, inFlight))
        inFlight -= 1
        while (inFlight < Math.floor(limit) && lanes.size > 0) lanes.next()?.(slot())
      },
    }
  }

  const learn = (ended: Ended, beside: number): void => {
    if (ended.kind === 'overloaded') {
      if (timing.now() - halvedAt < HALVE_MS) return
      halvedAt = timing.now()
      limit = Math.max(min, limit / 2)
      pace.forget()
    } else if (ended.kind === 'answered' && ended.latencyMs !== null) {
      const verdict = pace.add(ended.latencyMs, beside)
      if (verdict === null) return
      if (verdict === 'slow') limit = Math.max(min, limit * 0.9)
      else if (full) limit = Math.min(max, limit + 1)
      full = false
    }
  }

  return {
    get limit() {
      return Math.floor(limit)
    },
    get inFlight() {
      return inFlight
    },
    get waiting() {
      return lanes.waiting()
    },
    acquire(priority, signal) {
      if (signal?.aborted === true) return Promise.resolve(null)
      if (priority === 'dependent') pace.dependentSeen()
      if (lanes.size === 0 && inFlight < Math.floor(limit)) return Promise.resolve(slot())
      return lanes.wait(priority, signal)
    },
  }
}

type Give = (slot: Slot | null) => void

interface Waiting {
  readonly since: number
  readonly give: Give
}

/** Who waits, by lane. A `Set` keeps the order and forgets anybody at once. */
function createLanes(timing: Timing) {
  const queues: Readonly<Record<Priority, Set<Waiting>>> = {
    dependent: new Set(),
    fanOut: new Set(),
    housekeeping: new Set(),
  }
  let size = 0
  let given = 0

  const take = (lane: Priority, one: Waiting): Give => {
    queues[lane].delete(one)
    size -= 1
    return one.give
  }
  const first = (lane: Priority): Waiting | undefined => queues[lane].values().next().value

  /** The one who has waited longest, if that is too long. */
  const impatient = (): Give | null => {
    let found: { lane: Priority; one: Waiting } | null = null
    for (const lane of LANES) {
      const one = first(lane)
      if (one !== undefined && (found === null || one.since < found.one.since)) found = { lane, one }
    }
    return found !== null && timing.now() - found.one.since > PATIENCE_MS ? take(found.lane, found.one) : null
  }

  return {
    get size() {
      return size
    },
    waiting: (): Readonly<Record<Priority, number>> => ({
      dependent: queues.dependent.size,
      fanOut: queues.fanOut.size,
      housekeeping: queues.housekeeping.size,
    }),
    next(): Give | null {
      given += 1
      const late = given % FAIR_EVERY === 0 ? impatient() : null
      if (late !== null) return late
      for (const lane of LANES) {
        const one = first(lane)
        if (one !== undefined) return take(lane, one)
      }
      return null
    },
    wait: (lane: Priority, signal: AbortSignal | undefined): Promise<Slot | null> =>
      new Promise(resolve => {
        const aborted = (): void => {
          if (queues[lane].has(one)) take(lane, one)(null)
        }
        const give: Give = slot => {
          signal?.removeEventListener('abort', aborted)
          resolve(slot)
        }
        const one: Waiting = { since: timing.now(), give }
        queues[lane].add(one)
        size += 1
        signal?.addEventListener('abort', aborted, { once: true })
      }),
  }
}

/** Judges windows of answers against what this server does when it is quiet. */
function createPace(timing: Timing) {
  let answers: number[] = []
  const quiet: number[] = []
  let dependentAt = Number.NEGATIVE_INFINITY
  return {
    dependentSeen: (): void => {
      dependentAt = timing.now()
    },
    forget: (): void => {
      answers = []
    },
    add(latencyMs: number, beside: number): 'slow' | 'fine' | null {
      if (beside <= QUIET) {
        quiet.push(latencyMs)
        if (quiet.length > WINDOW) quiet.shift()
      }
      answers.push(latencyMs)
      if (answers.length < WINDOW) return null
      const usual = median(answers)
      answers = []
      const goal = timing.now() - dependentAt < DEPENDENT_MS ? DEPENDENT_LATENCY_MS : FAN_OUT_LATENCY_MS
      return usual > Math.max(goal, SLOWDOWN * median(quiet)) ? 'slow' : 'fine'
    },
  }
}

const median = (values: readonly number[]): number =>
  values.length === 0 ? 0 : (values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0)
