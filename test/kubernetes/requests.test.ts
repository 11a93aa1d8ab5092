import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RequestOptions } from '../../src/kubernetes/client.ts'
import { openClient } from '../../src/kubernetes/open-client.ts'
import { ApiProblem } from '../../src/kubernetes/problem.ts'
import { CONFIG_MAPS, PODS } from '../../src/kubernetes/resource.ts'
import { REAL_TIMING } from '../../src/kubernetes/timing.ts'
import {
  hangUp,
  json,
  object,
  plainIdentity,
  type Reply,
  refusal,
  type ScriptedServer,
  scriptedServer,
  silence,
} from './scripted-server.ts'

const PLACE = { namespace: 'a', name: 'x' }
const FOUND = json(200, object('x', 7))

/** Time in which a wait is over at once. */
const IMPATIENT = { ...REAL_TIMING, random: () => 0 }

async function withServer(
  script: readonly Reply[],
  use: (client: ReturnType<typeof openClient>, server: ScriptedServer) => Promise<void>,
  tokens?: readonly string[],
): Promise<void> {
  await using server = await scriptedServer(...script)
  await using client = openClient({ identity: plainIdentity(server.url, tokens), timing: IMPATIENT })
  await use(client, server)
}

const problemOf = async (promise: Promise<unknown>): Promise<ApiProblem> => {
  const error = await promise.then(
    () => assert.fail('it succeeded'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof ApiProblem, String(error))
  return error
}

describe('a request that reads', () => {
  for (const [name, trouble] of [
    ['a broken connection', hangUp],
    ['500', refusal(500, 'InternalError')],
    ['503', refusal(503, 'ServiceUnavailable')],
    ['504', refusal(504, 'Timeout')],
    ['429', refusal(429, 'TooManyRequests', { 'retry-after': '0' })],
  ] as const) {
    it(`is repeated after ${name}`, () =>
      withServer([trouble, trouble, FOUND], async (client, server) => {
        assert.equal((await client.get(PODS, PLACE)).metadata.resourceVersion, '7')
        assert.equal(server.seen.length, 3)
      }))
  }

  for (const [status, reason, kind] of [
    [400, 'BadRequest', 'badRequest'],
    [403, 'Forbidden', 'forbidden'],
    [404, 'NotFound', 'notFound'],
    [406, 'NotAcceptable', 'notAcceptable'],
    [410, 'Expired', 'gone'],
  ] as const) {
    it(`is not repeated after ${status}`, () =>
      withServer([refusal(status, reason)], async (client, server) => {
        const problem = await problemOf(client.get(PODS, PLACE))
        assert.deepEqual([problem.kind, problem.status, problem.effect], [kind, status, 'none'])
        assert.equal(server.seen.length, 1)
      }))
  }

  it('waits as long as the server asks for', () =>
    withServer([refusal(429, 'TooManyRequests', { 'retry-after': '1' }), FOUND], async client => {
      const started = performance.now()
      await client.get(PODS, PLACE)
      assert.ok(performance.now() - started >= 990)
    }))

  it('gives up when its time is over, and says so', () =>
    withServer([silence], async client => {
      const problem = await problemOf(client.get(PODS, PLACE, { deadlineMs: 100 }))
      assert.deepEqual([problem.kind, problem.effect], ['timeout', 'none'])
    }))

  it('gives up then also when it got its slot late', async () => {
    await using server = await scriptedServer(silence)
    const limit = { start: 1, min: 1, max: 1 }
    const delays: number[] = []
    const timing = {
      ...IMPATIENT,
      after: (ms: number, call: () => void) => {
        delays.push(ms)
        return REAL_TIMING.after(ms, call)
      },
    }
    await using client = openClient({ identity: plainIdentity(server.url), timing, limit })
    const first = problemOf(client.get(PODS, PLACE, { deadlineMs: 200 }))
    const problem = await problemOf(client.get(PODS, PLACE, { deadlineMs: 400, attemptMs: 300 }))
    assert.equal((await first).kind, 'timeout')
    assert.equal(problem.kind, 'timeout')
    assert.ok(!delays.includes(300), 'less than the time of an attempt was left')
  })

  it('comes back a little later than the server asks, so that not all come at one moment', async () => {
    const delays: number[] = []
    const timing = {
      ...REAL_TIMING,
      random: () => 1,
      after: (ms: number, call: () => void) => {
        delays.push(ms)
        return REAL_TIMING.after(ms > 1_000 ? ms : 0, call)
      },
    }
    const busy = refusal(429, 'TooManyRequests', { 'retry-after': '0' })
    await using server = await scriptedServer(busy, busy, FOUND)
    await using client = openClient({ identity: plainIdentity(server.url), timing })
    await client.get(PODS, PLACE)
    assert.deepEqual(
      delays.filter(ms => ms < 1_000),
      [100, 100],
    )
  })

  it('tries again when one attempt takes too long', () =>
    withServer([silence, FOUND], async client => {
      assert.equal((await client.get(PODS, PLACE, { attemptMs: 100 })).metadata.name, 'x')
    }))

  it('says when the answer is no JSON', () =>
    withServer([(_, response) => void response.end('<html>')], async client => {
      const problem = await problemOf(client.get(PODS, PLACE))
      assert.deepEqual([problem.kind, problem.effect], ['garbled', 'none'])
    }))
})

describe('a create', () => {
  const create = (client: ReturnType<typeof openClient>, options?: RequestOptions) =>
    client.createBrief(PODS, 'a', { metadata: { name: 'x' } }, options)

  for (const [name, trouble, kind] of [
    ['the connection breaks', hangUp, 'unreachable'],
    ['the server fails', refusal(500, 'InternalError'), 'internal'],
    ['the server has no database', refusal(503, 'ServiceUnavailable'), 'unavailable'],
    ['the server ran out of time', refusal(504, 'Timeout'), 'timeout'],
  ] as const) {
    it(`is of unknown effect, and not repeated, when ${name}`, () =>
      withServer([trouble, FOUND], async (client, server) => {
        const problem = await problemOf(create(client))
        assert.deepEqual([problem.kind, problem.effect], [kind, 'unknown'])
        assert.equal(server.seen.length, 1)
      }))
  }

  it('is of unknown effect when no answer comes in time', () =>
    withServer([silence], async client => {
      const problem = await problemOf(create(client, { deadlineMs: 100 }))
      assert.deepEqual([problem.kind, problem.effect], ['timeout', 'unknown'])
    }))

  it('is repeated when the server throttles, which has no effect', () =>
    withServer([refusal(429, 'TooManyRequests', { 'retry-after': '0' }), FOUND], async (client, server) => {
      assert.deepEqual(await create(client), {
        namespace: 'a',
        name: 'x',
        uid: 'uid-x',
        resourceVersion: '7',
      })
      assert.equal(server.seen.length, 2)
    }))

  it('is not sent when nobody listens, and that has no effect', async () => {
    const server = await scriptedServer(FOUND)
    const { url } = server
    await server[Symbol.asyncDispose]()
    await using client = openClient({ identity: plainIdentity(url), timing: IMPATIENT })
    const problem = await problemOf(create(client, { deadlineMs: 200 }))
    assert.deepEqual([problem.kind, problem.effect, problem.reason], ['unreachable', 'none', 'ECONNREFUSED'])
  })

  it('tells which fields are wrong', () =>
    withServer(
      [
        json(422, {
          code: 422,
          reason: 'Invalid',
          message: 'Pod "x" is invalid',
          details: {
            causes: [{ field: 'spec.containers', reason: 'FieldValueRequired', message: 'Required value' }],
          },
        }),
      ],
      async client => {
        const problem = await problemOf(create(client))
        assert.equal(problem.kind, 'invalid')
        assert.deepEqual(problem.causes, [
          { field: 'spec.containers', reason: 'FieldValueRequired', message: 'Required value' },
        ])
      },
    ))

  for (const [reason, kind] of [
    ['AlreadyExists', 'alreadyExists'],
    ['Conflict', 'conflict'],
  ] as const) {
    it(`tells ${kind} from other conflicts`, () =>
      withServer([refusal(409, reason)], async client => {
        assert.equal((await problemOf(create(client))).kind, kind)
      }))
  }

  it('asks the server to give up when we do', () =>
    withServer([FOUND], async (client, server) => {
      await create(client, { attemptMs: 5_000 })
      assert.equal(server.seen[0]?.query.get('timeout'), '5s')
    }))
})

describe('an effect that is unknown', () => {
  it('stays unknown when the repetition fails without effect', () =>
    withServer([hangUp, refusal(403, 'Forbidden')], async client => {
      const problem = await problemOf(client.mergePatch(PODS, PLACE, {}))
      assert.deepEqual([problem.kind, problem.effect], ['forbidden', 'unknown'])
    }))

  it('does not keep a patch that says the same twice from being repeated', () =>
    withServer([hangUp, FOUND], async (client, server) => {
      await client.apply(CONFIG_MAPS, PLACE, {})
      assert.equal(server.seen.length, 2)
    }))

  it('keeps a JSON patch from being repeated', () =>
    withServer([hangUp, FOUND], async client => {
      assert.equal((await problemOf(client.jsonPatch(PODS, PLACE, []))).effect, 'unknown')
    }))
})

describe('credentials', () => {
  it('are read again once after 401', () =>
    withServer(
      [refusal(401, 'Unauthorized'), FOUND],
      async (client, server) => {
        await client.create(PODS, 'a', {})
        assert.deepEqual(
          server.seen.map(seen => seen.headers.authorization),
          ['Bearer old', 'Bearer new'],
        )
      },
      ['old', 'new'],
    ))

  it('are not asked for a third time', () =>
    withServer([refusal(401, 'Unauthorized')], async (client, server) => {
      assert.equal((await problemOf(client.get(PODS, PLACE))).kind, 'unauthorized')
      assert.equal(server.seen.length, 2)
    }))

  it('are fetched once for all requests that were refused together', async () => {
    const byToken: Reply = (seen, response) =>
      (seen.headers.authorization === 'Bearer new' ? FOUND : refusal(401, 'Unauthorized'))(seen, response)
    await using server = await scriptedServer(byToken)
    const identity = plainIdentity(server.url, ['old', 'new', 'newer'])
    await using client = openClient({ identity })
    await Promise.all(Array.from({ length: 8 }, () => client.get(PODS, PLACE)))
    assert.equal(identity.refreshes(), 1)
  })
})

describe('a signal', () => {
  it('ends a request that is under way', () =>
    withServer([silence], async client => {
      const controller = new AbortController()
      const asked = problemOf(client.create(PODS, 'a', {}, { signal: controller.signal }))
      setTimeout(() => controller.abort(), 50)
      const problem = await asked
      assert.deepEqual([problem.kind, problem.effect], ['aborted', 'unknown'])
    }))

  it('ends the wait for a slot, without effect', async () => {
    await using server = await scriptedServer(silence)
    await using client = openClient({
      identity: plainIdentity(server.url),
      limit: { start: 1, min: 1, max: 1 },
    })
    const first = problemOf(client.get(PODS, PLACE, { deadlineMs: 300 }))
    const controller = new AbortController()
    const second = problemOf(client.create(PODS, 'a', {}, { signal: controller.signal }))
    controller.abort()
    assert.deepEqual([(await second).kind, (await second).effect], ['aborted', 'none'])
    await first
  })

  it('ends a stream', () =>
    withServer([(_, response) => void response.write('first\n')], async client => {
      const controller = new AbortController()
      const log = await client.logs(PLACE, { follow: true }, { signal: controller.signal })
      const read = async (): Promise<void> => {
        for await (const _ of log.body) controller.abort()
      }
      const error: unknown = await read().catch((reason: unknown) => reason)
      assert.equal(log.problem(error).kind, 'aborted')
    }))
})

describe('a client that is closed', () => {
  it('ends what is under way, also what waits for its repetition', async () => {
    await using server = await scriptedServer(
      silence,
      refusal(429, 'TooManyRequests', { 'retry-after': '50' }),
    )
    const client = openClient({ identity: plainIdentity(server.url) })
    const asked = [problemOf(client.create(PODS, 'a', {})), problemOf(client.get(PODS, PLACE))]
    while (server.seen.length < 2) await new Promise(setImmediate)
    await new Promise(resolve => setTimeout(resolve, 20))
    await client.close()
    const problems = await Promise.all([...asked, problemOf(client.create(PODS, 'a', {}))])
    assert.deepEqual(
      problems.map(problem => [problem.kind, problem.effect]),
      [
        ['aborted', 'unknown'],
        ['aborted', 'none'],
        ['aborted', 'none'],
      ],
    )
  })
})

describe('remove', () => {
  for (const [name, reply, options, result] of [
    ['accepts', FOUND, {}, 'accepted'],
    ['takes what is not there for gone', refusal(404, 'NotFound'), {}, 'absent'],
    ['takes an object of another UID for gone', refusal(409, 'Conflict'), { uid: 'u' }, 'absent'],
  ] as const) {
    it(name, () =>
      withServer([reply], async client => {
        assert.equal(await client.remove(PODS, PLACE, options), result)
      }),
    )
  }

  it('is a conflict when a version was given and is not there', () =>
    withServer([refusal(409, 'Conflict')], async client => {
      const removed = client.remove(PODS, PLACE, { uid: 'u', resourceVersion: '1' })
      assert.equal((await problemOf(removed)).kind, 'conflict')
    }))

  it('does not take the 406 of a deletecollection for a failure, but looks', () =>
    withServer(
      [refusal(406, 'NotAcceptable'), json(200, { metadata: { resourceVersion: '1' } })],
      async client => {
        assert.deepEqual(await client.removeAll(PODS, { namespace: 'a' }), {
          going: 0,
          standing: 0,
          requests: 1,
        })
      },
    ))
})

describe('names', () => {
  for (const name of ['', '.', '..']) {
    it(`that would be another path are refused: "${name}"`, () =>
      withServer([FOUND], async (client, server) => {
        await assert.rejects(client.get(PODS, { namespace: 'a', name }), TypeError)
        assert.equal(server.seen.length, 0)
      }))
  }

  it('with strange letters stay one name', () =>
    withServer([FOUND], async (client, server) => {
      await client.get(PODS, { namespace: 'a', name: 'x/../y' })
      assert.equal(server.seen[0]?.path, '/api/v1/namespaces/a/pods/x%2F..%2Fy')
    }))
})
