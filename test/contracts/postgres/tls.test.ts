import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { inspect } from 'node:util'
import { StoreError } from '../../../src/ports/store.ts'
import { openPostgresStore } from '../../../src/stores/postgres/open.ts'
import { refused } from '../store.ts'
import { authority, type Certificate, selfSigned } from './certificates.ts'
import type { PostgresServer } from './server.ts'
import { withServer } from './with-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'kontroler-tls-'))
after(() => rmSync(folder, { recursive: true }))

interface Certificates {
  readonly root: string
  readonly servers: Readonly<Record<string, Certificate>>
}
let made: Certificates | null = null

const file = withServer(16, () => {
  made = certificates()
  const { good } = made.servers
  return {
    configuration: ['ssl = on'],
    access: ['hostssl all all 127.0.0.1/32 scram-sha-256', 'hostnossl all all 127.0.0.1/32 reject'],
    prepare: (data, own) => install(data, good, own),
  }
})

function certificates(): Certificates {
  const ours = authority(folder, 'ca')
  return {
    root: ours.certificate,
    servers: {
      good: ours.sign('good', 'DNS:localhost,IP:127.0.0.1'),
      'for another host': ours.sign('wrong-host', 'DNS:db.example,IP:127.0.0.9'),
      'for the host name only': ours.sign('name-only', 'DNS:localhost'),
      expired: ours.sign('expired', 'DNS:localhost,IP:127.0.0.1', ['-days', '-1']),
      'self-signed': selfSigned(folder, 'self', ['subjectAltName=DNS:localhost,IP:127.0.0.1']),
      'of another authority': authority(folder, 'other').sign('foreign', 'DNS:localhost,IP:127.0.0.1'),
    },
  }
}

/** Who gets in, by the mode of the client: with our authority, where the mode looks at one. */
const accepted: Readonly<Record<string, readonly string[]>> = {
  good: ['require', 'require+ca', 'verify-ca', 'verify-full'],
  'for another host': ['require', 'require+ca', 'verify-ca'],
  'for the host name only': ['require', 'require+ca', 'verify-ca'],
  expired: ['require'],
  'self-signed': ['require'],
  'of another authority': ['require'],
}

for (const [what, modes] of Object.entries(accepted))
  file.test(`a server with a certificate that is ${what}`, async server => {
    await swap(server, what)
    for (const mode of ['disable', 'require', 'require+ca', 'verify-ca', 'verify-full']) {
      const [sslmode = '', withCa] = mode.split('+')
      const root =
        withCa !== undefined || sslmode.startsWith('verify') ? { sslrootcert: made?.root ?? '' } : {}
      const opened = await tried(server.urlWith({ sslmode, ...root }))
      assert.equal(opened, modes.includes(mode) ? 'opened' : 'DATABASE_UNAVAILABLE', mode)
    }
  })

file.test(
  'a name in the URL is looked for in the certificate; without an authority of ours the system ones count',
  async server => {
    await swap(server, 'for the host name only')
    const named = server
      .urlWith({ sslmode: 'verify-full', sslrootcert: made?.root ?? '' })
      .replace('127.0.0.1', 'localhost')
    assert.equal(await tried(named), 'opened')
    for (const sslmode of ['verify-ca', 'verify-full'])
      assert.equal(await tried(server.urlWith({ sslmode })), 'DATABASE_UNAVAILABLE')
  },
)

file.test('a server without TLS gets nothing from a client that wants it', async server => {
  await server.admin('ALTER SYSTEM SET ssl = off')
  await server.admin('SELECT pg_reload_conf()')
  try {
    for (const sslmode of ['require', 'verify-full']) {
      const error = await refused('DATABASE_UNAVAILABLE', openPostgresStore(server.urlWith({ sslmode })))
      assert.match(error.message, /SSL/)
    }
  } finally {
    await server.admin('ALTER SYSTEM RESET ssl')
    await server.admin('SELECT pg_reload_conf()')
  }
})

file.test('no error shows the password: wrong one, wrong database, wrong URL, no server', async server => {
  await swap(server, 'good')
  const secret = 'pässwörd-Geheim 42'
  const inUrl = encodeURIComponent(secret)
  const base = server.urlWith({ sslmode: 'require' }).replace('not-a-secret', inUrl)
  const urls = [
    base,
    base.replace('/kontroler?', '/nobody?'),
    base.replace('postgres:', 'mysql:'),
    base.replace('sslmode=require', 'sslmode=perhaps'),
    base.replace('sslmode=require', 'ssl=true'),
    base.replace(`:${server.port}/`, ':1/'),
    base.replace(`:${server.port}/`, ':99999/'),
    base.replace(inUrl, `%ZZ${inUrl}`),
    base.replace('sslmode=require', 'sslmode=verify-full&sslrootcert=/nowhere'),
    `postgres://:${inUrl}@127.0.0.1/x`,
  ]
  for (const url of urls) {
    const error = await refused('DATABASE_UNAVAILABLE', openPostgresStore(url))
    const shown = inspect(error, { depth: 20, showHidden: true })
    for (const text of [secret, inUrl, 'Geheim']) assert.ok(!shown.includes(text), `${url}\n${shown}`)
  }
})

async function tried(url: string): Promise<string> {
  try {
    await (await openPostgresStore(url)).close()
    return 'opened'
  } catch (error) {
    assert.ok(error instanceof StoreError, String(error))
    return error.code
  }
}

function install(data: string, of: Certificate | undefined, own: (path: string) => void): void {
  assert.ok(of !== undefined)
  for (const [from, to] of [
    [of.certificate, 'server.crt'],
    [of.key, 'server.key'],
  ] as const) {
    // Written over where it is there already, so that its owner stays.
    writeFileSync(join(data, to), readFileSync(from))
    chmodSync(join(data, to), 0o600)
    own(join(data, to))
  }
}

async function swap(server: PostgresServer, what: string): Promise<void> {
  const certificate = made?.servers[what]
  install(join(server.folder, 'data'), certificate, () => undefined)
  await server.stop()
  await server.start()
}
