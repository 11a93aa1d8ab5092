import { createServer } from 'node:net'
import { type Client, openClient } from '../../src/client/client.ts'
import { systemClock, systemIdentity } from '../../src/host/clock.ts'
import type { Accounts, Grants } from '../../src/ports/accounts.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { accountAuthenticator } from '../../src/server/accounts/authenticator.ts'
import { cookiesOf } from '../../src/server/accounts/cookies.ts'
import { type OidcSettings, oidcProvider } from '../../src/server/accounts/oidc.ts'
import { type AccountSettings, SETTINGS_DEFAULT } from '../../src/server/accounts/parts.ts'
import { openPasswords } from '../../src/server/accounts/passwords.ts'
import { hashOf, newToken } from '../../src/server/accounts/secrets.ts'
import { SERVER_LIMITS } from '../../src/server/limits.ts'
import type { ServerOptions } from '../../src/server/parts.ts'
import { grants } from '../contracts/accounts.ts'
import { type House, openHouse } from './house.ts'

export const PASSWORD = 'correct horse battery'

/** A house whose people have accounts; their password is {@link PASSWORD}. */
export interface AccountHouse extends House {
  readonly accounts: Accounts
  /** Moves the time of the server on. */
  later(ms: number): void
  addUser(name: string, roles?: string): Promise<string>
  /** A token of a user with all that they may do, made past the API. */
  token(name: string, over?: { readonly roles?: Grants; readonly expiresAt?: number | null }): Promise<string>
  /** The cookie of a new session. */
  signIn(name: string, password?: string): Promise<string>
  /** One JSON request; the body of the answer, its status and its headers. */
  ask(method: string, path: string, options?: AskOptions): Promise<Said>
  with(token: string): Client
}

export interface AskOptions {
  readonly cookie?: string
  readonly token?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface Said {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // Whatever the answer holds: a test says what it expects of it.
  readonly body: { readonly [key: string]: unknown }
}

export interface AccountHouseOptions {
  readonly settings?: Partial<AccountSettings>
  readonly providers?: readonly OidcSettings[]
  readonly limits?: NonNullable<ServerOptions['limits']>
  readonly trustedProxies?: readonly string[]
  /** Stands between the server and the accounts. */
  readonly wrap?: (accounts: Accounts) => Accounts
}

export async function openAccountHouse(options: AccountHouseOptions = {}): Promise<AccountHouse> {
  const port = await freePort()
  const publicUrl = options.settings?.publicUrl ?? `http://127.0.0.1:${port}`
  let shift = 0
  const clock: Clock = { ...systemClock, now: () => Date.now() + shift }
  const limits = { ...SERVER_LIMITS, ...options.limits }
  const cookies = cookiesOf(publicUrl)
  const passwords = openPasswords(limits)
  let accounts: Accounts | null = null
  const house = await openHouse({
    port,
    clock,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.trustedProxies === undefined ? {} : { trustedProxies: options.trustedProxies }),
    accounts: async stored => {
      accounts = stored
      const settings = { ...SETTINGS_DEFAULT, publicUrl, ...options.settings }
      const providers = new Map(
        (options.providers ?? []).map(one => [one.name, oidcProvider(one, publicUrl)] as const),
      )
      return {
        accounts: { accounts: options.wrap?.(stored) ?? stored, passwords, cookies, settings, providers },
        authenticator: accountAuthenticator({ accounts: stored, clock, cookies, limits }),
      }
    },
  })
  const stored: Accounts = accounts ?? never()
  const phc = await passwords.hash(PASSWORD)
  const ask = async (method: string, path: string, over: AskOptions = {}): Promise<Said> => {
    const headers = new Headers(over.headers)
    if (over.token !== undefined) headers.set('authorization', `Bearer ${over.token}`)
    if (over.cookie !== undefined) headers.set('cookie', over.cookie)
    if (over.cookie !== undefined && method !== 'GET') headers.set('origin', house.url)
    if (over.body !== undefined) headers.set('content-type', 'application/json')
    const body = over.body === undefined ? null : JSON.stringify(over.body)
    const response = await house.send(path, { method, headers, body })
    const text = await response.text()
    const isJson = /json/.test(response.headers.get('content-type') ?? '') && !path.includes('/export')
    const read = isJson ? (JSON.parse(text) as Said['body']) : {}
    return { status: response.status, headers: response.headers, text, body: read }
  }
  return {
    ...house,
    accounts: stored,
    later(ms) {
      shift += ms
    },
    async addUser(name, roles = '') {
      const id = systemIdentity.id()
      await stored.addUser({ id, name, password: phc, roles: grants(roles), at: clock.now() })
      return id
    },
    async token(name, over = {}) {
      const user = (await stored.userNamed(name))?.user ?? never()
      const token = newToken()
      await stored.addToken({
        id: systemIdentity.id(),
        hash: hashOf(token),
        user: user.id,
        userVersion: user.version,
        name: 'test',
        roles: over.roles ?? grants('*=admin'),
        at: clock.now(),
        expiresAt: over.expiresAt ?? null,
      })
      return token
    },
    async signIn(name, password = PASSWORD) {
      const said = await ask('POST', '/api/v1/session', { body: { name, password } })
      if (said.status !== 200) throw new Error(said.text)
      return cookieOf(said)
    },
    ask,
    with: token => openClient({ url: house.url, token }),
  }
}

/** What a browser would send back. */
export function cookieOf({ headers }: Pick<Said, 'headers'>): string {
  return headers
    .getSetCookie()
    .map(line => line.split(';')[0] ?? '')
    .filter(pair => !pair.endsWith('='))
    .join('; ')
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

function never(): never {
  throw new Error('there is none')
}
