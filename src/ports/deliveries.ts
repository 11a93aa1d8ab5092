import type { Page } from './store.ts'

/**
 * Messages on their way to receivers: an outbox in the database, filled from the feed. Those of one run are sent one
 * after the other, in their order; each at least once, with the same id each time. What any of these must do is
 * written down in `test/contracts/deliveries.ts`.
 *
 * Every method may throw `StoreError`, as the store's own do.
 */
export interface Deliveries {
  /** Place in the feed up to which messages were made. */
  position(): Promise<number>
  /**
   * Puts messages in line and moves the place in the feed, in one transaction. Of a run whose receiver wants nothing
   * more (`gone`) they are recorded and not sent.
   *
   * @returns false, with nothing written, when somebody else has moved it from `from`.
   */
  enqueue(batch: DeliveryBatch): Promise<boolean>
  /** Hosts for which a message is due now or later, each with the earliest moment. */
  hosts(): Promise<readonly DueHost[]>
  /**
   * Takes the first message of runs that are due for one host, for as long as `until`: nobody else is given them
   * before. Whoever dies with them loses them then.
   */
  claim(claim: DeliveryClaim): Promise<readonly ClaimedDelivery[]>
  /** Writes down how an attempt went. What others took over meanwhile, or was settled, stays as it is. */
  record(result: DeliveryResult): Promise<void>
  /** Gives messages back that were claimed and not tried; they are due again at `at`. */
  release(claimed: readonly Pick<ClaimedDelivery, 'run' | 'claim'>[], at: number): Promise<void>
  /** How many messages of a run wait. */
  waiting(run: string): Promise<number>
  /** Of a run in their order, of a DAG newest first. */
  list(query: DeliveryQuery): Promise<Page<Delivery>>
  delivery(run: string, number: number): Promise<Delivery | null>
  /** Puts a message in line again, whatever became of it; false when there is none. */
  again(run: string, number: number, now: number): Promise<boolean>
}

/** `waiting`: to be sent, perhaps again. `failed`: given up. `gone`: the receiver wants no more of this run. */
export type DeliveryState = 'waiting' | 'delivered' | 'failed' | 'gone'

export interface NewDelivery {
  readonly run: string
  /** From 1 on, without gaps, in each run. */
  readonly number: number
  readonly namespace: string
  readonly dag: string
  /** `runStarted`, `taskFailed` … */
  readonly event: string
  /** Host and port of the receiver: what bounds and pauses are counted by. */
  readonly host: string
  readonly body: string
}

export interface DeliveryBatch {
  readonly from: number
  readonly to: number
  readonly now: number
  /** Numbers are given here, in this order, behind those that the run has. */
  readonly deliveries: readonly Omit<NewDelivery, 'number'>[]
}

export interface DueHost {
  readonly host: string
  readonly dueAt: number
}

export interface DeliveryClaim {
  readonly host: string
  readonly now: number
  readonly until: number
  readonly limit: number
  /** Names this claim; nobody else uses it. */
  readonly claim: string
  /** Runs that these engines drive, or drove to their end, are left to them. */
  readonly leftTo: readonly string[]
}

export interface ClaimedDelivery extends NewDelivery {
  readonly claim: string
  /** Attempts so far. */
  readonly attempts: number
  /** When it was made, or asked for again. */
  readonly since: number
}

/** Stable for a message however often it is sent, so that its receiver knows it again. */
export const deliveryId = ({ run, number }: Pick<NewDelivery, 'run' | 'number'>): string =>
  `msg_${run}_${number}`

/** How one attempt went. */
export interface DeliveryAttempt {
  readonly at: number
  readonly durationMs: number
  readonly code: DeliveryCode
  /** Of the answer; null when there was none. */
  readonly status: number | null
  /** The address that was connected to; null when it did not come to that. */
  readonly address: string | null
  /** Whether the receiver's certificate was checked; null without TLS. */
  readonly verified: boolean | null
  /** The beginning of the answer, printable; never a secret that was sent. Empty for one that took the message. */
  readonly response: string
}

export interface DeliveryResult {
  readonly run: string
  readonly number: number
  readonly claim: string
  readonly attempt: DeliveryAttempt
  readonly follows:
    | { readonly state: 'delivered' | 'failed' | 'gone' }
    | { readonly state: 'waiting'; readonly at: number }
}

export interface Delivery extends NewDelivery {
  readonly state: DeliveryState
  readonly attempts: number
  readonly createdAt: number
  /** When it is tried next, once those before it are settled; null when it is settled. */
  readonly nextAt: number | null
  readonly settledAt: number | null
  /** The last ones, the newest last. */
  readonly log: readonly DeliveryAttempt[]
}

export interface DeliveryQuery {
  readonly run?: string
  readonly namespace?: string
  readonly dag?: string
  readonly states?: readonly DeliveryState[]
  /** 1..500, default 50. */
  readonly limit?: number
  readonly after?: string
}

/** Attempts of a message that are kept, the last ones. */
export const ATTEMPTS_KEPT = 20

/** How an attempt to deliver ended. Codes are stable. */
export const DELIVERY_CODES = {
  DELIVERED: 'the receiver took the message',
  RECEIVER_REFUSED: 'the receiver answered with a status other than 2xx',
  RECEIVER_BUSY: 'the receiver asked to be spared for a while (429 or 503)',
  RECEIVER_GONE: 'the receiver wants no more messages (410); none of this run is sent any more',
  REDIRECTED: 'the receiver answered with a redirect, which is never followed',
  TIMED_OUT: 'the receiver did not answer in time',
  CONNECTION_FAILED: 'no connection to the receiver, or it broke before the answer',
  TLS_FAILED: 'the certificate of the receiver is not good for its name, or TLS failed',
  NAME_NOT_FOUND: 'the name of the receiver has no address',
  ADDRESS_REFUSED: 'the receiver has an address that messages are not sent to',
  PORT_REFUSED: 'messages are not sent to this port',
  URL_INVALID: 'the address of the webhook cannot be called',
  SECRET_MISSING: 'a Secret that the webhook names is not there, or has not that key',
  SECRET_REFUSED: 'a Secret that the webhook names may not be read',
  HEADER_INVALID: 'a header of the webhook cannot be sent as it is',
  WEBHOOK_REMOVED: 'the version of the DAG that this run has names no webhook',
} as const satisfies Readonly<Record<string, string>>

export type DeliveryCode = keyof typeof DELIVERY_CODES
