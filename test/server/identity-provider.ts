import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'

/** A real OpenID Connect provider on this machine, whose users sign in by being named. */
export interface IdentityProvider {
  readonly issuer: string
  /** Claims of users by their subjects; change them as you like. */
  readonly users: Map<string, Readonly<Record<string, unknown>>>
  /** Who signs in next; null: they refuse. */
  next: string | null
  /** What is asked of it, as path and query. */
  readonly asked: string[]
  close(): Promise<void>
}

export interface ProviderOptions {
  readonly port: number
  readonly redirectUris: readonly string[]
  readonly clientSecret: string
}

/** Of a library without types: what is used of it. */
interface Provider {
  callback(): (request: IncomingMessage, response: ServerResponse) => void
  interactionFinished(request: IncomingMessage, response: ServerResponse, result: object): Promise<void>
  readonly Grant: new (of: object) => { addOIDCScope(scope: string): void; save(): Promise<string> }
}

export async function openIdentityProvider(options: ProviderOptions): Promise<IdentityProvider> {
  const name = 'oidc-provider'
  const library = (await import(name)) as {
    readonly default: new (issuer: string, settings: object) => Provider
  }
  const issuer = `http://127.0.0.1:${options.port}`
  const users: IdentityProvider['users'] = new Map()
  const asked: string[] = []
  const provider = new library.default(issuer, settingsOf(options, users))
  const handle = provider.callback()
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    if (request.url?.startsWith('/interaction/') !== true) return handle(request, response)
    const { next } = opened
    const result =
      next === null
        ? { error: 'access_denied', error_description: 'they said <b>no</b>' }
        : { login: { accountId: next, remember: false } }
    void provider.interactionFinished(request, response, result)
  })
  const opened: IdentityProvider = { issuer, users, next: null, asked, close: () => closed(server) }
  await new Promise<void>(resolve => server.listen(options.port, '127.0.0.1', resolve))
  return opened
}

function settingsOf(options: ProviderOptions, users: IdentityProvider['users']): object {
  return {
    clients: [
      {
        client_id: 'kontroler',
        client_secret: options.clientSecret,
        redirect_uris: [...options.redirectUris],
      },
    ],
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups', 'realm_access'] },
    // Claims come from the userinfo endpoint, as with most providers.
    conformIdTokenClaims: true,
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    cookies: { keys: ['only for a test'] },
    pkce: { required: () => true },
    findAccount: (_context: unknown, sub: string) => ({
      accountId: sub,
      claims: () => ({ sub, ...users.get(sub) }),
    }),
    loadExistingGrant: async (context: {
      oidc: {
        provider: Provider
        client: { clientId: string }
        session: { accountId: string }
      }
    }) => {
      const { provider, client, session } = context.oidc
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
      grant.addOIDCScope('openid profile')
      await grant.save()
      return grant
    },
  }
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
}
