import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { logStoreContract, whole } from '../../../test/contracts/log-store.ts'
import { attemptPath } from '../../core/run/attempt-path.ts'
import { createFilesystemLogs } from './logs.ts'
import { createFilesystemLogStore } from './store.ts'

const ref = { run: 'run-1', task: 'build', attempt: 1 }
const folderOf = (stateDir: string): string => join(stateDir, attemptPath(ref.run, ref.task, ref.attempt))
const newStateDir = (): Promise<string> => mkdtemp(join(tmpdir(), 'kontroler-log-store-'))

async function withStateDir(proof: (stateDir: string) => Promise<void>): Promise<void> {
  const stateDir = await newStateDir()
  try {
    await proof(stateDir)
  } finally {
    await rm(stateDir, { recursive: true, force: true })
  }
}

logStoreContract('files', async () => {
  const stateDir = await newStateDir()
  return {
    store: createFilesystemLogStore(stateDir),
    again: async () => createFilesystemLogStore(stateDir),
    close: () => rm(stateDir, { recursive: true, force: true }),
  }
})

test('the reader of logs that tasks write themselves reads these too', () =>
  withStateDir(async stateDir => {
    const writer = await createFilesystemLogStore(stateDir).writer(ref)
    await writer.write(Buffer.from('words'))
    assert.equal(await createFilesystemLogs(stateDir).size(ref), 5)
    await writer.finish('end')
    await writer.close()
    assert.deepEqual((await readdir(folderOf(stateDir))).toSorted(), ['.log.json', 'log'])
  }))

test('all logs can be listed, and nothing that only lies beside them', () =>
  withStateDir(async stateDir => {
    const store = createFilesystemLogStore(stateDir)
    const listed = async (): Promise<string[]> => {
      const found: string[] = []
      for await (const { log, complete } of store.list()) found.push(`${JSON.stringify(log)} ${complete}`)
      return found.toSorted()
    }
    assert.deepEqual(await listed(), [])
    const item = { run: 'Run 2'.repeat(60), task: 'build[3]', attempt: 12 }
    for (const [log, complete] of [
      [ref, true],
      [{ ...ref, container: 'proxy' }, false],
      [item, false],
    ] as const) {
      const writer = await store.writer(log)
      await writer.write(Buffer.from('x'))
      await (complete ? writer.finish('end') : writer.flush('here'))
      await writer.close()
    }
    await mkdir(join(stateDir, 'runs/run-1/workspace'))
    await writeFile(join(stateDir, 'runs/run-1/workspace/log'), 'x')
    await writeFile(join(folderOf(stateDir), 'out'), 'x')
    assert.deepEqual(
      await listed(),
      [
        `${JSON.stringify(ref)} true`,
        `${JSON.stringify({ ...ref, container: 'proxy' })} false`,
        `${JSON.stringify(item)} false`,
      ].toSorted(),
    )
  }))

test('a log that is complete takes nothing more, and keeps its cursor', () =>
  withStateDir(async stateDir => {
    const store = createFilesystemLogStore(stateDir)
    const first = await store.writer(ref)
    await first.write(Buffer.from('all'))
    await first.finish('end')
    await first.finish('other')
    await first.close()
    const next = await store.writer(ref)
    assert.equal(next.cursor, 'end')
    await assert.rejects(next.write(Buffer.from('more')))
    await next.finish('other')
    await next.close()
    assert.equal(await whole(store, ref), 'all')
  }))

test('a log that is safe elsewhere is discarded, and those beside it are not', () =>
  withStateDir(async stateDir => {
    const store = createFilesystemLogStore(stateDir)
    for (const log of [ref, { ...ref, container: 'proxy' }]) {
      const writer = await store.writer(log)
      await writer.write(Buffer.from('words'))
      await writer.finish(null)
      await writer.close()
    }
    await store.discard(ref)
    await store.discard(ref)
    assert.equal(await store.size(ref), null)
    assert.equal(await store.isComplete(ref), false)
    assert.equal(await whole(store, { ...ref, container: 'proxy' }), 'words')
  }))

test('a log that was damaged by other hands begins anew', async t => {
  const damages: Record<string, (folder: string) => Promise<void>> = {
    'its file is shorter than its mark': folder => truncate(join(folder, 'log'), 2),
    'its mark does not read': folder => writeFile(join(folder, '.log.json'), '{"bytes": 5, "cur'),
    'its mark says nonsense': folder => writeFile(join(folder, '.log.json'), '{"bytes": -1}'),
    'its file is gone': folder => rm(join(folder, 'log')),
  }
  for (const [title, damage] of Object.entries(damages))
    await t.test(title, () =>
      withStateDir(async stateDir => {
        const store = createFilesystemLogStore(stateDir)
        const first = await store.writer(ref)
        await first.write(Buffer.from('words'))
        await first.flush(1)
        await first.close()
        await damage(folderOf(stateDir))
        const writer = await store.writer(ref)
        assert.equal(writer.cursor, null)
        assert.equal(await whole(store, ref), '')
        await writer.close()
      }),
    )
})

test('half a mark that a killed writer left is passed over', () =>
  withStateDir(async stateDir => {
    const store = createFilesystemLogStore(stateDir)
    const first = await store.writer(ref)
    await first.write(Buffer.from('words'))
    await first.flush(1)
    await first.close()
    await writeFile(join(folderOf(stateDir), '.log.json.new'), '{"bytes": 9')
    await appendFile(join(folderOf(stateDir), 'log'), 'more')
    const writer = await store.writer(ref)
    assert.equal(writer.cursor, 1)
    assert.equal(await whole(store, ref), 'words')
    await writer.flush(2)
    await writer.close()
    const next = await store.writer(ref)
    assert.equal(next.cursor, 2)
    await next.close()
  }))

/** Writes and flushes `line N` for ever, saying each N on its standard output once it is flushed. */
const WRITING = `
  import { createFilesystemLogStore } from ${JSON.stringify(import.meta.resolve('./store.ts'))}
  const writer = await createFilesystemLogStore(process.env.STATE).writer(${JSON.stringify(ref)})
  for (let line = (writer.cursor ?? 0) + 1; ; line += 1) {
    await writer.write(Buffer.from('line ' + line + '\\n'))
    await writer.flush(line)
    console.log(line)
  }`

test('kill -9 at any time: what was flushed is there, with its cursor, and nothing else', () =>
  withStateDir(async stateDir => {
    const store = createFilesystemLogStore(stateDir)
    for (let round = 0; round < 6; round += 1) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', WRITING], {
        env: { ...process.env, STATE: stateDir },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let flushed = 0
      for await (const line of createInterface({ input: child.stdout })) {
        flushed = Number(line)
        if (flushed % 7 === round) child.kill('SIGKILL')
      }
      const writer = await store.writer(ref)
      const lines = writer.cursor as number
      assert.ok(lines >= flushed, `${lines} flushed, ${flushed} told`)
      const expected = Array.from({ length: lines }, (_, index) => `line ${index + 1}\n`).join('')
      assert.equal(await readFile(join(folderOf(stateDir), 'log'), 'utf8'), expected)
      await writer.close()
    }
  }))

test('a full disk is a typed error; what was flushed stays, and the next writer goes on when there is room', async t => {
  const program = `
    import { createFilesystemLogStore } from ${JSON.stringify(import.meta.resolve('./store.ts'))}
    import { rm, writeFile } from 'node:fs/promises'
    const store = createFilesystemLogStore('/mnt')
    const writer = await store.writer(${JSON.stringify(ref)})
    await writer.write(Buffer.alloc(10_000, 'a'))
    await writer.flush(1)
    await writeFile('/mnt/ballast', Buffer.alloc(150_000)).catch(() => {})
    const codes = []
    const told = error => codes.push(error.code)
    for (let count = 0; count < 50; count += 1) await writer.write(Buffer.alloc(10_000, 'b')).catch(told)
    await writer.flush(2).catch(told)
    await writer.finish('end').catch(told)
    await writer.close()
    await rm('/mnt/ballast')
    const next = await store.writer(${JSON.stringify(ref)})
    const size = await store.size(${JSON.stringify(ref)})
    const cursor = next.cursor
    await next.write(Buffer.alloc(10_000, 'b'))
    await next.finish('end')
    console.log(JSON.stringify({ codes: [...new Set(codes)], size, cursor, end: await store.size(${JSON.stringify(ref)}) }))`
  const mounted = 'mount -t tmpfs -o size=200k none /mnt && exec "$0" --input-type=module -e "$1"'
  const command = ['--mount', '--map-root-user', 'sh', '-c', mounted, process.execPath, program]
  const child = spawn('unshare', command, { stdio: ['ignore', 'pipe', 'pipe'] })
  const out: Buffer[] = []
  const errors: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  child.on('error', () => undefined)
  await once(child, 'close')
  const refused = Buffer.concat(errors).toString()
  if (out.length === 0 && /unshare|mount/.test(refused)) {
    t.skip("SKIPPED: a small disk of one's own needs unshare and mount")
    return
  }
  assert.equal(refused, '')
  assert.deepEqual(JSON.parse(Buffer.concat(out).toString()), {
    codes: ['LOG_DISK_FULL'],
    size: 10_000,
    cursor: 1,
    end: 20_000,
  })
})
