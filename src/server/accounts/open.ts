import type { Accounts } from '../../ports/accounts.ts'
import type { Authenticator } from '../../ports/authenticator.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Limits } from '../parts.ts'
import { accountAuthenticator } from './authenticator.ts'
import type { AccountsConfig } from './config.ts'
import { cookiesOf } from './cookies.ts'
import { oidcProvider } from './oidc.ts'
import type { AccountParts } from './parts.ts'
import { openPasswords } from './passwords.ts'

export interface AccountsOptions {
  readonly accounts: Accounts
  readonly clock: Clock
  readonly config: AccountsConfig
  /** The address that the server listens on, for a configuration that names none. */
  readonly url: string
  readonly limits: Limits
  /** Reads a file with a secret, whenever a provider is asked what it is anew: it may have been renewed. */
  readonly secretIn: (file: string) => string
}

/** What a server with accounts needs, and who knows its users. */
export function accountParts(options: AccountsOptions): {
  readonly accounts: AccountParts
  readonly authenticator: Authenticator
} {
  const { accounts, clock, config, limits, secretIn } = options
  const { passwords, sessionIdleMs, sessionMaxMs } = config
  const publicUrl = config.publicUrl ?? options.url
  const cookies = cookiesOf(publicUrl)
  const providers = config.providers.map(({ clientSecretFile: file, ...one }) => {
    const settings = { ...one, clientSecret: file === null ? null : () => secretIn(file) }
    return [one.name, oidcProvider(settings, publicUrl)] as const
  })
  return {
    accounts: {
      accounts,
      passwords: openPasswords(limits),
      cookies,
      settings: { publicUrl, passwords, sessionIdleMs, sessionMaxMs },
      providers: new Map(providers),
    },
    authenticator: accountAuthenticator({ accounts, clock, cookies, limits }),
  }
}
