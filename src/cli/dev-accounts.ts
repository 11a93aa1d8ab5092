import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Accounts } from '../ports/accounts.ts'
import type { Authenticator } from '../ports/authenticator.ts'
import { systemClock } from '../host/clock.ts'
import { composedAuthenticator } from '../server/accounts/authenticator.ts'
import { type AccountsConfig, readAccounts } from '../server/accounts/config.ts'
import { keepHouse } from '../server/accounts/housekeeping.ts'
import { accountParts } from '../server/accounts/open.ts'
import { offerSetup } from '../server/accounts/setup.ts'
import { SERVER_LIMITS } from '../server/limits.ts'
import type { ServerOptions } from '../server/parts.ts'
import { CommandError } from './exit.ts'

/** Accounts beside the token of the state directory, which stays as good as it was. */
export interface DevAccounts {
  parts(url: string): Pick<ServerOptions, 'accounts' | 'authenticator'>
  /** Begins to tidy, and says how the first user is made while there is none. */
  begin(say: (text: string) => void): Promise<void>
  close(): void
}

/** @throws {CommandError} `BAD_OPTION` the file cannot be read, or does not say what it should. */
export function openDevAccounts(accounts: Accounts, file: string | null, local: Authenticator): DevAccounts {
  const config = configIn(file)
  const folder = file === null ? '.' : dirname(resolve(file))
  const secretIn = (path: string): string => readFileSync(resolve(folder, path), 'utf8').trim()
  let stop = (): void => undefined
  return {
    parts(url) {
      const limits = SERVER_LIMITS
      const made = accountParts({ accounts, clock: systemClock, config, url, limits, secretIn })
      return { ...made, authenticator: composedAuthenticator(local, made.authenticator) }
    },
    async begin(say) {
      const { auditKeep, auditAgeMs } = config
      const trouble = (error: unknown): void =>
        say(
          `warning: accounts could not be tidied: ${error instanceof Error ? error.message : String(error)}`,
        )
      stop = keepHouse({ accounts, clock: systemClock, auditKeep, auditAgeMs, trouble })
      const code = config.passwords ? await offerSetup(accounts, systemClock.now()) : null
      if (code !== null) say(`there is no user yet; the first one is made with this code, once: ${code}`)
    },
    close: () => stop(),
  }
}

function configIn(file: string | null): AccountsConfig {
  const bad = (why: string): CommandError =>
    new CommandError('BAD_OPTION', `--accounts ${file}: ${why}`, 'see the guide on access')
  if (file === null) return readAccounts(null).config
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw bad(error instanceof Error ? error.message : String(error))
  }
  const { config, problems } = readAccounts({ name: file, text })
  const [first] = problems
  if (first === undefined) return config
  const place = first.at === undefined ? '' : ` (line ${first.at.line})`
  throw bad(`${first.message}${place}; ${first.fix}`)
}
