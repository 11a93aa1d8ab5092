import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Outbox } from '../../src/engine/outbox.ts'
import { systemClock } from '../../src/host/clock.ts'
import { type House, oneTask, openHouse } from './house.ts'

/** The delivery log through the API. Nothing sends here: what became of a message is written by the test. */

let house: House
let run: string
before(async () => {
  house = await openHouse()
  const webhook = '  webhook: {url: "https://receiver.example/hook", events: [runStarted, runSucceeded]}\n'
  await house.putDag(oneTask('told', 'true').replace('spec:\n', `spec:\n${webhook}`))
  run = (await house.as('editor').call('createRun', { body: { dag: 'told' } })).id
  while ((await house.as('viewer').call('getRun', { params: { run } })).phase === 'running')
    await new Promise(resolve => setTimeout(resolve, 20))
  const { store } = house
  const outbox = new Outbox({
    store,
    clock: systemClock,
    filled: () => undefined,
    trouble: error => assert.fail(String(error)),
  })
  await outbox.catchUp()
  await outbox.close()
  const now = Date.now()
  const asked = { host: 'receiver.example', now, until: now + 1, limit: 1, claim: 'c', leftTo: [] }
  const [claimed] = await store.deliveries.claim(asked)
  assert.ok(claimed !== undefined)
  await store.deliveries.record({
    run,
    number: 1,
    claim: 'c',
    attempt: {
      at: now,
      durationMs: 3,
      code: 'RECEIVER_REFUSED',
      status: 500,
      address: '10.0.0.7',
      verified: true,
      response: 'a look inside',
    },
    follows: { state: 'waiting', at: now + 5_000 },
  })
})
after(() => house.close())

test('the messages of a run are there in their order, with what came of them', async () => {
  const { items } = await house.as('editor').call('listRunDeliveries', { params: { run } })
  assert.deepEqual(
    items.map(({ id, event, state, receiver }) => [id, event, state, receiver]),
    [
      [`msg_${run}_1`, 'runStarted', 'waiting', 'receiver.example'],
      [`msg_${run}_2`, 'runSucceeded', 'waiting', 'receiver.example'],
    ],
  )
  const [attempt] = items[0]?.log ?? []
  assert.deepEqual(
    [attempt?.code, attempt?.status, attempt?.response],
    ['RECEIVER_REFUSED', 500, 'a look inside'],
  )
  assert.notEqual(items[0]?.nextAt, null)
})

test('what a receiver answers, and where it stands, is for those who may name it', async () => {
  const { items } = await house.as('viewer').call('listRunDeliveries', { params: { run } })
  const [attempt] = items[0]?.log ?? []
  assert.deepEqual([attempt?.code, attempt?.response, attempt?.address], ['RECEIVER_REFUSED', null, null])
})

test('those of a DAG are there newest first, page by page, and by state', async () => {
  const params = { namespace: 'default', name: 'told' }
  const viewer = house.as('viewer')
  const first = await viewer.call('listDagDeliveries', { params, query: { limit: 1 } })
  assert.deepEqual(
    first.items.map(({ number }) => number),
    [2],
  )
  const second = await viewer.call('listDagDeliveries', {
    params,
    query: { limit: 1, after: first.next ?? '' },
  })
  assert.deepEqual(
    second.items.map(({ number }) => number),
    [1],
  )
  const none = await viewer.call('listDagDeliveries', { params, query: { state: ['failed'] } })
  assert.deepEqual(none.items, [])
})

test('an editor sends one again, a viewer does not, and one that is not there is said', async () => {
  const path = (number: number): string => `/api/v1/runs/${run}/deliveries/${number}/send`
  const send = (number: number, as: string) => house.send(path(number), { method: 'POST', as })
  assert.equal((await send(1, 'viewer')).status, 403)
  assert.equal((await send(1, 'stranger')).status, 404)
  const sent = await send(1, 'editor')
  assert.equal(sent.status, 200)
  const answer = (await sent.json()) as { attempts: number; nextAt: string }
  assert.equal(answer.attempts, 0)
  assert.ok(Date.parse(answer.nextAt) <= Date.now())
  const missing = await send(9, 'editor')
  assert.equal(missing.status, 404)
  assert.equal(((await missing.json()) as { code: string }).code, 'UNKNOWN_DELIVERY')
})
