import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../test/model/manual-clock.ts'
import { eventually } from '../../../test/kubernetes/pod-house.ts'
import { hangUp } from '../../../test/kubernetes/scripted-server.ts'
import { refuse, SmallApi } from '../../../test/kubernetes/small-api.ts'
import { FENCE_LIMITS, Fences } from './fences.ts'
import { fenceLabels, fenceName } from './names.ts'

interface House extends AsyncDisposable {
  readonly api: SmallApi
  readonly clock: ManualClock
  readonly fences: Fences
  readonly troubles: string[]
  /** Opens a fence in a namespace, with a tombstone. */
  readonly used: (namespace: string) => Promise<string>
}

async function house(): Promise<House> {
  const api = await SmallApi.open()
  const clock = new ManualClock()
  const troubles: string[] = []
  const fences = new Fences({
    client: api.client,
    installation: 'here',
    clock: clock.for('engine'),
    namespaces: ['a', 'b'],
    limits: { ...FENCE_LIMITS, attemptsMax: 1 },
    inUse: async () => new Set(),
    isBusy: () => false,
    ofPods: () => new Map(),
    trouble: message => troubles.push(message),
  })
  return {
    api,
    clock,
    fences,
    troubles,
    async used(namespace) {
      const fence = fences.current
      assert.ok(await fences.stand(fence, namespace))
      fences.taken(fence)
      api.put(namespace, 'pods', `of-${fence}`, { metadata: { labels: fenceLabels('here', fence) } })
      return fence
    },
    async [Symbol.asyncDispose]() {
      await fences.close()
      await api[Symbol.asyncDispose]()
    },
  }
}

test('fences that nobody needs go together: one wait for all kubelets, and only then the tombstones', async () => {
  await using one = await house()
  for (const namespace of ['a', 'b', 'a']) await one.used(namespace)
  one.clock.jump(60_000)
  const looking = one.fences.look()
  await eventually('no fence stands', () => one.api.names('configmaps').length === 0)
  assert.equal(one.api.names('pods').length, 3)
  await eventually('it waits for the kubelets', () => one.clock.armed > 0)
  one.clock.next(FENCE_LIMITS.waitMs)
  await looking
  assert.deepEqual(one.api.names('pods'), [])
  assert.deepEqual(one.troubles, [])
})

test('a fence that cannot be closed is no reason to leave the others', async () => {
  await using one = await house()
  const stuck = await one.used('a')
  const other = await one.used('b')
  one.api.meddler = ({ method, path }, response) => {
    const is = method === 'DELETE' && path.endsWith(fenceName('here', stuck))
    if (is) refuse(response, 400, 'BadRequest')
    return is
  }
  one.clock.jump(60_000)
  const looking = one.fences.look()
  await eventually('it waits for the kubelets', () => one.clock.armed > 0)
  one.clock.next(FENCE_LIMITS.waitMs)
  await looking
  assert.deepEqual(one.api.names('configmaps'), [fenceName('here', stuck)])
  assert.deepEqual(one.api.names('pods'), [`of-${stuck}`])
  assert.equal(one.troubles.length, 1)
  assert.ok(!(await one.fences.stand(other, 'b')))
})

test('closing does not wait until the kubelets know; what is left is left to the next engine', async () => {
  await using one = await house()
  await one.used('a')
  one.clock.jump(60_000)
  const looking = one.fences.look()
  await eventually('it waits for the kubelets', () => one.clock.armed > 0)
  await one.fences.close()
  await looking
  assert.equal(one.clock.armed, 0)
  assert.equal(one.api.names('pods').length, 1)
})

test('a fence of which nobody knows whether it was made is closed like one that was', async () => {
  await using one = await house()
  const fence = one.fences.current
  one.api.meddler = (request, response) => {
    one.api.meddler = () => false
    one.api.put('a', 'configmaps', fenceName('here', fence), JSON.parse(request.body) as object)
    hangUp(request, response)
    return true
  }
  await assert.rejects(one.fences.stand(fence, 'a'))
  one.fences.gone(fence)
  one.clock.jump(60_000)
  const looking = one.fences.look()
  await eventually('it waits for the kubelets', () => one.clock.armed > 0)
  one.clock.next(FENCE_LIMITS.waitMs)
  await looking
  assert.deepEqual(one.api.names('configmaps'), [])
})

test('tries that come to nothing do not fill a fence', async () => {
  await using one = await house()
  const fence = one.fences.current
  for (let tries = 0; tries < 3; tries += 1) await one.fences.stand(fence, 'a')
  assert.equal(one.fences.current, fence)
  one.fences.taken(fence)
  assert.notEqual(one.fences.current, fence)
})

test('a fence is made before its first attempt is meant for it; when it cannot be, the start finds out why', async () => {
  await using one = await house()
  const fence = one.fences.current
  const making = one.fences.prepare(fence, 'a')
  assert.equal(one.fences.prepare(fence, 'a'), making)
  await making
  assert.deepEqual(one.api.names('configmaps'), [fenceName('here', fence)])
  assert.equal(one.fences.prepare(fence, 'a'), null)
  one.api.meddler = (_, response) => {
    refuse(response, 403, 'Forbidden')
    return true
  }
  await one.fences.prepare(fence, 'b')
  assert.equal(one.fences.prepare(fence, 'b'), null)
  await assert.rejects(one.fences.stand(fence, 'b'), /Forbidden/u)
})
