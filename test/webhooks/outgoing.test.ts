import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { policyOf } from '../../src/notifiers/webhook/policy.ts'
import { authority } from '../contracts/postgres/certificates.ts'
import { all, openHouse } from './house.ts'
import { type Behaviour, type Receiver, openReceiver } from './receiver.ts'

async function receiver(t: TestContext, behaviour?: Behaviour): Promise<Receiver> {
  const opened = await openReceiver(behaviour)
  t.after(() => opened.close())
  return opened
}

test('a run tells its receiver that it began and how it ended, in this order, signed', async t => {
  const there = await receiver(t)
  const house = await openHouse(t)
  const key = Buffer.from('a key of thirty-two bytes, or so').toString('base64')
  await house.withDag('etl', { url: there.url, secret: 'hook', headers: [{ name: 'X-Team', value: 'data' }] })
  house.open({ values: { secret: () => Promise.resolve(`whsec_${key}\n`) } })
  await house.begin('r', 'etl')
  await house.end('r', 'etl')
  await house.until('r', all('delivered', 2))
  assert.deepEqual(
    there.received.map(({ id, body }) => [id, body['event'], body['status']]),
    [
      ['msg_r_1', 'runStarted', 'started'],
      ['msg_r_2', 'runSucceeded', 'success'],
    ],
  )
  for (const { id, headers, text } of there.received) {
    const signed = `${id}.${String(headers['webhook-timestamp'])}.${text}`
    const wanted = createHmac('sha256', Buffer.from(key, 'base64')).update(signed).digest('base64')
    assert.equal(headers['webhook-signature'], `v1,${wanted}`)
    assert.equal(headers['x-team'], 'data')
    assert.equal(headers['content-type'], 'application/json')
    assert.equal(headers['authorization'], undefined)
  }
})

test('only the events that are named are sent', async t => {
  const there = await receiver(t)
  const house = await openHouse(t)
  await house.withDag('etl', { url: there.url, events: ['runSucceeded'] })
  house.open()
  await house.begin('r', 'etl')
  await house.end('r', 'etl')
  await house.until('r', all('delivered', 1))
  assert.deepEqual(
    there.received.map(({ body }) => body['event']),
    ['runSucceeded'],
  )
})

test('one that fails is sent again under the same id, and those behind it wait', async t => {
  let failures = 2
  const there = await receiver(t, () => (failures-- > 0 ? 500 : 204))
  const house = await openHouse(t)
  await house.withDag('etl', { url: there.url })
  house.open()
  await house.begin('r', 'etl')
  await house.end('r', 'etl')
  for (const attempts of [1, 2]) {
    const [first, second] = await house.until('r', ([one]) => one?.log.length === attempts)
    assert.equal(second?.attempts ?? 0, 0)
    assert.equal(first?.log.at(-1)?.code, 'RECEIVER_REFUSED')
    assert.equal(first?.log.at(-1)?.response, 'not now')
    await sooner(house, 1)
  }
  await house.until('r', all('delivered', 2))
  assert.deepEqual(
    there.received.map(({ id }) => id),
    ['msg_r_1', 'msg_r_1', 'msg_r_1', 'msg_r_2'],
  )
})

test('410 ends the messages of this run, and of no other', async t => {
  const there = await receiver(t, ({ body }) => (body['run'] === 'r' ? 410 : 200))
  const house = await openHouse(t)
  await house.withDag('etl', { url: there.url })
  house.open()
  await house.begin('r', 'etl')
  await house.until('r', all('gone', 1))
  await house.end('r', 'etl')
  await house.until('r', all('gone', 2))
  await house.begin('s', 'etl')
  await house.until('s', all('delivered', 1))
  assert.equal(there.received.length, 2)
})

test('a receiver that asks for patience gets it', async t => {
  const there = await receiver(t, (_one, response) => {
    response.writeHead(429, { 'retry-after': '3600' }).end()
    return undefined
  })
  const house = await openHouse(t)
  await house.withDag('etl', { url: there.url })
  house.open()
  await house.begin('r', 'etl')
  const [one] = await house.until('r', ([first]) => first?.attempts === 1)
  const attempt = one?.log[0]
  assert.equal(attempt?.code, 'RECEIVER_BUSY')
  assert.ok((one?.nextAt ?? 0) >= attempt.at + 3_600_000)
})

test('a redirect is a failure, and nobody follows it', async t => {
  const elsewhere = await receiver(t)
  const there = await receiver(t, (_one, response) => {
    response.writeHead(307, { location: elsewhere.url }).end()
    return undefined
  })
  const house = await openHouse(t)
  await house.withDag('etl', { url: there.url })
  house.open()
  await house.begin('r', 'etl')
  const [one] = await house.until('r', ([first]) => first?.attempts === 1)
  assert.equal(one?.log[0]?.code, 'REDIRECTED')
  assert.equal(elsewhere.received.length, 0)
})

test('one that hangs, and one that is dead, hold up nobody else', async t => {
  const hanging = await receiver(t, () => undefined)
  const dead = await openReceiver()
  await dead.close()
  const there = await receiver(t)
  const house = await openHouse(t)
  await house.withDag('hangs', { url: hanging.url })
  await house.withDag('dead', { url: dead.url })
  await house.withDag('well', { url: there.url })
  house.open()
  for (let index = 0; index < 20; index += 1) {
    await house.begin(`hangs-${index}`, 'hangs')
    await house.begin(`dead-${index}`, 'dead')
  }
  await house.begin('well', 'well')
  await house.until('well', all('delivered', 1))
  assert.ok(hanging.received.length <= 4)
  const { items } = await house.store.deliveries.list({ namespace: 'default', dag: 'hangs' })
  assert.ok(items.every(({ state }) => state === 'waiting'))
})

test('a receiver that takes too long is given up for now, even when it trickles', async t => {
  const there = await receiver(t, async (_one, response) => {
    const timer = setInterval(() => response.writeProcessing(), 20)
    response.on('close', () => clearInterval(timer))
    await Promise.resolve()
    return undefined
  })
  const house = await openHouse(t)
  await house.withDag('etl', { url: there.url })
  house.open({ timeoutMs: 200 })
  await house.begin('r', 'etl')
  const [one] = await house.until('r', ([first]) => first?.attempts === 1)
  assert.equal(one?.log[0]?.code, 'TIMED_OUT')
})

test('an endless answer is not read to its end, and what is shown of it can be read', async t => {
  const there = await receiver(t, (_one, response) => {
    response.writeHead(400)
    response.write('\u001b[31mred\u0000 \u202e<b>no</b>\n')
    const timer = setInterval(() => response.write('x'.repeat(65_536)), 1)
    response.on('close', () => clearInterval(timer))
    return undefined
  })
  const house = await openHouse(t)
  await house.withDag('etl', { url: there.url })
  house.open()
  await house.begin('r', 'etl')
  const [one] = await house.until('r', ([first]) => first?.attempts === 1)
  const response = one?.log[0]?.response ?? ''
  assert.match(response, /^\[31mred <b>no<\/b> x+$/)
  assert.ok(response.length <= 512)
})

test('a secret that the answer repeats is not kept', async t => {
  const there = await receiver(t, ({ headers }, response) => {
    response.writeHead(400).end(JSON.stringify(headers))
    return undefined
  })
  const house = await openHouse(t)
  const headers = [{ name: 'Authorization', fromSecret: { name: 'hook', key: 'header' } }]
  await house.withDag('etl', { url: there.url, headers, secret: 'key' })
  const values = { secret: () => Promise.resolve('Bearer swordfish-1234') }
  house.open({ values })
  await house.begin('r', 'etl')
  const [one] = await house.until('r', ([first]) => first?.attempts === 1)
  assert.equal(there.received[0]?.headers['authorization'], 'Bearer swordfish-1234')
  assert.doesNotMatch(JSON.stringify(one), /swordfish/)
})

test('a Secret that is not there, or may not be read, is said, and nothing is sent', async t => {
  const there = await receiver(t)
  const house = await openHouse(t)
  await house.withDag('etl', { url: there.url, secret: 'hook' })
  let answer = (): Promise<string | null> => Promise.resolve(null)
  house.open({ values: { secret: () => answer() } })
  await house.begin('r', 'etl')
  const [missing] = await house.until('r', ([first]) => first?.attempts === 1)
  assert.equal(missing?.log[0]?.code, 'SECRET_MISSING')
  answer = () => Promise.reject(new Error('forbidden'))
  await sooner(house, 1)
  const [refused] = await house.until('r', ([first]) => first?.attempts === 1 && first.log.length === 2)
  assert.equal(refused?.log[1]?.code, 'SECRET_REFUSED')
  assert.equal(there.received.length, 0)
})

test('an address that is not allowed is not connected to, however it is written', async t => {
  const there = await receiver(t)
  const house = await openHouse(t)
  const hosts = ['127.0.0.1', '2130706433', '0x7f.1', '017700000001', '[::ffff:127.0.0.1]', 'localhost']
  for (const [index, host] of hosts.entries())
    await house.withDag(`etl-${index}`, { url: `http://${host}:${there.port}/hook` })
  house.open({ policy: policyOf([], false, null) })
  for (const [index, host] of hosts.entries()) {
    await house.begin(`r${index}`, `etl-${index}`)
    const [one] = await house.until(`r${index}`, ([first]) => first?.attempts === 1)
    assert.equal(one?.log[0]?.code, 'ADDRESS_REFUSED', host)
  }
  assert.equal(there.received.length, 0)
})

test('a name that leads elsewhere a moment later leads nobody there', async t => {
  const there = await receiver(t)
  const house = await openHouse(t)
  await house.withDag('etl', { url: `http://rebinds.test:${there.port}/hook` })
  const answers = [['93.184.216.34', '127.0.0.1'], ['127.0.0.1']]
  const asked: string[] = []
  house.open({
    policy: policyOf([], false, null),
    resolve: name => {
      asked.push(name)
      return Promise.resolve(answers[asked.length - 1] ?? ['127.0.0.1'])
    },
  })
  await house.begin('r', 'etl')
  const [one] = await house.until('r', ([first]) => first?.attempts === 1)
  assert.equal(one?.log[0]?.code, 'ADDRESS_REFUSED')
  assert.equal(one.log[0]?.address, '127.0.0.1')
  assert.deepEqual(asked, ['rebinds.test'])
  assert.equal(there.received.length, 0)
})

test('the connection goes to the address that was checked, under the name', async t => {
  const there = await receiver(t)
  const house = await openHouse(t)
  await house.withDag('etl', { url: `http://receiver.test:${there.port}/hook` })
  const asked: string[] = []
  house.open({
    resolve: name => {
      asked.push(name)
      return Promise.resolve(['127.0.0.1'])
    },
  })
  await house.begin('r', 'etl')
  const [one] = await house.until('r', all('delivered', 1))
  assert.equal(one?.log[0]?.address, '127.0.0.1')
  assert.equal(there.received[0]?.headers.host, `receiver.test:${there.port}`)
  assert.deepEqual(asked, ['receiver.test'])
})

test('a port that is not allowed is not connected to', async t => {
  const there = await receiver(t)
  const house = await openHouse(t)
  await house.withDag('etl', { url: there.url })
  house.open({ policy: policyOf([], true, [443]) })
  await house.begin('r', 'etl')
  const [one] = await house.until('r', ([first]) => first?.attempts === 1)
  assert.equal(one?.log[0]?.code, 'PORT_REFUSED')
})

test('a message is given up when nobody took it for three days', async t => {
  const there = await receiver(t, () => 500)
  const house = await openHouse(t)
  await house.withDag('etl', { url: there.url })
  await house.begin('r', 'etl')
  let passed = 0
  const { systemClock } = await import('../../src/host/clock.ts')
  house.open({ clock: { ...systemClock, now: () => Date.now() + passed } })
  await house.until('r', ([first]) => first?.attempts === 1)
  passed = 4 * 86_400_000
  await house.until('r', all('failed', 1))
  assert.equal(there.received.length, 2)
})

test('sending again puts a message in line that was given up or taken', async t => {
  const there = await receiver(t)
  const house = await openHouse(t)
  await house.withDag('etl', { url: there.url })
  const sender = house.open()
  await house.begin('r', 'etl')
  await house.until('r', all('delivered', 1))
  await house.store.deliveries.again('r', 1, Date.now())
  sender.look()
  await house.until('r', ([one]) => one?.log.length === 2 && one.state === 'delivered')
  assert.deepEqual(
    there.received.map(({ id }) => id),
    ['msg_r_1', 'msg_r_1'],
  )
})

test('a redirect to the metadata service, and a DAG that names it, lead nowhere', async t => {
  const there = await receiver(t, (_one, response) => {
    response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end()
    return undefined
  })
  const house = await openHouse(t)
  await house.withDag('redirects', { url: there.url })
  await house.withDag('asks', { url: 'http://169.254.169.254/latest/meta-data/' })
  house.open({ policy: policyOf(['0.0.0.0/0', '::/0'], true, null) })
  await house.begin('r', 'redirects')
  await house.begin('s', 'asks')
  const [redirected] = await house.until('r', ([first]) => first?.attempts === 1)
  const [asked] = await house.until('s', ([first]) => first?.attempts === 1)
  assert.equal(redirected?.log[0]?.code, 'REDIRECTED')
  assert.equal(asked?.log[0]?.code, 'ADDRESS_REFUSED')
})

test('a receiver that dies in the middle of its answer has not taken the message', async t => {
  const there = await receiver(t, (_one, response) => {
    response.socket?.write('HTTP/1.1 2')
    response.socket?.destroy()
    return undefined
  })
  const house = await openHouse(t)
  await house.withDag('etl', { url: there.url })
  house.open()
  await house.begin('r', 'etl')
  const [one] = await house.until('r', ([first]) => first?.attempts === 1)
  assert.equal(one?.log[0]?.code, 'CONNECTION_FAILED')
  assert.equal(one.state, 'waiting')
})

test('a certificate that nobody vouches for is refused, unless verifySSL is false, which is written down', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-tls-'))
  t.after(() => rm(folder, { recursive: true }))
  const { certificate, key } = authority(folder, 'receiver')
  const tls = { cert: await readFile(certificate), key: await readFile(key) }
  const there = await openReceiver(() => 200, { tls })
  t.after(() => there.close())
  const house = await openHouse(t)
  await house.withDag('checks', { url: there.url })
  await house.withDag('trusts', { url: there.url, verifySSL: false })
  house.open()
  await house.begin('r', 'checks')
  await house.begin('s', 'trusts')
  const [refused] = await house.until('r', ([first]) => first?.attempts === 1)
  const [taken] = await house.until('s', all('delivered', 1))
  assert.deepEqual([refused?.log[0]?.code, refused?.log[0]?.verified], ['TLS_FAILED', true])
  assert.equal(taken?.log.at(-1)?.verified, false)
})

test('a name without an address is said, and looked up again with the next attempt', async t => {
  const there = await receiver(t)
  const house = await openHouse(t)
  await house.withDag('etl', { url: `http://comes-later.test:${there.port}/` })
  let known = false
  house.open({
    resolve: () => (known ? Promise.resolve(['127.0.0.1']) : Promise.reject(new Error('ENOTFOUND'))),
  })
  await house.begin('r', 'etl')
  const [one] = await house.until('r', ([first]) => first?.attempts === 1)
  assert.equal(one?.log[0]?.code, 'NAME_NOT_FOUND')
  known = true
  await sooner(house, 1)
  await house.until('r', all('delivered', 1))
})

/** Without waiting for its time. */
async function sooner(house: Awaited<ReturnType<typeof openHouse>>, number: number): Promise<void> {
  await house.store.deliveries.again('r', number, Date.now())
}
