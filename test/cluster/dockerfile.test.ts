import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { startDaemon, whyNoDaemon } from '../contracts/container/daemon.ts'
import { controllerImage } from './controller-image.ts'
import { busyboxRoot, type ImageEntry, tar } from './image.ts'
import { busyboxApplets, folderEntries, nodeRoot } from './images.ts'

const missing = whyNoDaemon('docker')
const skip = missing !== null && process.env['CI'] === undefined ? missing : false
/** What npm of this machine is told of registries and who vouches for them. */
const NPM_FILES = ['/etc/npmrc', '/root/.npmrc', '/etc/ssl/certs/ca-certificates.crt']

/** There is no registry of images here: bases of the same names are made of what this machine has. */
test('Docker makes the Dockerfile, and of it the files that the test image has', {
  skip,
  timeout: 280_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kontroler-image-'))
  const docker = await startDaemon('docker')
  const done = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = docker.client(...args)
    assert.equal(status, 0, `${args.join(' ')}: ${stdout.slice(-2_000)}${stderr.slice(-2_000)}`)
    return stdout
  }
  const base = (name: string, entries: readonly ImageEntry[], ...changes: readonly string[]): void => {
    const file = join(folder, 'base.tar')
    writeFileSync(file, tar(entries))
    done('import', ...changes.flatMap(change => ['--change', change]), file, name)
  }
  try {
    const node = await nodeRoot()
    const npm = join(realpathSync(execFileSync('which', ['npm'], { encoding: 'utf8' }).trim()), '..', '..')
    const own = NPM_FILES.filter(path => existsSync(path)).map(
      (path): ImageEntry => ({ path: path.slice(1), kind: 'file', bytes: readFileSync(path) }),
    )
    base(
      'node:24-bookworm-slim',
      [
        ...(await busyboxRoot(busyboxApplets())),
        ...node.filter(({ kind, path }) => kind === 'file' && !path.startsWith('etc/')),
        ...folderEntries(npm, '/npm'),
        { path: 'usr/local/bin/npm', kind: 'link', to: '/npm/bin/npm-cli.js' },
        { path: 'usr/local/etc/npmrc', kind: 'link', to: '/etc/npmrc' },
        ...own,
      ],
      'ENV PATH=/usr/local/bin:/usr/bin:/bin NPM_CONFIG_GLOBALCONFIG=/etc/npmrc',
    )
    base('gcr.io/distroless/nodejs24-debian12:nonroot', [
      ...node,
      { path: 'nodejs/bin/node', kind: 'link', to: '/usr/local/bin/node' },
    ])
    done('build', '--network=host', '-t', 'kontroler', '-f', resolve('deploy/Dockerfile'), resolve('.'))

    const read = [
      'run',
      '--rm',
      '--network=host',
      '--read-only',
      '--tmpfs=/tmp',
      'kontroler',
      '--config',
      '/none',
    ]
    const { status, stdout } = docker.client(...read)
    assert.deepEqual([status, JSON.parse(stdout).code], [2, 'CONFIG_INVALID'])

    done('create', '--name=made', '--network=host', 'kontroler')
    done('export', '-o', join(folder, 'made.tar'), 'made')
    const listed = execFileSync('tar', ['--numeric-owner', '-tvf', join(folder, 'made.tar')], {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    })
    const made = new Map<string, string>()
    for (const [, owner = '', size = '', path = ''] of listed.matchAll(
      /^[-d]\S+ (\S+) +(\d+) \S+ \S+ ((?:app|var\/lib\/kontroler)\/.*)$/gmu,
    ))
      if (!path.endsWith('/') || path.startsWith('var'))
        made.set(path.replace(/\/$/u, ''), `${owner} ${size}`)
    const wanted = new Map<string, string>()
    for (const entry of controllerImage().entries ?? []) {
      if (entry.kind === 'file') wanted.set(entry.path, `0/0 ${entry.bytes.length}`)
      if (entry.kind === 'folder' && entry.owner !== undefined)
        wanted.set(entry.path, `${entry.owner}/${entry.owner} 0`)
    }
    assert.ok(wanted.size > 1_000)
    const lines = (files: ReadonlyMap<string, string>): readonly string[] =>
      [...files].map(([path, what]) => `${path} ${what}`)
    const [of, ours] = [new Set(lines(made)), new Set(lines(wanted))]
    assert.deepEqual([...of.difference(ours)], [], 'only Docker puts these in')
    assert.deepEqual([...ours.difference(of)], [], 'only the test image has these')
  } finally {
    await docker.remove()
    rmSync(folder, { recursive: true, force: true })
  }
})
