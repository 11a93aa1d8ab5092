import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { VERSION } from '../../src/host/version.ts'
import { type Ended, type Place, place } from '../cli/program.ts'
import { selfSigned } from '../contracts/postgres/certificates.ts'
import { fake, json, problem } from './fake.ts'

const TOKEN = 'the-token-that-nobody-may-see'
const EMPTY = { items: [], next: null }

async function here(t: TestContext): Promise<Place> {
  const made = await place()
  t.after(() => made.remove())
  return made
}

function ask(at: Place, url: string, words: readonly string[] = ['list'], env = {}): Promise<Ended> {
  const own = { XDG_CONFIG_HOME: join(at.folder, 'config'), KONTROLER_TOKEN: TOKEN, ...env }
  return at.start(['--server', url, ...words], { env: own }).ended
}

async function refused(of: Promise<Ended>, code: string, text: RegExp, exit = 1): Promise<void> {
  const { code: number, stdout, stderr } = await of
  assert.match(stderr, new RegExp(`^error ${code}: `), stderr)
  assert.match(stderr, text)
  assert.doesNotMatch(`${stdout}${stderr}`, new RegExp(TOKEN))
  assert.equal(number, exit)
}

test('nobody there: the address, the reason, what to do', async t => {
  const at = await here(t)
  const gone = createServer()
  await new Promise<void>(resolve => gone.listen(0, '127.0.0.1', resolve))
  const { port } = gone.address() as { port: number }
  await new Promise(resolve => gone.close(resolve))
  await refused(
    ask(at, `http://127.0.0.1:${port}`),
    'SERVER_UNREACHABLE',
    /ECONNREFUSED[\s\S]*fix: see that the server runs/,
  )
  await refused(ask(at, 'https://kontroler.invalid'), 'SERVER_UNREACHABLE', /kontroler\.invalid/)
})

test('something else at the address is told from a server', async t => {
  const at = await here(t)
  const page = await fake(t, (_, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Hi'),
  )
  await refused(ask(at, page.url), 'NOT_A_SERVER', /its answer is no JSON/)
  const none = await fake(t, (_, response) => response.writeHead(404).end('no'))
  await refused(ask(at, none.url), 'NOT_A_SERVER', /its answer is 404/)
  const door = await fake(t, (_, response) =>
    response.writeHead(302, { location: 'https://login.example' }).end(),
  )
  await refused(ask(at, door.url), 'NOT_A_SERVER', /fix: if that is right, name it: https:\/\/login\.example/)
  assert.equal(door.asked.length, 1)
  const before = await fake(t, (_, response) => response.writeHead(502).end('bad gateway'))
  await refused(ask(at, before.url), 'SERVER_UNREACHABLE', /says that it is not there \(502\)/)
  await refused(ask(at, page.url.replace('http:', 'https:')), 'NOT_A_SERVER', /does not speak TLS/)
})

test('what the server refuses is told in its words, with a code to rely on', async t => {
  const at = await here(t)
  const answering = async (status: number, code: string) =>
    (await fake(t, (_, response) => problem(response, status, code))).url
  await refused(
    ask(at, await answering(401, 'UNAUTHENTICATED')),
    'UNAUTHENTICATED',
    /fix: kontroler login http/,
  )
  await refused(
    ask(at, await answering(403, 'FORBIDDEN')),
    'FORBIDDEN',
    /detail of FORBIDDEN\n +fix: what to do/,
  )
  await refused(ask(at, await answering(409, 'VERSION_CONFLICT')), 'VERSION_CONFLICT', /detail of/, 2)
  await refused(ask(at, await answering(412, 'DAG_CHANGED')), 'DAG_CHANGED', /detail of/)
  await refused(ask(at, await answering(421, 'WRONG_HOST')), 'WRONG_HOST', /detail of/)
  await refused(ask(at, await answering(500, 'INTERNAL')), 'INTERNAL', /it knows more under number-17/)
  await refused(ask(at, await answering(418, 'TEA')), 'SERVER_REFUSED', /detail of TEA \(TEA\)/)
})

test('a server that asks to wait is asked again; one that asks for long is not waited for', async t => {
  const at = await here(t)
  const busy = await fake(t, (_, response, nth) =>
    nth === 1 ? problem(response, 429, 'TOO_MANY_STREAMS', { 'retry-after': '0' }) : json(response, EMPTY),
  )
  assert.equal((await ask(at, busy.url, ['list', '-o', 'json'])).code, 0)
  assert.equal(busy.asked.length, 2)
  const down = await fake(t, (_, response) => problem(response, 503, 'NOT_READY', { 'retry-after': '3600' }))
  await refused(ask(at, down.url), 'NOT_READY', /detail of NOT_READY/)
  assert.equal(down.asked.length, 1)
})

test('a change is not sent again when nobody knows whether it was carried out; one with a key is', async t => {
  const at = await here(t)
  const run = {
    id: 'r',
    name: 'r',
    namespace: 'default',
    dag: 'd',
    phase: 'running',
    createdAt: '2026-01-01T00:00:00Z',
    startedAt: null,
    endedAt: null,
    trigger: { kind: 'manual', key: 'r', by: 'x' },
  }
  const keys: unknown[] = []
  const breaking = await fake(t, (request, response) => {
    if (request.method === 'GET') return json(response, run)
    if (request.url?.endsWith('/pause') === true) return void request.socket.destroy()
    keys.push(request.headers['idempotency-key'])
    if (keys.length === 1) return void request.socket.destroy()
    json(response, run, 200)
  })
  await refused(
    ask(at, breaking.url, ['pause', 'r']),
    'SERVER_UNREACHABLE',
    /the connection broke off|hang up/,
  )
  assert.equal(breaking.asked.filter(({ what }) => what.startsWith('POST')).length, 1)
  assert.equal((await ask(at, breaking.url, ['submit', 'd', '-o', 'name'])).stdout, 'r\n')
  assert.equal(keys.length, 2)
  assert.equal(typeof keys[0], 'string')
  assert.equal(keys[0], keys[1])
})

test('a server of another version is said to be one', async t => {
  const at = await here(t)
  const old = await fake(t, (request, response) =>
    request.url === '/version' ? json(response, { version: '0.0.1' }) : problem(response, 404, 'NOT_FOUND'),
  )
  await refused(
    ask(at, old.url),
    'NOT_FOUND',
    new RegExp(`the server is version 0\\.0\\.1, this program ${VERSION}`),
    2,
  )
  const run = { id: 'r', name: 'r', createdAt: '', labels: {}, trigger: { kind: 'manual', key: '', by: '' } }
  const young = await fake(t, (request, response) => {
    if (request.url?.includes('/events') !== true) return json(response, run)
    json(response, { items: [{ type: 'taskTeleported', at: 1 }], next: null })
  })
  await refused(ask(at, young.url, ['get', 'r']), 'SERVER_NEWER', /tells of "taskTeleported"/)
})

test('a certificate is trusted by the file that is named, and by nothing else', async t => {
  const at = await here(t)
  const { certificate: cert, key } = selfSigned(at.folder, 'own', ['subjectAltName=IP:127.0.0.1'])
  const tls = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  const secure = await fake(t, (_, response) => json(response, EMPTY), { tls })
  await refused(ask(at, secure.url), 'SERVER_UNTRUSTED', /self-signed[\s\S]*fix: .*--ca-file/)
  assert.equal(secure.asked.length, 0)
  const trusted = await ask(at, secure.url, ['--ca-file', cert, 'list', '-o', 'name'])
  assert.deepEqual([trusted.code, trusted.stderr], [0, ''])
  const byEnvironment = await ask(at, secure.url, ['list', '-o', 'name'], { KONTROLER_CA_FILE: cert })
  assert.equal(byEnvironment.code, 0)
  assert.equal(secure.asked[0]?.authorization, `Bearer ${TOKEN}`)
  const other = secure.url.replace('127.0.0.1', 'localhost')
  await refused(ask(at, other, ['--ca-file', cert, 'list']), 'SERVER_UNTRUSTED', /localhost/)
  writeFileSync(cert, 'nothing')
  await refused(ask(at, secure.url, ['--ca-file', cert, 'list']), 'BAD_CA_FILE', /holds no certificate/, 2)
})

test('a token goes over no open network', async t => {
  const at = await here(t)
  await refused(ask(at, 'http://kontroler.invalid'), 'INSECURE_SERVER', /use https:\/\/, or a tunnel/, 2)
})

test('a proxy of the environment is used, but not for this machine', async t => {
  const at = await here(t)
  const proxy = await fake(t, (_, response) => json(response, EMPTY))
  const env = {
    KONTROLER_TOKEN: '',
    HTTP_PROXY: proxy.url,
    http_proxy: proxy.url,
    NO_PROXY: '',
    no_proxy: '',
  }
  assert.equal((await ask(at, 'http://kontroler.invalid', ['list', '-o', 'name'], env)).code, 0)
  assert.match(proxy.asked[0]?.what ?? '', /^GET http:\/\/kontroler\.invalid\/api\/v1\/runs/)
  const server = await fake(t, (_, response) => json(response, EMPTY))
  assert.equal((await ask(at, server.url, ['list', '-o', 'name'], env)).code, 0)
  assert.equal(proxy.asked.length, 1)
})

test('what is no server, no token and no such place is refused before anything is sent', async t => {
  const at = await here(t)
  const bad = (url: string, text: RegExp) => refused(ask(at, url), 'BAD_SERVER', text, 2)
  await bad('ftp://x', /not reached by ftp:/)
  await bad('https://user:pw@x', /holds a password/)
  await bad('https://x/?a=1', /no \? and no #/)
  await refused(ask(at, 'nowhere'), 'UNKNOWN_CONTEXT', /there is no context nowhere/, 2)
  await refused(
    ask(at, 'https://x', ['list'], { KONTROLER_TOKEN: 'two words' }),
    'BAD_TOKEN',
    /KONTROLER_TOKEN holds/,
    2,
  )
  const both = { KONTROLER_TOKEN_FILE: 'x' }
  await refused(ask(at, 'https://x', ['list'], both), 'BAD_OPTION', /are both set/, 2)
  await refused(ask(at, 'https://x', ['--state', 'y', 'list']), 'BAD_OPTION', /two things/, 2)
  for (const command of ['run', 'dev'])
    await refused(ask(at, 'https://x', [command, 'x.yaml']), 'NOT_FOR_SERVERS', /works on this machine/, 2)
  await refused(
    ask(at, 'https://x', ['resume', 'x', '--secret', 'a=b']),
    'NOT_FOR_SERVERS',
    /leave out --secret/,
    2,
  )
  const none = await at.start(['delete', 'x'], { env: { XDG_CONFIG_HOME: at.folder } }).ended
  assert.match(none.stderr, /^error NO_SERVER: .*\n +fix: name one with --server URL/)
})
