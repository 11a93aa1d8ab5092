import type { Accounts, AuditFact } from '../../ports/accounts.ts'
import type { Clock } from '../../ports/clock.ts'

export interface HousekeepingOptions {
  readonly accounts: Accounts
  readonly clock: Clock
  /** Entries of the audit log that are kept at most. */
  readonly auditKeep: number
  /** How long they are kept. */
  readonly auditAgeMs: number
  readonly trouble: (error: unknown) => void
}

const EVERY_MS = 3_600_000
/** How long a token that is good no more is still listed. */
const TOKENS_KEPT_MS = 30 * 86_400_000

/** Takes away, now and every hour, what has ended, and what of the audit log is not to be kept. Returns how to stop. */
export function keepHouse(options: HousekeepingOptions): () => void {
  const { clock, trouble } = options
  let callOff = (): void => undefined
  const round = (): void => {
    void tidy(options).catch(trouble)
    callOff = clock.after(EVERY_MS, round)
  }
  round()
  return () => callOff()
}

/** One round of it. */
export async function tidy({
  accounts,
  clock,
  auditKeep,
  auditAgeMs,
}: Omit<HousekeepingOptions, 'trouble'>): Promise<void> {
  const now = clock.now()
  await accounts.sweep(now, now - TOKENS_KEPT_MS)
  const gone = await accounts.trimAudit({ keep: auditKeep, before: now - auditAgeMs })
  if (gone > 0) await accounts.record(trimmed(now, gone))
}

/** That entries are gone, and how many, stands in the log itself. */
function trimmed(at: number, count: number): AuditFact {
  return {
    at,
    actor: 'kontroler',
    actorName: 'kontroler',
    action: 'trimAudit',
    namespace: null,
    object: `${count} entries`,
    outcome: 'done',
    code: null,
    address: null,
    before: null,
    after: null,
    unrecorded: 0,
  }
}
