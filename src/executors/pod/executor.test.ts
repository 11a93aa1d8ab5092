import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ENDED, NAMESPACE, PodHouse, RUNS } from '../../../test/kubernetes/pod-house.ts'
import { hangUp } from '../../../test/kubernetes/scripted-server.ts'
import { refuse } from '../../../test/kubernetes/small-api.ts'
import { podName, workspaceName } from './names.ts'

const SIDECAR = { podTemplate: { containers: [{ name: 'proxy', image: 'proxy' }] } }

test('what happens to a pod while the server is asked for it is not missed by who adopts it', async () => {
  await using house = await PodHouse.open()
  const spec = house.task()
  const first = await house.executor()
  first.start(spec)
  await house.until('it is made', () => house.pod(spec) !== undefined)
  house.kubelet(spec, RUNS)
  await house.until('it runs', () => house.said(spec).includes('running'))
  await first.close()
  const next = await house.executor()
  const other = house.task()
  next.start(other)
  await house.until('the other is made', () => house.pod(other) !== undefined)
  house.api.meddler = async ({ method, path }, response) => {
    if (method !== 'GET' || !path.endsWith(podName(spec))) return false
    const then = house.pod(spec)
    house.kubelet(spec, ENDED, 'Succeeded')
    // The watch tells of one after the other: so the end of the first is known by then.
    house.kubelet(other, RUNS)
    await house.until('the other runs', () => house.said(other).includes('running'))
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(then))
    return true
  }
  assert.equal(await next.adopt({ ...spec, handle: { uid: 'any' } }), true)
  await house.until('its end is told', () => house.said(spec).includes('SUCCEEDED'))
})

test('an attempt that was never sent is not adopted, and nothing is kept of it', async () => {
  await using house = await PodHouse.open()
  const executor = await house.executor()
  const spec = house.task()
  assert.equal(await executor.adopt(spec), false)
  house.api.meddler = (_, response) => {
    refuse(response, 403, 'Forbidden')
    return true
  }
  await assert.rejects(executor.adopt(spec), /Forbidden/u)
  house.api.meddler = () => false
  executor.start(spec)
  await house.until('it is made', () => house.pod(spec) !== undefined)
})

test('a create whose answer is lost is sent again, and finds what it made', async () => {
  await using house = await PodHouse.open()
  const executor = await house.executor()
  const spec = house.task()
  house.api.meddler = (request, response) => {
    if (request.method !== 'POST' || !request.path.endsWith('/pods')) return false
    house.api.meddler = () => false
    house.api.put(NAMESPACE, 'pods', podName(spec), JSON.parse(request.body) as object)
    hangUp(request, response)
    return true
  }
  executor.start(spec)
  await house.until('the answer is lost', () => house.troubles.some(text => text.startsWith('CLUSTER_AWAY')))
  house.kubelet(spec, ENDED, 'Succeeded')
  await house.until('its end is told', () => house.said(spec).includes('SUCCEEDED'))
})

test('who does not get in at the beginning leaves nothing behind that goes on', async () => {
  await using house = await PodHouse.open()
  house.api.meddler = (_, response) => {
    refuse(response, 403, 'Forbidden')
    return true
  }
  await assert.rejects(house.executor(), /Forbidden/u)
  assert.equal(house.clock.armed, 0)
})

test('a workspace that is on its way out is waited for, and who is stopped meanwhile ends', async () => {
  await using house = await PodHouse.open()
  const executor = await house.executor()
  const spec = house.task({ workspace: true })
  const claim = workspaceName(spec.run)
  const metadata = { deletionTimestamp: '2026-01-01T00:00:00Z' }
  house.api.put(NAMESPACE, 'persistentvolumeclaims', claim, { metadata })
  executor.start(spec)
  await house.until('it waits', () => house.said(spec).includes('VOLUME_PENDING'))
  house.api.remove(NAMESPACE, 'persistentvolumeclaims', claim)
  await house.pass(10_000)
  await house.until('it is made', () => house.pod(spec) !== undefined)

  const other = house.task({ workspace: true, run: 'run-2' })
  house.api.put(NAMESPACE, 'persistentvolumeclaims', workspaceName('run-2'), { metadata })
  executor.start(other)
  await house.until('it waits', () => house.said(other).includes('VOLUME_PENDING'))
  executor.stop(other, 30_000)
  await house.until('it ends', () => house.said(other).includes('CANCELLED'))
})

test('a pod that was given up before it began is told to end as soon as that is durable, and not before', async () => {
  await using house = await PodHouse.open()
  const executor = await house.executor()
  const spec = house.task()
  house.logsWait = new Promise(() => undefined)
  executor.start(spec)
  await house.until('it is made', () => house.pod(spec) !== undefined)
  house.kubelet(spec, { waiting: { reason: 'InvalidImageName' } }, 'Pending')
  await house.until('it is given up', () => house.said(spec).includes('IMAGE_ERROR'))
  await house.pass(1_000)
  assert.ok(house.api.writes.every(write => !write.startsWith('PATCH')))
  executor.release(spec)
  await house.until('it is told', () => house.api.writes.some(write => write.startsWith('PATCH')))
})

test('a pod whose sidecar goes on is kept until its log is durable, by the next engine too', async () => {
  await using house = await PodHouse.open()
  const spec = house.task({ work: SIDECAR })
  const first = await house.executor()
  house.logsWait = new Promise(() => undefined)
  first.start(spec)
  await house.until('it is made', () => house.pod(spec) !== undefined)
  house.kubelet(spec, ENDED)
  await house.until('its end is told', () => house.said(spec).includes('SUCCEEDED'))
  const keeps = async (): Promise<void> => {
    // Longer than any fence takes attempts, and any orphan goes on.
    for (let minutes = 0; minutes < 7; minutes += 1) await house.pass(60_000)
    assert.deepEqual(
      house.api.writes.filter(write => /^(?:DELETE|PATCH)/u.test(write)),
      [],
    )
  }
  house.standings.set(spec.task, 'ended')
  first.release(spec)
  await keeps()
  await first.close()
  await house.executor()
  await keeps()
})

test('a pod whose sidecar goes on is told to end by the next engine, once its log is durable', async () => {
  await using house = await PodHouse.open()
  const spec = house.task({ work: SIDECAR })
  const first = await house.executor()
  house.logsWait = new Promise(() => undefined)
  first.start(spec)
  await house.until('it is made', () => house.pod(spec) !== undefined)
  house.kubelet(spec, ENDED)
  await house.until('its end is told', () => house.said(spec).includes('SUCCEEDED'))
  await first.close()
  house.logsWait = null
  house.standings.set(spec.task, 'ended')
  await house.executor()
  await house.pass(16_000)
  await house.until('it is told', () => house.api.writes.includes(`PATCH ${podName(spec)}`))
  assert.ok(!house.api.writes.some(write => write.startsWith('DELETE')))
})

test('an open that waits for a server that is away ends when it is asked to', async () => {
  await using house = await PodHouse.open()
  const closing = new AbortController()
  let asked = 0
  house.api.meddler = (request, response) => {
    if (request.method !== 'GET' || !request.path.includes('/pods')) return false
    asked += 1
    hangUp(request, response)
    return true
  }
  const opening = house.executor(closing.signal)
  await house.until('it asks', () => asked > 1)
  closing.abort(new Error('enough'))
  await assert.rejects(opening, /enough/u)
})
