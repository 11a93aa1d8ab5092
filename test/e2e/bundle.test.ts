import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'

/** What the bundle says when it is loaded, put there by this test. */
const MARK = 'this is the bundle\n'
const EXAMPLE = resolve('examples/hello.yaml')
let folder = ''

const inFolder = (...args: readonly string[]) =>
  spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') },
  })

function kontroler(...args: readonly string[]) {
  const { status, stdout, stderr } = inFolder(join(folder, 'bin/kontroler.js'), ...args)
  return { status, stdout, bundled: stderr.startsWith(MARK), stderr: stderr.replace(MARK, '') }
}

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'kontroler-bundle-'))
  for (const part of ['bin', 'src', 'package.json'])
    cpSync(part, join(folder, part), { recursive: true, preserveTimestamps: true })
})

after(() => rmSync(folder, { recursive: true, force: true }))

test('where the bundler is not installed there is no bundle, and nothing fails', () => {
  const { status, stdout } = inFolder('bin/bundle.js')
  assert.equal(status, 0)
  assert.match(stdout, /^no bundle/)
  assert.ok(!existsSync(join(folder, 'dist')))
})

test('the bundle says and does the same as the sources', () => {
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  const commands = [
    ['--version'],
    ['--help'],
    ['list', '--help'],
    ['lst'],
    ['validate', EXAMPLE],
    ['validate', resolve('test/broken/args-a-boolean.yaml')],
    ['plan', EXAMPLE, '-o', 'yaml'],
    ['run', EXAMPLE, '--executor', 'process', '--name', 'first', '-o', 'none'],
    ['logs', 'first'],
    ['explain', 'first', '-o', 'json'],
    ['list', 'dags', '-o', 'name'],
  ]
  const fromSources = commands.map(args => kontroler('--state', 'sources', ...args))
  assert.ok(fromSources.every(({ bundled }) => !bundled))
  assert.equal(inFolder('bin/bundle.js').status, 0)
  const main = join(folder, 'dist/main.cjs')
  writeFileSync(main, `process.stderr.write(${JSON.stringify(MARK)});\n${readFileSync(main, 'utf8')}`)
  for (const [index, args] of commands.entries()) {
    const { bundled, ...said } = kontroler('--state', 'bundle', ...args)
    assert.ok(bundled, args.join(' '))
    const { bundled: _, ...before } = fromSources[index] ?? { bundled: false }
    assert.deepEqual(withoutIds(said), withoutIds(before), args.join(' '))
  }
})

test('a source that changes, or one that goes, is what runs from then on', () => {
  assert.ok(kontroler('--version').bundled)
  const file = join(folder, 'src/host/version.ts')
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace('self.version', '`${self.version}-changed`'))
  const { stdout, bundled } = kontroler('--version')
  assert.ok(!bundled)
  assert.match(stdout, /-changed$/m)
  assert.equal(inFolder('bin/bundle.js').status, 0)
  assert.match(kontroler('--version').stdout, /-changed$/m)
  appendFileSync(join(folder, 'dist/main.cjs'), `\nprocess.stderr.write(${JSON.stringify(MARK)})\n`)
  assert.ok(kontroler('--version').bundled)
  rmSync(join(folder, 'src/executors/process/launch.sh'))
  assert.ok(!kontroler('--version').bundled)
})

test('a package without sources runs its bundle, launchers included', () => {
  rmSync(join(folder, 'src'), { recursive: true })
  const run = kontroler('run', EXAMPLE, '--executor', 'process', '--state', 'alone', '-o', 'lines')
  assert.equal(run.status, 0, run.stderr)
  assert.ok(run.bundled)
})

/** What differs between any two runs. */
function withoutIds(value: object): unknown {
  return JSON.parse(
    JSON.stringify(value)
      .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z|\d\d:\d\d:\d\d/g, 'TIME')
      .replaceAll(/\d+(\.\d)?m?s\b/g, 'LONG'),
  )
}
