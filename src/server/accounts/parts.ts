import type { Accounts } from '../../ports/accounts.ts'
import type { Cookies } from './cookies.ts'
import type { OidcProvider } from './oidc.ts'
import type { Passwords } from './passwords.ts'

/** What a server with accounts is made of. */
export interface AccountParts {
  readonly accounts: Accounts
  readonly passwords: Passwords
  readonly cookies: Cookies
  readonly settings: AccountSettings
  /** Identity providers by their names in addresses. */
  readonly providers: ReadonlyMap<string, OidcProvider>
}

export interface AccountSettings {
  /** Where browsers reach this server, without a slash at its end: `https://kontroler.example.org`. */
  readonly publicUrl: string
  /** A session ends this long after it was last used. */
  readonly sessionIdleMs: number
  /** A session ends after this time, used or not. */
  readonly sessionMaxMs: number
  /** Whether users may sign in with a password. */
  readonly passwords: boolean
}

export const SETTINGS_DEFAULT = {
  sessionIdleMs: 8 * 3_600_000,
  sessionMaxMs: 7 * 86_400_000,
  passwords: true,
} as const satisfies Partial<AccountSettings>
