import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Told } from '../../src/client/follow.ts'
import { ROUTES } from '../../src/server/routes.ts'
import { oneTask, openHouse } from './house.ts'

const CANARY = 'canary-8d1f3b'

test('no answer of any route holds the value of a Secret, or the token of who asks', async t => {
  const house = await openHouse({ secrets: { 'database/password': CANARY } })
  t.after(() => house.close())
  const parameter = 'parameters: [{name: PASSWORD, defaultFromSecret: {name: database, key: password}}]'
  const script = 'test "$PASSWORD" = "canary-8d1f""3b" && test "$DIRECT" = "$PASSWORD" && exit 3'
  const env = 'env: [{name: DIRECT, valueFrom: {secretKeyRef: {name: database, key: password}}}]'
  const yaml = oneTask('job', script, parameter).replace(
    'image: x',
    `image: x\n      parameters: [PASSWORD]\n      ${env}`,
  )
  await house.putDag(yaml)
  const admin = house.as('admin')
  const { id: run } = await admin.call('createRun', { body: { dag: 'job' } })
  while ((await admin.call('getRun', { params: { run } })).endedAt === null)
    await new Promise(resolve => setTimeout(resolve, 20))
  // It did reach the task.
  assert.equal((await admin.call('getTask', { params: { run, task: 'work' } })).exitCode, 3)

  const values: Readonly<Record<string, string>> = {
    namespace: 'default',
    name: 'job',
    version: '1',
    run,
    task: 'work',
  }
  let seen = 0
  for (const { method, path, id } of ROUTES) {
    if (method !== 'GET' || id === 'followEvents') continue
    const address = path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '')
    const text = await (await house.send(address, { as: 'admin' })).text()
    assert.ok(!text.includes(CANARY), id)
    seen += text.length
  }
  assert.ok(seen > 10_000)
  const stream = house.as('admin').follow({ after: 0 })[Symbol.asyncIterator]()
  for (let over = false; !over; ) {
    const told = (await stream.next()).value as Told
    assert.ok(!JSON.stringify(told).includes(CANARY))
    over = told.kind === 'change' && told.change.events.some(({ type }) => type === 'runSettled')
  }
  await stream.return?.()
})
