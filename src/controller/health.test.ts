import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import type { ReflectorState } from '../kubernetes/reflector.ts'
import { type Check, databaseCheck, runningCheck, turnCheck, viewCheck } from './checks.ts'
import { openHealthServer } from './health.ts'

const fine: Check = { name: 'fine', look: async () => null }

async function ask(
  given: { live?: readonly Check[]; ready?: readonly Check[] },
  path: string,
  method = 'GET',
): Promise<{ status: number; type: string; body: string }> {
  await using server = await openHealthServer({
    listen: { host: '127.0.0.1', port: 0 },
    live: given.live ?? [fine],
    ready: given.ready ?? [fine],
    metrics: { contentType: 'text/plain; version=0.0.4', text: async () => 'up 1\n' },
    now: () => performance.now(),
  })
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; type: string; body: string }>()
  request({ port: server.address.port, host: '127.0.0.1', path, method }, answer => {
    let body = ''
    answer.setEncoding('utf8').on('data', (text: string) => (body += text))
    answer.on('end', () =>
      resolve({ status: answer.statusCode ?? 0, type: answer.headers['content-type'] ?? '', body }),
    )
  })
    .on('error', reject)
    .end()
  return await promise
}

test('all checks are well: 200, and each is named', async () => {
  const { status, type, body } = await ask({ ready: [fine, { ...fine, name: 'other' }] }, '/readyz')
  assert.equal(status, 200)
  assert.equal(type, 'application/json')
  assert.deepEqual(JSON.parse(body), {
    status: 'ok',
    checks: [
      { name: 'fine', ok: true },
      { name: 'other', ok: true },
    ],
  })
})

test('one is not: 503, and it says why; the other address does not mind', async () => {
  const ready = [fine, { name: 'bad', look: async () => '42 s old' }]
  const { status, body } = await ask({ ready }, '/readyz')
  assert.equal(status, 503)
  assert.deepEqual(JSON.parse(body), {
    status: 'failing',
    checks: [
      { name: 'fine', ok: true },
      { name: 'bad', ok: false, message: '42 s old' },
    ],
  })
  assert.equal((await ask({ ready }, '/livez')).status, 200)
})

test('a check that throws has failed; of the error only the code is told', async () => {
  const error = Object.assign(new Error('no route to db.internal as anna'), { code: 'DATABASE_UNAVAILABLE' })
  const { status, body } = await ask({ ready: [databaseCheck(() => Promise.reject(error))] }, '/readyz')
  assert.equal(status, 503)
  assert.match(body, /DATABASE_UNAVAILABLE/)
  assert.doesNotMatch(body, /db\.internal/)
})

test('a check that never answers has failed', async () => {
  const { status, body } = await ask({ ready: [databaseCheck(() => new Promise(() => {}))] }, '/readyz')
  assert.equal(status, 503)
  assert.match(body, /no answer within 2 s/)
})

test('metrics come as they are', async () => {
  assert.deepEqual(await ask({}, '/metrics?x=1'), {
    status: 200,
    type: 'text/plain; version=0.0.4',
    body: 'up 1\n',
  })
})

test('there is nothing else, and nothing to be written', async () => {
  assert.equal((await ask({}, '/')).status, 404)
  assert.equal((await ask({}, '/constructor')).status, 404)
  assert.equal((await ask({}, '/readyz', 'POST')).status, 405)
})

test('an address that is taken is an error', async () => {
  const parts = { live: [], ready: [], metrics: { contentType: '', text: async () => '' }, now: () => 0 }
  await using server = await openHealthServer({ ...parts, listen: { host: '127.0.0.1', port: 0 } })
  await assert.rejects(openHealthServer({ ...parts, listen: server.address }), { code: 'EADDRINUSE' })
})

test('the controller is ready only between its start and its end', async () => {
  assert.equal(await runningCheck(() => 'starting').look(), 'it is starting')
  assert.equal(await runningCheck(() => 'running').look(), null)
  assert.equal(await runningCheck(() => 'stopping').look(), 'it is stopping')
})

test('a turn may wait for a database, but not for ever', async () => {
  const now = (): number => 1_000_000
  assert.equal(await turnCheck(() => null, now).look(), null)
  assert.equal(await turnCheck(() => 900_000, now).look(), null)
  assert.equal(await turnCheck(() => 0, now).look(), 'a turn has been going on for 1000 s')
})

const VIEW: ReflectorState = {
  phase: 'watching',
  heardAt: 0,
  objects: 1,
  lists: 1,
  streams: 1,
  events: 0,
  listenerErrors: 0,
  problem: null,
}
const VIEWS: readonly (readonly [
  what: string,
  state: Partial<ReflectorState>,
  age: number,
  said: string | null,
])[] = [
  ['listed and watched', {}, 1_000, null],
  ['quiet, as streams may be', {}, 300_000, null],
  ['quiet for longer than a stream lives', {}, 500_000, '500 s old'],
  ['never listed', { lists: 0, phase: 'listing' }, 0, 'not complete yet'],
  ['between two streams', { phase: 'waiting' }, 30_000, null],
  ['without a stream for long', { phase: 'waiting' }, 90_000, '90 s old'],
]
for (const [what, state, age, said] of VIEWS)
  test(`a view that is ${what}: ${said ?? 'well'}`, async () => {
    const view = { name: 'pods', state: (): ReflectorState => ({ ...VIEW, ...state }) }
    assert.equal(await viewCheck(view, () => age).look(), said)
  })
