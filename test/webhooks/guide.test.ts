import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { test } from 'node:test'
import { DELIVERY_CODES } from '../../src/ports/deliveries.ts'
import { EVENT_SKIPS } from '../../src/ports/event-runs.ts'
import { WEBHOOK_EVENTS } from '../../src/spec/schema/dag.ts'
import { Place, until } from '../e2e/kontroler.ts'
import { openReceiver } from './receiver.ts'

const PAGE = readFileSync('docs/guide/webhooks.md', 'utf8')
const blocks = (language: string): readonly string[] =>
  [...PAGE.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, name, text = '']) =>
    name === language ? [text] : [],
  )

test('the guide does what it says: an event starts a run, and its receiver is told', async t => {
  for (const program of ['curl', 'openssl'])
    if (spawnSync(program, ['version']).error !== undefined) {
      assert.equal(process.env['CI'], undefined, `${program} is needed`)
      return t.skip(`SKIPPED: there is no ${program}`)
    }
  const there = await openReceiver()
  t.after(() => there.close())
  const place = await Place.make(t)
  const [yaml = ''] = blocks('yaml')
  place.file('dags/greet.yaml', yaml.replace('http://127.0.0.1:9099/kontroler', there.url))
  const [start = '', send = ''] = blocks('sh')
  const [program, kontroler, command, folder, ...options] = start.trim().split(' ')
  assert.deepEqual([program, kontroler, command, folder], ['npx', 'kontroler', 'dev', 'dags'])
  const dev = place.start(['dev', `${place.folder}/dags`, '--port', '0', ...options])
  const url = await until('it serves', () => /API on (http:\S+);/.exec(dev.output())?.[1] ?? null)
  const script = send.replace('http://127.0.0.1:8080', url)
  // What this machine is to ask directly.
  const env = { ...process.env, no_proxy: '127.0.0.1' }
  const answers = [1, 2].map(() => spawnSync('bash', ['-c', script], { encoding: 'utf8', env }).stdout)
  assert.match(answers[0] ?? '', /^\{"accepted":true,"run":"[\w-]+"\}$/)
  assert.equal(answers[0], answers[1])
  await until('the receiver is told', () => there.received.length === 2 || null)
  assert.deepEqual(
    there.received.map(({ body }) => body['event']),
    ['runStarted', 'runSucceeded'],
  )
  await until(
    'it is done',
    () => dev.output().includes('hello Ada') || dev.output().includes('succeeded') || null,
  )
  const [checks = ''] = blocks('js')
  const file = place.file('checks.mjs', checks)
  const { isGenuine } = (await import(pathToFileURL(file).href)) as {
    isGenuine: (headers: object, body: string, key: string) => boolean
  }
  for (const { headers, text } of there.received) {
    assert.equal(isGenuine(headers, text, 'my-receiver'), true)
    assert.equal(isGenuine(headers, `${text} `, 'my-receiver'), false)
  }
  dev.child.kill('SIGINT')
  await dev.over
  assert.doesNotMatch(dev.output(), /open-sesame|my-receiver/)
})

test('every event, and every reason to let one pass by, is on the page', () => {
  for (const word of [...WEBHOOK_EVENTS, ...Object.keys(EVENT_SKIPS)])
    assert.ok(PAGE.includes(`\`${word}\``), word)
})

test('every code of a delivery is one that an attempt can end with', () => {
  const sources = ['attempt', 'request'].map(name => readFileSync(`src/notifiers/webhook/${name}.ts`, 'utf8'))
  const unused = Object.keys(DELIVERY_CODES).filter(code => !sources.some(text => text.includes(`'${code}'`)))
  assert.deepEqual(unused, [])
})
