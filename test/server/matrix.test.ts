import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { AnyRoute } from '../../src/server/route.ts'
import { ROUTES } from '../../src/server/routes.ts'
import { type House, oneTask, openHouse } from './house.ts'

/** Every route that needs no accounts, as everybody (see accounts-matrix.test.ts for all): who is not known gets 401, who may not see it 404, who may only look 403. */

let house: House
let run: string
before(async () => {
  house = await openHouse()
  await house.putDag(oneTask('job', 'exit 3'))
  const started = await house.as('admin').call('createRun', { body: { dag: 'job' } })
  run = started.id
  while ((await house.as('admin').call('getRun', { params: { run } })).phase === 'running')
    await new Promise(resolve => setTimeout(resolve, 20))
})
after(() => house.close())

const PARAMS = (): Readonly<Record<string, string>> => ({
  namespace: 'default',
  name: 'job',
  version: '1',
  run,
  task: 'work',
  number: '1',
})

/** A request that would be good, were it for who asks. */
function requestOf(route: AnyRoute, over: Readonly<Record<string, string>> = {}): [string, RequestInit] {
  const values = { ...PARAMS(), ...over }
  const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '')
  const query = route.id === 'signIn' ? '?code=wrong' : ''
  if (route.body === undefined) return [path + query, { method: route.method }]
  const isDocument = route.body.kind === 'document'
  const bodies: Readonly<Record<string, unknown>> = {
    createRun: { dag: values['name'], namespace: values['namespace'] },
    answerApproval: { approved: true },
  }
  const body = isDocument ? oneTask('job', 'exit 3') : JSON.stringify(bodies[route.id] ?? {})
  const headers = { 'content-type': isDocument ? 'application/yaml' : 'application/json', 'if-match': '*' }
  return [path, { method: route.method, headers, body }]
}

async function statusOf(route: AnyRoute, as: string | null, over = {}): Promise<[number, string]> {
  const [path, init] = requestOf(route, over)
  const aborted = new AbortController()
  const options = { ...init, signal: aborted.signal, ...(as === null ? {} : { as }) }
  const response = await house.send(path, options)
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
  const text = isStream ? '' : await response.text()
  aborted.abort()
  return [response.status, text]
}

/** Of a signed one the sender proves itself, which hooks.test.ts is about. */
const isOpen = ({ access }: AnyRoute): boolean => ['public', 'signed', 'entrance'].includes(access.kind)
const plain = ROUTES.filter(({ needs }) => needs === undefined)
const closed = plain.filter(route => !isOpen(route))
const objects = plain.filter(({ access }) => access.kind === 'object')
const changing = objects.filter(({ access }) => access.kind === 'object' && access.permission !== 'view')

test('there are routes of every kind', () => {
  assert.ok(objects.length >= 20)
  assert.ok(changing.length >= 10)
  assert.deepEqual(
    plain.filter(isOpen).map(({ id }) => id),
    ['receiveHook', 'getHealth', 'getReady', 'signIn', 'getOpenApi'],
  )
})

describe('nobody gets in without being known', () => {
  for (const route of closed) {
    test(`${route.method} ${route.path}`, async () => {
      for (const as of [null, 'nothing', 'Admin', 'admin2', 'eyJhbGciOiJub25lIn0.e30.']) {
        const [status, text] = await statusOf(route, as)
        assert.equal(status, 401, `${as}: ${text}`)
      }
      const [path, init] = requestOf(route)
      const basic = { authorization: `Basic ${btoa('admin:admin')}` }
      const response = await house.send(path, { ...init, headers: { ...init.headers, ...basic } })
      assert.equal(response.status, 401)
      assert.equal(response.headers.get('www-authenticate'), 'Bearer')
    })
  }
})

describe('what belongs to others looks like what is not there', () => {
  for (const route of objects) {
    test(`${route.method} ${route.path}`, async () => {
      const missing: Readonly<Record<string, string>> = { name: 'jab', run: run.replace(/.$/, 'x') }
      const [foreign, said] = await statusOf(route, 'stranger')
      const [none, told] = await statusOf(route, 'stranger', missing)
      assert.equal(foreign, 404, said)
      assert.equal(none, 404, told)
      assert.deepEqual(comparable(said), comparable(told))
    })
  }
})

/** An answer without what was asked for by name, and its own number. */
function comparable(text: string): unknown {
  const { correlationId: _, ...answer } = JSON.parse(text) as Record<string, unknown>
  return JSON.stringify(answer)
    .replaceAll(run, 'RUN')
    .replaceAll(run.replace(/.$/, 'x'), 'RUN')
    .replaceAll(/ja?o?b/g, 'DAG')
}

describe('who may look may not change', () => {
  for (const route of changing) {
    test(`${route.method} ${route.path}`, async () => {
      const [status, text] = await statusOf(route, 'viewer')
      assert.equal(status, 403, text)
      assert.match(text, /"code":"FORBIDDEN"/)
    })
  }
})

describe('who may look sees', () => {
  for (const route of closed.filter(one => !changing.includes(one) && one.id !== 'getMetrics')) {
    test(`${route.method} ${route.path}`, async () => {
      const [status, text] = await statusOf(route, 'viewer')
      assert.equal(status, 200, text)
    })
  }
})

test('lists, counts and streams of a stranger hold nothing of others', async () => {
  const stranger = house.as('stranger')
  assert.deepEqual((await stranger.call('listRuns')).items, [])
  assert.deepEqual((await stranger.call('listRuns', { query: { namespace: 'default' } })).items, [])
  assert.deepEqual((await stranger.call('listDags')).items, [])
  const { runs } = await stranger.call('getStats')
  assert.ok(Object.values(runs).every(count => count === 0))
  assert.equal((await house.as('viewer').call('listRuns')).items.length, 1)
})

test('the body of a request names no other namespace than its address', async () => {
  const body = oneTask('job', 'exit 0').replace('{name: job}', '{name: job, namespace: default}')
  const problem = await house.send('/api/v1/dags/elsewhere/job', {
    as: 'stranger',
    method: 'PUT',
    headers: { 'content-type': 'application/yaml' },
    body,
  })
  assert.equal(problem.status, 422)
  assert.match(await problem.text(), /the document is of namespace default/)
})

test('nobody can put a DAG where they see nothing, or may only look', async () => {
  const body = oneTask('new', 'exit 0')
  const put = (as: string): Promise<Response> =>
    house.send('/api/v1/dags/default/new', {
      as,
      method: 'PUT',
      headers: { 'content-type': 'application/yaml' },
      body,
    })
  assert.equal((await put('stranger')).status, 404)
  assert.equal((await put('viewer')).status, 403)
  assert.equal((await put('editor')).status, 201)
})

test('nothing of this was a bug of the server', () => assert.deepEqual(house.troubles, []))
