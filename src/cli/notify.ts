import { setTimeout as pause } from 'node:timers/promises'
import type { Engine } from '../engine/engine.ts'
import { livingEngines } from '../engine/living.ts'
import { Outbox } from '../engine/outbox.ts'
import { systemClock, systemIdentity } from '../host/clock.ts'
import { VERSION } from '../host/version.ts'
import { policyEntry, policyOf } from '../notifiers/webhook/policy.ts'
import { systemResolve } from '../notifiers/webhook/resolve.ts'
import { WebhookSender } from '../notifiers/webhook/sender.ts'
import { DELIVERY_CODES, type ClaimedDelivery, type DeliveryResult } from '../ports/deliveries.ts'
import { CommandError } from './exit.ts'
import type { Environment } from './settings.ts'
import { printable } from './show/text.ts'

/** Longest that a command which is otherwise done waits for its receivers. */
const FLUSH_MS = 4_000
const FLUSH_LOOK_MS = 20

/** The messages of this process: made of what its engine records, and sent by it. */
export interface Notifier {
  /** Waits, within bounds, until the messages of these runs are taken; says how many stay. */
  flush(runs: readonly string[]): Promise<number>
  close(): Promise<void>
}

export function openNotifier(
  engine: Engine,
  environment: Pick<Environment, 'webhookAllow'>,
  say: (text: string) => void,
): Notifier {
  const { store, values, probe, me } = engine.parts
  const trouble = (error: unknown): void => engine.trouble(error, null)
  const sender = new WebhookSender({
    store,
    values,
    clock: systemClock,
    identity: systemIdentity,
    policy: policyOf(allowed(environment.webhookAllow), true, null),
    resolve: systemResolve,
    userAgent: `Kontroler/${VERSION}`,
    leftTo: async () => [...(await livingEngines(store, probe))].filter(id => id !== me.id),
    trouble,
    tried: told(say),
  })
  const outbox = new Outbox({ store, clock: systemClock, filled: () => sender.look(), trouble })
  outbox.open()
  sender.open()
  return {
    async flush(runs) {
      await outbox.catchUp()
      sender.look()
      const until = systemClock.now() + FLUSH_MS
      for (;;) {
        const left = await Promise.all(runs.map(run => waitingOf(run, until)))
        const waiting = left.reduce((sum, { count }) => sum + count, 0)
        const hopeful = left.some(({ soon }) => soon) && systemClock.now() < until
        if (waiting === 0 || !hopeful) return waiting
        await pause(FLUSH_LOOK_MS)
      }
    },
    async close() {
      await outbox.close()
      await sender.close()
    },
  }

  /** `soon`: the first of them is tried, or tried again, before `until`. */
  async function waitingOf(run: string, until: number): Promise<{ count: number; soon: boolean }> {
    const count = await store.deliveries.waiting(run)
    if (count === 0) return { count, soon: false }
    const { items } = await store.deliveries.list({ run, states: ['waiting'], limit: 1 })
    const [first] = items
    // While it is under way, it is due when its claim ends; that it was never tried tells it from one that failed.
    const soon = first !== undefined && (first.attempts === 0 || (first.nextAt ?? 0) <= until)
    return { count, soon }
  }
}

/** @throws {CommandError} `BAD_OPTION` */
function allowed(text: string | null): readonly string[] {
  const entries = (text ?? '').split(',').flatMap(entry => (entry.trim() === '' ? [] : [entry.trim()]))
  const wrong = entries.find(entry => policyEntry(entry) === null)
  if (wrong === undefined) return entries
  throw new CommandError(
    'BAD_OPTION',
    `KONTROLER_WEBHOOK_ALLOW holds ${printable(wrong)}`,
    'write ranges such as 10.0.0.0/8 and names such as hooks.example.com or *.example.com, with commas between',
  )
}

/** What a person wants to know of it: that a receiver fails, not each time that it does. */
function told(say: (text: string) => void): (delivery: ClaimedDelivery, result: DeliveryResult) => void {
  const unverified = new Set<string>()
  return ({ host, event, attempts, dag }, { attempt, follows }) => {
    if (attempt.verified === false && !unverified.has(host)) {
      unverified.add(host)
      say(`note: the certificate of ${host} is not checked, as the webhook says verifySSL: false`)
    }
    if (follows.state === 'delivered' || (follows.state === 'waiting' && attempts > 0)) return
    const status = attempt.status === null ? '' : ` (${attempt.status})`
    const next = follows.state === 'waiting' ? 'it is sent again' : 'it is not sent any more'
    say(
      `warning ${attempt.code}: ${event} of ${dag} to ${host}: ${DELIVERY_CODES[attempt.code]}${status}; ${next}`,
    )
  }
}
