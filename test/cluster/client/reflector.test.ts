import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Client } from '../../../src/kubernetes/client.ts'
import { openClient } from '../../../src/kubernetes/open-client.ts'
import { isProblem } from '../../../src/kubernetes/problem.ts'
import { CONFIG_MAPS } from '../../../src/kubernetes/resource.ts'
import { configMap, createMany, eventually, existing, follow, startPlace } from './place.ts'
import { startWire } from './wire.ts'

const place = await startPlace()
const { client, space } = place

const names = (count: number, prefix = 'x'): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`)

/** The reflector believes what is. */
async function agrees(believed: ReadonlyMap<string, string>, namespace: string): Promise<boolean> {
  const there = await existing(client, namespace)
  return there.size === believed.size && [...there].every(uid => believed.has(uid))
}

/** An object goes and another takes its name; one goes for good; one comes; one changes. */
async function changeEverything(namespace: string): Promise<void> {
  const at = (name: string) => ({ namespace, name })
  await client.remove(CONFIG_MAPS, at('x-0'))
  await client.create(CONFIG_MAPS, namespace, configMap('x-0'))
  await client.remove(CONFIG_MAPS, at('x-1'))
  await client.create(CONFIG_MAPS, namespace, configMap('new'))
  await client.mergePatch(CONFIG_MAPS, at('x-2'), { data: { a: 'b' } })
}
const CHANGES = ['+ new', '+ x-0', '- x-0', '- x-1', '~ x-2']

describe('a reflector', () => {
  it('tells what is there, and then each change once', async () => {
    const namespace = await space()
    await createMany(client, namespace, names(3))
    await using followed = {
      ...follow(client, namespace),
      [Symbol.asyncDispose]: () => followed.reflector.stop(),
    }
    await followed.reflector.synced
    assert.deepEqual(followed.told.toSorted(), ['+ x-0', '+ x-1', '+ x-2'])
    followed.told.length = 0
    await changeEverything(namespace)
    await eventually('all changes are told', () => followed.told.length >= 5)
    assert.deepEqual(followed.told, ['- x-0', '+ x-0', '- x-1', '+ new', '~ x-2'])
    assert.deepEqual(followed.troubles, [])
    await followed.reflector.stop()
  })

  it('sees what fits its selectors, and nothing of other namespaces', async () => {
    const [namespace, other] = [await space(), await space()]
    const { reflector, told } = follow(client, namespace, {
      labelSelector: 'a=b',
      fieldSelector: 'metadata.name!=x-3',
    })
    await reflector.synced
    const made = (name: string, value: string) => configMap(name, { labels: { a: value } })
    await client.create(CONFIG_MAPS, other, made('x-0', 'b'))
    await client.create(CONFIG_MAPS, namespace, made('x-1', 'b'))
    await client.create(CONFIG_MAPS, namespace, made('x-2', 'c'))
    await client.create(CONFIG_MAPS, namespace, made('x-3', 'b'))
    const label = (value: string) => ({ metadata: { labels: { a: value } } })
    await client.mergePatch(CONFIG_MAPS, { namespace, name: 'x-2' }, label('b'))
    await client.mergePatch(CONFIG_MAPS, { namespace, name: 'x-1' }, label('c'))
    await eventually('all is told', () => told.length >= 3)
    assert.deepEqual(told, ['+ x-1', '+ x-2', '- x-1'])
    await reflector.stop()
  })

  it('follows 10,000 objects in all namespaces, page by page, and holds only their names', async () => {
    const namespace = await space()
    await createMany(client, namespace, names(10_000))
    const told = new Set<string>()
    const { reflector } = follow(client, namespace, {
      labelSelector: 'made=many',
      metadataOnly: true,
      listener: { changed: object => void told.add(object.metadata.uid), deleted: () => undefined },
    })
    await reflector.synced
    assert.equal(told.size, 10_000)
    assert.deepEqual(Object.keys(reflector.find(namespace, 'x-1') ?? {}).toSorted(), [
      'kept',
      'list',
      'name',
      'namespace',
      'resourceVersion',
      'uid',
    ])
    await reflector.stop()
    await client.removeAll(CONFIG_MAPS, { namespace, labelSelector: 'made=many', chunk: 1_000 })
  })

  it('says that it is forbidden, and begins when it is not any more', async () => {
    const namespace = await space()
    await using alice = openClient({ identity: place.identity('alice') })
    const { reflector, troubles } = follow(alice, namespace)
    await eventually('it is refused', () => troubles.some(trouble => isProblem(trouble, 'forbidden')))
    const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1', namespaced: true }
    await client.create({ ...rbac, plural: 'roles', kind: 'Role' }, namespace, {
      metadata: { name: 'reader' },
      rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list', 'watch'] }],
    })
    await client.create({ ...rbac, plural: 'rolebindings', kind: 'RoleBinding' }, namespace, {
      metadata: { name: 'alice' },
      roleRef: { apiGroup: rbac.group, kind: 'Role', name: 'reader' },
      subjects: [{ kind: 'User', name: 'alice', apiGroup: rbac.group }],
    })
    await reflector.synced
    await reflector.stop()
  })
})

describe('a reflector whose stream', () => {
  /** A namespace with three objects, followed through a line that can be hurt. */
  async function hurt(
    use: (parts: {
      namespace: string
      wire: Awaited<ReturnType<typeof startWire>>
      through: Client
      followed: ReturnType<typeof follow>
    }) => Promise<void>,
    options: Parameters<typeof follow>[2] = {},
  ): Promise<void> {
    const namespace = await space()
    await createMany(client, namespace, names(3))
    await using wire = await startWire(place.port)
    await using through = openClient({ identity: place.identity('admin', wire.url) })
    const followed = follow(through, namespace, options)
    try {
      await followed.reflector.synced
      await eventually('it watches', () => followed.reflector.state().phase === 'watching')
      followed.told.length = 0
      await use({ namespace, wire, through, followed })
      await eventually('it believes what is', () => agrees(followed.believed, namespace))
      assert.equal(followed.reflector.state().listenerErrors, 0)
    } finally {
      await followed.reflector.stop()
    }
  }

  for (const [name, harm] of [
    ['breaks', 'cut'],
    ['is ended politely by something in between', 'finish'],
  ] as const) {
    it(`${name} goes on where it was`, () =>
      hurt(async ({ namespace, wire, followed }) => {
        if (harm === 'cut') wire.set('cut')
        else wire.finish()
        await changeEverything(namespace)
        wire.set('open')
        await eventually('all changes are told', () => followed.told.length >= 5)
        assert.deepEqual(followed.told, ['- x-0', '+ x-0', '- x-1', '+ new', '~ x-2'])
        assert.equal(followed.reflector.state().lists, 1)
      }))
  }

  for (const mode of ['hole', 'deaf'] as const) {
    it(`says nothing more (${mode}) is given up when its time is over`, () =>
      hurt(
        async ({ namespace, wire, followed }) => {
          wire.set(mode)
          await changeEverything(namespace)
          await eventually('the silence is noticed', () =>
            followed.troubles.some(trouble => isProblem(trouble, 'timeout') && trouble.reason === 'Stalled'),
          )
          assert.deepEqual(followed.told, [])
          wire.set('open')
          await eventually('all changes are told', () => followed.told.length >= 5)
          assert.deepEqual(followed.told, ['- x-0', '+ x-0', '- x-1', '+ new', '~ x-2'])
        },
        { watchSeconds: 2, graceMs: 300 },
      ))
  }

  it('ends each second misses nothing and lists but once', () =>
    hurt(
      async ({ namespace, followed }) => {
        for (const name of names(40, 'y')) {
          await client.create(CONFIG_MAPS, namespace, configMap(name))
          await new Promise(resolve => setTimeout(resolve, 75))
        }
        await eventually('all are told', () => followed.told.length >= 40)
        const { lists, streams } = followed.reflector.state()
        assert.equal(lists, 1)
        assert.ok(streams > 2)
      },
      { watchSeconds: 1 },
    ))

  it('is too old when it comes back: it lists again and tells what happened meanwhile, by UID', () =>
    hurt(async ({ namespace, wire, followed }) => {
      wire.set('cut')
      await changeEverything(namespace)
      await place.stop()
      await place.compact()
      await place.start()
      wire.set('open')
      await eventually('it has listed again', () => followed.reflector.state().lists > 1)
      assert.deepEqual(followed.told.toSorted(), CHANGES)
      assert.ok(followed.troubles.some(trouble => isProblem(trouble, 'gone')))
    }))

  it('falls out of the window of the watch cache misses nothing', () =>
    hurt(async ({ namespace, wire, followed }) => {
      wire.set('cut')
      await changeEverything(namespace)
      const noise = await space()
      for (let round = 0; round < 5; round += 1) {
        await createMany(client, noise, names(400))
        await client.removeAll(CONFIG_MAPS, { namespace: noise, labelSelector: 'made=many' })
      }
      await place.compact()
      wire.set('open')
      await eventually('it has listed again or told all', () => followed.told.length >= 5)
      assert.deepEqual(followed.told.toSorted(), CHANGES)
    }))

  it('ends with its server goes on with the next one', () =>
    hurt(async ({ namespace, followed }) => {
      await place.stop()
      await place.start()
      await changeEverything(namespace)
      await eventually('all changes are told', () => followed.told.length >= 5)
      assert.deepEqual(followed.told.toSorted(), CHANGES)
    }))

  it('is read too slowly for the server misses nothing', () =>
    hurt(
      async ({ namespace, wire, followed }) => {
        wire.set('deaf')
        const big = { a: 'x'.repeat(50_000) }
        const rounds = names(20, 'y').flatMap(name => names(10, name))
        await Promise.all(
          rounds.map(name => client.createBrief(CONFIG_MAPS, namespace, configMap(name, {}, big))),
        )
        wire.set('cut')
        wire.set('open')
        await eventually('all are told', () => followed.told.length >= 200)
      },
      { keep: () => undefined },
    ))
})

describe('events and replies', () => {
  it('come in any order: an object is known by its UID, whichever is first', async () => {
    const namespace = await space()
    const { reflector, believed } = follow(client, namespace)
    await reflector.synced
    const uids = new Set<string>()
    for (const name of names(200))
      uids.add((await client.createBrief(CONFIG_MAPS, namespace, configMap(name))).uid)
    await eventually('all are told', () => believed.size === 200)
    assert.deepEqual(new Set(believed.keys()), uids)
    assert.equal(reflector.state().listenerErrors, 0)
    await reflector.stop()
  })
})
