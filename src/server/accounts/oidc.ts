import { createHmac } from 'node:crypto'
import type { Configuration, IDToken } from 'openid-client'
import type { Grants } from '../../ports/accounts.ts'
import { RequestProblem } from '../problem.ts'
import { claimsOf, nameFrom, rolesFrom } from './claims.ts'
import { isSecret, newSecret } from './secrets.ts'
import { signInFailed } from './sign-in.ts'

export interface OidcSettings {
  /** In addresses, and in the redirect URI that the provider has to know: `/api/v1/oidc/NAME/callback`. */
  readonly name: string
  /** For people. */
  readonly title: string
  readonly issuer: string
  readonly clientId: string
  /** Null: a public client, which PKCE alone protects. */
  readonly clientSecret: (() => string) | null
  /** Beside `openid`. */
  readonly scopes: readonly string[]
  /** What a new user is called; it says nothing about who they are. */
  readonly nameClaim: string
  /** Claim with the groups of a user; dots lead into objects. Null: roles are given here. */
  readonly groupsClaim: string | null
  readonly rolesOfGroups: ReadonlyMap<string, Grants>
}

/** Somebody whom a provider has vouched for. */
export interface Vouched {
  readonly issuer: string
  readonly subject: string
  readonly name: string
  /** Null: the provider says nothing of roles. */
  readonly roles: Grants | null
  /** Where they wanted to go. */
  readonly returnTo: string
}

export interface OidcProvider {
  readonly title: string
  /** @throws {RequestProblem} `PROVIDER_UNAVAILABLE` */
  begin(returnTo: string): Promise<{ readonly location: string; readonly flow: string }>
  /**
   * @param query  What the provider has sent along, with its question mark.
   * @param flow  What {@link begin} gave to this browser.
   * @throws {RequestProblem} `SIGN_IN_FAILED`, `PROVIDER_UNAVAILABLE`
   */
  finish(query: string, flow: string | undefined): Promise<Vouched>
}

const TIMEOUT_SECONDS = 10
const CLOCK_SECONDS = 10
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** What is said over a connection that others can change proves nothing; this machine is its own. */
export function isIssuer(text: string): boolean {
  const url = URL.parse(text)
  return url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.has(url.hostname))
}

/**
 * The code flow of OpenID Connect, with PKCE, state and nonce. These three are made of one secret in a cookie of the
 * browser that began: nothing is kept here, so that nobody can fill it, and an answer is of use in that browser only.
 */
export function oidcProvider(settings: OidcSettings, publicUrl: string): OidcProvider {
  if (!isIssuer(settings.issuer)) throw new Error(`the issuer ${settings.issuer} is not reached by https`)
  const issuer = new URL(settings.issuer)
  const insecure = issuer.protocol === 'http:'
  const callback = `${publicUrl}/api/v1/oidc/${settings.name}/callback`
  let found: Promise<Configuration> | null = null
  /** Asked when somebody comes, and again when that failed: a provider that is away keeps nobody from starting. */
  const discovered = async (): Promise<Configuration> => {
    found ??= discover(settings, issuer, insecure)
    try {
      return await found
    } catch {
      found = null
      throw unavailable()
    }
  }
  return {
    title: settings.title,
    async begin(returnTo) {
      const client = await import('openid-client')
      const config = await discovered()
      const secret = newSecret()
      const derived = derive(secret, settings.name)
      const location = client.buildAuthorizationUrl(config, {
        redirect_uri: callback,
        scope: ['openid', ...settings.scopes].join(' '),
        state: derived.state,
        nonce: derived.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(derived.verifier),
        code_challenge_method: 'S256',
      })
      const place = Buffer.from(localPath(returnTo)).toString('base64url')
      return { location: location.href, flow: `${secret}.${place}` }
    },
    async finish(query, flow) {
      const [secret = '', place = ''] = (flow ?? '').split('.')
      if (!isSecret(secret)) throw signInFailed()
      const config = await discovered()
      const derived = derive(secret, settings.name)
      const url = new URL(callback + query)
      const returnTo = localPath(Buffer.from(place, 'base64url').toString())
      try {
        return { ...(await vouched(config, settings, url, derived)), returnTo }
      } catch (error) {
        // The secret may have been renewed, or the provider moved: the next one asks for all of it again.
        found = null
        throw error
      }
    },
  }
}

async function discover(settings: OidcSettings, issuer: URL, insecure: boolean): Promise<Configuration> {
  const client = await import('openid-client')
  const { clientId, clientSecret } = settings
  const authentication = clientSecret === null ? client.None() : client.ClientSecretBasic(clientSecret())
  return await client.discovery(
    issuer,
    clientId,
    { [client.clockTolerance]: CLOCK_SECONDS },
    authentication,
    {
      timeout: TIMEOUT_SECONDS,
      execute: [
        // The signature counts, too, and not only the connection that the token came over.
        client.enableNonRepudiationChecks,
        ...(insecure ? [client.allowInsecureRequests] : []),
      ],
    },
  )
}

async function vouched(
  config: Configuration,
  settings: OidcSettings,
  url: URL,
  derived: Derived,
): Promise<Omit<Vouched, 'returnTo'>> {
  const client = await import('openid-client')
  try {
    const tokens = await client.authorizationCodeGrant(config, url, {
      pkceCodeVerifier: derived.verifier,
      expectedState: derived.state,
      expectedNonce: derived.nonce,
      idTokenExpected: true,
    })
    const token: IDToken | undefined = tokens.claims()
    if (token === undefined) throw signInFailed()
    const wanted = [settings.nameClaim, ...(settings.groupsClaim === null ? [] : [settings.groupsClaim])]
    const asks = wanted.some(name => claimsOf(token, name) === undefined)
    const told =
      asks && config.serverMetadata().userinfo_endpoint !== undefined
        ? await client.fetchUserInfo(config, tokens.access_token, token.sub)
        : {}
    const claims = { ...told, ...token }
    return {
      issuer: token.iss,
      subject: token.sub,
      name: nameFrom(claimsOf(claims, settings.nameClaim)),
      roles:
        settings.groupsClaim === null
          ? null
          : rolesFrom(claimsOf(claims, settings.groupsClaim), settings.rolesOfGroups),
    }
  } catch (error) {
    throw problemOf(error)
  }
}

/** What went wrong may hold tokens: nothing of it is told or logged. */
function problemOf(error: unknown): RequestProblem {
  if (error instanceof RequestProblem) return error
  const code = error instanceof Error && 'code' in error ? error.code : null
  const isAway =
    error instanceof TypeError || code === 'OAUTH_TIMEOUT' || code === 'OAUTH_RESPONSE_IS_NOT_CONFORM'
  return isAway ? unavailable() : signInFailed()
}

function unavailable(): RequestProblem {
  const message = 'the identity provider cannot be reached, or does not answer as it should'
  return new RequestProblem('PROVIDER_UNAVAILABLE', message, 'try again in a moment', {
    headers: { 'retry-after': '5' },
  })
}

interface Derived {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
}

/** Of one provider: what another one answers fits nothing. */
function derive(secret: string, provider: string): Derived {
  const of = (what: string): string =>
    createHmac('sha256', secret).update(`${what} ${provider}`).digest('base64url')
  return { state: of('state'), nonce: of('nonce'), verifier: of('verifier') }
}

const HERE = 'http://here.invalid'

/** A path of this server: whatever else somebody asks to be sent to becomes its root. */
export function localPath(wanted: string): string {
  if (!/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,1000}$/.test(wanted)) return '/'
  const url = URL.parse(wanted, HERE)
  return url !== null && url.origin === HERE && !url.pathname.startsWith('//') ? wanted : '/'
}
