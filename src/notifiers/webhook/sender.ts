import { type OutgoingWebhook, outgoingOf } from '../../core/webhook/outgoing.ts'
import type { Identity } from '../../ports/clock.ts'
import type { ClaimedDelivery, DeliveryResult } from '../../ports/deliveries.ts'
import type { Store } from '../../ports/store.ts'
import { type AttemptParts, attemptDelivery } from './attempt.ts'

/** Messages under way at once, in all and to one receiver. */
const UNDER_WAY_MAX = 128
const PER_HOST_MAX = 4
/** A claim of one who died ends after this; longer than an attempt may take. */
const CLAIM_MS = 20_000
/** Looked at this often for what others have put in line. */
const LOOK_MS = 1_000
/** When all that is due was claimed by others, or is left to them. */
const IDLE_MS = 200
/** A receiver that fails this often in a row is left alone, first for this long, at most for that. */
const FAILURES_MAX = 3
const PAUSE_FIRST_MS = 2_000
const PAUSE_MOST_MS = 300_000
/** Receivers that are remembered. */
const HOSTS_MAX = 10_000

export interface SenderParts extends Omit<AttemptParts, 'signal'> {
  readonly store: Store
  readonly identity: Identity
  /** Engines whose runs are left to them; asked before each claim. */
  readonly leftTo: () => Promise<readonly string[]>
  readonly trouble: (error: unknown) => void
  /** How long a message is nobody else's. Default: somewhat longer than an attempt may take. */
  readonly claimMs?: number
  /** Told how each attempt went, when that is durable. */
  readonly tried?: (delivery: ClaimedDelivery, result: DeliveryResult) => void
}

interface Host {
  underWay: number
  failures: number
  /** Left alone until then. */
  pausedUntil: number
}

/**
 * Sends what is due: first the messages of receivers that have room. A receiver that is slow or away holds back its own
 * messages and no others; the engine never waits for any. What is claimed here and not recorded, because the process
 * died, is due again when its claim ends, under the same id.
 */
export class WebhookSender {
  readonly #parts: SenderParts
  readonly #hosts = new Map<string, Host>()
  readonly #flights = new Set<Promise<void>>()
  readonly #ending = new AbortController()
  #callOff: (() => void) | null = null
  #looking: Promise<void> | null = null
  #again = false
  #underWay = 0

  constructor(parts: SenderParts) {
    this.#parts = parts
  }

  open(): void {
    this.look()
  }

  /** Something may be due. */
  look(): void {
    this.#again = true
    if (this.#closed || this.#looking !== null) return
    this.#callOff?.()
    this.#looking = this.#lookUntilQuiet().finally(() => {
      this.#looking = null
      if (this.#again) this.look()
    })
  }

  /** What is under way is broken off; its messages are sent again by whoever comes next. */
  async close(): Promise<void> {
    this.#ending.abort()
    this.#callOff?.()
    await this.#looking
    await Promise.allSettled(this.#flights)
  }

  get #closed(): boolean {
    return this.#ending.signal.aborted
  }

  async #lookUntilQuiet(): Promise<void> {
    let next = LOOK_MS
    while (this.#again && !this.#closed) {
      this.#again = false
      try {
        next = await this.#claimDue()
      } catch (error) {
        this.#parts.trouble(error)
        next = 2 * LOOK_MS
      }
    }
    if (this.#closed) return
    this.#callOff = this.#parts.clock.after(next, () => this.look())
  }

  /** @returns how long nothing more is to be done, in milliseconds. */
  async #claimDue(): Promise<number> {
    const { store, clock } = this.#parts
    let next = LOOK_MS
    const hosts = (await store.deliveries.hosts()).toSorted(
      (a, b) => this.#host(a.host).failures - this.#host(b.host).failures || a.dueAt - b.dueAt,
    )
    const leftTo = hosts.length === 0 ? [] : await this.#parts.leftTo()
    for (const { host, dueAt } of hosts) {
      const now = clock.now()
      const due = Math.max(dueAt, this.#host(host).pausedUntil)
      if (due > now) {
        next = Math.min(next, due - now)
        continue
      }
      const limit = this.#room(host, now)
      if (limit <= 0 || this.#closed) continue
      const claim = this.#parts.identity.id()
      const asked = { host, now, until: now + (this.#parts.claimMs ?? CLAIM_MS), limit, claim, leftTo }
      const claimed = await store.deliveries.claim(asked)
      for (const delivery of claimed) this.#send(delivery)
      if (claimed.length === 0) next = Math.min(next, IDLE_MS)
    }
    return Math.max(1, next)
  }

  /** One that failed is tried with one message, until it takes that. */
  #room(name: string, now: number): number {
    const { underWay, failures, pausedUntil } = this.#host(name)
    if (pausedUntil > now) return 0
    const fails = failures >= FAILURES_MAX
    // However many receivers fail, half of the room is left to those that do not.
    const inAll = fails ? UNDER_WAY_MAX / 2 : UNDER_WAY_MAX
    return Math.min((fails ? 1 : PER_HOST_MAX) - underWay, inAll - this.#underWay)
  }

  #send(delivery: ClaimedDelivery): void {
    const host = this.#host(delivery.host)
    host.underWay += 1
    this.#underWay += 1
    const flight = this.#deliver(delivery, host)
      .catch((error: unknown) => this.#parts.trouble(error))
      .finally(() => {
        host.underWay -= 1
        this.#underWay -= 1
        this.#flights.delete(flight)
        this.look()
      })
    this.#flights.add(flight)
  }

  async #deliver(delivery: ClaimedDelivery, host: Host): Promise<void> {
    const { store, clock } = this.#parts
    const webhook = await this.#webhookOf(delivery)
    const { signal } = this.#ending
    const result = await attemptDelivery(delivery, webhook, { ...this.#parts, signal })
    if (signal.aborted && result.attempt.code === 'TIMED_OUT') {
      // Broken off, which says nothing of the receiver.
      await store.deliveries.release([delivery], clock.now())
      return
    }
    this.#learn(host, result)
    await store.deliveries.record(result)
    this.#parts.tried?.(delivery, result)
  }

  async #webhookOf({ run }: ClaimedDelivery): Promise<OutgoingWebhook | null> {
    const { store } = this.#parts
    const stored = await store.run(run)
    const dag = stored === null ? null : await store.dagByHash(stored.dagHash)
    return dag === null ? null : outgoingOf(dag.dag)
  }

  /** Only what is about the receiver as a whole counts against it: not a message that it does not like. */
  #learn(host: Host, { attempt: { code, status, at, durationMs } }: DeliveryResult): void {
    const away = AWAY.has(code) || (code === 'RECEIVER_REFUSED' && (status ?? 0) >= 500)
    host.failures = away ? host.failures + 1 : 0
    const over = host.failures - FAILURES_MAX
    const pauseMs = over < 0 ? 0 : Math.min(PAUSE_MOST_MS, PAUSE_FIRST_MS * 2 ** Math.min(20, over))
    host.pausedUntil = pauseMs === 0 ? 0 : at + durationMs + pauseMs
  }

  #host(name: string): Host {
    const known = this.#hosts.get(name)
    if (known !== undefined) return known
    if (this.#hosts.size >= HOSTS_MAX)
      for (const [other, { underWay }] of this.#hosts) if (underWay === 0) this.#hosts.delete(other)
    const host: Host = { underWay: 0, failures: 0, pausedUntil: 0 }
    this.#hosts.set(name, host)
    return host
  }
}

const AWAY: ReadonlySet<string> = new Set(['TIMED_OUT', 'CONNECTION_FAILED', 'TLS_FAILED', 'RECEIVER_BUSY'])
