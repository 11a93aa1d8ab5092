import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Place, until } from '../e2e/kontroler.ts'
import { openReceiver } from './receiver.ts'

const dagFor = (url: string, more = ''): string => `apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata:
  name: told
spec:
  webhook:
    url: ${url}
    events: [runStarted, taskSucceeded, runSucceeded]
    secret: hook
${more}  task:
    - name: only
      image: alpine:3.22
      command: ["true"]
`
const SECRET = ['--secret', 'hook=a-key-of-the-receiver']

test('run tells its receiver before it ends', async t => {
  const there = await openReceiver()
  t.after(() => there.close())
  const place = await Place.make(t)
  const file = place.file('told.yaml', dagFor(there.url))
  const { code, output } = await place.run(['run', file, ...SECRET])
  assert.equal(code, 0, output)
  assert.deepEqual(
    there.received.map(({ body }) => body['event']),
    ['runStarted', 'taskSucceeded', 'runSucceeded'],
  )
  assert.match(String(there.received[0]?.headers['webhook-signature']), /^v1,[\w+/]{43}=$/)
  assert.doesNotMatch(output, /note: .*webhook/)
})

test('run says what was not taken, and dev sends it, when its run is nobody else’s any more', async t => {
  const there = await openReceiver(() => 500)
  t.after(() => there.close())
  const place = await Place.make(t)
  const file = place.file('dags/told.yaml', dagFor(there.url))
  const { code, output } = await place.run(['run', file, ...SECRET])
  assert.equal(code, 0, output)
  assert.match(output, /warning RECEIVER_REFUSED: runStarted of told to 127\.0\.0\.1:\d+: .* \(500\)/)
  assert.match(output, /note: 3 messages of webhooks were not taken/)
  assert.doesNotMatch(output, /a-key-of/)
  const failures = there.received.length
  there.behaviour = () => 200
  const dev = place.start(['dev', `${place.folder}/dags`, '--no-server', ...SECRET])
  await until('all are taken', () => there.received.length >= failures + 3 || null)
  dev.child.kill('SIGINT')
  await dev.over
  assert.deepEqual([...new Set(there.received.map(({ id }) => id.slice(-2)))], ['_1', '_2', '_3'])
})

test('a receiver inside of the private network is refused, and run says so', async t => {
  const place = await Place.make(t)
  const file = place.file('told.yaml', dagFor('http://10.255.255.1:9/hook'))
  const { output } = await place.run(['run', file, ...SECRET])
  assert.match(output, /warning ADDRESS_REFUSED/)
})

test('dev answers hooks of the DAGs it looks after, and of no others that the state holds', async t => {
  const place = await Place.make(t)
  const open = (name: string): string => `apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata:
  name: ${name}
spec:
  triggers:
    - {name: go, webhook: {auth: none}}
  task:
    - name: only
      image: alpine:3.22
      command: ["true"]
`
  place.file('dags/mine.yaml', open('mine'))
  const other = place.file('other.yaml', open('other'))
  assert.equal((await place.run(['run', other])).code, 0)
  const dev = place.start(['dev', `${place.folder}/dags`, '--port', '0'])
  const url = await until('it serves', () => /API on (http:\S+);/.exec(dev.output())?.[1] ?? null)
  const post = async (dag: string) =>
    (await fetch(`${url}/hooks/default/${dag}/go`, { method: 'POST' })).status
  assert.match(dev.output(), /hook: POST \/hooks\/default\/mine\/go/)
  assert.equal(await post('mine'), 202)
  assert.equal(await post('other'), 404)
  dev.child.kill('SIGINT')
  await dev.over
})

test('what a killed engine had begun to tell is told to the end by the next', async t => {
  const there = await openReceiver()
  t.after(() => there.close())
  const place = await Place.make(t)
  const file = place.file('dags/told.yaml', dagFor(there.url).replace('["true"]', '["sleep", "2"]'))
  const run = place.start(['run', file, ...SECRET])
  await until('the start is told', () => there.received.length > 0 || null)
  run.child.kill('SIGKILL')
  await run.over
  const dev = place.start(['dev', `${place.folder}/dags`, '--no-server', ...SECRET])
  await until(
    'the end is told',
    () => there.received.find(({ body }) => body['event'] === 'runSucceeded') ?? null,
  )
  dev.child.kill('SIGINT')
  await dev.over
  const ids = [...new Set(there.received.map(({ id }) => id.slice(-2)))]
  assert.deepEqual(ids, ['_1', '_2', '_3'])
})
