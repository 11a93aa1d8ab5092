import assert from 'node:assert/strict'
import { type Socket, createConnection } from 'node:net'
import { type TestContext, test } from 'node:test'
import { StoreError } from '../../src/ports/store.ts'
import { type FragileStore, fragile } from '../model/fragile-store.ts'
import { type House, type HouseOptions, oneTask, openHouse } from './house.ts'

async function open(t: TestContext, options: HouseOptions = {}): Promise<House> {
  const house = await openHouse(options)
  t.after(() => house.close())
  return house
}

test('a database that cannot be asked is 503 in the words of a problem, and no bug', async t => {
  const stores: FragileStore[] = []
  const house = await open(t, {
    wrap(store) {
      const wrapped = fragile(store)
      stores.push(wrapped)
      return wrapped.store
    },
  })
  const [store] = stores
  assert.ok(store !== undefined)
  for (const code of ['DATABASE_UNAVAILABLE', 'DATABASE_BUSY', 'DISK_FULL', 'READ_ONLY'] as const) {
    store.fault = () => new StoreError(code, 'SQLITE_IOERR at /somewhere/kontroler.db')
    for (const path of ['/ready', '/api/v1/runs', '/api/v1/stats', '/api/v1/runs/r']) {
      const response = await house.send(path, { as: 'viewer' })
      const text = await response.text()
      assert.equal(response.status, 503, `${path} ${text}`)
      assert.doesNotMatch(text, /SQLITE|somewhere/)
      assert.equal(response.headers.get('content-type'), 'application/problem+json; charset=utf-8')
    }
  }
  assert.deepEqual(house.troubles, [])
  store.fault = () => new Error('a bug at /somewhere/secret.ts')
  const bug = await house.send('/api/v1/runs', { as: 'viewer' })
  const text = await bug.text()
  assert.equal(bug.status, 500)
  assert.doesNotMatch(text, /somewhere|a bug at/)
  assert.equal(house.troubles.length, 1)
  store.fault = () => null
  assert.equal((await house.send('/ready')).status, 200)
})

test('a stream goes on when the database is there again', async t => {
  const stores: FragileStore[] = []
  const house = await open(t, {
    wrap(store) {
      const wrapped = fragile(store)
      stores.push(wrapped)
      return wrapped.store
    },
  })
  await house.putDag(oneTask('job', 'true'))
  const leaving = new AbortController()
  const stream = house.as('viewer').follow({ signal: leaving.signal })[Symbol.asyncIterator]()
  await stream.next()
  const [store] = stores
  if (store !== undefined) store.fault = method => (method === 'changes' ? 'DATABASE_UNAVAILABLE' : null)
  const { id } = await house.as('editor').call('createRun', { body: { dag: 'job' } })
  while (house.troubles.length === 0) await new Promise(resolve => setTimeout(resolve, 10))
  if (store !== undefined) store.fault = () => null
  const told = await stream.next()
  assert.equal(told.done, false)
  assert.equal(told.value?.kind === 'change' && told.value.change.run.id, id)
  assert.equal(told.value?.kind === 'change' && told.value.change.from, 0)
  leaving.abort()
  await stream.return?.()
})

test('more connections than there may be are closed, and the others go on', async t => {
  const house = await open(t, { limits: { connectionsMax: 3 } })
  const connect = (): Promise<readonly [Socket, Promise<unknown>]> =>
    new Promise(resolve => {
      const socket = createConnection({ host: '127.0.0.1', port: house.port })
      const closed = new Promise(over => socket.once('close', over))
      socket.on('error', () => undefined)
      socket.once('connect', () => resolve([socket, closed]))
    })
  const all = []
  for (let index = 0; index < 3; index += 1) all.push(await connect())
  const [, closed] = await connect()
  await closed
  const [first] = all[0] ?? []
  const answer = new Promise(resolve => first?.once('data', bytes => resolve(String(bytes))))
  first?.write(`GET /health HTTP/1.1\r\nhost: 127.0.0.1:${house.port}\r\n\r\n`)
  assert.match(String(await answer), /^HTTP\/1\.1 200 /)
  for (const [socket] of all) socket.destroy()
})

test('a server that closes ends its streams, and the process is free to go', async t => {
  const house = await open(t)
  const streams = await Promise.all([1, 2, 3].map(() => house.send('/api/v1/events', { as: 'viewer' })))
  await house.restartServer()
  for (const stream of streams) assert.match(await stream.text(), /event: ready/)
  assert.equal((await house.send('/health')).status, 200)
})
