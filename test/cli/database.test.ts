import assert from 'node:assert/strict'
import { after } from 'node:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { freshSchema, withServer } from '../contracts/postgres/with-server.ts'
import { type Ended, type Place, place } from './program.ts'

const file = withServer(18)
const places: Place[] = []
after(async () => {
  for (const one of places) await one.remove()
})

file.test('--database: every command works on PostgreSQL, and no file is made in its place', async server => {
  const here = await place()
  places.push(here)
  const url = freshSchema(server)
  const dag = await here.dag(
    'two',
    `  - {name: a, image: busybox, command: [echo, hello]}\n  - {name: b, image: busybox, command: [sh, -c, exit 3], runAfter: [a]}\n`,
  )
  const on = (...words: readonly string[]): Promise<Ended> => here.run('--database', url, ...words)
  const ran = await on('run', dag, '--executor', 'process', '--name', 'first')
  assert.equal(ran.code, 1, ran.stderr)
  assert.equal(existsSync(join(here.state, 'kontroler.db')), false)
  for (const [words, shown] of [
    [['list'], /first/],
    [['get', 'first'], /exited with code 3|exit code 3/i],
    [['logs', 'first', '--task', 'a'], /hello/],
    [['explain', 'first'], /b/],
    [['plan', dag], /a/],
  ] as const) {
    const ended = await on(...words)
    assert.equal(ended.code, 0, `${words.join(' ')}\n${ended.stdout}${ended.stderr}`)
    assert.match(ended.stdout, shown, words.join(' '))
  }
  const again = await here.start(['retry', 'first', '--executor', 'process'], {
    env: { KONTROLER_DATABASE: url },
  }).ended
  assert.equal(again.code, 1, again.stderr)
  assert.equal((await here.run('list')).code, 2, 'the file of the state directory is another state')
})

file.test('a standing engine on a database: what another command asks for is done', async server => {
  const here = await place()
  places.push(here)
  const env = { KONTROLER_DATABASE: freshSchema(server) }
  await here.dag('slow', `  - {name: a, image: busybox, command: [sleep, '60']}\n`)
  const dev = here.start(['dev', '.', '--executor', 'process'], { env })
  while (!/read: 1 DAG/.test(dev.output())) await new Promise(resolve => setTimeout(resolve, 50))
  const run = here.start(['run', 'slow.yaml', '--executor', 'process', '--name', 'held'], { env })
  while (!/a\b/.test(run.output())) await new Promise(resolve => setTimeout(resolve, 50))
  const cancelled = await here.start(['cancel', 'held'], { env }).ended
  assert.equal(cancelled.code, 0, cancelled.stderr)
  assert.equal((await run.ended).code, 3)
  dev.child.kill('SIGTERM')
  assert.equal((await dev.ended).code, 0)
})

file.test('no password is shown: wrong one, no server, misspelt option', async server => {
  const here = await place()
  places.push(here)
  const url = freshSchema(server).replace('not-a-secret', 'Geheim-42')
  for (const words of [
    ['--database', url, 'list'],
    [`--database=${url.replace(`:${server.port}/`, ':1/')}`, 'list'],
    [`--databse=${url}`, 'list'],
    ['--database', url.replace('sslmode=disable', 'sslmode=odd'), 'list', '-o', 'json'],
  ]) {
    const ended = await here.run(...words)
    assert.notEqual(ended.code, 0)
    assert.notEqual(ended.stderr, '')
    assert.ok(!`${ended.stdout}${ended.stderr}`.includes('Geheim'), ended.stderr)
  }
})
