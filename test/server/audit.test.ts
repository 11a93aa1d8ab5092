import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import type { AuditEntry } from '../../src/ports/accounts.ts'
import { StoreError } from '../../src/ports/store.ts'
import { tidy } from '../../src/server/accounts/housekeeping.ts'
import { offerSetup } from '../../src/server/accounts/setup.ts'
import { type AnyRoute, isAudited } from '../../src/server/route.ts'
import { ROUTES } from '../../src/server/routes.ts'
import { fact } from '../contracts/accounts.ts'
import { type AccountHouse, PASSWORD, cookieOf, openAccountHouse } from './account-house.ts'
import { oneTask } from './house.ts'

const AUDIT = '/api/v1/audit'
const newest = async (house: AccountHouse, count = 1): Promise<readonly AuditEntry[]> =>
  (await house.accounts.audit({ limit: count })).items

describe('what is written down', () => {
  let house: AccountHouse
  let admin: string
  before(async () => {
    house = await openAccountHouse()
    await house.addUser('root', '*=admin')
    await house.addUser('ada', 'default=editor')
    await house.addUser('bo', 'elsewhere=admin')
    admin = await house.token('root')
  })
  after(() => house.close())

  test('every route that changes something or lets somebody in writes one entry, however it goes', async () => {
    const values: Readonly<Record<string, string>> = {
      namespace: 'default',
      name: 'no',
      run: 'no',
      user: 'no',
    }
    const token = '00000000-0000-0000-0000-000000000000'
    const audited = ROUTES.filter(isAudited)
    assert.ok(audited.length >= 20)
    for (const route of audited) {
      const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? token)
      const cookie = await house.signIn('root')
      const [before] = await newest(house)
      const body = bodyOf(route)
      await house.ask(route.method, route.id === 'signIn' ? `${path}?code=x` : path, {
        cookie,
        ...(body === undefined ? {} : { body }),
      })
      const [last] = await newest(house)
      assert.equal((last?.seq ?? 0) - (before?.seq ?? 0), 1, route.id)
      assert.equal(last?.action, route.id)
      assert.equal(last?.object?.includes('?'), false)
    }
  })

  function bodyOf(route: AnyRoute): unknown {
    if (route.body === undefined) return undefined
    const bodies: Readonly<Record<string, unknown>> = {
      createRun: { dag: 'no' },
      answerApproval: { approved: true },
      signInWithPassword: { name: 'ada', password: 'wrong password' },
      setUp: { code: 'x', name: 'eve', password: PASSWORD },
      changeOwnPassword: { old: 'wrong password', new: 'another long password' },
      createUser: { name: 'root', password: PASSWORD },
      createToken: { name: 'ci' },
    }
    return bodies[route.id] ?? {}
  }

  test('who, what, on what, when, from where, and what it was before and after', async () => {
    const ada = await house.signIn('ada')
    const put = (script: string, headers: Record<string, string>) =>
      house.send('/api/v1/dags/default/job', {
        method: 'PUT',
        headers: { 'content-type': 'application/yaml', cookie: ada, origin: house.url, ...headers },
        body: oneTask('job', script),
      })
    const first = await put('exit 0', {})
    const [made] = await newest(house)
    const etag = first.headers.get('etag') ?? ''
    assert.deepEqual(
      [
        made?.actorName,
        made?.action,
        made?.namespace,
        made?.object,
        made?.outcome,
        made?.address,
        made?.before,
      ],
      ['ada', 'putDag', 'default', '/api/v1/dags/default/job', 'done', '127.0.0.1', null],
    )
    assert.equal(`"${made?.after}"`, etag)
    assert.ok(Math.abs((made?.at ?? 0) - Date.now()) < 60_000)
    await put('exit 1', { 'if-match': etag })
    const [changed] = await newest(house)
    assert.equal(changed?.before, made?.after)
    assert.notEqual(changed?.after, made?.after)
    await put('exit 2', { 'if-match': etag })
    const [stale] = await newest(house)
    assert.deepEqual([stale?.outcome, stale?.code, stale?.after], ['refused', 'DAG_CHANGED', null])
    const run = await house.ask('POST', '/api/v1/runs', { cookie: ada, body: { dag: 'job' } })
    const [started] = await newest(house)
    assert.deepEqual(
      [started?.action, started?.object, started?.namespace],
      ['createRun', run.headers.get('location'), 'default'],
    )
    await house.ask('PUT', '/api/v1/users/ada', { token: admin, body: { roles: { default: 'viewer' } } })
    const [roles] = await newest(house)
    assert.deepEqual([roles?.actorName, roles?.object], ['root (token test)', '/api/v1/users/ada'])
    assert.match(`${roles?.before} ${roles?.after}`, /^[0-9a-f]{64} [0-9a-f]{64}$/)
    assert.notEqual(roles?.before, roles?.after)
    await house.ask('PUT', '/api/v1/users/ada', { token: admin, body: { roles: { default: 'editor' } } })
  })

  test('tries to sign in name a user only where there is one', async () => {
    await house.ask('POST', '/api/v1/session', { body: { name: 'my password here', password: 'ada' } })
    const [unknown] = await newest(house)
    assert.deepEqual([unknown?.actorName, unknown?.outcome], ['nobody', 'denied'])
    await house.ask('POST', '/api/v1/session', { body: { name: 'ada', password: 'wrong password' } })
    const [wrong] = await newest(house)
    assert.deepEqual([wrong?.actorName, wrong?.code], ['ada', 'SIGN_IN_FAILED'])
    assert.equal(JSON.stringify(await newest(house, 500)).includes('my password'), false)
  })

  test('an admin of one namespace sees what was done and tried there, and nothing else', async () => {
    await house.ask('DELETE', '/api/v1/dags/elsewhere/job', { token: await house.token('ada') })
    const bo = await house.signIn('bo')
    const seen = await house.ask('GET', AUDIT, { cookie: bo })
    const { items } = seen.body as { items: AuditEntry[] }
    assert.ok(items.every(({ namespace }) => namespace === 'elsewhere'))
    assert.deepEqual((await house.ask('GET', `${AUDIT}?namespace=default`, { cookie: bo })).body['items'], [])
    const all = await house.ask('GET', `${AUDIT}?namespace=default&limit=2`, { token: admin })
    assert.equal((all.body['items'] as unknown[]).length, 2)
    assert.equal((await house.ask('GET', `${AUDIT}/verification`, { cookie: bo })).status, 403)
    assert.equal((await house.ask('GET', AUDIT, { token: await house.token('ada') })).status, 403)
  })

  test('the export is the log line by line, and anybody can compute its hashes anew', async () => {
    const out = await house.ask('GET', `${AUDIT}/export`, { token: admin })
    assert.equal(out.headers.get('content-type'), 'application/x-ndjson; charset=utf-8')
    const lines = out.text
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as AuditEntry)
    assert.ok(lines.length > 20)
    for (const [index, entry] of lines.entries()) {
      const { seq, at, actor, actorName, action, namespace, object, outcome, code, address } = entry
      const said = [seq, at, actor, actorName, action, namespace, object, outcome, code, address]
      const text = JSON.stringify([...said, entry.before, entry.after, entry.unrecorded, entry.previous])
      assert.equal(createHash('sha256').update(text).digest('hex'), entry.hash)
      const older = lines[index + 1]
      if (older !== undefined) assert.equal(entry.previous, older.hash)
    }
  })

  test('a verification says whether it is whole, and whether it holds what was noted', async () => {
    const { body } = await house.ask('GET', `${AUDIT}/verification`, { token: admin })
    assert.equal(body['intact'], true)
    const { seq, hash } = body['last'] as { seq: number; hash: string }
    const verify = async (query: string) =>
      (await house.ask('GET', `${AUDIT}/verification?${query}`, { token: admin })).body
    assert.equal((await verify(`seq=${seq}&hash=${hash}`))['intact'], true)
    assert.equal((await verify(`seq=${seq}&hash=${'0'.repeat(64)}`))['intact'], false)
    assert.equal((await verify(`seq=${seq}`))['code'], 'INVALID_REQUEST')
  })

  test('pages lead through all of it', async () => {
    const seqs: number[] = []
    for (let next: unknown = ''; next !== null; ) {
      const after = next === '' ? '' : `&after=${String(next)}`
      const { body } = await house.ask('GET', `${AUDIT}?limit=7${after}`, { token: admin })
      seqs.push(...(body['items'] as AuditEntry[]).map(({ seq }) => seq))
      next = body['next']
    }
    assert.deepEqual(
      seqs,
      Array.from({ length: seqs.length }, (_, index) => seqs.length - index),
    )
    assert.equal((await house.ask('GET', `${AUDIT}?after=xyz`, { token: admin })).body['code'], 'BAD_CURSOR')
  })

  test('nothing of this was a bug of the server', () => assert.deepEqual(house.troubles, []))
})

describe('what is denied', () => {
  test('is written down a few times a minute for each origin; the rest is counted', async () => {
    const house = await openAccountHouse({ limits: { deniedPerMinuteMax: 3 } })
    try {
      await house.addUser('ada', 'default=viewer')
      const token = await house.token('ada')
      for (let at = 0; at < 10; at += 1) await house.ask('GET', '/api/v1/users', { token })
      await house.ask('GET', '/api/v1/users', { token: 'forged' })
      const denied = async () =>
        (await house.accounts.audit({ outcome: 'denied' })).items.map(({ actorName, unrecorded }) => [
          actorName,
          unrecorded,
        ])
      assert.deepEqual(await denied(), [
        ['nobody', 0],
        ['ada (token test)', 0],
        ['ada (token test)', 0],
        ['ada (token test)', 0],
      ])
      for (let at = 0; at < 10; at += 1) await house.ask('GET', '/api/v1/oidc/!/callback')
      assert.equal((await denied()).length, 6)
      house.later(60_000)
      await house.ask('GET', '/api/v1/users', { token })
      assert.deepEqual((await denied())[0], ['ada (token test)', 7])
    } finally {
      await house.close()
    }
  })

  test('by a page of another site is written down, too', async () => {
    const house = await openAccountHouse()
    try {
      await house.addUser('ada', 'default=editor')
      const cookie = await house.signIn('ada')
      await house.send('/api/v1/runs', {
        method: 'POST',
        headers: { cookie, origin: 'https://evil.example' },
      })
      const [last] = await newest(house)
      assert.deepEqual([last?.outcome, last?.code, last?.object], ['denied', 'WRONG_ORIGIN', '/api/v1/runs'])
    } finally {
      await house.close()
    }
  })
})

test('what was done and could not be written down is said to whoever did it', async () => {
  let full = false
  const house = await openAccountHouse({
    wrap: accounts => ({
      ...accounts,
      record: entry => {
        if (full) throw new StoreError('DISK_FULL', 'full')
        return accounts.record(entry)
      },
    }),
  })
  try {
    await house.addUser('root', '*=admin')
    const cookie = await house.signIn('root')
    full = true
    const said = await house.ask('POST', '/api/v1/users', {
      cookie,
      body: { name: 'eve', password: PASSWORD },
    })
    assert.deepEqual([said.status, said.body['code']], [500, 'NOT_AUDITED'])
    assert.notEqual(await house.accounts.userNamed('eve'), null)
    assert.equal((await house.ask('GET', '/api/v1/users', { token: 'forged' })).status, 401)
    assert.ok(house.troubles.length > 0)
  } finally {
    await house.close()
  }
})

test('retention takes what is old and what is too much, and the rest stays verifiable', async () => {
  const house = await openAccountHouse()
  try {
    const { accounts } = house
    for (let at = 1; at <= 10; at += 1) await accounts.record(fact({ at: at * 1_000 }))
    const at = (now: number) => ({ now: () => now, after: () => () => undefined, soon: () => undefined })
    await tidy({ accounts, clock: at(11_000), auditKeep: 100, auditAgeMs: 8_000 })
    assert.deepEqual([(await accounts.verifyAudit()).first, (await accounts.verifyAudit()).intact], [3, true])
    const [last] = await newest(house)
    assert.deepEqual([last?.seq, last?.action, last?.object], [11, 'trimAudit', '2 entries'])
    await tidy({ accounts, clock: at(11_000), auditKeep: 4, auditAgeMs: 8_000 })
    assert.deepEqual([(await accounts.verifyAudit()).first, (await accounts.verifyAudit()).intact], [8, true])
    await tidy({ accounts, clock: at(11_000), auditKeep: 100, auditAgeMs: 8_000 })
    assert.equal((await newest(house))[0]?.seq, 12)
  } finally {
    await house.close()
  }
})

test('no secret is anywhere but where it was shown: not in the database, the audit log, an answer or a warning', async () => {
  const house = await openAccountHouse()
  const answers: string[] = []
  const ask: AccountHouse['ask'] = async (method, path, options) => {
    const said = await house.ask(method, path, options)
    answers.push(said.text, ...[...said.headers].filter(([name]) => name !== 'set-cookie').flat())
    return said
  }
  try {
    const code = (await offerSetup(house.accounts, 1)) ?? ''
    const canary = (what: string): string => `canary ${what} xyzzy plugh`
    const password = canary('first')
    const made = await house.ask('POST', '/api/v1/setup', { body: { code, name: 'root', password } })
    const first = cookieOf(made)
    await ask('POST', '/api/v1/setup', {
      body: { code: canary('code'), name: 'eve', password: canary('setup') },
    })
    await ask('POST', '/api/v1/session', { body: { name: canary('name'), password: canary('tried') } })
    await ask('POST', '/api/v1/session', { body: { name: 'root', password: canary('wrong') } })
    await ask('POST', '/api/v1/session', { body: { name: 'root', passwort: canary('misspelt') } })
    const cookie = await house.signIn('root', password)
    await ask('POST', '/api/v1/users', { cookie, body: { name: 'ada', password: canary('other') } })
    await ask('PUT', '/api/v1/users/ada', { cookie, body: { password: canary('reset') } })
    await ask('PUT', '/api/v1/users/ada', { cookie, body: { password: 'xyzzy' } })
    await ask('PUT', '/api/v1/session/password', { cookie, body: { old: canary('old'), new: canary('new') } })
    const shown = await house.ask('POST', '/api/v1/tokens', { cookie, body: { name: 'ci' } })
    const token = String(shown.body['token'])
    await ask('GET', '/api/v1/tokens', { token })
    await ask('GET', '/api/v1/users', { token: `${token}x` })
    await ask('GET', '/sign-in?code=canary-in-a-query-xyzzy')
    await ask('GET', '/api/v1/oidc/none/callback?code=canary-in-a-query-xyzzy&state=xyzzy', { cookie })
    for (const path of [
      AUDIT,
      `${AUDIT}/export`,
      '/api/v1/users',
      '/api/v1/session',
      '/api/v1/users/root/tokens',
    ])
      await ask('GET', path, { token })
    await ask('DELETE', shown.headers.get('location') ?? '', { cookie })
    await ask('DELETE', '/api/v1/session', { cookie })
    const secretOf = (pair: string): string => pair.slice(pair.indexOf('=') + 1)
    const secrets = [
      'xyzzy',
      code,
      token,
      token.slice('kontroler_'.length),
      secretOf(first),
      secretOf(cookie),
    ]
    assert.ok(secrets.every(secret => secret.length >= 5))
    const files = globSync('**/*', { cwd: house.folder, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => readFileSync(`${entry.parentPath}/${entry.name}`, 'latin1'))
    assert.ok(files.some(text => text.includes('$argon2id$v=19$m=19456,t=2,p=1$')))
    const everything = [...files, ...answers, ...house.troubles.map(String)]
    for (const secret of secrets)
      assert.deepEqual(
        everything.filter(text => text.includes(secret)).map(text => text.slice(0, 200)),
        [],
        secret,
      )
  } finally {
    await house.close()
  }
})

test('an address is taken from a header only where a proxy is trusted to write it', async () => {
  for (const [trustedProxies, expected] of [
    [[], '127.0.0.1'],
    [['127.0.0.1'], '203.0.113.7'],
    [['10.0.0.0/8'], '127.0.0.1'],
  ] as const) {
    const house = await openAccountHouse({ trustedProxies, limits: { triesPerAddressMax: 3 } })
    try {
      const headers = { 'x-forwarded-for': '198.51.100.1, 203.0.113.7' }
      for (let at = 0; at < 5; at += 1)
        await house.ask('POST', '/api/v1/session', { headers, body: { name: `n${at}`, password: 'wrong' } })
      const [last] = await newest(house)
      assert.deepEqual([last?.address, last?.code], [expected, 'TOO_MANY_TRIES'])
    } finally {
      await house.close()
    }
  }
})

test('a log that is followed ends when its reader may not read it any more', async () => {
  const house = await openAccountHouse({ limits: { heartbeatMs: 200 } })
  try {
    await house.addUser('root', '*=admin')
    await house.addUser('ada', 'default=viewer')
    await house.putDag(oneTask('slow', 'echo begun; sleep 60'))
    const root = house.with(await house.token('root'))
    const { id } = await root.call('createRun', { body: { dag: 'slow' } })
    const path = `/api/v1/runs/${id}/tasks/work/log?follow=true`
    const authorization = `Bearer ${await house.token('ada')}`
    const open = (): Promise<Response> => house.send(path, { headers: { authorization } })
    let response = await open()
    while (response.status !== 200) response = await open()
    const reader = response.body?.getReader()
    await reader?.read()
    await root.call('changeUser', { params: { user: 'ada' }, body: { roles: { elsewhere: 'admin' } } })
    while ((await reader?.read())?.done === false);
    assert.equal((await root.call('getRun', { params: { run: id } })).phase, 'running')
    await root.call('cancelRun', { params: { run: id } })
  } finally {
    await house.close()
  }
})

describe('answers that take long', () => {
  let house: AccountHouse
  before(async () => {
    house = await openAccountHouse({ limits: { heartbeatMs: 600_000 } })
    await house.addUser('root', '*=admin')
  })
  after(() => house.close())

  const ways: readonly (readonly [string, (name: string, root: string) => Promise<unknown>])[] = [
    [
      'a role less',
      (name, cookie) => house.ask('PUT', `/api/v1/users/${name}`, { cookie, body: { roles: {} } }),
    ],
    [
      'being disabled',
      (name, cookie) => house.ask('PUT', `/api/v1/users/${name}`, { cookie, body: { disabled: true } }),
    ],
    ['being removed', (name, cookie) => house.ask('DELETE', `/api/v1/users/${name}`, { cookie })],
  ]
  for (const [index, [what, change]] of ways.entries())
    test(`the stream of events ends at once with ${what}, for a session and for a token`, async () => {
      const name = `user${index}`
      await house.addUser(name, 'default=viewer')
      const open = async (headers: Record<string, string>): Promise<Response> =>
        await house.send('/api/v1/events', { headers })
      const streams = await Promise.all([
        open({ cookie: await house.signIn(name) }),
        open({ authorization: `Bearer ${await house.token(name)}` }),
      ])
      const readers = streams.map(({ status, body }) => {
        assert.equal(status, 200)
        return body?.getReader()
      })
      for (const reader of readers) await reader?.read()
      await change(name, await house.signIn('root'))
      for (const reader of readers)
        await assert.rejects(async () => {
          while ((await reader?.read())?.done === false);
          throw new Error('ended')
        })
    })
})
