import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { attemptPath, runPath } from '../../core/run/attempt-path.ts'
import { createFilesystemLogs, READ_BYTES_MAX } from './logs.ts'

const ref = { run: 'run-1', task: 'build[3]', attempt: 2 }
const path = join(attemptPath(ref.run, ref.task, ref.attempt), 'log')

async function withLog(
  bytes: string | null,
  proof: (stateDir: string, file: string) => Promise<void>,
): Promise<void> {
  const stateDir = await mkdtemp(join(tmpdir(), 'kontroler-logs-'))
  const file = join(stateDir, path)
  try {
    await mkdir(dirname(file), { recursive: true })
    if (bytes !== null) await writeFile(file, bytes)
    await proof(stateDir, file)
  } finally {
    await rm(stateDir, { recursive: true, force: true })
  }
}

test('a log is read from any offset, up to what is there now', () =>
  withLog('0123456789', async stateDir => {
    const logs = createFilesystemLogs(stateDir)
    const read = async (offset: number, most: number): Promise<string> =>
      Buffer.from(await logs.read(ref, offset, most)).toString()
    assert.equal(await logs.size(ref), 10)
    assert.equal(await read(0, 3), '012')
    assert.equal(await read(8, 100), '89')
    assert.equal(await read(10, 100), '')
    assert.equal(await read(11, 100), '')
    assert.equal(await read(0, 0), '')
  }))

test('one read never takes more memory than its limit', () =>
  withLog('x'.repeat(READ_BYTES_MAX + 5), async stateDir => {
    const logs = createFilesystemLogs(stateDir)
    assert.equal((await logs.read(ref, 0, Number.MAX_SAFE_INTEGER)).length, READ_BYTES_MAX)
    assert.equal((await logs.read(ref, READ_BYTES_MAX, Number.MAX_SAFE_INTEGER)).length, 5)
  }))

test('no log is told from an empty one', async () => {
  await withLog('', async stateDir => assert.equal(await createFilesystemLogs(stateDir).size(ref), 0))
  await withLog(null, async stateDir => assert.equal(await createFilesystemLogs(stateDir).size(ref), null))
})

test('a link in the place of a log or of its folder is not followed, and a pipe does not block', async () => {
  await withLog(null, async (stateDir, file) => {
    const logs = createFilesystemLogs(stateDir)
    await writeFile(join(stateDir, 'secret'), 'secret')
    await symlink(join(stateDir, 'secret'), file)
    assert.equal(await logs.size(ref), null)
    assert.equal((await logs.read(ref, 0, 100)).length, 0)

    await rm(dirname(file), { recursive: true })
    await mkdir(join(stateDir, 'elsewhere'))
    await writeFile(join(stateDir, 'elsewhere', 'log'), 'secret')
    await symlink(join(stateDir, 'elsewhere'), dirname(file))
    assert.equal(await logs.size(ref), null)

    await rm(dirname(file))
    await mkdir(file, { recursive: true })
    assert.equal(await logs.size(ref), null)
  })
})

test('a run is removed with everything read-only in it, and nothing beyond its links', () =>
  withLog('x', async stateDir => {
    const logs = createFilesystemLogs(stateDir)
    const kept = join(stateDir, 'kept')
    await writeFile(kept, 'x')
    const folder = join(stateDir, runPath(ref.run), 'workspace', 'cache')
    await mkdir(folder, { recursive: true })
    await symlink(stateDir, join(folder, 'link'))
    await chmod(folder, 0o500)
    await logs.remove(ref.run)
    assert.equal(await logs.size(ref), null)
    assert.ok((await stat(kept)).isFile())
    await logs.remove(ref.run)
  }))
