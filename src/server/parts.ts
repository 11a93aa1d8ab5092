import type { Authenticator } from '../ports/authenticator.ts'
import type { Clock, Identity } from '../ports/clock.ts'
import type { Control } from '../ports/control.ts'
import type { EventRuns } from '../ports/event-runs.ts'
import type { LogArchive } from '../ports/logs.ts'
import type { EngineProbe } from '../ports/notices.ts'
import type { ValueSource } from '../ports/secrets.ts'
import type { Store } from '../ports/store.ts'
import type { Rates } from './hooks/rates.ts'
import type { AccountParts } from './accounts/parts.ts'
import type { Ledger } from './ledger.ts'
import type { Live } from './live.ts'
import type { Turns } from './turns.ts'

/** What a server is made of; whoever constructs it decides what is real. */
export interface ServerOptions {
  readonly store: Store
  readonly logs: LogArchive
  readonly control: Control
  readonly authenticator: Authenticator
  readonly probe: EngineProbe
  readonly clock: Clock
  readonly identity: Identity
  readonly version: string
  /** What incoming webhooks need; absent: none are answered. */
  readonly hooks?: HookParts
  /** Users who sign in, and the audit log. Absent: whoever the authenticator knows, and nothing is written down. */
  readonly accounts?: AccountParts
  /** Addresses of proxies whose word about where a request comes from is taken. */
  readonly trustedProxies?: readonly string[]
  /** Text for Prometheus, where somebody counts. */
  readonly metrics?: { readonly contentType: string; text(): Promise<string> }
  /** Told of every bug, with the correlation id that the client was given. */
  readonly trouble: (correlationId: string, error: unknown) => void
  /** Bounds in place of the usual ones, for tests. */
  readonly limits?: Partial<Limits>
  /** Checks each answer against what its route declares. For tests. */
  readonly checkAnswers?: boolean
}

export interface HookParts {
  /** Where events become runs. */
  readonly runs: EventRuns
  /** Secrets of senders. */
  readonly values: Pick<ValueSource, 'secret'>
  /** Whether this server answers for a DAG: a store may hold others, which nobody looks after here. */
  readonly serves: (namespace: string, dag: string) => boolean
}

export type Limits = { readonly [Name in keyof typeof import('./limits.ts').SERVER_LIMITS]: number }

/** The same, and what the routes share. */
export interface ServerParts extends Omit<ServerOptions, 'limits'> {
  readonly limits: Limits
  readonly live: Live
  /** Null: nobody writes down what is done. */
  readonly ledger: Ledger | null
  /** Whole logs of runs are replayed a few at a time. */
  readonly replays: Turns
  readonly followers: { count: number }
  /** By source: events of webhooks, and those whose sender did not prove itself. */
  readonly rates: { readonly events: Rates; readonly wrongProofs: Rates }
}
