import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openClient } from '../../src/client/client.ts'
import { type Place, place, until } from '../cli/program.ts'
import { oneTask } from './house.ts'

async function here(t: TestContext): Promise<Place> {
  const made = await place()
  t.after(() => made.remove())
  return made
}

const linkIn = (output: string): string =>
  /http:\/\/127\.0\.0\.1:\d+\/sign-in\?code=[\w-]+/.exec(output)?.[0] ?? ''

test('dev serves the API: its link signs a browser in, its token a program, and a file keeps its DAG', async t => {
  const at = await here(t)
  await at.dag('filed', '    - {name: a, image: x, command: ["true"]}\n')
  const dev = at.start(['dev', at.folder, '--port', '0'])
  t.after(() => dev.child.kill('SIGTERM'))
  await until(() => linkIn(dev.output()) !== '')
  const link = linkIn(dev.output())
  const url = new URL(link).origin
  const signedIn = await fetch(link, { redirect: 'manual' })
  assert.equal(signedIn.status, 303)
  assert.equal((await fetch(link, { redirect: 'manual' })).status, 401)
  const [cookie = ''] = (signedIn.headers.get('set-cookie') ?? '').split(';')
  assert.equal((await fetch(`${url}/api/v1/runs`, { headers: { cookie } })).status, 200)
  assert.equal((await fetch(`${url}/api/v1/runs`)).status, 401)

  const token = (await readFile(join(at.state, 'api-token'), 'utf8')).trim()
  const client = openClient({ url, token })
  assert.equal(
    (await client.call('getDag', { params: { namespace: 'default', name: 'filed' } })).keeper,
    'file',
  )
  const params = { namespace: 'default', name: 'mine' }
  await client.call('putDag', { params, body: oneTask('mine', 'echo hi') })
  const { id } = await client.call('createRun', { body: { dag: 'mine' } })
  await until(async () => (await client.call('getRun', { params: { run: id } })).phase === 'succeeded')
  await until(() => / mine-\w+ succeeded/.test(dev.output()))

  // What was made through the API is there after a restart, under the same token, and so is its cookie's right.
  dev.child.kill('SIGTERM')
  assert.equal((await dev.ended).code, 0)
  const again = at.start(['dev', at.folder, '--port', new URL(link).port])
  t.after(() => again.child.kill('SIGTERM'))
  await until(() => linkIn(again.output()) !== '')
  assert.equal((await client.call('getDag', { params })).keeper, 'api')
  assert.equal((await fetch(`${url}/api/v1/runs`, { headers: { cookie } })).status, 200)
  again.child.kill('SIGTERM')
  assert.equal((await again.ended).code, 0)
})

test('a port that is named and taken is an error, and without a server there is none', async t => {
  const at = await here(t)
  await at.dag('one', '    - {name: a, image: x, command: ["true"]}\n')
  const other = createServer().listen(0, '127.0.0.1')
  t.after(() => other.close())
  await new Promise(resolve => other.once('listening', resolve))
  const address = other.address()
  const port = typeof address === 'object' && address !== null ? String(address.port) : ''
  const refused = await at.run('dev', at.folder, '--port', port)
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, /error PORT_IN_USE: port \d+ cannot be used/)
  assert.match((await at.run('dev', at.folder, '--port', 'x')).stderr, /BAD_OPTION/)
  const silent = at.start(['dev', at.folder, '--no-server'])
  await until(() => silent.output().includes('1 DAG'))
  silent.child.kill('SIGTERM')
  const { code, stdout } = await silent.ended
  assert.equal(code, 0)
  assert.doesNotMatch(stdout, /http/)
})
