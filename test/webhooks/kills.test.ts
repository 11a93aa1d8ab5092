import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { all, openHouse } from './house.ts'
import { openReceiver } from './receiver.ts'

const CHILD = fileURLToPath(new URL('sender-child.ts', import.meta.url))

function startChild(t: TestContext, file: string, mode: 'fill' | 'send'): ChildProcess {
  const child = spawn(process.execPath, [CHILD, file, mode], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  return child
}

test('killed between the commit and the sending: what is in line is sent by the next, once', async t => {
  const there = await openReceiver()
  t.after(() => there.close())
  const house = await openHouse(t)
  await house.withDag('etl', { url: there.url })
  await house.begin('r', 'etl')
  await house.end('r', 'etl')
  const child = startChild(t, house.file, 'fill')
  assert.ok(child.stdout !== null)
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(there.received.length, 0)
  house.open()
  await house.until('r', all('delivered', 2))
  assert.deepEqual(
    there.received.map(({ id }) => id),
    ['msg_r_1', 'msg_r_2'],
  )
})

test('killed between the sending and the record: it is sent again under the same id', async t => {
  const house = await openHouse(t)
  const children: ChildProcess[] = []
  const there = await openReceiver(async ({ headers }) => {
    if (headers['user-agent'] !== 'child') return 200
    // It took the message, and whoever sent it never hears of that.
    for (const child of children.splice(0)) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    return undefined
  })
  t.after(() => there.close())
  await house.withDag('etl', { url: there.url })
  await house.begin('r', 'etl')
  await house.end('r', 'etl')
  const child = startChild(t, house.file, 'send')
  children.push(child)
  await once(child, 'exit')
  house.open({ claimMs: 1_000 })
  const [first] = await house.until('r', all('delivered', 2))
  assert.equal(first?.attempts, 1)
  assert.deepEqual(
    there.received.map(({ id }) => id),
    ['msg_r_1', 'msg_r_1', 'msg_r_2'],
  )
  assert.equal(there.received[0]?.text, there.received[1]?.text)
})

test('two processes that send at once send each message once, in order', async t => {
  const there = await openReceiver()
  t.after(() => there.close())
  const house = await openHouse(t)
  await house.withDag('etl', { url: there.url })
  startChild(t, house.file, 'send')
  house.open()
  const runs = Array.from({ length: 30 }, (_, index) => `r${index}`)
  for (const run of runs) {
    await house.begin(run, 'etl')
    await house.end(run, 'etl')
  }
  for (const run of runs) {
    await house.until(run, all('delivered', 2))
    const ids = there.received.flatMap(({ id, body }) => (body['run'] === run ? [id] : []))
    assert.deepEqual(ids, [`msg_${run}_1`, `msg_${run}_2`])
  }
})
