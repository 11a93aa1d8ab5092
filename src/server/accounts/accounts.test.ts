import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Authenticator, Credentials } from '../../ports/authenticator.ts'
import { networkOf } from './addresses.ts'
import { composedAuthenticator } from './authenticator.ts'
import { cookiesOf } from './cookies.ts'
import { hashOf, isSecret, isToken, newSecret, newToken } from './secrets.ts'

const way = (id: string): Authenticator => ({
  identify: ({ bearer }) => Promise.resolve(bearer === id ? { id, name: id, roles: new Map() } : null),
  redeem: code => Promise.resolve(code === id ? { name: id, value: '' } : null),
})
const shows = (bearer: string): Credentials => ({ bearer, cookies: new Map() })

test('several ways to be known stand side by side', async () => {
  const all = composedAuthenticator(way('local'), way('token'))
  for (const id of ['local', 'token']) {
    assert.equal((await all.identify(shows(id)))?.id, id)
    assert.equal((await all.redeem(id))?.name, id)
  }
  assert.equal(await all.identify(shows('other')), null)
  assert.equal(await all.redeem('other'), null)
  assert.equal(await composedAuthenticator().identify(shows('local')), null)
})

test('one that cannot tell says so, and no other is asked instead', async () => {
  const broken: Authenticator = {
    identify: () => Promise.reject(new Error('database')),
    redeem: () => Promise.resolve(null),
  }
  await assert.rejects(composedAuthenticator(broken, way('local')).identify(shows('local')), /database/)
})

describe('cookies', () => {
  test('over TLS they are of this host alone', () => {
    const cookies = cookiesOf('https://kontroler.example')
    assert.equal(cookies.session, '__Host-kontroler-session')
    assert.equal(
      cookies.set(cookies.session, 'x', 60),
      '__Host-kontroler-session=x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure',
    )
  })

  test('without it they are named after the port', () => {
    const cookies = cookiesOf('http://127.0.0.1:8081')
    assert.deepEqual([cookies.session, cookies.flow], ['kontroler-session-8081', 'kontroler-sign-in-8081'])
    assert.equal(cookiesOf('http://127.0.0.1').session, 'kontroler-session-80')
  })
})

test('addresses of version 6 count by their network', () => {
  for (const [address, network] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::9', '2001:db8:1:2'],
    ['2001:DB8:0001:2::9', '2001:db8:1:2'],
    ['2001:db8::9', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
  ] as const)
    assert.equal(networkOf(address), network)
})

test('secrets are all chance, and what is kept of them is a hash', () => {
  const made = Array.from({ length: 100 }, newSecret)
  assert.equal(new Set(made).size, 100)
  assert.ok(made.every(isSecret) && !made.some(isToken))
  const token = newToken()
  assert.ok(isToken(token) && !isSecret(token))
  assert.match(hashOf(token), /^[0-9a-f]{64}$/)
  for (const other of ['', 'kontroler_', `${token}=`, `${token}\n`, token.toUpperCase()])
    assert.ok(!isToken(other))
})
