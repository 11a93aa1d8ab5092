import assert from 'node:assert/strict'
import { type Socket, createConnection } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { Told } from '../../src/client/follow.ts'
import { eventsOf } from '../../src/client/follow.ts'
import { append, runRow } from '../contracts/store-records.ts'
import { type House, type HouseOptions, oneTask, openHouse } from './house.ts'

async function open(t: TestContext, options: HouseOptions = {}): Promise<House> {
  const house = await openHouse(options)
  t.after(() => house.close())
  return house
}

/** Writes changes of a run that nobody drives. */
async function write(
  house: House,
  run: string,
  from: number,
  to: number,
  namespace = 'default',
): Promise<void> {
  const rows = { run: runRow(run, { namespace }), tasks: [], attempts: [] }
  for (let version = from; version < to; version += 1)
    await house.store.append(append(run, version, { rows }))
}

const seqsOf = async (stream: AsyncIterator<Told>, until: number): Promise<readonly number[]> => {
  const seqs: number[] = []
  while ((seqs.at(-1) ?? 0) < until) {
    const told = (await stream.next()).value as Told
    if (told.kind === 'change') seqs.push(told.change.seq)
  }
  return seqs
}
const numbers = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index)

test('each change is told once, in order, with the events that it brought', async t => {
  const house = await open(t)
  await house.putDag(oneTask('job', 'exit 3'))
  const stream = house.as('viewer').follow()[Symbol.asyncIterator]()
  await stream.next()
  const { id } = await house.as('editor').call('createRun', { body: { dag: 'job' } })
  const types: string[] = []
  for (let version = 0; types.at(-1) !== 'runSettled'; ) {
    const told = (await stream.next()).value as Told
    if (told.kind !== 'change') continue
    assert.deepEqual([told.change.run.id, told.change.from], [id, version])
    version = told.change.version
    types.push(...told.change.events.map(({ type }) => type))
  }
  const { items } = await house.as('viewer').call('listEvents', { params: { run: id } })
  assert.deepEqual(
    types,
    items.map(({ type }) => type),
  )
  await stream.return?.()
})

test('a client that comes back is told what it missed, also over a restart of the server', async t => {
  const house = await open(t)
  const stream = house.as('viewer').follow({ run: 'r' })[Symbol.asyncIterator]()
  await stream.next()
  await write(house, 'r', 0, 3)
  assert.deepEqual(await seqsOf(stream, 3), numbers(1, 3))
  const restarted = house.restartServer()
  await write(house, 'other', 0, 2)
  await write(house, 'r', 3, 303)
  await restarted
  assert.deepEqual(await seqsOf(stream, 305), numbers(6, 305))
  await write(house, 'r', 303, 304)
  assert.deepEqual(await seqsOf(stream, 306), [306])
  await stream.return?.()
})

test('whoever joins while others write misses nothing and hears nothing twice', async t => {
  const house = await open(t)
  const writing = write(house, 'r', 0, 400)
  const streams = Array.from({ length: 8 }, () =>
    house.as('viewer').follow({ after: 0 })[Symbol.asyncIterator](),
  )
  for (const seqs of await Promise.all(streams.map(stream => seqsOf(stream, 400))))
    assert.deepEqual(seqs, numbers(1, 400))
  await writing
  for (const stream of streams) await stream.return?.()
})

test('filters hold live and on the way there, and nobody hears of what they may not see', async t => {
  const house = await open(t)
  await write(house, 'a', 0, 2, 'elsewhere')
  await write(house, 'b', 0, 2)
  const leaving = new AbortController()
  const viewer = house.as('viewer').follow({ after: 0 })[Symbol.asyncIterator]()
  const stranger = house
    .as('stranger')
    .follow({ after: 0, run: 'b', signal: leaving.signal })
    [Symbol.asyncIterator]()
  const one = house.as('admin').follow({ after: 0, namespace: 'elsewhere' })[Symbol.asyncIterator]()
  assert.deepEqual(await seqsOf(viewer, 4), [3, 4])
  assert.deepEqual(await seqsOf(one, 2), [1, 2])
  const heard = stranger.next().then(() => stranger.next())
  await write(house, 'a', 2, 4, 'elsewhere')
  await write(house, 'b', 2, 4)
  assert.deepEqual(await seqsOf(viewer, 8), [7, 8])
  assert.deepEqual(await seqsOf(one, 6), [5, 6])
  for (const stream of [viewer, one]) await stream.return?.()
  const silence = new Promise(resolve => setTimeout(resolve, 300, 'nothing'))
  assert.equal(await Promise.race([heard, silence]), 'nothing')
  leaving.abort()
  await heard
})

test('one that is too far behind, or knows of what never was, is told to read anew', async t => {
  const house = await open(t, { limits: { replayMax: 10 } })
  await write(house, 'r', 0, 30)
  for (const after of ['5', '99']) {
    const response = await house.send('/api/v1/events', { as: 'viewer', headers: { 'last-event-id': after } })
    const events = eventsOf(response)
    await events.next()
    assert.deepEqual((await events.next()).value, { event: 'reset', data: '{"seq":30}' })
    await events.return(undefined)
  }
  const wrong = await house.send('/api/v1/events', { as: 'viewer', headers: { 'last-event-id': 'x' } })
  assert.equal(wrong.status, 400)
})

/** Asks for the stream and reads nothing of it. */
function deaf(house: House): Promise<Socket> {
  return new Promise(resolve => {
    const socket = createConnection({ host: '127.0.0.1', port: house.port })
    socket.on('error', () => undefined)
    socket.once('data', () => {
      socket.pause()
      resolve(socket)
    })
    socket.write(
      `GET /api/v1/events HTTP/1.1\r\nhost: 127.0.0.1:${house.port}\r\nauthorization: Bearer viewer\r\n\r\n`,
    )
  })
}

test('a client that never reads is cut off, holds nobody up, and may come back', async t => {
  const house = await open(t, { limits: { streamBytesMax: 20_000 } })
  const socket = await deaf(house)
  const closed = new Promise(resolve => socket.once('close', resolve))
  const stream = house.as('viewer').follow()[Symbol.asyncIterator]()
  await stream.next()
  // More than what the system itself keeps for a connection.
  const large = { ...append('r', 0).events[0], note: 'x'.repeat(100_000) } as never
  for (let version = 0; version < 120; version += 1)
    await house.store.append(append('r', version, { events: [large] }))
  assert.deepEqual(await seqsOf(stream, 120), numbers(1, 120))
  socket.resume()
  await closed
  const again = house.as('viewer').follow({ after: 100 })[Symbol.asyncIterator]()
  assert.deepEqual(await seqsOf(again, 120), numbers(101, 120))
  for (const one of [stream, again]) await one.return?.()
})

test('who may not read any more is cut off', async t => {
  const house = await open(t, { limits: { heartbeatMs: 50 } })
  const response = await house.send('/api/v1/events', { as: 'viewer' })
  house.revoked.add('viewer')
  const text = await response.text().catch(() => 'cut')
  assert.match(text, /cut|ready/)
  assert.equal((await house.send('/api/v1/events', { as: 'viewer' })).status, 401)
})

test('there are as many streams as there may be', async t => {
  const house = await open(t, { limits: { streamsMax: 2 } })
  const [first, second] = [
    await house.send('/api/v1/events', { as: 'viewer' }),
    await house.send('/api/v1/events', { as: 'viewer' }),
  ]
  const third = await house.send('/api/v1/events', { as: 'viewer' })
  assert.deepEqual([third.status, third.headers.get('retry-after')], [429, '5'])
  await first.body?.cancel()
  for (let status = 429; status === 429; ) {
    const next = await house.send('/api/v1/events', { as: 'viewer' })
    status = next.status
    await next.body?.cancel()
  }
  await second.body?.cancel()
})

test('a log is followed to its end, read from anywhere, by its last lines, and as a file', async t => {
  const house = await open(t)
  const gate = `${house.folder}/go`
  await house.putDag(
    oneTask('job', `echo first\nwhile [ ! -e ${gate} ]; do sleep 0.05; done\nprintf 'second\\nlast'`),
  )
  const viewer = house.as('viewer')
  const { id: run } = await house.as('editor').call('createRun', { body: { dag: 'job' } })
  const of = { params: { run, task: 'work' } }
  let followed: Response | null = null
  while (followed === null) {
    followed = await viewer.stream('getLog', { ...of, query: { follow: 'true' } }).catch(() => null)
  }
  assert.equal(followed.headers.get('kontroler-log-ended'), 'false')
  const { writeFile } = await import('node:fs/promises')
  await writeFile(gate, '')
  assert.equal(await followed.text(), 'first\nsecond\nlast')
  const read = async (query: object): Promise<string> =>
    await (await viewer.stream('getLog', { ...of, query })).text()
  assert.equal(await read({ offset: 6, bytes: 6 }), 'second')
  assert.equal(await read({ tail: 2 }), 'second\nlast')
  assert.equal(await read({ offset: 999 }), '')
  const file = await viewer.stream('getLog', { ...of, query: { download: 'true' } })
  assert.match(
    file.headers.get('content-disposition') ?? '',
    /^attachment; filename="job-\w+-work-1-task\.log"$/,
  )
  assert.equal(file.headers.get('x-content-type-options'), 'nosniff')
  const none = await house.send(`/api/v1/runs/${run}/tasks/work/log?attempt=2`, { as: 'viewer' })
  assert.equal(none.status, 404)
  assert.deepEqual(house.troubles, [])
})
