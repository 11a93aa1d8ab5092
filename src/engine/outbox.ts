import type { RunEvent } from '../core/run/events.ts'
import { type WebhookMessage, messagesOf } from '../core/webhook/messages.ts'
import { type OutgoingWebhook, outgoingOf } from '../core/webhook/outgoing.ts'
import type { Clock } from '../ports/clock.ts'
import type { DeliveryBatch } from '../ports/deliveries.ts'
import type { AttemptRow } from '../core/run/rows.ts'
import type { Change, Store } from '../ports/store.ts'
import { numberOfRun, numberOfTask } from './run-number.ts'

/** Entries of the feed that are dealt with in one transaction. */
const PAGE = 200
/** How often it is asked whether something was written. */
const LOOK_MS = 200
/** After trouble with the database it is looked again this soon. */
const TROUBLE_MS = 2_000
/** Versions of DAGs whose webhook is remembered. */
const VERSIONS_MAX = 1_000

export interface OutboxParts {
  readonly store: Store
  readonly clock: Clock
  /** Called when messages were put in line. */
  readonly filled: () => void
  readonly trouble: (error: unknown) => void
}

/**
 * Makes messages of what the feed tells, for the receivers that DAGs name. The place in the feed moves in the
 * transaction that puts the messages in line, so that each fact gives its messages once, whoever was killed when, and
 * however many do this at once.
 */
export class Outbox {
  readonly #parts: OutboxParts
  readonly #webhooks = new Map<string, OutgoingWebhook | null>()
  #mark: number | null = null
  #callOff: (() => void) | null = null
  #unhear: (() => void) | null = null
  #looking: Promise<void> | null = null
  #closed = false

  constructor(parts: OutboxParts) {
    this.#parts = parts
  }

  open(): void {
    this.#unhear = this.#parts.store.onChange(() => this.#soon(0))
    this.#soon(0)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#unhear?.()
    this.#callOff?.()
    await this.#looking?.catch(() => undefined)
  }

  /** Deals with everything that is in the feed now. */
  async catchUp(): Promise<void> {
    await this.#looking?.catch(() => undefined)
    this.#looking = this.#look().finally(() => {
      this.#looking = null
    })
    await this.#looking
  }

  #soon(delayMs: number): void {
    if (this.#closed || this.#looking !== null) return
    this.#callOff?.()
    this.#callOff = this.#parts.clock.after(delayMs, () => {
      if (this.#looking !== null) return
      let next = LOOK_MS
      this.#looking = this.#look()
        .catch((error: unknown) => {
          next = TROUBLE_MS
          this.#parts.trouble(error)
        })
        .finally(() => {
          this.#looking = null
          this.#soon(next)
        })
    })
  }

  async #look(): Promise<void> {
    const { store } = this.#parts
    const mark = await store.changeMark()
    if (mark === this.#mark) return
    let made = false
    let position = await store.deliveries.position()
    while (!this.#closed) {
      const changes = await store.changes({ after: position, limit: PAGE })
      const last = changes.at(-1)
      if (last === undefined) break
      const deliveries = await this.#messages(changes)
      const batch = { from: position, to: last.seq, now: this.#parts.clock.now(), deliveries }
      // Somebody else was faster: what they made is not made again.
      const mine = await store.deliveries.enqueue(batch)
      position = mine ? last.seq : await store.deliveries.position()
      made ||= mine && deliveries.length > 0
      if (mine && changes.length < PAGE) break
    }
    this.#mark = mark
    if (made) this.#parts.filled()
  }

  async #messages(changes: readonly Change[]): Promise<DeliveryBatch['deliveries']> {
    const made: DeliveryBatch['deliveries'][number][] = []
    for (const change of changes) {
      const webhook = await this.#webhookOf(change.dagHash)
      if (webhook === null) continue
      const { run, namespace, dag } = change
      const host = hostOf(webhook.url)
      for (const { event, body } of await this.#messagesOf(change, webhook))
        made.push({ run, namespace, dag, event, host, body })
    }
    return made
  }

  async #messagesOf(change: Change, webhook: OutgoingWebhook): Promise<readonly WebhookMessage[]> {
    const { store } = this.#parts
    const { run, from, version } = change
    const events = await store.events(run, from, version - from)
    const [created] = from === 0 ? events : await store.events(run, 0, 1)
    if (created?.type !== 'runCreated') return []
    const attempts = await attemptsOf(store, run, events, webhook)
    const context = {
      created,
      runNumber: numberOfRun(run, created.at),
      taskNumber: (task: string) => numberOfTask(run, task),
      attemptMs: (task: string, attempt: number) => attempts.get(`${task} ${attempt}`) ?? 0,
    }
    return events
      .flatMap(event => messagesOf(event, context))
      .filter(({ event }) => webhook.events === null || webhook.events.has(event))
  }

  async #webhookOf(hash: string): Promise<OutgoingWebhook | null> {
    const known = this.#webhooks.get(hash)
    if (known !== undefined) return known
    const stored = await this.#parts.store.dagByHash(hash)
    const webhook = stored === null ? null : outgoingOf(stored.dag)
    const [oldest] = this.#webhooks.keys()
    if (this.#webhooks.size >= VERSIONS_MAX && oldest !== undefined) this.#webhooks.delete(oldest)
    this.#webhooks.set(hash, webhook)
    return webhook
  }
}

/** What bounds and pauses of a receiver are counted by. */
export function hostOf(url: string): string {
  return URL.parse(url)?.host ?? ''
}

/** How long the attempts took that ended here; only messages about pods tell of it. */
async function attemptsOf(
  store: Store,
  run: string,
  events: readonly RunEvent[],
  { events: wanted }: OutgoingWebhook,
): Promise<ReadonlyMap<string, number>> {
  const durations = new Map<string, number>()
  if (wanted !== null && !wanted.has('pod')) return durations
  const tasks = new Set(events.flatMap(event => (event.type === 'attemptEnded' ? [event.task] : [])))
  const rows: AttemptRow[] = []
  // Of few tasks only theirs; of many, all of the run at once.
  if (tasks.size > 20) rows.push(...(await store.attempts(run)))
  else for (const task of tasks) rows.push(...(await store.attempts(run, task)))
  for (const { task, attempt, startedAt, runningAt, endedAt } of rows)
    if (endedAt !== null) durations.set(`${task} ${attempt}`, Math.max(0, endedAt - (runningAt ?? startedAt)))
  return durations
}
