import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { type House, openHouse } from './house.ts'

/** Events of other systems: who may start a run with them, and what becomes of them. */

const KEY = 'a key that only the sender has'
const STANDARD = Buffer.from('thirty-two bytes of a good key !').toString('base64')

let house: House
before(async () => {
  house = await openHouse({
    secrets: { 'hook/secret': KEY, 'hook/standard': `whsec_${STANDARD}`, 'hook/line': `${KEY}\n` },
  })
  await house.putDag(dagWith('job', TRIGGERS))
})
after(() => house.close())

const TRIGGERS = `
    - {name: github, webhook: {secret: {name: hook}}}
    - {name: line, webhook: {secret: {name: hook, key: line}, header: X-Sign, encoding: base64, algorithm: sha512}}
    - {name: gitlab, webhook: {sender: gitlab, secret: {name: hook}}}
    - {name: token, webhook: {auth: token, secret: {name: hook}}}
    - {name: stripe, webhook: {sender: stripe, secret: {name: hook}}}
    - {name: standard, webhook: {sender: standard, secret: {name: hook, key: standard}}}
    - {name: missing, webhook: {secret: {name: nothing}}}
    - name: open
      webhook: {auth: none, path: anybody}
      filter: event.body.kind == 'push' && event.query.from == 'here'
      dedupeKey: "\${{ event.body.id }}"
      parameters:
        - {name: count, value: "\${{ event.body.count }}"}
        - {name: agent, value: "\${{ event.headers['x-agent'] }}"}
`

function dagWith(name: string, triggers: string, more = ''): string {
  return `apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata: {name: ${name}}
spec:
${more}  parameters:
    - {name: count, type: integer, defaultValue: 1}
    - {name: agent, defaultValue: nobody}
  triggers:${triggers}  task:
    - {name: work, image: "alpine:3.22", command: ["true"]}
`
}

const hex = (body: string, key = KEY): string => createHmac('sha256', key).update(body).digest('hex')
const seconds = (): string => String(Math.floor(Date.now() / 1_000))

async function post(
  path: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly answer: Record<string, unknown> }> {
  const type = { 'content-type': 'application/json' }
  const response = await house.send(`/hooks/default/${path}`, {
    method: 'POST',
    body,
    headers: { ...type, ...headers },
  })
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> }
}

const github = (body: string, path = 'job/github') =>
  post(path, body, { 'x-hub-signature-256': `sha256=${hex(body)}` })

async function firstEvent(run: unknown) {
  const [created] = await house.store.events(String(run), 0, 1)
  assert.ok(created?.type === 'runCreated')
  return created
}

test('a signed event starts a run, which is durable when the sender hears of it', async () => {
  const { status, answer } = await github('{"ref":"main"}')
  assert.equal(status, 202)
  const created = await firstEvent(answer['run'])
  assert.equal(created.trigger.kind, 'event')
})

test('the same event gives the same answer and no second run, however often it comes', async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, () => github('{"ref":"again"}')))
  answers.push(await github('{"ref":"again"}'))
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]))
  assert.equal(new Set(answers.map(({ answer }) => JSON.stringify(answer))).size, 1)
  const other = await github('{"ref":"another"}')
  assert.notEqual(other.answer['run'], answers[0]?.answer['run'])
})

describe('who does not prove itself gets 401, and nothing is told of why', () => {
  const body = '{"ref":"main"}'
  const wrong: Readonly<Record<string, readonly [path: string, headers: Record<string, string>]>> = {
    'no signature': ['job/github', {}],
    'another key': ['job/github', { 'x-hub-signature-256': `sha256=${hex(body, 'guessed')}` }],
    'another body': ['job/github', { 'x-hub-signature-256': `sha256=${hex('{"ref":"mine"}')}` }],
    'no prefix': ['job/github', { 'x-hub-signature-256': hex(body) }],
    'half a signature': ['job/github', { 'x-hub-signature-256': `sha256=${hex(body).slice(0, 32)}` }],
    'a wrong token': ['job/token', { authorization: 'Bearer guessed' }],
    'a token without its scheme': ['job/token', { authorization: KEY }],
    'a wrong token of GitLab': ['job/gitlab', { 'x-gitlab-token': 'guessed' }],
    'an old time': ['job/stripe', { 'stripe-signature': stripe(body, Date.now() - 400_000) }],
    'a time to come': ['job/stripe', { 'stripe-signature': stripe(body, Date.now() + 400_000) }],
    'another time than was signed': [
      'job/stripe',
      { 'stripe-signature': stripe(body, Date.now() - 400_000).replace(/t=\d+/, `t=${seconds()}`) },
    ],
    'an id that was not signed': ['job/standard', { ...standard(body, 'm1'), 'webhook-id': 'm2' }],
    'no id': ['job/standard', { ...standard(body, ''), 'webhook-id': '' }],
  }
  for (const [title, [path, headers]] of Object.entries(wrong))
    test(title, async () => {
      const before = (await house.store.runs({ dag: 'job' })).items.length
      const { status, answer } = await post(path, body, headers)
      assert.equal(status, 401)
      const { correlationId: _, ...told } = answer
      assert.deepEqual(told, {
        type: 'urn:kontroler:problem:UNAUTHENTICATED',
        title: 'Not signed in',
        status: 401,
        code: 'UNAUTHENTICATED',
        detail: 'the sender did not prove itself',
        fix: 'check its secret',
        problems: [],
      })
      assert.equal((await house.store.runs({ dag: 'job' })).items.length, before)
    })
})

function stripe(body: string, at: number): string {
  const time = Math.floor(at / 1_000)
  return `t=${time},v1=${hex('x')},v1=${hex(`${time}.${body}`)}`
}

function standard(body: string, id: string, time = seconds()): Record<string, string> {
  const signature = createHmac('sha256', Buffer.from(STANDARD, 'base64'))
    .update(`${id}.${time}.${body}`)
    .digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': `v1,AAAA v1,${signature}` }
}

test('senders of other forms are understood', async () => {
  const body = '{"a":1}'
  const sha512 = createHmac('sha512', KEY).update(body).digest('base64')
  const good = [
    await post('job/line', body, { 'x-sign': sha512 }),
    await post('job/gitlab', body, { 'x-gitlab-token': KEY }),
    await post('job/token', body, { authorization: `bearer ${KEY}` }),
    await post('job/stripe', body, { 'stripe-signature': stripe(body, Date.now()) }),
    await post('job/standard', body, standard(body, 'msg_1')),
  ]
  assert.deepEqual(
    good.map(({ status }) => status),
    good.map(() => 202),
  )
  assert.equal(new Set(good.map(({ answer }) => answer['run'])).size, good.length)
})

test('a sender that signs each attempt anew is known again', async () => {
  const body = '{"b":1}'
  const one = await post('job/standard', body, standard(body, 'msg_2'))
  const two = await post('job/standard', body, standard(body, 'msg_2', String(Number(seconds()) - 30)))
  assert.equal(one.answer['run'], two.answer['run'])
  const three = await post('job/stripe', body, { 'stripe-signature': stripe(body, Date.now()) })
  const four = await post('job/stripe', body, { 'stripe-signature': stripe(body, Date.now() - 60_000) })
  assert.equal(three.answer['run'], four.answer['run'])
})

test('with a token each request is an event of its own, unless it names it', async () => {
  const auth = { authorization: `Bearer ${KEY}` }
  const [one, two] = [await post('job/token', '', auth), await post('job/token', '', auth)]
  assert.notEqual(one.answer['run'], two.answer['run'])
  const named = { ...auth, 'idempotency-key': 'k1' }
  const [three, four] = [await post('job/token', '', named), await post('job/token', '', named)]
  assert.equal(three.answer['run'], four.answer['run'])
})

test('parameters are made of the event, with their types; the key is the one that was asked for', async () => {
  const body = { kind: 'push', id: 'e1', count: 3 }
  const headers = { 'x-agent': 'ana' }
  const one = await post('job/anybody?from=here', JSON.stringify(body), headers)
  const two = await post('job/anybody?from=here', JSON.stringify({ ...body, count: 4 }), headers)
  assert.equal(one.status, 202)
  assert.equal(one.answer['run'], two.answer['run'])
  const created = await firstEvent(one.answer['run'])
  assert.deepEqual(created.parameters, [
    { name: 'count', value: { kind: 'value', value: '3' } },
    { name: 'agent', value: { kind: 'value', value: 'ana' } },
  ])
})

test('an event that the filter lets pass by is answered with why, and starts nothing', async () => {
  const { status, answer } = await post('job/anybody?from=there', '{"kind":"push","id":"e2"}', {
    'x-agent': 'a',
  })
  assert.equal(status, 200)
  assert.deepEqual([answer['accepted'], answer['reason']], [false, 'FILTERED'])
})

test('an event that lacks what is asked of it is refused, with the reason', async () => {
  const { status, answer } = await post('job/anybody?from=here', '{"kind":"push","id":"e3"}', {
    'x-agent': 'a',
  })
  assert.equal(status, 422)
  assert.equal(answer['code'], 'EVENT_REFUSED')
  assert.match(String(answer['detail']), /^parameters: .*count/)
  const wrong = await post('job/anybody?from=here', '{"kind":"push","id":"e4","count":"many"}', {
    'x-agent': 'a',
  })
  assert.deepEqual([wrong.status, wrong.answer['code']], [422, 'PARAMETER_TYPE'])
})

test('what is not there, and what has no such trigger, is the same as any other address', async () => {
  const told = async (path: string) => {
    const { status, answer } = await post(path, '{}')
    const { correlationId: _, ...rest } = answer
    return JSON.stringify([status, rest])
  }
  const wanted = await told('nothing/here')
  assert.match(wanted, /^\[404/)
  for (const path of ['job/nothing', 'nothing/github', 'job/open', 'job/0'])
    assert.equal(await told(path), wanted, path)
})

test('a Secret that is not there lets nobody in, and asks for another try', async () => {
  const { status } = await github('{}', 'job/missing')
  assert.equal(status, 503)
  const empty = createHmac('sha256', '').update('{}').digest('hex')
  const forged = await post('job/missing', '{}', { 'x-hub-signature-256': `sha256=${empty}` })
  assert.equal(forged.status, 503)
})

test('a token is no part of the event', async () => {
  const triggers = `
    - name: told
      webhook: {auth: token, secret: {name: hook}, header: X-Own}
      parameters: [{name: agent, value: "\${{ json_of(event.headers) }}"}]
`.replace('json_of(event.headers)', "event.headers.exists(name, name == 'x-own' || name == 'authorization')")
  await house.putDag(dagWith('told', triggers))
  const { answer } = await post('told/told', '{}', { 'x-own': KEY, authorization: 'Bearer x' })
  const created = await firstEvent(answer['run'])
  assert.deepEqual(created.parameters[1], { name: 'agent', value: { kind: 'value', value: 'false' } })
})

describe('a DAG says what becomes of an event while it is busy or suspended', () => {
  const open = `
    - {name: hook, webhook: {auth: none}}
`
  const slow = (name: string, more: string): string =>
    dagWith(name, open, more).replace('["true"]', '["sleep", "60"]')
  test('suspended: it starts nothing', async () => {
    await house.putDag(slow('still', '  suspended: true\n'))
    const { status, answer } = await post('still/hook', '{}')
    assert.deepEqual([status, answer['reason']], [200, 'DAG_SUSPENDED'])
  })
  test('Forbid: one at a time, whatever comes at once', async () => {
    await house.putDag(slow('forbids', '  concurrencyPolicy: Forbid\n'))
    const all = await Promise.all(Array.from({ length: 5 }, () => post('forbids/hook', '{}')))
    assert.deepEqual(
      all.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 200, 200, 200, 202],
    )
  })
  test('Queue: one after the other', async () => {
    await house.putDag(slow('queues', '  concurrencyPolicy: Queue\n'))
    for (let index = 0; index < 3; index += 1) await post('queues/hook', '{}')
    const { items } = await house.store.runs({ dag: 'queues' })
    assert.deepEqual(items.map(({ phase }) => phase).toSorted(), ['queued', 'queued', 'running'])
  })
  test('Replace: the newest', async () => {
    await house.putDag(slow('replaces', '  concurrencyPolicy: Replace\n'))
    const one = await post('replaces/hook', '{}')
    const two = await post('replaces/hook', '{}')
    const phase = async (run: unknown) => (await house.store.run(String(run)))?.phase
    while ((await phase(one.answer['run'])) !== 'cancelled')
      await new Promise(resolve => setTimeout(resolve, 20))
    assert.equal(await phase(two.answer['run']), 'running')
  })
})

describe('bad input', () => {
  test('a body that is too large is refused before anybody looks at it', async () => {
    const response = await house.raw(
      `POST /hooks/default/job/github HTTP/1.1\r\nhost: 127.0.0.1:${house.port}\r\ncontent-type: application/json\r\n` +
        `content-length: 10000000000\r\n\r\n{`,
    )
    assert.match(response, /^HTTP\/1\.1 413 /)
  })
  test('an endless body is cut off', async () => {
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`
    const response = await house.raw([
      `POST /hooks/default/job/github HTTP/1.1\r\nhost: 127.0.0.1:${house.port}\r\ntransfer-encoding: chunked\r\n\r\n`,
      ...Array.from({ length: 40 }, () => chunk),
    ])
    assert.match(response, /^HTTP\/1\.1 413 /)
  })
  test('a compressed body is not unpacked', async () => {
    const { status } = await post('job/github', 'x', { 'content-encoding': 'gzip' })
    assert.equal(status, 415)
  })
  test('signed rubbish is refused, and started is nothing', async () => {
    assert.equal((await github('{"a":')).status, 400)
    assert.equal((await github('['.repeat(5_000))).status, 400)
    const binary = await github('\u{1f600}')
    assert.equal(binary.status, 400)
  })
  test('a form and a text are events, too', async () => {
    const form = 'text=hello&user=ana'
    const signed = { 'x-hub-signature-256': `sha256=${hex(form)}` }
    const type = { 'content-type': 'application/x-www-form-urlencoded' }
    assert.equal((await post('job/github', form, { ...signed, ...type })).status, 202)
    const text = 'hello'
    const plain = { 'x-hub-signature-256': `sha256=${hex(text)}`, 'content-type': 'text/plain' }
    assert.equal((await post('job/github', text, plain)).status, 202)
  })
})

test('who guesses is told to wait, and who knows the key is heard all the same', async () => {
  const statuses = new Set<number>()
  for (let index = 0; index < 80; index += 1)
    statuses.add((await post('job/github', `{"guess":${index}}`)).status)
  assert.ok(statuses.has(429))
  assert.equal((await github('{"late":true}')).status, 202)
})

test('nothing went wrong on the server’s side', () => assert.deepEqual(house.troubles, []))
