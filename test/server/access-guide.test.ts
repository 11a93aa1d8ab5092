import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type AccountsConfig, readAccounts } from '../../src/server/accounts/config.ts'
import { SERVER_LIMITS } from '../../src/server/limits.ts'
import { grants } from '../contracts/accounts.ts'
import { place, until } from '../cli/program.ts'
import { freePort } from './account-house.ts'
import { Browser } from './browser.ts'
import { openIdentityProvider } from './identity-provider.ts'

const PAGE = readFileSync('docs/guide/access.md', 'utf8')
const blocks = (language: string): readonly string[] =>
  [...PAGE.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, name, text = '']) =>
    name === language ? [text] : [],
  )

test('every block of the guide does what it says, one after the other', async t => {
  if (spawnSync('curl', ['--version']).status !== 0) {
    assert.equal(process.env['CI'], undefined, 'curl is needed')
    return t.skip('SKIPPED: there is no curl')
  }
  const here = await place()
  t.after(() => here.remove())
  mkdirSync(join(here.folder, 'dags'))
  const [start = '', ...others] = blocks('sh')
  assert.equal(start, 'npx kontroler dev dags --accounts\n')
  const dev = here.start(['dev', 'dags', '--accounts', '--port', '0'])
  t.after(() => dev.child.kill('SIGTERM'))
  const codeOf = (): string => /with this code, once: ([\w-]{43})/.exec(dev.output())?.[1] ?? ''
  await until(() => codeOf() !== '')
  const url = /API on (http:\S+);/.exec(dev.output())?.[1] ?? ''
  assert.ok(others.length >= 5)
  const script = ['set -eu', ...others]
    .join('\n')
    .replace('http://127.0.0.1:8080', url)
    .replace('the-code-that-dev-printed', codeOf())
  const { code, out } = await shell(script, here.folder)
  assert.equal(code, 0, out)
  assert.match(out, /"name":"ada","by":"session","roles":\{"\*":"admin"\}/)
  assert.match(out, /"name":"bo","roles":\{"team-a":"viewer","team-b":"editor"\}/)
  assert.match(out, /"action":"changeUser"/)
  assert.match(out, /"intact":true/)
  assert.match(readFileSync(join(here.folder, 'audit.ndjson'), 'utf8'), /"action":"setUp".*\n/)

  // The token of the state directory is as good as it was, and the code is gone after a restart.
  const token = readFileSync(join(here.state, 'api-token'), 'utf8').trim()
  const users = await fetch(`${url}/api/v1/users`, { headers: { authorization: `Bearer ${token}` } })
  assert.equal(users.status, 200)
  dev.child.kill('SIGTERM')
  assert.equal((await dev.ended).code, 0)
  const again = here.start(['dev', 'dags', '--accounts', '--port', new URL(url).port])
  t.after(() => again.child.kill('SIGTERM'))
  await until(() => again.output().includes('API on'))
  assert.doesNotMatch(again.output(), /with this code/)
})

test('numbers of the guide are those of the limits', () => {
  const minutes = SERVER_LIMITS.triesWindowMs / 60_000
  const says = `After ${SERVER_LIMITS.triesPerUserMax} tries as one user, or ${SERVER_LIMITS.triesPerAddressMax} from one address, within ${minutes} minutes`
  assert.ok(PAGE.includes(says))
  assert.ok(PAGE.includes(`at least ${SERVER_LIMITS.passwordLengthMin} characters`))
  assert.ok(PAGE.includes(`up to ${SERVER_LIMITS.deniedPerMinuteMax} a minute`))
})

const read = (text: string): ReturnType<typeof readAccounts> => readAccounts({ name: 'accounts.yaml', text })
const HOUR = 3_600_000

test('the file of the guide is read as it says, and what it leaves out is as there', () => {
  const [text = ''] = blocks('yaml')
  const { config, problems } = read(text)
  assert.deepEqual(problems, [])
  assert.deepEqual(config, {
    publicUrl: 'https://kontroler.example.org',
    passwords: true,
    sessionIdleMs: 8 * HOUR,
    sessionMaxMs: 7 * 24 * HOUR,
    auditKeep: 1_000_000,
    auditAgeMs: 365 * 24 * HOUR,
    providers: [
      {
        name: 'corp',
        title: 'Corporate sign-in',
        issuer: 'https://login.example.org',
        clientId: 'kontroler',
        clientSecretFile: 'oidc-secret',
        scopes: ['profile'],
        nameClaim: 'preferred_username',
        groupsClaim: 'groups',
        rolesOfGroups: new Map([
          ['platform', grants('*=admin')],
          ['data', grants('team-a=editor team-b=viewer')],
        ]),
      },
    ],
  } satisfies AccountsConfig)
  const { providers: _, publicUrl: __, ...same } = config
  const { providers, publicUrl, ...plain } = readAccounts(null).config
  assert.deepEqual([plain, providers, publicUrl], [same, [], null])
})

test('what a file cannot mean is told with its place', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['passwrods: true', /FIELD_UNKNOWN 1 did you mean passwords\?/],
    ['sessions: {idle: soon}', /FIELD_VALUE 1 write it as 30m/],
    ['sessions: {idle: 1s}', /FIELD_VALUE 1 write it as 30m/],
    ['publicUrl: https://a.example/b', /FIELD_VALUE 1 write it as https:\/\/HOST/],
    ['publicUrl: javascript:alert(1)', /FIELD_VALUE 1/],
    ['providers:\n  - {name: a, issuer: "http://a.example", clientId: x}', /FIELD_VALUE 2 write it as https/],
    ['providers:\n  - {name: A/B, issuer: "https://a.example", clientId: x}', /FIELD_VALUE 2/],
    [
      'providers:\n  - {name: a, issuer: "https://a.example", clientId: x, roles: {}}',
      /FIELD_VALUE 2 give groupsClaim/,
    ],
    [
      'providers:\n  - {name: a, issuer: "https://a.example", clientId: x}\n  - {name: a, issuer: "https://b.example", clientId: x}',
      /FIELD_VALUE \d give each another name/,
    ],
    ['a: [', /YAML_SYNTAX/],
    ['passwords: true\n---\npasswords: false', /several|leave one/],
  ]
  for (const [text, expected] of cases) {
    const [problem] = read(text).problems
    assert.match(`${problem?.code} ${problem?.at?.line} ${problem?.fix}`, expected, text)
  }
})

test('dev lets in whom a provider vouches for that the file names', async t => {
  const here = await place()
  t.after(() => here.remove())
  mkdirSync(join(here.folder, 'dags'))
  const [port, own] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${own}`
  const clientSecret = 'kept in a file'
  const redirectUris = [`${url}/api/v1/oidc/corp/callback`]
  const provider = await openIdentityProvider({ port, redirectUris, clientSecret })
  t.after(() => provider.close())
  writeFileSync(join(here.folder, 'secret'), `${clientSecret}\n`)
  const roles = '{data: {team-a: editor}}'
  const names = `name: corp, issuer: "${provider.issuer}", clientId: kontroler, clientSecretFile: secret`
  const text = `passwords: false\nproviders:\n  - {${names}, groupsClaim: groups, roles: ${roles}}\n`
  writeFileSync(join(here.folder, 'accounts.yaml'), text)
  const dev = here.start(['dev', 'dags', '--accounts', 'accounts.yaml', '--port', String(own)])
  t.after(() => dev.child.kill('SIGTERM'))
  await until(() => dev.output().includes('API on'))
  provider.users.set('s', { preferred_username: 'bo', groups: ['data'] })
  provider.next = 's'
  const browser = new Browser()
  await browser
    .follow(`${url}/api/v1/oidc/corp`, `${url}/api/v1/oidc/corp/callback`)
    .then(({ url: back }) => browser.get(back))
  const me = await fetch(`${url}/api/v1/session`, { headers: { cookie: browser.session(url) } })
  assert.match(await me.text(), /"name":"bo","by":"session","roles":\{"team-a":"editor"\}/)
  assert.doesNotMatch(dev.output(), /with this code/)
})

test('dev ends with what is wrong with the file', async t => {
  const here = await place()
  t.after(() => here.remove())
  mkdirSync(join(here.folder, 'dags'))
  const { code, stderr } = await here.run('dev', 'dags', '--accounts', 'none.yaml', '--port', '0')
  assert.equal(code, 2)
  assert.match(stderr, /error BAD_OPTION: --accounts none\.yaml: ENOENT/)
})

function shell(script: string, cwd: string): Promise<{ code: number | null; out: string }> {
  const child = spawn('bash', ['-c', script], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      out += bytes.toString()
    })
  return new Promise(resolve => child.on('close', code => resolve({ code, out })))
}
