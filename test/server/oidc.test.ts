import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Grants } from '../../src/ports/accounts.ts'
import { claimsOf, nameFrom, rolesFrom } from '../../src/server/accounts/claims.ts'
import { localPath, oidcProvider, type OidcSettings } from '../../src/server/accounts/oidc.ts'
import { grants } from '../contracts/accounts.ts'
import { type AccountHouse, freePort, openAccountHouse } from './account-house.ts'
import { Browser } from './browser.ts'
import { type IdentityProvider, openIdentityProvider } from './identity-provider.ts'

const SECRET = 'the secret of the client'
let secret = SECRET
const GROUPS: ReadonlyMap<string, Grants> = new Map([
  ['platform', grants('*=admin')],
  ['data', grants('data=editor')],
  ['everybody', grants('default=viewer data=viewer')],
])

let house: AccountHouse
let provider: IdentityProvider
before(async () => {
  const port = await freePort()
  const settings = (name: string, over: Partial<OidcSettings> = {}): OidcSettings => ({
    name,
    title: 'Corporate',
    issuer: `http://127.0.0.1:${port}`,
    clientId: 'kontroler',
    clientSecret: () => secret,
    scopes: ['profile'],
    nameClaim: 'preferred_username',
    groupsClaim: 'groups',
    rolesOfGroups: GROUPS,
    ...over,
  })
  house = await openAccountHouse({
    providers: [
      settings('corp'),
      settings('plain', { groupsClaim: null }),
      settings('unknown', { clientId: 'somebody-else' }),
      settings('away', { issuer: 'http://127.0.0.1:1' }),
    ],
  })
  const callbacks = ['corp', 'plain'].map(name => `${house.url}/api/v1/oidc/${name}/callback`)
  provider = await openIdentityProvider({ port, redirectUris: callbacks, clientSecret: SECRET })
  await house.addUser('root', '*=admin')
})
after(async () => {
  await house.close()
  await provider.close()
})

const start = (name = 'corp', to = ''): string => `${house.url}/api/v1/oidc/${name}${to}`
const callback = (name = 'corp'): string => `${house.url}/api/v1/oidc/${name}/callback`

async function signedIn(subject: string, claims: object, name = 'corp'): Promise<Browser> {
  provider.users.set(subject, { ...claims })
  provider.next = subject
  const browser = new Browser()
  const { response } = await browser.follow(start(name))
  assert.equal(response.status, 200, await response.text())
  return browser
}
const me = async (browser: Browser) =>
  (await house.ask('GET', '/api/v1/session', { cookie: browser.session(house.url) })).body
const codeOf = async (response: Response): Promise<string> =>
  `${response.status} ${((await response.json()) as { code: string }).code}`

describe('signing in at a provider', () => {
  test('is offered by name', async () => {
    const { body } = await house.ask('GET', '/api/v1/session/methods')
    assert.deepEqual((body['providers'] as unknown[])[0], {
      name: 'corp',
      title: 'Corporate',
      href: '/api/v1/oidc/corp',
    })
  })

  test('asks with PKCE, state, nonce and the exact address, none of which is said twice', async () => {
    const asks = await Promise.all(
      [1, 2].map(async () => {
        const response = await new Browser().get(start())
        assert.equal(response.status, 303)
        assert.match(
          response.headers.getSetCookie()[0] ?? '',
          /; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/,
        )
        return new URL(response.headers.get('location') ?? '')
      }),
    )
    const [one, other] = asks.map(({ searchParams }) => searchParams)
    assert.equal(one?.get('redirect_uri'), callback())
    assert.equal(one?.get('code_challenge_method'), 'S256')
    for (const name of ['state', 'nonce', 'code_challenge']) {
      assert.match(one?.get(name) ?? '', /^[\w-]{43}$/)
      assert.notEqual(one?.get(name), other?.get(name))
    }
  })

  test('makes a user with the roles of their groups, who is the same the next time', async () => {
    const browser = await signedIn('s-1', {
      preferred_username: 'Ada',
      groups: ['data', 'everybody', 'other'],
    })
    const first = await me(browser)
    assert.deepEqual([first['name'], first['roles']], ['ada', { data: 'editor', default: 'viewer' }])
    const again = await me(await signedIn('s-1', { preferred_username: 'Ada Lovelace', groups: ['data'] }))
    assert.equal(again['id'], first['id'])
    const { items } = (await house.ask('GET', '/api/v1/audit', { token: await house.token('root') }))
      .body as {
      items: { action: string; actorName: string; object: string }[]
    }
    assert.deepEqual(
      [items[0]?.action, items[0]?.actorName, items[0]?.object],
      ['finishOidc', 'ada', '/api/v1/oidc/corp/callback'],
    )
  })

  test('other groups count with the next sign-in; then older sessions end', async () => {
    const before = await signedIn('s-2', { preferred_username: 'bo', groups: ['platform'] })
    provider.users.set('s-2', { preferred_username: 'bo', groups: ['everybody'] })
    assert.deepEqual((await me(before))['roles'], { '*': 'admin' })
    const now = await signedIn('s-2', { preferred_username: 'bo', groups: ['everybody'] })
    assert.deepEqual((await me(now))['roles'], { data: 'viewer', default: 'viewer' })
    assert.equal((await me(before))['code'], 'UNAUTHENTICATED')
  })

  test('somebody without a group that means anything is not let in, and loses what they had', async () => {
    const before = await signedIn('s-3', { preferred_username: 'cleo', groups: ['data'] })
    provider.users.set('s-3', { preferred_username: 'cleo', groups: ['gardening'] })
    const { response } = await new Browser().follow(start())
    assert.equal(await codeOf(response), '403 NO_ROLE')
    assert.equal((await me(before))['code'], 'UNAUTHENTICATED')
  })

  test('somebody who takes the name of another one is somebody else', async () => {
    const root = await me(await signedIn('s-4', { preferred_username: 'root', groups: ['data'] }))
    assert.deepEqual([root['name'], root['roles']], ['root-2', { data: 'editor' }])
    const mail = await me(
      await signedIn('s-5', { preferred_username: 'root', email: 'root@example.org', groups: ['data'] }),
    )
    assert.equal(mail['name'], 'root-3')
  })

  test('where a provider says nothing of roles, they are given here and stay', async () => {
    const browser = await signedIn('s-6', { preferred_username: 'dora', groups: ['platform'] }, 'plain')
    assert.deepEqual((await me(browser))['roles'], {})
    const token = await house.token('root')
    await house.ask('PUT', '/api/v1/users/dora', { token, body: { roles: { data: 'viewer' } } })
    const again = await signedIn('s-6', { preferred_username: 'dora' }, 'plain')
    assert.deepEqual((await me(again))['roles'], { data: 'viewer' })
  })

  test('a disabled user stays out, and none of them gets a password', async () => {
    const token = await house.token('root')
    await house.ask('PUT', '/api/v1/users/dora', { token, body: { disabled: true } })
    provider.next = 's-6'
    const { response } = await new Browser().follow(start('plain'))
    assert.equal(await codeOf(response), '401 SIGN_IN_FAILED')
    const body = { password: 'a password for dora' }
    const said = await house.ask('PUT', '/api/v1/users/dora', { token, body })
    assert.equal(said.body['code'], 'INVALID_REQUEST')
  })
})

describe('what comes back', () => {
  const comingBack = async (browser: Browser): Promise<URL> => {
    provider.users.set('s-9', { preferred_username: 'eve', groups: ['data'] })
    provider.next = 's-9'
    return new URL((await browser.follow(start(), callback())).url)
  }

  test('is good once', async () => {
    const browser = new Browser()
    const { href } = await comingBack(browser)
    const flow = new Map(browser.cookies.get(new URL(house.url).host))
    assert.equal((await browser.get(href)).status, 303)
    assert.equal(await codeOf(await browser.get(href)), '401 SIGN_IN_FAILED')
    browser.cookies.set(new URL(house.url).host, flow)
    assert.equal(await codeOf(await browser.get(href)), '401 SIGN_IN_FAILED')
  })

  test('is good in the browser only that began', async () => {
    const { href } = await comingBack(new Browser())
    assert.equal(await codeOf(await new Browser().get(href)), '401 SIGN_IN_FAILED')
    const victim = new Browser()
    await victim.get(start())
    assert.equal(await codeOf(await victim.get(href)), '401 SIGN_IN_FAILED')
  })

  const changes: readonly (readonly [string, (url: URL) => void])[] = [
    ['another state', url => url.searchParams.set('state', 'A'.repeat(43))],
    ['no state', url => url.searchParams.delete('state')],
    ['two states', url => url.searchParams.append('state', 'x')],
    ['another code', url => url.searchParams.set('code', 'x')],
    ['no code', url => url.searchParams.delete('code')],
    ['another issuer', url => url.searchParams.set('iss', 'https://evil.example')],
    ['the address of another provider', url => void (url.pathname = '/api/v1/oidc/plain/callback')],
    ['a token in its place', url => void (url.search = `?id_token=x&state=${url.searchParams.get('state')}`)],
  ]
  for (const [what, change] of changes)
    test(`is refused with ${what}`, async () => {
      const browser = new Browser()
      const url = await comingBack(browser)
      change(url)
      const response = await browser.get(url.href)
      assert.equal(await codeOf(response), '401 SIGN_IN_FAILED')
      assert.equal(browser.session(house.url).endsWith('='), true)
    })

  test('says no, and nothing of what the provider wrote is repeated', async () => {
    provider.next = null
    const { response } = await new Browser().follow(start())
    const text = await response.text()
    assert.equal(response.status, 401)
    assert.ok(!text.includes('they said') && !text.includes('access_denied'))
  })

  test('a provider that knows another client lets nobody in', async () => {
    const { response } = await new Browser().follow(start('unknown'))
    assert.ok(response.status >= 400)
  })

  test('after a refusal the secret of the client is read again: it may have been renewed', async () => {
    const comes = async (change: (url: URL) => void = () => undefined): Promise<number> => {
      const browser = new Browser()
      const url = await comingBack(browser)
      change(url)
      return (await browser.get(url.href)).status
    }
    assert.equal(await comes(), 303)
    secret = 'another secret'
    assert.equal(await comes(), 303)
    assert.equal(await comes(url => url.searchParams.set('code', 'x')), 401)
    assert.equal(await comes(), 401)
    secret = SECRET
    assert.equal(await comes(), 303)
  })

  test('a provider that is away is told apart from a refusal, and keeps nobody from anything else', async () => {
    const response = await new Browser().get(start('away'))
    assert.equal(await codeOf(response), '503 PROVIDER_UNAVAILABLE')
    assert.equal((await house.ask('GET', '/health')).status, 200)
  })
})

describe('where one goes on afterwards', () => {
  test('is the path that was asked for, with the session', async () => {
    provider.users.set('s-1', { preferred_username: 'ada', groups: ['data'] })
    provider.next = 's-1'
    const browser = new Browser()
    const back = await browser.follow(start('corp', '?to=%2Fapi%2Fv1%2Fruns%3Fphase%3Dfailed'), callback())
    const response = await browser.get(back.url)
    assert.equal(response.headers.get('location'), '/api/v1/runs?phase=failed')
  })

  for (const to of [
    'https://evil.example/',
    '//evil.example/',
    '/\\evil.example/',
    '\\\\evil.example',
    '/\t/evil.example',
    ' //evil.example',
    '/%09/evil.example/..//evil.example',
    'javascript:alert(1)',
    'data:text/html,x',
    '/a\r\nset-cookie: x=y',
    '/.//evil.example',
    '/..//evil.example',
    'evil.example',
    '',
    '/ä',
    `/${'a'.repeat(2_000)}`,
  ])
    test(`is never another host: ${JSON.stringify(to).slice(0, 40)}`, () => {
      const path = localPath(to)
      const url = new URL(path, 'https://kontroler.example')
      assert.equal(url.origin, 'https://kontroler.example')
      assert.ok(path === '/' || !url.pathname.startsWith('//'), path)
    })
})

describe('claims', () => {
  test('are found by name or by way', () => {
    const claims = { 'a.b': 1, realm_access: { roles: ['x'] } }
    assert.deepEqual([claimsOf(claims, 'a.b'), claimsOf(claims, 'realm_access.roles')], [1, ['x']])
    assert.equal(claimsOf(claims, 'toString'), undefined)
    assert.equal(claimsOf(claims, 'realm_access.constructor'), undefined)
  })

  test('of any kind give no role but those that were meant', () => {
    for (const claim of [undefined, null, 7, {}, 'none', [['platform']], { platform: true }, 'platform,data'])
      assert.deepEqual(rolesFrom(claim, GROUPS), new Map())
    assert.deepEqual(rolesFrom('data', GROUPS), grants('data=editor'))
    assert.deepEqual(rolesFrom(['everybody', 'platform'], GROUPS), grants('default=admin data=admin *=admin'))
  })

  test('of any kind give a name that users may have', () => {
    for (const [claim, name] of [
      ['Ada Lovelace', 'ada-lovelace'],
      ['ada@example.org', 'ada@example.org'],
      ['Zoë', 'zoe-'],
      ['../../etc', 'etc'],
      ['<script>', 'script-'],
      [7, 'user'],
      ['', 'user'],
    ] as const)
      assert.equal(nameFrom(claim), name)
  })

  test('come from where they cannot be changed on the way', () => {
    const settings = {
      name: 'x',
      title: 'x',
      issuer: 'http://idp.example',
      clientId: 'x',
      clientSecret: null,
      scopes: [],
      nameClaim: 'sub',
      groupsClaim: null,
      rolesOfGroups: GROUPS,
    }
    assert.throws(() => oidcProvider(settings, 'https://kontroler.example'), /not reached by https/)
  })
})

test('nothing of this was a bug of the server', () => assert.deepEqual(house.troubles, []))
