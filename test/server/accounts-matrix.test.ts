import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Role } from '../../src/ports/authenticator.ts'
import { type AnyRoute, isAudited } from '../../src/server/route.ts'
import { ROUTES } from '../../src/server/routes.ts'
import { grants } from '../contracts/accounts.ts'
import { type AccountHouse, PASSWORD, openAccountHouse } from './account-house.ts'
import { oneTask } from './house.ts'

/** Every route as everybody there is: made of the table of routes, so that no route can be left out. */

let house: AccountHouse
let run: string
let token: string
let users: Readonly<Record<string, string>> = {}
/** What each sends: an authorization or a cookie. */
const who = new Map<string, Readonly<Record<string, string>>>()

const KNOWN: Readonly<Record<string, string>> = {
  viewer: 'default=viewer',
  editor: 'default=editor',
  'namespace-admin': 'default=admin',
  'other-admin': 'elsewhere=admin',
  nothing: '',
  admin: '*=admin',
}
const PROGRAMS = ['viewer', 'editor', 'admin', 'other-admin'] as const
const people = [...Object.keys(KNOWN), ...PROGRAMS.map(name => `token of ${name}`)]
const STRANGERS = [
  'anonymous',
  'forged token',
  'forged cookie',
  'unsigned JWT',
  'basic',
  'disabled user',
  'token of a disabled user',
  'expired session',
  'ended session',
  'expired token',
  'revoked token',
  'hash of a token',
  'removed user',
]

before(async () => {
  house = await openAccountHouse({ limits: { deniedPerMinuteMax: 1_000_000 } })
  const bearer = (text: string) => ({ authorization: `Bearer ${text}` })
  const browser = (cookie: string) => ({ cookie, origin: house.url })
  for (const [name, roles] of Object.entries(KNOWN)) await house.addUser(name, roles)
  for (const name of ['disabled', 'removed', 'target', 'expiring'])
    await house.addUser(name, 'default=editor')
  users = Object.fromEntries(
    await Promise.all(
      ['disabled', 'removed', 'target', 'admin'].map(
        async name => [name, (await house.accounts.userNamed(name))?.user.id ?? ''] as const,
      ),
    ),
  )
  who.set('expired session', browser(await house.signIn('expiring')))
  who.set('expired token', bearer(await house.token('admin', { expiresAt: Date.now() + 1_000 })))
  house.later(9 * 3_600_000)
  const good = await house.token('admin')
  who.set('anonymous', {})
  who.set('forged token', bearer(`kontroler_${'A'.repeat(43)}`))
  who.set('forged cookie', browser(`kontroler-session-${house.port}=${'A'.repeat(43)}`))
  who.set('unsigned JWT', bearer('eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsInJvbGUiOiJhZG1pbiJ9.'))
  who.set('basic', { authorization: `Basic ${btoa(`admin:${PASSWORD}`)}` })
  who.set('disabled user', browser(await house.signIn('disabled')))
  who.set('token of a disabled user', bearer(await house.token('disabled')))
  await house.accounts.changeUser(users['disabled'] ?? '', { disabled: true })
  who.set('removed user', bearer(await house.token('removed')))
  await house.accounts.removeUser(users['removed'] ?? '')
  const ended = await house.signIn('admin')
  await house.ask('DELETE', '/api/v1/session', { cookie: ended })
  who.set('ended session', browser(ended))
  const revoked = await house.token('admin')
  const [newest] = await house.accounts.tokens(users['admin'] ?? '')
  await house.accounts.revokeToken(users['admin'] ?? '', newest?.id ?? '', 1)
  who.set('revoked token', bearer(revoked))
  const { createHash } = await import('node:crypto')
  who.set('hash of a token', bearer(createHash('sha256').update(good).digest('hex')))
  for (const name of Object.keys(KNOWN)) who.set(name, browser(await house.signIn(name)))
  for (const name of PROGRAMS) who.set(`token of ${name}`, bearer(await house.token(name)))
  await house.token('target')
  token = (await house.accounts.tokens(users['target'] ?? ''))[0]?.id ?? ''
  await house.putDag(oneTask('job', 'exit 3'))
  const admin = house.with(good)
  run = (await admin.call('createRun', { body: { dag: 'job' } })).id
  while ((await admin.call('getRun', { params: { run } })).phase === 'running')
    await new Promise(resolve => setTimeout(resolve, 20))
})
after(() => house.close())

/** A request that would be good, were it for who asks. */
function requestOf(route: AnyRoute, over: Readonly<Record<string, string>> = {}): [string, RequestInit] {
  const values: Readonly<Record<string, string>> = {
    namespace: 'default',
    name: 'job',
    version: '1',
    run,
    task: 'work',
    number: '1',
    user: 'target',
    token,
    provider: 'none',
    ...over,
  }
  const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '')
  const query = route.id === 'signIn' ? '?code=wrong' : ''
  if (route.body === undefined) return [path + query, { method: route.method }]
  const isDocument = route.body.kind === 'document'
  const bodies: Readonly<Record<string, unknown>> = {
    createRun: { dag: values['name'], namespace: values['namespace'] },
    answerApproval: { approved: true },
    signInWithPassword: { name: 'nobody', password: 'wrong' },
    setUp: { code: 'wrong', name: 'eve', password: PASSWORD },
    changeOwnPassword: { old: 'wrong', new: PASSWORD },
    createUser: { name: 'target', password: PASSWORD },
    changeUser: { roles: { '*': 'admin' } },
    createToken: { name: 'more' },
  }
  const body = isDocument ? oneTask('job', 'exit 3') : JSON.stringify(bodies[route.id] ?? {})
  const headers = { 'content-type': isDocument ? 'application/yaml' : 'application/json', 'if-match': '*' }
  return [path, { method: route.method, headers, body }]
}

async function statusOf(route: AnyRoute, as: string, over = {}): Promise<[number, string]> {
  const [path, init] = requestOf(route, over)
  const aborted = new AbortController()
  const headers = { ...(init.headers as Record<string, string>), ...who.get(as) }
  const response = await house.send(path, { ...init, headers, signal: aborted.signal })
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
  const text = isStream ? '' : await response.text()
  aborted.abort()
  return [response.status, text]
}

const isOpen = ({ access }: AnyRoute): boolean => ['public', 'signed', 'entrance'].includes(access.kind)
const NEEDS = { view: 1, edit: 2, admin: 3 } as const
const RANKS: Readonly<Record<Role, number>> = { viewer: 1, editor: 2, admin: 3 }

/** What the rules say, written down once more and apart from the code: a status, or that it is not a refusal. */
function expected({ access }: AnyRoute, name: string): 403 | 404 | 'allowed' {
  const byToken = name.startsWith('token of ')
  const roles = grants(KNOWN[name.replace('token of ', '')] ?? '')
  const rank = (namespace: string): number => RANKS[(roles.get(namespace) ?? roles.get('*')) as Role] ?? 0
  switch (access.kind) {
    case 'public':
    case 'signed':
    case 'entrance':
    case 'known':
      return 'allowed'
    case 'self':
      return access.proof === 'session' && byToken ? 403 : 'allowed'
    case 'everything':
      return rank('*') >= NEEDS[access.permission] ? 'allowed' : 403
    case 'visible':
      return access.permission === 'view' || [...roles.values()].some(role => role === 'admin')
        ? 'allowed'
        : 403
    case 'object':
      return rank('default') === 0 ? 404 : rank('default') >= NEEDS[access.permission] ? 'allowed' : 403
  }
}

/** What would take away what the others need, or ends who asks: its being allowed is shown elsewhere. */
const ENDS = ['signOut', 'deleteDag', 'deleteRun']

test('there are routes of every kind, and those that anybody may use are these', () => {
  assert.equal(new Set(ROUTES.map(({ access }) => access.kind)).size, 8)
  assert.deepEqual(
    ROUTES.filter(isOpen)
      .map(({ id }) => id)
      .toSorted(),
    [
      'beginOidc',
      'finishOidc',
      'getHealth',
      'getOpenApi',
      'getReady',
      'listSignInMethods',
      'receiveHook',
      'setUp',
      'signIn',
      'signInWithPassword',
    ],
  )
})

describe('who is not known, or not any more, gets in nowhere', () => {
  for (const name of STRANGERS)
    test(name, async () => {
      assert.ok(who.has(name))
      for (const route of ROUTES.filter(one => !isOpen(one))) {
        const [status, text] = await statusOf(route, name)
        assert.equal(status, 401, `${route.id}: ${text}`)
      }
    })
})

describe('whatever somebody may not do is refused, and nothing else', () => {
  for (const name of people)
    test(name, async () => {
      for (const route of ROUTES.filter(one => !isOpen(one))) {
        const wanted = expected(route, name)
        if (wanted === 'allowed' && (ENDS.includes(route.id) || isAudited(route))) continue
        const [status, text] = await statusOf(route, name)
        if (wanted !== 'allowed') assert.equal(status, wanted, `${route.id}: ${text}`)
        else
          assert.ok(status === 200 || (route.id === 'getMetrics' && status === 404), `${route.id}: ${text}`)
      }
    })
})

test('what somebody may change is not refused for who they are', async () => {
  for (const name of people)
    for (const route of ROUTES.filter(one => !isOpen(one) && isAudited(one) && !ENDS.includes(one.id))) {
      if (expected(route, name) !== 'allowed' || (await house.accounts.userNamed('target')) === null) continue
      if (['deleteUser', 'revokeUserToken', 'changeUser', 'createToken'].includes(route.id)) continue
      const [status, text] = await statusOf(route, name)
      const refused = status === 403 || (status === 401 && !text.includes('SIGN_IN_FAILED'))
      assert.equal(refused, false, `${route.id} as ${name}: ${status} ${text}`)
    }
})

test('what belongs to others looks like what is not there, in every answer', async () => {
  const missing = { name: 'jab', run: run.replace(/.$/, 'x') }
  for (const route of ROUTES.filter(({ access }) => access.kind === 'object'))
    for (const name of ['other-admin', 'nothing', 'token of other-admin']) {
      const [foreign, said] = await statusOf(route, name)
      const [none, told] = await statusOf(route, name, missing)
      assert.deepEqual([foreign, none], [404, 404], route.id)
      assert.equal(comparable(said), comparable(told), route.id)
    }
})

test('neither does who manages no users learn which there are', async () => {
  for (const route of ROUTES.filter(({ path }) => path.includes('{user}')))
    for (const name of ['viewer', 'namespace-admin', 'other-admin']) {
      const [, said] = await statusOf(route, name)
      const [, told] = await statusOf(route, name, { user: 'nobody-of-that-name' })
      assert.equal(comparable(said), comparable(told), route.id)
    }
})

function comparable(text: string): string {
  const { correlationId: _, ...answer } = JSON.parse(text) as Record<string, unknown>
  return JSON.stringify(answer)
    .replaceAll(run, 'RUN')
    .replaceAll(run.replace(/.$/, 'x'), 'RUN')
    .replaceAll(/ja?o?b/g, 'DAG')
}

test('tricks with the address open nothing', async () => {
  for (const path of ['/api/v1/users', '/api/v1/audit', '/api/v1/runs'])
    for (const trick of [
      `${path}/`,
      `${path}/health`,
      `${path}/../health`,
      `${path};/health`,
      `${path}%2fhealth`,
      `${path}/api/v1/session/methods`,
      `/health/..${path}`,
      `/${path}`,
      path.toUpperCase(),
      `${path}?access=public`,
      `${path}/%2e%2e/health`,
    ]) {
      const answer = await house.raw(
        `GET ${trick} HTTP/1.1\r\nhost: 127.0.0.1:${house.port}\r\nconnection: close\r\n\r\n`,
      )
      assert.match(answer, /^HTTP\/1\.1 (?:401|404|400) /, trick)
    }
})

test('each refusal stands in the audit log, with who it was and where', async () => {
  const { items } = await house.accounts.audit({ outcome: 'denied', namespace: 'default', limit: 500 })
  const seen = new Set(items.map(({ actorName, action, code }) => `${actorName} ${action} ${code}`))
  const denied = ROUTES.filter(({ access }) => access.kind === 'object' && access.permission !== 'view')
  for (const { id } of denied) {
    const { items: own } = await house.accounts.audit({ outcome: 'denied', action: id, limit: 500 })
    assert.ok(
      own.some(({ actorName, code }) => actorName === 'viewer' && code === 'FORBIDDEN'),
      id,
    )
    assert.ok(
      own.some(({ actorName, code }) => actorName === 'other-admin' && code !== 'FORBIDDEN'),
      id,
    )
    assert.ok(
      own.some(({ actor, code }) => actor === 'nobody' && code === 'UNAUTHENTICATED'),
      id,
    )
  }
  assert.ok(seen.size > 0)
  assert.equal((await house.accounts.verifyAudit()).intact, true)
})

test('nothing of this was a bug of the server', () => assert.deepEqual(house.troubles, []))
