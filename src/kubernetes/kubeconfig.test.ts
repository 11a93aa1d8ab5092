import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Identity } from './identity.ts'
import { inClusterIdentity } from './in-cluster.ts'
import { type KubeconfigChoice, kubeconfigIdentity } from './kubeconfig.ts'
import { kubeconfigFiles } from './kubeconfig-file.ts'
import { isProblem } from './problem.ts'
import { REAL_TIMING } from './timing.ts'

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kubeconfig-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** A kubeconfig with one cluster, one user and one context, all of this name. */
const config = (name: string, user: object, cluster: object = {}, more: object = {}): string =>
  JSON.stringify({
    'current-context': name,
    clusters: [{ name, cluster: { server: `https://${name}:6443`, ...cluster } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: `${name}-space` } }],
    ...more,
  })

const identityOf = (
  files: readonly string[],
  choice: Partial<KubeconfigChoice> = {},
  timing = REAL_TIMING,
): Promise<Identity> =>
  kubeconfigIdentity(
    { files, missing: 'isEmpty', plugins: { env: process.env, interactive: false }, ...choice },
    timing,
  )

/** One file with this user, and what it logs in with. */
async function loginOf(user: object, cluster: object = {}) {
  let access: Awaited<ReturnType<Identity['access']>> | undefined
  await inFolder(async folder => {
    await writeFile(join(folder, 'config'), config('one', user, cluster))
    access = await (await identityOf([join(folder, 'config')])).access()
  })
  return access ?? assert.fail()
}

const refused = (words: RegExp) => (error: unknown) =>
  isProblem(error, 'credentials') && words.test(error.message) ? true : assert.fail(String(error))

describe('where kubeconfigs are', () => {
  for (const [name, [given, variable, home], expected] of [
    ['the one that is given', ['/x', '/a:/b', '/home'], { files: ['/x'], missing: 'isError' }],
    ['those of KUBECONFIG', [undefined, '/a::/b:/a', '/home'], { files: ['/a', '/b'], missing: 'isEmpty' }],
    ['the one at home', [undefined, '', '/home'], { files: ['/home/.kube/config'], missing: 'isEmpty' }],
  ] as const) {
    it(name, () => assert.deepEqual(kubeconfigFiles(given, variable, home), expected))
  }
})

describe('several kubeconfigs', () => {
  it('are merged: the first of a name counts, whole, and so does the first current context', () =>
    inFolder(async folder => {
      const [a, b] = [join(folder, 'a'), join(folder, 'b')]
      await writeFile(a, config('same', { token: 'first' }))
      await writeFile(
        b,
        config(
          'same',
          { token: 'second', username: 'u' },
          { server: 'https://second' },
          { 'current-context': 'other' },
        ),
      )
      const identity = await identityOf([join(folder, 'missing'), a, b])
      assert.equal(identity.server, 'https://same:6443')
      assert.equal((await identity.access()).authorization, 'Bearer first')
    }))

  it('complete each other', () =>
    inFolder(async folder => {
      const [a, b] = [join(folder, 'a'), join(folder, 'b')]
      await writeFile(a, config('one', { token: 'first' }))
      await writeFile(b, config('two', { token: 'second' }))
      const two = await identityOf([a, b], { context: 'two' })
      assert.deepEqual([two.server, two.namespace], ['https://two:6443', 'two-space'])
      const mixed = await identityOf([a, b], { user: 'two', namespace: 'mine' })
      assert.deepEqual([mixed.server, mixed.namespace], ['https://one:6443', 'mine'])
      assert.equal((await mixed.access()).authorization, 'Bearer second')
    }))
})

describe('a kubeconfig that does not lead to a cluster', () => {
  for (const [name, text, choice, words] of [
    [
      'names the contexts that are there',
      config('one', {}),
      { context: 'two' },
      /no context "two"; there is one/,
    ],
    ['names a missing cluster', config('one', {}), { cluster: 'two' }, /no cluster "two"; there is one/],
    ['names a missing user', config('one', {}), { user: 'two' }, /no user "two"/],
    ['has no current context', '{}', {}, /no cluster is chosen/],
    ['has a cluster without an address', config('one', {}, { server: '' }), {}, /no usable server/],
    ['has an old way of logging in', config('one', { 'auth-provider': { name: 'gcp' } }), {}, /"gcp", which/],
    ['is no YAML', 'a: [', {}, /is not a kubeconfig/],
  ] as const) {
    it(name, () =>
      inFolder(async folder => {
        await writeFile(join(folder, 'config'), text)
        await assert.rejects(identityOf([join(folder, 'config')], choice), refused(words))
      }),
    )
  }

  it('is missing although it was asked for', () =>
    assert.rejects(identityOf(['/nowhere/config'], { missing: 'isError' }), refused(/cannot be read/)))

  it('does not show its text', () =>
    inFolder(async folder => {
      await writeFile(join(folder, 'config'), 'token: "verysecret\n  : [')
      await assert.rejects(
        identityOf([join(folder, 'config')]),
        error => isProblem(error, 'credentials') && !error.message.includes('verysecret'),
      )
    }))
})

describe('what a user logs in with', () => {
  it('a token', async () => assert.equal((await loginOf({ token: 't' })).authorization, 'Bearer t'))

  it('a token of a file, which may be renewed, rather than the one beside it', () =>
    inFolder(async folder => {
      await writeFile(join(folder, 'config'), config('one', { token: 'given', tokenFile: 'token' }))
      const login = async () => (await (await identityOf([join(folder, 'config')])).access()).authorization
      assert.equal(await login(), 'Bearer given', 'as long as there is no such file')
      await writeFile(join(folder, 'token'), 'renewed\n')
      assert.equal(await login(), 'Bearer renewed')
    }))

  it('a name and a password', async () =>
    assert.equal((await loginOf({ username: 'u', password: 'p' })).authorization, 'Basic dTpw'))

  it('nothing', async () => assert.equal((await loginOf({})).authorization, null))

  it('somebody else’s name', async () =>
    assert.deepEqual(
      (await loginOf({ as: 'u', 'as-groups': ['g', 'h'], 'as-user-extra': { 'a/b': ['c'] } })).headers,
      { 'impersonate-user': 'u', 'impersonate-group': ['g', 'h'], 'impersonate-extra-a%2Fb': ['c'] },
    ))

  it('what stands in the kubeconfig goes before a file; files are found beside the kubeconfig', () =>
    inFolder(async folder => {
      const user = { 'client-certificate': 'cert', 'client-key': 'key', 'client-key-data': btoa('given') }
      await writeFile(join(folder, 'config'), config('one', user, { 'certificate-authority': 'ca' }))
      for (const name of ['cert', 'key', 'ca']) await writeFile(join(folder, name), `${name} of a file\n`)
      const { tls } = await (await identityOf([join(folder, 'config')])).access()
      assert.deepEqual([tls.ca, tls.certificate, tls.key], ['ca of a file', 'cert of a file', 'given'])
    }))

  it('how the server is checked', async () => {
    const cluster = {
      'certificate-authority-data': btoa('ca'),
      'tls-server-name': 'name',
      'proxy-url': 'http://proxy',
    }
    const { tls } = await loginOf({}, cluster)
    assert.deepEqual([tls.ca, tls.serverName, tls.insecure, tls.proxy], ['ca', 'name', false, 'http://proxy'])
    assert.equal((await loginOf({}, { 'insecure-skip-tls-verify': true })).tls.insecure, true)
  })
})

describe('a credential plugin', () => {
  const V1 = 'client.authentication.k8s.io/v1'
  /** Counts its runs, and prints what is said, with the number of the run for N. */
  async function withPlugin(
    printed: string,
    entry: object,
    use: (open: () => Promise<Identity>, folder: string) => Promise<void>,
    cluster: object = {},
  ): Promise<void> {
    await inFolder(async folder => {
      await mkdir(join(folder, 'bin'))
      const script = `#!/bin/sh
        cd "$(dirname "$0")"; echo run >> runs; n=$(($(wc -l < runs)))
        printf '%s' "$KUBERNETES_EXEC_INFO" > info; printf '%s' "$GIVEN $1" > given
        cat > input; echo complaint >&2
        ${printed}`
      await writeFile(join(folder, 'bin', 'plugin'), script)
      await chmod(join(folder, 'bin', 'plugin'), 0o755)
      const exec = { apiVersion: V1, command: './bin/plugin', ...entry }
      await writeFile(join(folder, 'config'), config('one', { exec }, cluster))
      await use(() => identityOf([join(folder, 'config')]), folder)
    })
  }
  const token = (more = ''): string =>
    `echo '{"apiVersion":"${V1}","kind":"ExecCredential","status":{"token":"token '$n'"${more}}}'`

  it('is found beside the kubeconfig, gets its arguments and environment, and no input', () =>
    withPlugin(
      token(),
      { args: ['argument'], env: [{ name: 'GIVEN', value: 'given' }], provideClusterInfo: true },
      async (open, folder) => {
        const identity = await open()
        assert.equal((await identity.access()).authorization, 'Bearer token 1')
        assert.equal(await readFile(join(folder, 'bin', 'given'), 'utf8'), 'given argument')
        assert.deepEqual(JSON.parse(await readFile(join(folder, 'bin', 'info'), 'utf8')), {
          kind: 'ExecCredential',
          apiVersion: V1,
          spec: {
            interactive: false,
            cluster: {
              server: 'https://one:6443',
              'certificate-authority-data': btoa('ca'),
              config: { audience: 'a' },
            },
          },
        })
      },
      {
        'certificate-authority-data': btoa('ca'),
        extensions: [{ name: 'client.authentication.k8s.io/exec', extension: { audience: 'a' } }],
      },
    ))

  it('is asked again when the server refused what it gave, once for all who were refused', () =>
    withPlugin(token(), {}, async open => {
      const identity = await open()
      const used = await identity.access()
      await Promise.all([identity.refresh(used), identity.refresh(used)])
      await identity.refresh(used)
      assert.equal((await identity.access()).authorization, 'Bearer token 2')
    }))

  it('is asked again when the time of what it gave is over', () =>
    withPlugin(token(`,"expirationTimestamp":"2026-01-01T01:00:00Z"`), {}, async (_, folder) => {
      let wall = Date.parse('2026-01-01T00:00:00Z')
      const identity = await identityOf([join(folder, 'config')], {}, { ...REAL_TIMING, wall: () => wall })
      wall += 30 * 60_000
      assert.equal((await identity.access()).authorization, 'Bearer token 1')
      wall += 30 * 60_000
      assert.equal((await identity.access()).authorization, 'Bearer token 2')
    }))

  it('may give a certificate', () =>
    withPlugin(
      `echo '{"apiVersion":"${V1}","kind":"ExecCredential","status":{"clientCertificateData":"c","clientKeyData":"k"}}'`,
      {},
      async open => {
        const { tls, authorization } = await (await open()).access()
        assert.deepEqual([tls.certificate, tls.key, authorization], ['c', 'k', null])
      },
    ))

  for (const [name, printed, entry, words] of [
    ['fails', 'exit 3', {}, /ended with code 3: complaint/],
    ['prints something else', 'echo hello', {}, /not JSON/],
    [
      'gives nothing',
      `echo '{"apiVersion":"${V1}","kind":"ExecCredential","status":{}}'`,
      {},
      /neither a token/,
    ],
    [
      'answers in another version',
      `echo '{"apiVersion":"x","kind":"ExecCredential"}'`,
      {},
      /did not print an Exec/,
    ],
    [
      'is not there',
      '',
      { command: 'no-such-plugin', installHint: 'Install it.' },
      /cannot be run.*Install it\./,
    ],
    [
      'speaks an old version',
      '',
      { apiVersion: 'client.authentication.k8s.io/v1alpha1' },
      /speaks .*v1alpha1/,
    ],
    ['wants a terminal', '', { interactiveMode: 'Always' }, /needs a terminal/],
    ['has a child that prints without end', 'yes; true', {}, /was killed \(SIGKILL\)/],
  ] as const) {
    it(`that ${name} is a problem of credentials`, () =>
      withPlugin(printed, entry, open => assert.rejects(open(), refused(words))))
  }
})

describe('the identity of a pod', () => {
  const HOUR = 3_600_000

  it('is its service account, whose token is read again every minute', () =>
    inFolder(async folder => {
      for (const [name, text] of Object.entries({ token: 'first\n', 'ca.crt': 'ca', namespace: 'a' }))
        await writeFile(join(folder, name), text)
      let wall = HOUR
      const identity = await inClusterIdentity(
        { host: 'fd00::1', port: '443', folder },
        { ...REAL_TIMING, wall: () => wall },
      )
      assert.deepEqual([identity.server, identity.namespace], ['https://[fd00::1]:443', 'a'])
      const first = await identity.access()
      assert.deepEqual([first.authorization, first.tls.ca], ['Bearer first', 'ca'])
      await writeFile(join(folder, 'token'), 'second')
      assert.equal(await identity.access(), first)
      wall += 60_000
      const second = await identity.access()
      assert.equal(second.authorization, 'Bearer second')
      assert.equal(second.tls, first.tls, 'connections stay')
      await rm(join(folder, 'token'))
      wall += HOUR
      assert.equal(await identity.access(), second, 'a file that is being replaced is no reason to stop')
      await assert.rejects(identity.refresh(second), refused(/token cannot be read/))
    }))

  it('is none where there is no service account', () =>
    assert.rejects(
      inClusterIdentity({ host: 'h', port: '1', folder: '/nowhere' }),
      refused(/namespace cannot be read/),
    ))
})
