import type { Config } from '../config.ts'
import { Outbox } from '../engine/outbox.ts'
import { systemClock, systemIdentity } from '../host/clock.ts'
import { VERSION } from '../host/version.ts'
import { policyEntry, policyOf } from '../notifiers/webhook/policy.ts'
import { systemResolve } from '../notifiers/webhook/resolve.ts'
import { WebhookSender } from '../notifiers/webhook/sender.ts'
import type { ClaimedDelivery, DeliveryResult } from '../ports/deliveries.ts'
import { DELIVERY_CODES } from '../ports/deliveries.ts'
import type { ValueSource } from '../ports/secrets.ts'
import type { Store } from '../ports/store.ts'
import type { Log } from '../controller/json-log.ts'
import { wordsOf } from './parts.ts'

export interface WebhookParts {
  readonly config: Pick<Config, 'webhooks'>
  readonly store: Store
  readonly values: Pick<ValueSource, 'secret'>
  readonly log: Log
}

/** Sends what runs tell their receivers; any number of controllers may do so over one database. */
export function openWebhooks({ config, store, values, log }: WebhookParts): { close(): Promise<void> } {
  const trouble = (error: unknown): void =>
    log.warn(`messages of webhooks wait: ${wordsOf(error)}`, { code: 'WEBHOOKS_WAIT' })
  for (const entry of config.webhooks.allow.filter(one => policyEntry(one) === null))
    log.error('webhooks.allow holds what is no range, address or name; it allows nothing', { entry })
  const sender = new WebhookSender({
    store,
    values,
    clock: systemClock,
    identity: systemIdentity,
    policy: policyOf(config.webhooks.allow, false, config.webhooks.ports),
    resolve: systemResolve,
    userAgent: `Kontroler/${VERSION}`,
    leftTo: () => Promise.resolve([]),
    trouble,
    tried: (delivery, result) => tell(log, delivery, result),
  })
  const outbox = new Outbox({ store, clock: systemClock, filled: () => sender.look(), trouble })
  outbox.open()
  sender.open()
  return {
    async close() {
      await outbox.close()
      await sender.close()
    },
  }
}

/** The first failure of a message and its last; all of them are in the delivery log. */
function tell(log: Log, delivery: ClaimedDelivery, { attempt, follows }: DeliveryResult): void {
  if (follows.state === 'delivered' || (follows.state === 'waiting' && delivery.attempts > 0)) return
  const { run, number, host, event, namespace, dag } = delivery
  log.warn(`a message of a webhook was not taken: ${DELIVERY_CODES[attempt.code]}`, {
    code: attempt.code,
    ...(attempt.status === null ? {} : { status: attempt.status }),
    state: follows.state,
    run,
    number,
    event,
    receiver: host,
    dag: `${namespace}/${dag}`,
  })
}
