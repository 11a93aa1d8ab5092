import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { grants } from '../contracts/accounts.ts'
import { offerSetup } from '../../src/server/accounts/setup.ts'
import { type AccountHouse, PASSWORD, cookieOf, openAccountHouse } from './account-house.ts'

const ME = '/api/v1/session'
const OTHER = 'another long password'

describe('the first user', () => {
  let house: AccountHouse
  before(async () => {
    house = await openAccountHouse()
  })
  after(() => house.close())
  const setUp = (code: string, name = 'ada', password = PASSWORD) =>
    house.ask('POST', '/api/v1/setup', { body: { code, name, password } })

  test('nobody can sign in before, with whatever name and password', async () => {
    assert.deepEqual((await house.ask('GET', `${ME}/methods`)).body, {
      setup: true,
      password: true,
      providers: [],
    })
    for (const name of ['admin', 'root', 'kontroler'])
      for (const password of ['admin', 'password', 'kontroler', PASSWORD])
        assert.equal((await house.ask('POST', ME, { body: { name, password } })).status, 401)
  })

  test('is made once, with the code that the server showed last', async () => {
    const old = (await offerSetup(house.accounts, 1)) ?? ''
    const code = (await offerSetup(house.accounts, 2)) ?? ''
    for (const wrong of ['wrong', old, `${code}x`])
      assert.equal((await setUp(wrong)).body['code'], 'SIGN_IN_FAILED')
    assert.equal((await setUp(code, 'ada', 'short')).body['code'], 'WEAK_PASSWORD')
    const made = await setUp(code, 'Ada')
    assert.deepEqual([made.status, made.body['name'], made.body['roles']], [201, 'ada', { '*': 'admin' }])
    assert.equal((await house.ask('GET', ME, { cookie: cookieOf(made) })).body['by'], 'session')
    assert.equal((await setUp(code, 'eve')).body['code'], 'SIGN_IN_FAILED')
    assert.equal(await offerSetup(house.accounts, 3), null)
    assert.equal((await house.ask('GET', `${ME}/methods`)).body['setup'], false)
  })

  test('a code that was made elsewhere is long enough not to be guessed', async () => {
    await assert.rejects(offerSetup(house.accounts, 1, 'admin'), /less than 32 characters/)
  })
})

describe('passwords and sessions', () => {
  let house: AccountHouse
  before(async () => {
    house = await openAccountHouse({ limits: { seenEveryMs: 1_000 } })
    await house.addUser('root', '*=admin')
    await house.addUser('ada', 'default=editor')
    await house.addUser('bo', 'default=viewer')
  })
  after(() => house.close())
  const statusWith = async (cookie: string): Promise<number> =>
    (await house.ask('GET', ME, { cookie })).status

  test('who signs in gets a cookie that no script sees, and is who they are', async () => {
    const said = await house.ask('POST', ME, { body: { name: 'ADA', password: PASSWORD } })
    assert.equal(said.status, 200)
    const [line = ''] = said.headers.getSetCookie()
    assert.match(
      line,
      new RegExp(
        `^kontroler-session-${house.port}=[\\w-]{43}; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax$`,
      ),
    )
    const { body } = await house.ask('GET', ME, { cookie: cookieOf(said) })
    assert.deepEqual([body['name'], body['by'], body['roles']], ['ada', 'session', { default: 'editor' }])
    assert.equal((await house.ask('GET', '/api/v1/runs', { cookie: cookieOf(said) })).status, 200)
  })

  test('nothing in the answer tells a wrong name from a wrong password or a disabled user', async () => {
    const id = await house.addUser('gone', 'default=viewer')
    await house.accounts.changeUser(id, { disabled: true })
    const answers = []
    for (const [name, password] of [
      ['nobody', PASSWORD],
      ['ada', 'wrong password'],
      ['gone', PASSWORD],
      ['gone', 'wrong password'],
    ]) {
      const { status, headers, body } = await house.ask('POST', ME, { body: { name, password } })
      const { correlationId: _, ...rest } = body
      answers.push(JSON.stringify([status, [...headers.keys()], rest]))
    }
    assert.equal(new Set(answers).size, 1, answers.join('\n'))
    assert.match(answers[0] ?? '', /SIGN_IN_FAILED/)
  })

  test('the id of a session is new with each sign-in, and the one that came along has ended', async () => {
    const first = await house.signIn('ada')
    const again = await house.ask('POST', ME, { cookie: first, body: { name: 'ada', password: PASSWORD } })
    assert.notEqual(cookieOf(again), first)
    assert.equal(await statusWith(first), 401)
    assert.equal(await statusWith(cookieOf(again)), 200)
    const planted = `kontroler-session-${house.port}=${'A'.repeat(43)}`
    const own = await house.ask('POST', ME, { cookie: planted, body: { name: 'ada', password: PASSWORD } })
    assert.notEqual(cookieOf(own), planted)
    assert.equal(await statusWith(planted), 401)
  })

  test('it ends at once with signing out, and what a browser kept is worth nothing', async () => {
    const cookie = await house.signIn('ada')
    const other = await house.signIn('ada')
    const out = await house.ask('DELETE', ME, { cookie })
    assert.equal(out.status, 204)
    assert.match(out.headers.getSetCookie()[0] ?? '', /=; Path=\/; Max-Age=0;/)
    assert.equal(await statusWith(cookie), 401)
    assert.equal(await statusWith(other), 200)
  })

  const changes: readonly (readonly [string, Record<string, unknown>])[] = [
    ['other roles', { roles: { default: 'viewer' } }],
    ['another password', { password: OTHER }],
    ['being disabled', { disabled: true }],
  ]
  for (const [what, body] of changes)
    test(`it ends at once with ${what}`, async () => {
      const root = await house.signIn('root')
      const name = `u${Object.keys(body)[0]?.toLowerCase()}`
      await house.addUser(name, 'default=editor')
      const cookie = await house.signIn(name)
      assert.equal(await statusWith(cookie), 200)
      const changed = await house.ask('PUT', `/api/v1/users/${name}`, { cookie: root, body })
      assert.equal(changed.status, 200, changed.text)
      assert.equal(await statusWith(cookie), 401)
      if (what !== 'being disabled') return
      await house.ask('PUT', `/api/v1/users/${name}`, { cookie: root, body: { disabled: false } })
      assert.equal(await statusWith(cookie), 401)
    })

  test('it ends at once when its user is removed', async () => {
    await house.addUser('brief', 'default=editor')
    const cookie = await house.signIn('brief')
    assert.equal(
      (await house.ask('DELETE', '/api/v1/users/brief', { cookie: await house.signIn('root') })).status,
      204,
    )
    assert.equal(await statusWith(cookie), 401)
  })

  test('the own password is changed with the old one; other sessions end, this one gets a new id', async () => {
    const cookie = await house.signIn('bo')
    const other = await house.signIn('bo')
    const change = (old: string, next: string) =>
      house.ask('PUT', `${ME}/password`, { cookie, body: { old, new: next } })
    assert.equal((await change('wrong password', OTHER)).body['code'], 'SIGN_IN_FAILED')
    for (const weak of [
      'short',
      'aaaaaaaaaaaaaaaaaaaa',
      'bobobobobobobobobo',
      'kontrolerkontroler',
      'x'.repeat(300),
    ])
      assert.equal((await change(PASSWORD, weak)).body['code'], 'WEAK_PASSWORD', weak)
    const changed = await change(PASSWORD, OTHER)
    assert.equal(changed.status, 200, changed.text)
    assert.deepEqual(
      [await statusWith(cookie), await statusWith(other), await statusWith(cookieOf(changed))],
      [401, 401, 200],
    )
    assert.equal((await house.ask('POST', ME, { body: { name: 'bo', password: PASSWORD } })).status, 401)
    await house.signIn('bo', OTHER)
  })

  test('an idle one ends, one in use goes on, and none goes on for ever', async () => {
    const idle = await house.signIn('ada')
    const used = await house.signIn('ada')
    for (let hour = 0; hour < 9; hour += 3) {
      house.later(3 * 3_600_000)
      assert.equal(await statusWith(used), 200)
    }
    assert.equal(await statusWith(idle), 401)
    for (let hour = 9; hour < 7 * 24 - 4; hour += 4) {
      house.later(4 * 3_600_000)
      assert.equal(await statusWith(used), 200, `hour ${hour}`)
    }
    house.later(8 * 3_600_000 - 1)
    assert.equal(await statusWith(used), 401)
  })

  test('another site changes nothing with the cookie', async () => {
    const cookie = await house.signIn('ada')
    const headers = { cookie, origin: 'https://evil.example' }
    const response = await house.send(ME, { method: 'DELETE', headers })
    assert.equal(response.status, 403)
    assert.equal(await statusWith(cookie), 200)
    const foreign = await house.send(ME, {
      method: 'POST',
      headers: { origin: 'https://evil.example', 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'ada', password: PASSWORD }),
    })
    assert.equal(foreign.status, 403)
    assert.deepEqual(foreign.headers.getSetCookie(), [])
  })

  test('nothing of this was a bug of the server', () => assert.deepEqual(house.troubles, []))
})

describe('tries to sign in', () => {
  let house: AccountHouse
  before(async () => {
    house = await openAccountHouse({ limits: { triesPerUserMax: 5, triesPerAddressMax: 12 } })
    for (const name of ['ada', 'bo']) await house.addUser(name, 'default=viewer')
  })
  after(() => house.close())
  const attempt = async (name: string, password: string) =>
    await house.ask('POST', ME, { body: { name, password } })

  test('of a hundred wrong passwords at once few are looked at, then even the right one waits', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) => attempt('ada', `wrong password ${at}`)),
    )
    assert.equal(answers.filter(({ status }) => status === 401).length, 5)
    assert.equal(answers.filter(({ status }) => status === 429).length, 95)
    const right = await attempt('ada', PASSWORD)
    assert.equal(right.body['code'], 'TOO_MANY_TRIES')
    const seconds = Number(right.headers.get('retry-after'))
    assert.ok(seconds > 0 && seconds <= 900)
    assert.equal((await attempt('bo', PASSWORD)).status, 200)
    house.later(900_000)
    assert.equal((await attempt('ada', PASSWORD)).status, 200)
  })

  test('names that nobody has are counted too, and so are all names from one address', async () => {
    house.later(900_000)
    const statuses = []
    for (let at = 0; at < 6; at += 1) statuses.push((await attempt('nobody', 'wrong password')).status)
    assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429])
    for (let at = 0; at < 7; at += 1) assert.equal((await attempt(`name${at}`, 'wrong password')).status, 401)
    assert.equal((await attempt('bo', PASSWORD)).status, 429)
    house.later(900_000)
    for (let at = 0; at < 20; at += 1) assert.equal((await attempt('bo', PASSWORD)).status, 200)
  })
})

describe('users', () => {
  let house: AccountHouse
  let cookie: string
  before(async () => {
    house = await openAccountHouse()
    await house.addUser('root', '*=admin')
    cookie = await house.signIn('root')
  })
  after(() => house.close())
  const as = (method: string, path: string, body?: unknown, headers = {}) =>
    house.ask(method, `/api/v1/users${path}`, { cookie, headers, ...(body === undefined ? {} : { body }) })

  test('are made, listed, changed and taken away by who is admin of everything', async () => {
    const made = await as('POST', '', {
      name: 'Ada',
      password: PASSWORD,
      roles: { b: 'editor', a: 'viewer' },
    })
    assert.deepEqual([made.status, made.headers.get('location')], [201, '/api/v1/users/ada'])
    assert.deepEqual(made.body['roles'], { a: 'viewer', b: 'editor' })
    assert.equal((await as('POST', '', { name: 'ada', password: PASSWORD })).body['code'], 'USER_EXISTS')
    const { items } = (await as('GET', '')).body as { items: { name: string }[] }
    assert.deepEqual(
      items.map(({ name }) => name),
      ['ada', 'root'],
    )
    assert.equal((await as('GET', '?name=a')).text.includes('root'), false)
    const etag = made.headers.get('etag') ?? ''
    const changed = await as('PUT', '/ada', { roles: { '*': 'viewer' } }, { 'if-match': etag })
    assert.deepEqual(changed.body['roles'], { '*': 'viewer' })
    const stale = await as('PUT', '/ada', { disabled: true }, { 'if-match': etag })
    assert.deepEqual([stale.status, stale.body['code']], [412, 'USER_CHANGED'])
    assert.equal((await as('DELETE', '/ada', undefined, { 'if-match': etag })).status, 412)
    assert.equal((await as('DELETE', '/ada')).status, 204)
    assert.equal((await as('GET', '/ada')).body['code'], 'UNKNOWN_USER')
  })

  test('what makes no sense is refused, and the last admin stays', async () => {
    for (const body of [
      { name: 'x y', password: PASSWORD },
      { name: 'x', password: PASSWORD, roles: { 'a/b': 'viewer' } },
      { name: 'x', password: PASSWORD, roles: { a: 'owner' } },
      { name: 'x', password: PASSWORD, admin: true },
      { name: 'x', password: '' },
    ])
      assert.equal((await as('POST', '', body)).body['code'], 'INVALID_REQUEST', JSON.stringify(body))
    assert.equal((await as('POST', '', { name: 'x', password: 'short' })).body['code'], 'WEAK_PASSWORD')
    for (const body of [{ disabled: true }, { roles: {} }, { roles: { default: 'admin' } }])
      assert.equal((await as('PUT', '/root', body)).body['code'], 'LAST_ADMIN')
    assert.equal((await as('DELETE', '/root')).body['code'], 'LAST_ADMIN')
  })
})

describe('tokens', () => {
  let house: AccountHouse
  let cookie: string
  before(async () => {
    house = await openAccountHouse()
    await house.addUser('root', '*=admin')
    await house.addUser('ada', 'default=editor other=viewer')
    cookie = await house.signIn('ada')
  })
  after(() => house.close())
  const make = (body: object, given = cookie) =>
    house.ask('POST', '/api/v1/tokens', { cookie: given, body: { name: 'ci', ...body } })
  const rolesOf = async (token: string): Promise<unknown> =>
    (await house.ask('GET', ME, { token })).body['roles']

  test('one is shown once, works, is listed without itself, and is revoked at once', async () => {
    const made = await make({})
    assert.equal(made.status, 201, made.text)
    const token = String(made.body['token'])
    assert.match(token, /^kontroler_[\w-]{43}$/)
    const { body: me } = await house.ask('GET', ME, { token })
    assert.deepEqual([me['name'], me['by']], ['ada (token ci)', 'token'])
    const list = await house.ask('GET', '/api/v1/tokens', { cookie })
    assert.ok(list.text.includes('"name":"ci"') && !list.text.includes(token))
    const path = made.headers.get('location') ?? ''
    assert.equal(
      (await house.ask('DELETE', path, { cookie: await house.signIn('root') })).body['code'],
      'UNKNOWN_TOKEN',
    )
    assert.equal((await house.ask('DELETE', path, { cookie })).status, 204)
    assert.equal((await house.ask('GET', ME, { token })).status, 401)
    assert.equal((await house.ask('DELETE', path, { cookie })).body['code'], 'UNKNOWN_TOKEN')
  })

  test('it may never do more than its owner may at that moment', async () => {
    const wide = await house.token('ada', { roles: grants('*=admin') })
    const narrow = await house.token('ada', { roles: grants('default=viewer') })
    assert.deepEqual(await rolesOf(wide), { default: 'editor', other: 'viewer' })
    assert.deepEqual(await rolesOf(narrow), { default: 'viewer' })
    const id = (await house.accounts.userNamed('ada'))?.user.id ?? ''
    await house.accounts.changeUser(id, { roles: grants('other=editor') })
    assert.deepEqual(await rolesOf(wide), { other: 'editor' })
    assert.deepEqual(await rolesOf(narrow), {})
    await house.accounts.changeUser(id, { roles: grants('default=editor other=viewer') })
    cookie = await house.signIn('ada')
  })

  test('one that asks for more than its owner has is not made', async () => {
    for (const roles of [{ default: 'admin' }, { '*': 'viewer' }, { foreign: 'viewer' }])
      assert.equal((await make({ roles })).body['code'], 'ROLE_TOO_WIDE')
    assert.deepEqual(await rolesOf(String((await make({ roles: { default: 'viewer' } })).body['token'])), {
      default: 'viewer',
    })
  })

  test('it expires, in 90 days if nothing else was said', async () => {
    const at = new Date(Date.now() + 3_600_000).toISOString()
    const hour = String((await make({ expiresAt: at })).body['token'])
    const usual = String((await make({})).body['token'])
    const forever = String((await make({ expiresAt: null })).body['token'])
    assert.equal((await make({ expiresAt: '2020-01-01T00:00:00Z' })).body['code'], 'INVALID_REQUEST')
    house.later(3_600_000)
    assert.equal(await rolesOf(hour), undefined)
    assert.notEqual(await rolesOf(usual), undefined)
    house.later(90 * 86_400_000)
    assert.equal(await rolesOf(usual), undefined)
    assert.notEqual(await rolesOf(forever), undefined)
  })

  test('a token makes no token, changes no password, and signs nobody out', async () => {
    const token = await house.token('ada')
    for (const [method, path, body] of [
      ['POST', '/api/v1/tokens', { name: 'more' }],
      ['PUT', `${ME}/password`, { old: PASSWORD, new: OTHER }],
      ['DELETE', ME, undefined],
    ] as const) {
      const said = await house.ask(method, path, { token, ...(body === undefined ? {} : { body }) })
      assert.equal(said.body['code'], 'FORBIDDEN', path)
    }
  })

  test('an admin sees and revokes the tokens of others', async () => {
    const root = await house.signIn('root')
    const token = await house.token('ada')
    const { items } = (await house.ask('GET', '/api/v1/users/ada/tokens', { cookie: root })).body as {
      items: { id: string }[]
    }
    const path = `/api/v1/users/ada/tokens/${items[0]?.id}`
    assert.equal((await house.ask('DELETE', path, { cookie: root })).status, 204)
    assert.equal(await rolesOf(token), undefined)
  })
})

describe('behind a proxy that speaks TLS', () => {
  let house: AccountHouse
  before(async () => {
    house = await openAccountHouse({ settings: { publicUrl: 'https://kontroler.example' } })
    await house.addUser('ada', 'default=viewer')
  })
  after(() => house.close())
  const send = (lines: readonly string[], body = ''): Promise<string> =>
    house.raw(
      [
        ...lines,
        'connection: close',
        ...(body === '' ? [] : [`content-length: ${body.length}`]),
        '',
        body,
      ].join('\r\n'),
    )

  test('the public name is one of this server, and its cookies are for TLS and this host alone', async () => {
    const host = 'host: kontroler.example'
    const body = JSON.stringify({ name: 'ada', password: PASSWORD })
    const head = ['POST /api/v1/session HTTP/1.1', host, 'content-type: application/json']
    const said = await send([...head, 'origin: https://kontroler.example'], body)
    const [, value = ''] =
      /set-cookie: __Host-kontroler-session=([\w-]{43}); Path=\/; Max-Age=604800; HttpOnly; SameSite=Lax; Secure\r/.exec(
        said,
      ) ?? []
    assert.notEqual(value, '', said)
    const cookie = `cookie: __Host-kontroler-session=${value}`
    assert.match(await send(['GET /api/v1/session HTTP/1.1', host, cookie]), /^HTTP\/1\.1 200 /)
    const planted = `cookie: kontroler-session-443=${value}`
    assert.match(await send(['GET /api/v1/session HTTP/1.1', host, planted]), /^HTTP\/1\.1 401 /)
    assert.match(await send(['GET /health HTTP/1.1', 'host: kontroler.example.evil']), /^HTTP\/1\.1 421 /)
    assert.match(await send([...head, 'origin: https://evil.example'], body), /^HTTP\/1\.1 403 /)
  })
})
