import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Ended, type Place, place } from '../cli/program.ts'
import { type Fake, fake, json, problem } from './fake.ts'

const TOKEN = 'the-token-that-nobody-may-see'

interface Home {
  readonly at: Place
  readonly file: string
  /** The program of somebody who has nothing but contexts. */
  run(...words: readonly string[]): Promise<Ended>
  start(words: readonly string[], options?: { env?: Record<string, string>; input?: string }): Promise<Ended>
}

async function home(t: TestContext): Promise<Home> {
  const at = await place()
  t.after(() => at.remove())
  const config = join(at.folder, 'config')
  const start: Home['start'] = async (words, { env = {}, input = '' } = {}) => {
    const ended = await at.start(words, {
      env: { XDG_CONFIG_HOME: config, KONTROLER_STATE: '', ...env },
      input,
    }).ended
    assert.doesNotMatch(`${ended.stdout}${ended.stderr}`, new RegExp(TOKEN))
    return ended
  }
  return { at, file: join(config, 'kontroler/contexts.yaml'), start, run: (...words) => start(words) }
}

/** A server that knows one token, and has no runs. */
async function server(t: TestContext, version = '0.1.0'): Promise<Fake> {
  return await fake(t, (request, response) => {
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return problem(response, 401, 'UNAUTHENTICATED')
    json(response, request.url === '/version' ? { version } : { items: [], next: null })
  })
}

const login = (at: Home, url: string, ...more: readonly string[]): Promise<Ended> =>
  at.start(['login', url, '--token-file', '-', ...more], { input: `${TOKEN}\n` })

test('login keeps the token where nobody else reads it, and commands are about that server from then on', async t => {
  const at = await home(t)
  const { url, asked } = await server(t)
  const { code, stdout, stderr } = await login(at, `${url}/`, '--name', 'mine')
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(
    stdout,
    new RegExp(`^logged in to ${url} \\(version 0\\.1\\.0\\); it is context mine, kept in `),
  )
  assert.equal((await stat(at.file)).mode & 0o777, 0o600)
  assert.equal((await stat(dirname(at.file))).mode & 0o777, 0o700)
  assert.match(await readFile(at.file, 'utf8'), new RegExp(`token: ${TOKEN}`))
  assert.deepEqual(await readdir(dirname(at.file)), ['contexts.yaml'])
  const listed = await at.run('list')
  assert.equal(listed.stderr, `note: this is about ${url} (context mine)\n`)
  assert.match(asked.at(-1)?.what ?? '', /^GET \/api\/v1\/runs\?/)
  assert.equal((await at.run('list', '-o', 'json')).stderr, '', 'a program reads it')
})

test('a token that the server does not take is not kept; neither is one that is none', async t => {
  const at = await home(t)
  const { url } = await server(t)
  const wrong = await at.start(['login', url, '--token-file', '-'], { input: 'another' })
  assert.deepEqual([wrong.code, wrong.stdout], [1, ''])
  assert.match(wrong.stderr, /^error UNAUTHENTICATED: /)
  const none = await at.start(['login', url, '--token-file', '-'], { input: '' })
  assert.match(none.stderr, /^error BAD_TOKEN: - holds no token/)
  const asked = await at.run('login', url)
  assert.match(asked.stderr, /^error BAD_OPTION: the token cannot be asked for: this is no terminal/)
  await assert.rejects(stat(at.file), { code: 'ENOENT' })
})

test('a server of another version is told at once', async t => {
  const at = await home(t)
  const { url } = await server(t, '9.0.0')
  assert.match((await login(at, url)).stderr, /^warning: the server is version 9\.0\.0, this program /)
})

test('contexts: list, use, current, remove, and this machine again', async t => {
  const at = await home(t)
  const [one, two] = [await server(t), await server(t)]
  assert.equal(
    (await at.run('context', 'list')).stdout,
    'there is no context; commands are about this machine\n',
  )
  assert.deepEqual(
    [(await at.run('context', 'current')).code, (await at.run('list')).stderr.split(':')[0]],
    [1, 'error NO_STATE'],
  )
  await login(at, one.url, '--name', 'one')
  await login(at, two.url)
  const name = `127.0.0.1-${two.port}`
  assert.equal((await at.run('context', 'current')).stdout, `${name}\n`)
  assert.equal((await at.run('context', 'use', 'one')).stdout, `commands are about ${one.url} now\n`)
  const { contexts } = JSON.parse((await at.run('context', 'list', '-o', 'json')).stdout)
  assert.deepEqual(contexts, [
    { name: 'one', server: one.url, current: true, loggedIn: true, caFile: null },
    { name, server: two.url, current: false, loggedIn: true, caFile: null },
  ])
  assert.match((await at.run('context', 'list')).stdout, /^\* +one +http\S+ +yes$/m)
  assert.match(
    (await at.run('context', 'use', 'three')).stderr,
    /^error UNKNOWN_CONTEXT: .*\n +fix: there are: one, /,
  )
  assert.equal((await at.run('--server', name, 'list', '-o', 'name')).stderr, '', 'who names it knows')
  assert.equal(two.asked.length, 2)
  assert.equal((await at.run('context', 'use', 'local')).stdout, 'commands are about this machine now\n')
  assert.match((await at.run('list')).stderr, /^error NO_STATE/)
  assert.equal((await at.run('context', 'remove', name)).stdout, `context ${name} is removed\n`)
  assert.equal((await at.run('context', 'list', '-o', 'name')).stdout, 'one\n')
})

test('logout forgets the token, and says that it is still good', async t => {
  const at = await home(t)
  const { url } = await server(t)
  await login(at, url, '--name', 'mine')
  const { stdout } = await at.run('logout')
  assert.match(stdout, /^the token of context mine is forgotten here; whoever has a copy can still use it/)
  assert.doesNotMatch(await readFile(at.file, 'utf8'), new RegExp(TOKEN))
  assert.match(
    (await at.run('--server', 'mine', 'list')).stderr,
    /^error UNAUTHENTICATED[\s\S]*fix: kontroler login http/,
  )
  assert.match((await at.run('logout')).stderr, /^error UNKNOWN_CONTEXT: no context is current/)
})

test('what the line says comes before the environment, that before the context, that before this machine', async t => {
  const at = await home(t)
  const [flag, named, current] = [await server(t), await server(t), await server(t)]
  await login(at, current.url)
  const env = { KONTROLER_SERVER: named.url, KONTROLER_TOKEN: TOKEN }
  const counts = (): readonly number[] => [flag, named, current].map(({ asked }) => asked.length)
  const before = counts()
  await at.start(['list', '-o', 'name'], { env })
  assert.deepEqual(counts(), [before[0], (before[1] ?? 0) + 1, before[2]])
  // The token of the environment is that of another server.
  assert.match((await at.start(['--server', flag.url, 'list'], { env })).stderr, /^error UNAUTHENTICATED/)
  assert.equal(flag.asked[0]?.authorization, undefined)
  assert.equal((await at.start(['--server', flag.url, 'list'], { env: { KONTROLER_TOKEN: TOKEN } })).code, 0)
  for (const own of [{ KONTROLER_STATE: at.at.state }, { KONTROLER_DATABASE: '' }]) {
    const { stderr } = await at.start(['--state', at.at.state, 'list'], { env: { ...env, ...own } })
    assert.match(stderr, /^error NO_STATE/)
  }
  assert.match(
    (await at.start(['list'], { env: { KONTROLER_STATE: at.at.state } })).stderr,
    /^error NO_STATE/,
  )
  assert.match((await at.run('list')).stderr, /^note: this is about/)
})

test('the token of a context goes to its own server only', async t => {
  const at = await home(t)
  const [mine, other] = [await server(t), await server(t)]
  await login(at, mine.url)
  assert.equal((await at.run('--server', mine.url, 'list')).code, 0)
  assert.match((await at.run('--server', other.url, 'list')).stderr, /^error UNAUTHENTICATED/)
  assert.equal(other.asked[0]?.authorization, undefined)
})

test('a file that others may read is not used, and one that is not understood is named without its text', async t => {
  const at = await home(t)
  const { url } = await server(t)
  await login(at, url)
  await chmod(at.file, 0o644)
  for (const words of [['list'], ['context', 'list'], ['logout']])
    assert.match((await at.run(...words)).stderr, /^error CONTEXTS_EXPOSED: .*\n +fix: chmod 600 /)
  assert.match((await login(at, url)).stderr, /^error CONTEXTS_EXPOSED/)
  await chmod(at.file, 0o600)
  for (const text of [
    `current: [${TOKEN}`,
    TOKEN,
    `current: 1`,
    `contexts: {a: {server: 1, token: ${TOKEN}}}`,
  ]) {
    await writeFile(at.file, text)
    assert.match((await at.run('list')).stderr, /^error BAD_CONTEXTS: \S+contexts\.yaml is not understood: /)
  }
  assert.match(
    (await at.run('--state', at.at.state, 'list')).stderr,
    /^error NO_STATE/,
    'nobody asked for it',
  )
})

test('the file may lie elsewhere, behind a link', async t => {
  const at = await home(t)
  const { url } = await server(t)
  const real = join(at.at.folder, 'real.yaml')
  await mkdir(dirname(at.file), { recursive: true })
  await writeFile(real, 'contexts: {}\n', { mode: 0o600 })
  await symlink(real, at.file)
  assert.equal((await login(at, url, '--name', 'mine')).code, 0)
  assert.match(await readFile(real, 'utf8'), /^current: mine$/m)
})

test('completion offers contexts, and runs of the server', async t => {
  const at = await home(t)
  const { url } = await server(t)
  await login(at, url, '--name', 'mine')
  const words = async (...typed: readonly string[]): Promise<string> =>
    (await at.run('__complete', ...typed)).stdout
  assert.equal(await words('--server', ''), `mine\t${url}\n:4\n`)
  assert.equal(await words('context', 'use', ''), `mine\t${url}\nlocal\tthis machine\n:4\n`)
  assert.equal(await words('context', 'remove', ''), `mine\t${url}\n:4\n`)
  assert.equal(await words('get', ''), '@last\tthe newest run\n:4\n')
  assert.match(await words('--ser'), /^--server\t/)
  assert.equal(await words('--server', 'https://kontroler.invalid', 'get', ''), ':4\n')
})

test('-n is a namespace of the server where one is chosen, and of a cluster where none is', async t => {
  const at = await home(t)
  const { url, asked } = await server(t)
  const kubeconfig = { KUBECONFIG: join(at.at.folder, 'none') }
  const cluster = async (...words: readonly string[]): Promise<boolean> =>
    (await at.start(words, { env: kubeconfig })).stderr.includes('NO_KUBECONFIG')
  assert.equal(await cluster('-n', 'data', 'list'), true)
  assert.equal(await cluster('submit', 'x'), true)
  await login(at, url)
  assert.equal(await cluster('-n', 'data', 'list'), false)
  assert.ok(asked.some(({ what }) => /[?&]namespace=data/.test(what)))
  assert.equal(await cluster('list', '--namespace=data', '--context', 'x'), true)
})
