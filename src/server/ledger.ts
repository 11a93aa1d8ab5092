import type { Accounts, AuditFact } from '../ports/accounts.ts'
import type { Principal } from '../ports/authenticator.ts'
import type { Clock } from '../ports/clock.ts'
import type { RequestProblem } from './problem.ts'
import type { Noted } from './route.ts'

const MINUTE_MS = 60_000
const OBJECT_LENGTH_MAX = 300
const OTHERS = 'others'

/** What is known of a request that is to be written down. */
export interface Asked {
  /** Name of the operation; null for an address that has none. */
  readonly action: string | null
  /** The address, without its query: that may hold secrets. */
  readonly path: string
  readonly address: string
  /** Null: nobody that is known. */
  readonly principal: Principal | null
}

export interface LedgerOptions {
  readonly accounts: Accounts
  readonly clock: Clock
  readonly limits: { readonly deniedPerMinuteMax: number; readonly deniedOriginsMax: number }
}

/**
 * Writes requests to the audit log. Of what was done and of what could not be done each one; of what is not allowed a
 * bounded number for each origin, since anybody may ask for as much of that as they like, and the log is of use only
 * as long as it can be read. The next entry says how many there were.
 */
export class Ledger {
  readonly #options: LedgerOptions
  readonly #denied = new Map<string, { count: number; unrecorded: number }>()
  #minute = 0

  constructor(options: LedgerOptions) {
    this.#options = options
  }

  async done(asked: Asked, noted: Noted): Promise<void> {
    await this.#write(asked, { outcome: 'done', code: null, ...noted })
  }

  /** What was allowed, and could not be done. */
  async refused(asked: Asked, { code, status }: RequestProblem, noted: Noted): Promise<void> {
    await this.#write(asked, { outcome: status >= 500 ? 'failed' : 'refused', code, ...noted })
  }

  async denied(asked: Asked, { code, denied }: RequestProblem, noted: Noted = {}): Promise<void> {
    const unrecorded = this.#admit(asked.principal?.id ?? asked.address)
    if (unrecorded === null) return
    const namespace = denied?.namespace ?? null
    await this.#write(asked, { outcome: 'denied', code, namespace, unrecorded, ...noted })
  }

  /** Null: there were too many within this minute. */
  #admit(origin: string): number | null {
    const { limits, clock } = this.#options
    const minute = Math.floor(clock.now() / MINUTE_MS)
    if (minute !== this.#minute) {
      this.#minute = minute
      for (const [key, one] of this.#denied) {
        one.count = 0
        if (one.unrecorded === 0) this.#denied.delete(key)
      }
    }
    const key = this.#denied.has(origin) || this.#denied.size < limits.deniedOriginsMax ? origin : OTHERS
    const seen = this.#denied.get(key) ?? { count: 0, unrecorded: 0 }
    this.#denied.set(key, seen)
    if (seen.count >= limits.deniedPerMinuteMax) {
      seen.unrecorded += 1
      return null
    }
    seen.count += 1
    const { unrecorded } = seen
    seen.unrecorded = 0
    return unrecorded
  }

  async #write(asked: Asked, fact: Pick<AuditFact, 'outcome' | 'code'> & Partial<AuditFact>): Promise<void> {
    const { accounts, clock } = this.#options
    await accounts.record({
      at: clock.now(),
      actor: asked.principal?.id ?? 'nobody',
      actorName: asked.principal?.name ?? 'nobody',
      action: asked.action ?? 'none',
      namespace: null,
      object: asked.path.slice(0, OBJECT_LENGTH_MAX),
      address: asked.address,
      before: null,
      after: null,
      unrecorded: 0,
      ...fact,
    })
  }
}
