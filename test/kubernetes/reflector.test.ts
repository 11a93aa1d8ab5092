import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Client } from '../../src/kubernetes/client.ts'
import type { KubeObject } from '../../src/kubernetes/object.ts'
import { openClient } from '../../src/kubernetes/open-client.ts'
import { isProblem } from '../../src/kubernetes/problem.ts'
import { type Reflector, type ReflectorOptions, startReflector } from '../../src/kubernetes/reflector.ts'
import { PODS } from '../../src/kubernetes/resource.ts'
import { pause, REAL_TIMING } from '../../src/kubernetes/timing.ts'
import {
  events,
  hangUp,
  json,
  listOf,
  object,
  plainIdentity,
  type Reply,
  refusal,
  type ScriptedServer,
  scriptedServer,
} from './scripted-server.ts'

const added = (name: string, version: number, uid?: string) => ({
  type: 'ADDED',
  object: object(name, version, uid),
})
const modified = (name: string, version: number) => ({ type: 'MODIFIED', object: object(name, version) })
const deleted = (name: string, version: number) => ({ type: 'DELETED', object: object(name, version) })
const bookmark = (version: number) => ({
  type: 'BOOKMARK',
  object: { metadata: { resourceVersion: String(version) } },
})
const expired = {
  type: 'ERROR',
  object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' },
}
const OPEN = events([], 'stay')

interface Watched {
  readonly told: string[]
  readonly troubles: unknown[]
  readonly reflector: Reflector<undefined>
  readonly server: ScriptedServer
  /** Waits until the last thing told is this. */
  readonly until: (line: string) => Promise<void>
}

async function watching(
  script: readonly Reply[],
  use: (watched: Watched) => Promise<void>,
  options: Partial<ReflectorOptions<undefined>> = {},
): Promise<void> {
  await using server = await scriptedServer(...script)
  await using client: Client = openClient({ identity: plainIdentity(server.url) })
  const told: string[] = []
  const troubles: unknown[] = []
  await using reflector = startReflector<undefined>({
    client,
    resource: PODS,
    namespace: 'a',
    backOffMs: [5, 20],
    listener: {
      changed: (one: KubeObject, before) =>
        void told.push(`${before === null ? '+' : '~'} ${one.metadata.uid} ${one.metadata.resourceVersion}`),
      deleted: (last, one) => void told.push(`- ${last.uid}${one === null ? ' unseen' : ''}`),
      listed: count => void told.push(`listed ${count}`),
      trouble: error => void troubles.push(error),
    },
    ...options,
  })
  const until = async (line: string): Promise<void> => {
    for (let tries = 0; !told.includes(line); tries += 1) {
      assert.ok(tries < 500, `"${line}" was not told: ${told.join(', ')}`)
      await pause(REAL_TIMING, 10, undefined)
    }
  }
  await use({ told, troubles, reflector, server, until })
}

const watchedFrom = (server: ScriptedServer): (string | null)[] =>
  server.seen.filter(seen => seen.query.get('watch') !== null).map(seen => seen.query.get('resourceVersion'))

describe('a reflector', () => {
  it('tells the list, then what the watch tells', () =>
    watching(
      [listOf(5, object('x', 3)), events([added('y', 6), modified('x', 7), deleted('y', 8)], 'stay')],
      async ({ told, reflector, server, until }) => {
        await reflector.synced
        await until('- uid-y')
        assert.deepEqual(told, ['+ uid-x 3', 'listed 1', '+ uid-y 6', '~ uid-x 7', '- uid-y'])
        assert.deepEqual(watchedFrom(server), ['5'])
        assert.equal(server.seen[1]?.query.get('allowWatchBookmarks'), 'true')
      },
    ))

  it('goes on after a stream that ended or broke, from the newest event or bookmark', () =>
    watching(
      [
        listOf(5),
        events([added('x', 6)], 'end'),
        events([added('y', 8), bookmark(20)], 'break'),
        hangUp,
        events([added('z', 21)], 'stay'),
      ],
      async ({ told, server, until }) => {
        await until('+ uid-z 21')
        assert.deepEqual(watchedFrom(server), ['5', '6', '20', '20'])
        assert.deepEqual(told, ['listed 0', '+ uid-x 6', '+ uid-y 8', '+ uid-z 21'])
      },
    ))

  for (const [name, gone] of [
    ['an ERROR event in the stream', events([expired])],
    ['an HTTP status', refusal(410, 'Expired')],
  ] as const) {
    it(`lists again after a 410 that comes as ${name}, and tells the differences by UID`, () =>
      watching(
        [
          listOf(5, object('x', 3), object('y', 4), object('z', 5)),
          gone,
          listOf(90, object('x', 3), object('y', 88, 'new-y')),
          OPEN,
        ],
        async ({ told, server, until }) => {
          await until('listed 2')
          assert.deepEqual(told.slice(4), ['- uid-y unseen', '+ new-y 88', '- uid-z unseen', 'listed 2'])
          await pause(REAL_TIMING, 50, undefined)
          assert.deepEqual(watchedFrom(server), ['5', '90'])
        },
      ))
  }

  it('lists again when the server refuses the version for reasons of its own', () =>
    watching(
      [
        listOf(5_000),
        ...Array.from({ length: 3 }, () => refusal(504, 'Timeout')),
        listOf(7, object('x', 6)),
        OPEN,
      ],
      async ({ until }) => until('+ uid-x 6'),
    ))

  it('starts a list again whose token expired, and takes nothing from the first try for present', () =>
    watching(
      [
        json(200, {
          metadata: { resourceVersion: '5', continue: 'more' },
          items: [object('x', 1), object('y', 1)],
        }),
        refusal(410, 'Expired'),
        listOf(9, object('y', 1)),
        OPEN,
      ],
      async ({ told, until }) => {
        await until('listed 1')
        assert.deepEqual(told, ['+ uid-x 1', '+ uid-y 1', '- uid-x unseen', 'listed 1'])
      },
    ))

  it('asks for everything at once when tokens keep expiring', () =>
    watching(
      [
        (seen, response) =>
          (seen.query.get('watch') !== null
            ? OPEN
            : seen.query.get('continue') !== null
              ? refusal(410, 'Expired')
              : seen.query.get('limit') === null
                ? listOf(9, object('x', 1), object('y', 1))
                : json(200, {
                    metadata: { resourceVersion: '5', continue: 'more' },
                    items: [object('x', 1)],
                  }))(seen, response),
      ],
      async ({ until }) => until('listed 2'),
    ))

  it('survives a listener that throws, and tells it again', () => {
    const tries: string[] = []
    const heard: string[] = []
    return watching(
      [
        listOf(5, object('x', 3), object('y', 4)),
        events([deleted('y', 6)], 'stay'),
        listOf(9, object('x', 3)),
        OPEN,
      ],
      async ({ reflector }) => {
        await reflector.synced
        while (tries.length < 5) await pause(REAL_TIMING, 10, undefined)
        assert.deepEqual(tries, ['changed x', 'changed y', 'deleted y', 'changed x', 'deleted y'])
        assert.deepEqual(heard, ['Error: no x', 'Error: no y'])
        assert.equal(reflector.state().listenerErrors, 2)
      },
      {
        retellMs: 100,
        listener: {
          changed: one => {
            if (tries.push(`changed ${one.metadata.name}`) === 1) throw new Error('no x')
          },
          deleted: last => {
            if (tries.push(`deleted ${last.name}`) === 3) throw new Error('no y')
          },
          trouble: error => void heard.push(String(error)),
        },
      },
    )
  })

  it('comes back when a stream says nothing beyond its time', () =>
    watching(
      [listOf(5), OPEN, events([added('x', 6)], 'stay')],
      async ({ troubles, until }) => {
        await until('+ uid-x 6')
        assert.deepEqual(
          troubles.map(trouble => isProblem(trouble, 'timeout') && trouble.reason),
          ['Stalled'],
        )
      },
      { watchSeconds: 0.1, graceMs: 50 },
    ))

  it('lists once more when somebody doubts while it lists', () => {
    let doubt = (): void => undefined
    return watching(
      [
        (seen, response) => {
          doubt()
          listOf(5, object('x', 3))(seen, response)
        },
        listOf(9, object('x', 8)),
        OPEN,
      ],
      async ({ told, reflector, server, until }) => {
        doubt = () => reflector.relist()
        await until('~ uid-x 8')
        await pause(REAL_TIMING, 50, undefined)
        assert.deepEqual(told, ['+ uid-x 3', 'listed 1', '~ uid-x 8', 'listed 1'])
        assert.deepEqual(watchedFrom(server), ['9'])
      },
    )
  })

  it('does not go on from a line that it does not understand', () =>
    watching(
      [
        listOf(5),
        (_, response) => void response.end('{"type":"ADDED","object":{}}\n'),
        events([added('x', 6)], 'stay'),
      ],
      async ({ troubles, server, until }) => {
        await until('+ uid-x 6')
        assert.ok(isProblem(troubles[0], 'garbled'))
        assert.deepEqual(watchedFrom(server), ['5', '5'])
      },
    ))

  it('keeps asking while it is forbidden, and says so', () =>
    watching(
      [refusal(403, 'Forbidden'), refusal(403, 'Forbidden'), listOf(5), OPEN],
      async ({ troubles, until }) => {
        await until('listed 0')
        assert.deepEqual(
          troubles.map(trouble => isProblem(trouble, 'forbidden')),
          [true, true],
        )
      },
    ))

  it('waits longer and longer while streams do not live, although each of them brings an event', async () => {
    let version = 5
    const waits: number[] = []
    await using server = await scriptedServer(listOf(5), (seen, response) =>
      events([added('x', (version += 1))], 'end')(seen, response),
    )
    const timing = {
      ...REAL_TIMING,
      random: () => 1,
      after: (ms: number, call: () => void) => {
        if (ms <= 40) waits.push(ms)
        return REAL_TIMING.after(ms, call)
      },
    }
    await using client = openClient({ identity: plainIdentity(server.url), timing })
    const listener = { changed: () => undefined, deleted: () => undefined }
    await using _ = startReflector({ client, resource: PODS, backOffMs: [5, 40], listener })
    while (waits.length < 5) await pause(REAL_TIMING, 5, undefined)
    assert.deepEqual(waits.slice(0, 5), [5, 10, 20, 40, 40])
  })

  it('tells nothing after it was stopped', () =>
    watching([listOf(5), events([added('x', 6)], 'stay')], async ({ told, reflector, until }) => {
      await until('+ uid-x 6')
      await reflector.stop()
      reflector.relist()
      assert.equal(reflector.state().phase, 'stopped')
      assert.equal(told.length, 2)
    }))

  it('that is stopped before its first list says so to who waits', () =>
    watching([hangUp], async ({ reflector }) => {
      await reflector.stop()
      await assert.rejects(reflector.synced, error => isProblem(error, 'aborted'))
    }))

  it('holds of an object what it is told to keep', () =>
    watching([listOf(5, object('x', 3)), OPEN], async ({ reflector }) => {
      await reflector.synced
      assert.deepEqual(reflector.find('a', 'x'), {
        namespace: 'a',
        name: 'x',
        uid: 'uid-x',
        resourceVersion: '3',
        kept: undefined,
        list: 1,
      })
    }))
})
