import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Pool } from 'undici'
import type { KubeObject } from '../../../src/kubernetes/object.ts'
import { openClient } from '../../../src/kubernetes/open-client.ts'
import { CONFIG_MAPS, NAMESPACES, PODS } from '../../../src/kubernetes/resource.ts'
import {
  type ConfigMap,
  configMap,
  createMany,
  eventually,
  existing,
  OURS,
  problemOf,
  startPlace,
} from './place.ts'

const place = await startPlace()
const { client, space } = place

const pod = (name: string) => ({
  metadata: { name },
  spec: { containers: [{ name: 'main', image: 'image' }] },
})

describe('objects', () => {
  it('are made once: the second create of a name is alreadyExists', async () => {
    const namespace = await space()
    const made = await client.createBrief(CONFIG_MAPS, namespace, configMap('x'))
    const { metadata } = await client.get(CONFIG_MAPS, { namespace, name: 'x' })
    assert.deepEqual(made, {
      namespace,
      name: 'x',
      uid: metadata.uid,
      resourceVersion: metadata.resourceVersion,
    })
    const problem = await problemOf(client.create(CONFIG_MAPS, namespace, configMap('x')))
    assert.deepEqual([problem.kind, problem.effect], ['alreadyExists', 'none'])
  })

  it('that are pods tell who they are in the same short way', async () => {
    const made = await client.createBrief(PODS, 'default', JSON.stringify(pod('brief')))
    assert.equal(made.uid, (await client.get(PODS, { namespace: 'default', name: 'brief' })).metadata.uid)
  })

  it('are refused field by field', async () => {
    const body = { ...pod('x'), spec: { containers: [{ name: 'NOT A NAME', image: 'image' }] } }
    const problem = await problemOf(client.create(PODS, 'default', body))
    assert.equal(problem.kind, 'invalid')
    assert.deepEqual(
      problem.causes.map(cause => [cause.field, cause.reason]),
      [['spec.containers[0].name', 'FieldValueInvalid']],
    )
  })

  it('with unknown fields are refused when asked for', async () => {
    const namespace = 'default'
    const body = { ...pod('x'), speck: {} }
    const problem = await problemOf(client.create(PODS, namespace, body, { fieldValidation: 'Strict' }))
    assert.equal(problem.kind, 'badRequest')
    await client.create(PODS, namespace, body, { dryRun: true })
    assert.equal((await problemOf(client.get(PODS, { namespace, name: 'x' }))).kind, 'notFound')
  })

  it('are not made where there is no such namespace, or where one has no right', async () => {
    assert.equal((await problemOf(client.create(CONFIG_MAPS, 'nowhere', configMap('x')))).kind, 'notFound')
    await using alice = openClient({ identity: place.identity('alice') })
    const problem = await problemOf(alice.create(CONFIG_MAPS, 'default', configMap('x')))
    assert.deepEqual([problem.kind, problem.effect], ['forbidden', 'none'])
  })

  it('come without their insides when only their metadata is asked for', async () => {
    const namespace = await space()
    await client.create(CONFIG_MAPS, namespace, configMap('x', {}, { a: 'b' }))
    const got = await client.get<ConfigMap>(CONFIG_MAPS, { namespace, name: 'x' }, { metadataOnly: true })
    const query = { namespace, fieldSelector: OURS }
    const { items } = await client.list<ConfigMap>(CONFIG_MAPS, query, { metadataOnly: true })
    assert.deepEqual([got.data, items[0]?.data, items[0]?.metadata.name], [undefined, undefined, 'x'])
  })

  it('tell the time of the server', async () => {
    await client.list(NAMESPACES)
    const time = client.serverTime() ?? assert.fail()
    assert.ok(Math.abs(time.server - time.local) < 5_000)
  })
})

describe('changes', () => {
  it('by server-side apply make an object, change it, and leave others their fields', async () => {
    const namespace = await space()
    const at = { namespace, name: 'x' }
    const body = (data: object) => ({ apiVersion: 'v1', kind: 'ConfigMap', ...configMap('x', {}, data) })
    await client.apply(CONFIG_MAPS, at, body({ a: '1' }))
    await client.apply(CONFIG_MAPS, at, body({ b: '2' }), { fieldManager: 'other' })
    const both = await client.apply<ConfigMap>(CONFIG_MAPS, at, body({ a: '3' }))
    assert.deepEqual(both.data, { a: '3', b: '2' })
    const conflict = await problemOf(client.apply(CONFIG_MAPS, at, body({ b: '4' })))
    assert.deepEqual([conflict.kind, conflict.causes[0]?.reason], ['conflict', 'FieldManagerConflict'])
    const forced = await client.apply<ConfigMap>(CONFIG_MAPS, at, body({ b: '4' }), { force: true })
    assert.deepEqual(forced.data, { b: '4' })
  })

  it('by merge patch are a compare-and-set when they name a version', async () => {
    const namespace = await space()
    const at = { namespace, name: 'x' }
    const { resourceVersion } = await client.createBrief(CONFIG_MAPS, namespace, configMap('x'))
    const patch = { metadata: { resourceVersion }, data: { a: '1' } }
    assert.deepEqual((await client.mergePatch<ConfigMap>(CONFIG_MAPS, at, patch)).data, { a: '1' })
    assert.equal(
      (await problemOf(client.mergePatch(CONFIG_MAPS, at, { ...patch, data: { a: '2' } }))).kind,
      'conflict',
    )
  })

  it('by JSON patch are refused when their test fails', async () => {
    const namespace = await space()
    const at = { namespace, name: 'x' }
    await client.create(CONFIG_MAPS, namespace, configMap('x', {}, { a: '1' }))
    const patch = (value: string) => [
      { op: 'test', path: '/data/a', value },
      { op: 'replace', path: '/data/a', value: '2' },
    ]
    assert.equal((await problemOf(client.jsonPatch(CONFIG_MAPS, at, patch('0')))).kind, 'invalid')
    assert.deepEqual((await client.jsonPatch<ConfigMap>(CONFIG_MAPS, at, patch('1'))).data, { a: '2' })
  })

  it('of a status leave the rest alone', async () => {
    const at = { namespace: 'default', name: 'status' }
    await client.create(PODS, 'default', pod('status'))
    const patch = { spec: { activeDeadlineSeconds: 5 }, status: { phase: 'Failed' } }
    const changed = await client.mergePatch<
      KubeObject & { spec: { activeDeadlineSeconds?: number }; status: { phase: string } }
    >(PODS, at, patch, {
      subresource: 'status',
    })
    assert.deepEqual([changed.status.phase, changed.spec.activeDeadlineSeconds], ['Failed', undefined])
  })

  it('by replacement of an old version are a conflict', async () => {
    const namespace = await space()
    const at = { namespace, name: 'x' }
    const made = await client.create<ConfigMap>(CONFIG_MAPS, namespace, configMap('x'))
    await client.replace(CONFIG_MAPS, at, { ...made, data: { a: '1' } })
    assert.equal(
      (await problemOf(client.replace(CONFIG_MAPS, at, { ...made, data: { a: '2' } }))).kind,
      'conflict',
    )
  })
})

describe('removal', () => {
  it('by UID spares another object of the name', async () => {
    const namespace = await space()
    const at = { namespace, name: 'x' }
    const first = await client.createBrief(CONFIG_MAPS, namespace, configMap('x'))
    assert.equal(await client.remove(CONFIG_MAPS, at, { uid: first.uid }), 'accepted')
    const second = await client.createBrief(CONFIG_MAPS, namespace, configMap('x'))
    assert.equal(await client.remove(CONFIG_MAPS, at, { uid: first.uid }), 'absent')
    assert.equal((await client.get(CONFIG_MAPS, at)).metadata.uid, second.uid)
    assert.equal(await client.remove(CONFIG_MAPS, at, { uid: second.uid }), 'accepted')
    assert.equal(await client.remove(CONFIG_MAPS, at, { uid: second.uid }), 'absent')
  })

  it('of a version that is not there any more is a conflict', async () => {
    const namespace = await space()
    const { uid, resourceVersion } = await client.createBrief(CONFIG_MAPS, namespace, configMap('x'))
    await client.mergePatch(CONFIG_MAPS, { namespace, name: 'x' }, { data: { a: '1' } })
    const removed = client.remove(CONFIG_MAPS, { namespace, name: 'x' }, { uid, resourceVersion })
    assert.equal((await problemOf(removed)).kind, 'conflict')
  })

  it('of many goes in chunks and spares what does not match', async () => {
    const namespace = await space()
    await createMany(
      client,
      namespace,
      Array.from({ length: 250 }, (_, index) => `x-${index}`),
    )
    await client.create(CONFIG_MAPS, namespace, configMap('spared'))
    const removal = await client.removeAll(CONFIG_MAPS, { namespace, labelSelector: 'made=many' })
    assert.deepEqual(removal, { going: 0, standing: 0, requests: 3 })
    assert.equal((await existing(client, namespace)).size, 1)
  })

  it('of many is not held up by those that linger', async () => {
    const namespace = await space()
    for (const name of ['a-1', 'a-2', 'a-3'])
      await client.create(CONFIG_MAPS, namespace, configMap(name, { finalizers: ['example.com/held'] }))
    await createMany(client, namespace, ['x-1', 'x-2', 'x-3', 'x-4', 'x-5'])
    const removal = await client.removeAll(CONFIG_MAPS, { namespace, fieldSelector: OURS, chunk: 2 })
    assert.deepEqual([removal.going, removal.standing], [3, 0])
    assert.equal((await existing(client, namespace)).size, 3)
    for (const name of ['a-1', 'a-2', 'a-3'])
      await client.mergePatch(CONFIG_MAPS, { namespace, name }, { metadata: { finalizers: null } })
    assert.equal((await existing(client, namespace)).size, 0)
  })

  it('of many, asked for in the wrong form, is done and then refused: the reply is no evidence', async () => {
    const namespace = await space()
    await createMany(client, namespace, ['x-1', 'x-2'])
    const pool = new Pool(place.url, { connect: { ca: place.ca } })
    const { statusCode, body } = await pool.request({
      path: `/api/v1/namespaces/${namespace}/configmaps`,
      method: 'DELETE',
      headers: {
        authorization: 'Bearer admin-token',
        accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
      },
    })
    await body.dump()
    await pool.close()
    assert.equal(statusCode, 406)
    assert.equal((await existing(client, namespace)).size, 0)
  })
})

describe('a list', () => {
  it('of 10,000 objects is of one moment, whatever happens between its pages', async () => {
    const namespace = await space()
    const made = await createMany(
      client,
      namespace,
      Array.from({ length: 10_000 }, (_, index) => `x-${index}`),
    )
    const seen = new Set<string>()
    const versions = new Set<string>()
    let pages = 0
    for await (const page of client.pages(CONFIG_MAPS, { namespace, fieldSelector: OURS })) {
      assert.equal(page.restarted, false)
      assert.ok(page.items.length <= 250)
      for (const item of page.items) seen.add(item.metadata.uid)
      versions.add(page.resourceVersion)
      pages += 1
      if (pages % 10 === 0) {
        await client.create(CONFIG_MAPS, namespace, configMap(`a-${pages}`))
        await client.remove(CONFIG_MAPS, { namespace, name: `x-${9_990 + pages / 10}` })
      }
    }
    assert.deepEqual([pages, versions.size], [40, 1])
    assert.deepEqual(seen, new Set(made.map(one => one.uid)))
  })

  it('whose token expired starts again', async () => {
    const namespace = await space()
    await createMany(client, namespace, ['x-1', 'x-2', 'x-3', 'x-4'])
    let items: string[] = []
    let restarts = 0
    for await (const page of client.pages(CONFIG_MAPS, {
      namespace,
      pageSize: 2,
      labelSelector: 'made=many',
    })) {
      if (page.restarted) {
        items = []
        restarts += 1
      }
      items.push(...page.items.map(item => item.metadata.name))
      if (restarts > 0 || items.length > 2) continue
      // The list's moment is forgotten: it is in nobody's memory, and its history is gone.
      await client.remove(CONFIG_MAPS, { namespace, name: 'x-1' })
      await place.stop()
      await place.compact()
      await place.start()
    }
    assert.deepEqual([restarts, items], [1, ['x-2', 'x-3', 'x-4']])
    await eventually(
      'the server is in order again',
      async () => (await existing(client, namespace)).size === 3,
    )
  })
})
