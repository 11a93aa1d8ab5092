import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { SERVER_LIMITS } from '../../src/server/limits.ts'
import type { AnyRoute } from '../../src/server/route.ts'
import { ROUTES } from '../../src/server/routes.ts'
import { type House, oneTask, openHouse } from './house.ts'

/** Requests that no good client sends. */

let house: House
let run: string
before(async () => {
  house = await openHouse({ limits: { requestTimeoutMs: 800, headersTimeoutMs: 800 } })
  await house.putDag(oneTask('job', 'echo done'))
  run = (await house.as('editor').call('createRun', { body: { dag: 'job' } })).id
})
after(() => house.close())

interface Said {
  readonly status: number
  readonly code: string
  readonly fix: string
  readonly problems: readonly {
    readonly path: readonly unknown[]
    readonly fix: string
    readonly code: string
  }[]
}

/** Every refusal is a problem of the one form, and tells nothing of the inside. */
async function said(response: Response): Promise<Said> {
  const text = await response.text()
  assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/, text)
  assert.doesNotMatch(text, /node_modules|\.ts\b|\bat \w+ \(|SQLITE|select |\/tmp\//i)
  const problem = JSON.parse(text) as Said & { correlationId: string; type: string }
  assert.equal(problem.status, response.status)
  assert.equal(problem.correlationId, response.headers.get('x-correlation-id'))
  assert.equal(problem.type, `urn:kontroler:problem:${problem.code}`)
  return problem
}

const get = async (path: string, headers: Record<string, string> = {}): Promise<Said> =>
  await said(await house.send(path, { as: 'editor', headers }))
const post = async (
  path: string,
  body: RequestInit['body'],
  headers: Record<string, string> = {},
): Promise<Said> =>
  await said(
    await house.send(path, {
      as: 'editor',
      method: 'POST',
      body: body ?? null,
      headers: { 'content-type': 'application/json', ...headers },
    }),
  )

/** A request line as it stands: clients tidy addresses up before they send them. */
async function line(path: string, headers = '', host = `127.0.0.1:${house.port}`): Promise<string> {
  return await house.raw(
    `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer editor\r\nconnection: close\r\n${headers}\r\n`,
  )
}

describe('tricks with paths lead nowhere', () => {
  const tricks = [
    '/api/v1//runs',
    '//api/v1/runs',
    '/api/v1/runs/',
    '/API/v1/runs',
    '/api/v1/runs;x',
    '/api/v1/Runs',
    '/api/v1/%72uns/..',
    '/api/v1/dags/../runs',
    '/api/v1/./runs',
    '/api%2fv1%2fruns',
    '/api/v1/runs%00',
    '/api/v1/runs/%2e%2e%2fstats',
    '/api/v1/runs/..%2f..%2fetc',
    '/api/v1/runs/%252e%252e',
    '/api/v1/runs/%ff%fe',
    '/api/v1/runs/%',
    '/api/v1/runs/..\\..\\x',
    '/health/../api/v1/runs',
    '/api/v1/runs/health',
    '/api/v1/dags/default/%2e%2e',
    '/api/v1/dags/*/job',
    '/api/v1/dags/~/job',
    '/api/v1/dags/default/job%2fversions',
    '/api/v1/dags/default/job;admin/versions',
    `/api/v1/runs/${'a'.repeat(5_000)}`,
  ]
  for (const trick of tricks) {
    test(trick.slice(0, 60), async () => {
      assert.match(await line(trick), /^HTTP\/1\.1 404 /)
    })
  }

  test('a log is found by names alone', async () => {
    for (const task of ['..%2f..%2fapi-token', 'work%2f..', 'work%00', '%2e%2e', 'work[0', 'work[-1]'])
      assert.match(await line(`/api/v1/runs/${run}/tasks/${task}/log`), /^HTTP\/1\.1 404 /)
    const { status } = await get(`/api/v1/runs/${run}/tasks/work/log?container=../../state`)
    assert.equal(status, 400)
  })
})

describe('another host, another site', () => {
  test('a name that leads here and is not ours is refused before anything else', async () => {
    for (const host of [
      'evil.example',
      `evil.example:${house.port}`,
      '127.0.0.1',
      '127.0.0.1:1',
      '',
      '[::1]',
    ])
      assert.match(await line('/health', '', host), /^HTTP\/1\.1 (421|400) /, host)
    for (const host of [`localhost:${house.port}`, `LOCALHOST:${house.port}`, `[::1]:${house.port}`])
      assert.match(await line('/health', '', host), /^HTTP\/1\.1 200 /, host)
  })

  test('what another site asks for is refused, whatever it may bring along', async () => {
    for (const origin of [
      'https://evil.example',
      'null',
      `http://127.0.0.1:${house.port}.evil.example`,
      'http://127.0.0.1:1',
    ])
      assert.deepEqual((await get('/api/v1/runs', { origin })).code, 'WRONG_ORIGIN', origin)
    const cancel = `/api/v1/runs/${run}/cancel`
    assert.equal((await post(cancel, '{}', { 'sec-fetch-site': 'cross-site' })).code, 'WRONG_ORIGIN')
    assert.equal((await post(cancel, '{}', { 'sec-fetch-site': 'same-site' })).code, 'WRONG_ORIGIN')
    const own = await house.send('/api/v1/runs', { as: 'editor', headers: { origin: house.url } })
    assert.equal(own.status, 200)
  })

  test('a cookie alone changes nothing, unless the page is of this server', async () => {
    const cookie = 'person=editor; person=admin'
    const pause = (headers: Record<string, string>): Promise<Response> =>
      house.send(`/api/v1/runs/${run}/pause`, { method: 'POST', headers: { cookie, ...headers } })
    assert.equal((await said(await pause({}))).code, 'WRONG_ORIGIN')
    assert.notEqual((await pause({ origin: house.url })).status, 403)
    assert.equal((await house.send('/api/v1/runs', { headers: { cookie } })).status, 200)
    // Who shows a token is not who a cookie stands for.
    const wrong = await house.send('/api/v1/runs', { as: 'nobody', headers: { cookie } })
    assert.equal(wrong.status, 401)
  })

  test('nothing is shared with other sites, and nothing is stored on the way', async () => {
    const { headers } = await house.send('/api/v1/runs', { as: 'editor', headers: { origin: house.url } })
    assert.equal(headers.get('access-control-allow-origin'), null)
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/)
  })

  test('a link signs in once, and its cookie is for this site and no script', async () => {
    const bad = await said(await house.send('/sign-in?code=bad'))
    assert.equal(bad.code, 'UNAUTHENTICATED')
    const good = await house.send('/sign-in?code=good')
    assert.deepEqual([good.status, good.headers.get('location')], [303, '/'])
    assert.equal(good.headers.get('set-cookie'), 'person=editor; Path=/; HttpOnly; SameSite=Strict')
  })
})

describe('bodies', () => {
  test('one that is too large is refused without being read, by its length or as it comes', async () => {
    const large = 'x'.repeat(SERVER_LIMITS.bodyBytesMax + 1)
    assert.equal(
      (await post('/api/v1/validate', large, { 'content-type': 'text/yaml' })).code,
      'BODY_TOO_LARGE',
    )
    const head = `POST /api/v1/validate HTTP/1.1\r\nhost: 127.0.0.1:${house.port}\r\nauthorization: Bearer editor\r\ncontent-type: text/yaml\r\n`
    const claimed = await house.raw(`${head}content-length: 100000000\r\nconnection: close\r\n\r\n`)
    assert.match(claimed, /^HTTP\/1\.1 413 /)
    const chunk = `${(65_536).toString(16)}\r\n${'x'.repeat(65_536)}\r\n`
    const chunked = await house.raw([
      `${head}transfer-encoding: chunked\r\n\r\n`,
      ...Array.from({ length: 40 }, () => chunk),
    ])
    assert.match(chunked, /^HTTP\/1\.1 413 /)
  })

  test('nobody who is not known can have one read', async () => {
    const head = `POST /api/v1/validate HTTP/1.1\r\nhost: 127.0.0.1:${house.port}\r\ncontent-type: text/yaml\r\n`
    const answer = await house.raw(`${head}content-length: 100000000\r\nconnection: close\r\n\r\nfirst bytes`)
    assert.match(answer, /^HTTP\/1\.1 401 /)
  })

  test('one that comes too slowly is not waited for', async () => {
    const head = `POST /api/v1/validate HTTP/1.1\r\nhost: 127.0.0.1:${house.port}\r\nauthorization: Bearer editor\r\n`
    const slow = [`${head}content-type: text/yaml\r\ncontent-length: 1000\r\n\r\n`, ...'slowly'.split('')]
    assert.match(await house.raw(slow, 400), /^HTTP\/1\.1 408 /)
    assert.match(await house.raw(['GET /health HTTP/1.1\r\nhost:', ' x'], 400), /^HTTP\/1\.1 408 /)
  })

  test('what is no JSON is told with its place', async () => {
    const { code, status } = await post('/api/v1/runs', '{"dag": "job",\n  oops}')
    assert.deepEqual([code, status], ['MALFORMED_BODY', 400])
    const response = await house.send('/api/v1/runs', {
      as: 'editor',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"dag": "job",\n  oops}',
    })
    assert.match(await response.text(), /line 2, column 3/)
    for (const body of [
      '',
      '{',
      '[1,',
      'nul',
      '{"a":1}x',
      '\u0000',
      '['.repeat(100_000),
      '{"a":'.repeat(1_000),
    ])
      assert.equal((await post('/api/v1/runs', body)).code, 'MALFORMED_BODY', body.slice(0, 20))
    assert.equal((await post('/api/v1/runs', Buffer.from([0x22, 0xff, 0x22]))).code, 'MALFORMED_BODY')
  })

  test('fields are checked: where, and what to do', async () => {
    const problems = async (body: unknown) => {
      const answer = await post('/api/v1/runs', JSON.stringify(body))
      assert.equal(answer.code, 'INVALID_REQUEST')
      return answer.problems.map(({ code, path, fix }) => [code, path.join('.'), fix])
    }
    assert.deepEqual(await problems({ dga: 'job' }), [
      ['FIELD_MISSING', 'dag', 'give it: string'],
      ['FIELD_UNKNOWN', 'dga', 'did you mean dag?'],
    ])
    assert.deepEqual(await problems({ dag: 7 }), [['FIELD_TYPE', 'dag', 'give a string']])
    assert.deepEqual(await problems([]), [['FIELD_TYPE', '', 'give an object']])
    assert.deepEqual(await problems({ dag: 'job', labels: { a: 'x'.repeat(64) } }), [
      ['FIELD_RANGE', 'labels.a', 'the most is 63'],
    ])
    const hostile = await post('/api/v1/runs', '{"dag":"job","__proto__":{"admin":true},"constructor":1}')
    assert.equal(hostile.code, 'INVALID_REQUEST')
  })

  test('forms that are not taken are named', async () => {
    const cases: readonly (readonly [Record<string, string>, string])[] = [
      [{ 'content-type': 'application/xml' }, 'UNSUPPORTED_MEDIA_TYPE'],
      [{ 'content-type': 'text/plain' }, 'UNSUPPORTED_MEDIA_TYPE'],
      [{ 'content-type': 'application/x-www-form-urlencoded' }, 'UNSUPPORTED_MEDIA_TYPE'],
      [{ 'content-encoding': 'gzip' }, 'UNSUPPORTED_MEDIA_TYPE'],
      [{ accept: 'text/html' }, 'NOT_ACCEPTABLE'],
      [{ accept: 'application/json;q=0' }, 'NOT_ACCEPTABLE'],
    ]
    for (const [headers, code] of cases)
      assert.equal((await post('/api/v1/runs', '{"dag":"job"}', headers)).code, code, JSON.stringify(headers))
    assert.equal((await post(`/api/v1/runs/${run}/pause`, '{}')).code, 'UNSUPPORTED_MEDIA_TYPE')
    assert.equal((await get('/api/v1/events', { accept: 'application/json' })).code, 'NOT_ACCEPTABLE')
  })

  test('headers are bounded', async () => {
    assert.match(await line('/health', `x-large: ${'x'.repeat(20_000)}\r\n`), /^HTTP\/1\.1 431 /)
    assert.match(await house.raw('nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /)
    for (const key of ['', 'a b', 'x'.repeat(201)])
      assert.equal(
        (await post('/api/v1/runs', '{"dag":"job"}', { 'idempotency-key': key })).code,
        'INVALID_REQUEST',
      )
  })
})

describe('addresses and queries', () => {
  test('another method is told which there are', async () => {
    const response = await house.send('/api/v1/runs', { as: 'editor', method: 'DELETE' })
    assert.equal(response.headers.get('allow'), 'GET, POST')
    assert.equal((await said(response)).code, 'METHOD_NOT_ALLOWED')
    assert.equal((await said(await house.send('/nothing'))).code, 'NOT_FOUND')
    const options = await house.send('/api/v1/runs', { method: 'OPTIONS', headers: { origin: house.url } })
    assert.equal(options.status, 405)
  })

  test('what a query cannot mean is told, with what was meant', async () => {
    const wrong: Readonly<Record<string, readonly unknown[]>> = {
      'limit=0': ['FIELD_RANGE', 'limit'],
      'limit=501': ['FIELD_RANGE', 'limit'],
      'limit=ten': ['FIELD_TYPE', 'limit'],
      'limit=1&limit=2': ['FIELD_TYPE', 'limit'],
      'phase=faild': ['FIELD_VALUE', 'phase', 0],
      'phase=failed,oops': ['FIELD_VALUE', 'phase', 1],
      'label=team': ['FIELD_VALUE', 'label', 0],
      'createdFrom=yesterday': ['FIELD_VALUE', 'createdFrom'],
      'sort=name': ['FIELD_UNKNOWN', 'sort'],
      '__proto__=1': ['FIELD_UNKNOWN', '__proto__'],
    }
    for (const [query, expected] of Object.entries(wrong)) {
      const { problems, status } = await get(`/api/v1/runs?${query}`)
      assert.equal(status, 400)
      assert.deepEqual([problems[0]?.code, ...(problems[0]?.path ?? [])], expected, query)
    }
    assert.equal((await get('/api/v1/runs?after=xyz')).code, 'BAD_CURSOR')
    assert.equal((await get(`/api/v1/runs/${run}?x=1`)).code, 'INVALID_REQUEST')
    assert.equal((await get(`/api/v1/runs/${run}/explain?task=wrok`)).fix, 'did you mean work?')
  })

  test('a key is of one person, and the same for another is another run', async () => {
    const order = { body: { dag: 'job' }, headers: { 'idempotency-key': 'same' } }
    const ids = await Promise.all(
      ['editor', 'editor', 'admin', 'editor'].map(
        async who => (await house.as(who).call('createRun', order)).id,
      ),
    )
    assert.equal(new Set(ids).size, 2)
    assert.notEqual(ids[0], ids[2])
  })
})

test('a thousand requests of any kind: never a bug, never an answer that is not declared', async () => {
  const word = fc.oneof(
    fc.constantFrom('default', 'job', 'work', run, '1', '..', '%00', "' OR 1=1 --", '*', '__proto__', '🙂'),
    fc.string({ maxLength: 20 }),
  )
  const request = fc.record({
    route: fc.constantFrom(...ROUTES.filter(({ id }) => id !== 'followEvents')),
    words: fc.array(word, { minLength: 3, maxLength: 3 }),
    query: fc.dictionary(
      fc.constantFrom('limit', 'after', 'phase', 'label', 'task', 'tail', 'name', 'from'),
      word,
    ),
    as: fc.constantFrom('editor', 'viewer', 'admin', 'stranger'),
    body: fc.option(fc.oneof(fc.json(), fc.string(), fc.constant(oneTask('job', 'true')))),
    type: fc.constantFrom('application/json', 'application/yaml', 'text/html'),
  })
  await fc.assert(
    fc.asyncProperty(request, async ({ route, words, query, as, body, type }) => {
      const response = await house.send(addressOf(route, words, query), {
        as,
        method: route.method,
        ...(body === null || route.method === 'GET' ? {} : { body, headers: { 'content-type': type } }),
      })
      if (response.status < 400)
        assert.ok(response.status in route.responses, `${route.id} ${response.status}`)
      else await said(response)
      assert.notEqual(response.status, 500)
      await response.body?.cancel().catch(() => undefined)
    }),
    { numRuns: 1_000 },
  )
  assert.deepEqual(house.troubles, [])
})

function addressOf(
  route: AnyRoute,
  words: readonly string[],
  query: Readonly<Record<string, string>>,
): string {
  let at = 0
  const path = route.path.replace(/\{\w+\}/g, () => encodeURIComponent(words[at++]?.toWellFormed() ?? ''))
  return `${path}?${new URLSearchParams(query).toString()}`
}
