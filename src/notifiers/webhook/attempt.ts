import type { SecretRef } from '../../core/dag/dag.ts'
import { nextAttemptAt, retryAfterOf } from '../../core/webhook/back-off.ts'
import type { OutgoingWebhook } from '../../core/webhook/outgoing.ts'
import type { Clock } from '../../ports/clock.ts'
import {
  type ClaimedDelivery,
  type DeliveryAttempt,
  type DeliveryCode,
  type DeliveryResult,
  deliveryId,
} from '../../ports/deliveries.ts'
import type { ValueSource } from '../../ports/secrets.ts'
import type { AddressPolicy } from './policy.ts'
import { type Posted, type Resolve, post } from './request.ts'
import { signedHeaders } from './signature.ts'

/** From the look-up of a receiver's name to the status of its answer. */
const TIMEOUT_MS = 15_000

export interface AttemptParts {
  readonly values: Pick<ValueSource, 'secret'>
  readonly policy: AddressPolicy
  readonly resolve: Resolve
  readonly clock: Clock
  readonly userAgent: string
  /** Ends what is under way. */
  readonly signal: AbortSignal
  readonly timeoutMs?: number
}

/** Tries once to deliver a message. Never throws. @param webhook  Null: its DAG names no receiver. */
export async function attemptDelivery(
  delivery: ClaimedDelivery,
  webhook: OutgoingWebhook | null,
  parts: AttemptParts,
): Promise<DeliveryResult> {
  const { clock } = parts
  const at = clock.now()
  const posted = webhook === null ? without('WEBHOOK_REMOVED') : await sent(delivery, webhook, parts, at)
  const { retryAfter, ...answer } = posted
  const attempt: DeliveryAttempt = { at, durationMs: Math.max(0, clock.now() - at), ...answer }
  const { run, number, claim } = delivery
  return { run, number, claim, attempt, follows: followsOf(delivery, attempt, retryAfter) }
}

function followsOf(
  delivery: ClaimedDelivery,
  { code, at, durationMs }: DeliveryAttempt,
  retryAfter: string | null,
): DeliveryResult['follows'] {
  if (code === 'DELIVERED') return { state: 'delivered' }
  if (code === 'RECEIVER_GONE') return { state: 'gone' }
  if (code === 'WEBHOOK_REMOVED') return { state: 'failed' }
  const now = at + durationMs
  const patience = code === 'RECEIVER_BUSY' ? retryAfterOf(retryAfter, now) : null
  const message = { id: deliveryId(delivery), attempts: delivery.attempts + 1, since: delivery.since }
  const next = nextAttemptAt(message, now, patience)
  return next === null ? { state: 'failed' } : { state: 'waiting', at: next }
}

async function sent(
  delivery: ClaimedDelivery,
  webhook: OutgoingWebhook,
  parts: AttemptParts,
  at: number,
): Promise<Posted> {
  const { namespace, body } = delivery
  /** Values that were read for this attempt: an answer may repeat them. */
  const secrets: string[] = []
  const read = async (ref: SecretRef): Promise<string> => {
    const value = await valueOf(parts.values, namespace, ref)
    secrets.push(value)
    return value
  }
  try {
    const headers: Record<string, string> = { 'user-agent': parts.userAgent }
    for (const { name, value } of webhook.headers)
      headers[name.toLowerCase()] = value.kind === 'text' ? value.text : await read(value.secret)
    const key = webhook.secret === null ? null : await read(webhook.secret)
    Object.assign(headers, signedHeaders(deliveryId(delivery), at, body, key))
    const { url, verifyTls } = webhook
    const { policy, resolve, signal, timeoutMs = TIMEOUT_MS } = parts
    const posted = await post({ url, verifyTls, headers, body }, { policy, resolve, signal, timeoutMs })
    return { ...posted, response: masked(posted.response, secrets) }
  } catch (error) {
    return without(error instanceof Unreadable ? error.code : 'CONNECTION_FAILED')
  }
}

class Unreadable extends Error {
  readonly code: DeliveryCode
  constructor(code: DeliveryCode) {
    super(code)
    this.code = code
  }
}

/** Without the line break that files with a secret often end with. */
async function valueOf(values: AttemptParts['values'], namespace: string, ref: SecretRef): Promise<string> {
  let value: string | null
  try {
    value = await values.secret(namespace, ref)
  } catch {
    throw new Unreadable('SECRET_REFUSED')
  }
  const plain = value?.replace(/\r?\n$/, '') ?? ''
  if (plain === '') throw new Unreadable('SECRET_MISSING')
  return plain
}

/** Also in the forms that a receiver may repeat them in: a token without its scheme, and base64. */
function masked(text: string, secrets: readonly string[]): string {
  const forms = secrets.flatMap(secret => [
    secret,
    ...secret.split(/[\s,;:=]+/),
    Buffer.from(secret).toString('base64'),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
  ])
  return forms
    .filter(form => form.length >= 4)
    .toSorted((a, b) => b.length - a.length)
    .reduce((left, form) => left.replaceAll(form, '***'), text)
}

const without = (code: DeliveryCode): Posted => ({
  code,
  status: null,
  address: null,
  verified: null,
  response: '',
  retryAfter: null,
})
