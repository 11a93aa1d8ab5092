import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { type Store, StoreError } from '../../../src/ports/store.ts'
import { openSqliteStore } from '../../../src/stores/sqlite/open.ts'
import { refused } from '../store.ts'
import { append, attemptRow, runRow, settle, taskRow } from '../store-records.ts'
import { child, inFolder, kill } from '../store-processes.ts'

test('file and directory are made for the owner only', () =>
  inFolder(async folder => {
    const file = join(folder, 'a', 'b', 'k.db')
    const store = await openSqliteStore(file)
    await store.append(append('r', 0))
    assert.equal(statSync(join(folder, 'a', 'b')).mode & 0o777, 0o700)
    for (const suffix of ['', '-wal', '-shm'])
      assert.equal(statSync(file + suffix).mode & 0o777, 0o600, suffix)
    await store.close()
  }))

test('READ_ONLY: a directory or a file that this user cannot write is said so, in one sentence', () =>
  inFolder(async folder => {
    chmodSync(folder, 0o755)
    const locked = join(folder, 'locked')
    mkdirSync(locked, { mode: 0o755 })
    const open = join(folder, 'open')
    mkdirSync(open, { mode: 0o777 })
    chmodSync(open, 0o777)
    writeFileSync(join(open, 'k.db'), '', { mode: 0o444 })
    chmodSync(locked, 0o555)
    for (const file of [join(locked, 'k.db'), join(locked, 'deeper', 'k.db'), join(open, 'k.db')]) {
      const nobody = child('openAsNobody', file)
      await nobody.end
      assert.match(nobody.lines[0] ?? '', /^READ_ONLY .* cannot be written by this user/, file)
    }
    chmodSync(locked, 0o755)
  }))

test('a path that is a directory, or leads through a file, is DATABASE_UNAVAILABLE', () =>
  inFolder(async folder => {
    writeFileSync(join(folder, 'file'), '')
    await refused('DATABASE_UNAVAILABLE', openSqliteStore(folder))
    await refused('DATABASE_UNAVAILABLE', openSqliteStore(join(folder, 'file', 'k.db')))
  }))

test('DATABASE_CORRUPT: a damaged file is refused and left as it is', () =>
  inFolder(async folder => {
    const good = join(folder, 'good.db')
    await filled(good)
    const bytes = readFileSync(good)
    const damages: Readonly<Record<string, (copy: Buffer) => Buffer>> = {
      'no database at all': () => Buffer.from('this is not a database, it is a text'.repeat(1_000)),
      'its head': copy => copy.fill(0xff, 0, 16),
      'a page in the middle': copy => copy.fill(0xa5, 4_096 * 20, 4_096 * 21),
      'every tenth page': copy => {
        for (let page = 10; page < copy.length / 4_096; page += 10)
          copy.fill(0, page * 4_096, page * 4_096 + 64)
        return copy
      },
      'its second half': copy => copy.subarray(0, 4_096 * Math.floor(copy.length / 8_192)),
    }
    for (const [what, damage] of Object.entries(damages)) {
      const file = join(folder, 'bad.db')
      const bad = damage(Buffer.from(bytes))
      writeFileSync(file, bad)
      await refused('DATABASE_CORRUPT', openSqliteStore(file)).catch(error =>
        assert.fail(`${what}: ${error}`),
      )
      assert.ok(readFileSync(file).equals(bad), `${what}: the file was changed`)
    }
  }))

test('DATABASE_CORRUPT: damage met while writing takes back the whole transaction and ends writing; reads go on', () =>
  inFolder(async folder => {
    const file = join(folder, 'k.db')
    await filled(file)
    const database = new DatabaseSync(file)
    const { rootpage } =
      database.prepare(`SELECT rootpage FROM sqlite_schema WHERE name = 'task'`).get() ?? {}
    database.close()
    const page = 4_096 * (Number(rootpage) - 1)
    writeFileSync(file, readFileSync(file).fill(0xff, page, page + 64))
    const store = await openSqliteStore(file, { checkBytesMax: 1 })
    const rows = { run: runRow('r0'), tasks: [taskRow('r0', 5)], attempts: [] }
    const [other, broken] = [store.append(append('new', 0)), store.append(append('r0', 1, { rows }))]
    await Promise.all([refused('DATABASE_CORRUPT', other), refused('DATABASE_CORRUPT', broken)])
    await refused('DATABASE_CORRUPT', store.append(append('r1', 1)))
    assert.equal(await store.run('new'), null)
    assert.equal((await store.events('r1')).length, 1)
    await store.close()
  }))

test('DATABASE_BUSY: a lock that is held too long is said, reads go on, and later writes work', () =>
  inFolder(async folder => {
    const file = join(folder, 'k.db')
    const store = await openSqliteStore(file, { busyMs: 60 })
    await store.append(append('r', 0))
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    const refusals = Promise.all([
      refused('DATABASE_BUSY', store.append(append('r', 1))),
      refused('DATABASE_BUSY', store.append(append('q', 0))),
    ])
    assert.equal((await store.events('r')).length, 1)
    await refusals
    const patient = store.append(append('r', 1))
    other.exec('ROLLBACK')
    await patient
    other.close()
    assert.equal((await store.events('r')).length, 2)
    await store.close()
  }))

test('a thousand writes of one turn share a handful of transactions', async () => {
  const store = await openSqliteStore(':memory:')
  const before = await store.changeMark()
  await Promise.all(Array.from({ length: 1_000 }, (_, index) => store.append(append(`r${index}`, 0))))
  const commits = (await store.changeMark()) - before
  assert.ok(commits >= 1 && commits <= 10, `${commits} commits`)
  await store.close()
})

test('flipped bytes are refused at the start or said when they are read; they never crash or loop', () =>
  inFolder(async folder => {
    const good = join(folder, 'good.db')
    await filled(good)
    const bytes = readFileSync(good)
    for (let flip = 0; flip < 40; flip += 1) {
      const bad = Buffer.from(bytes)
      const at = Math.floor((bad.length * flip) / 40) + flip * 37
      bad[at] = (bad[at] ?? 0) ^ 0xff
      const file = join(folder, `bad${flip}.db`)
      writeFileSync(file, bad)
      await readAll(file).catch(error => {
        assert.ok(error instanceof StoreError, `byte ${at}: ${error}`)
        assert.equal(error.code, 'DATABASE_CORRUPT', `byte ${at}`)
      })
    }
  }))

test('a large file is opened without reading all of it, and its damage is said when it is read', () =>
  inFolder(async folder => {
    const file = join(folder, 'k.db')
    await filled(file)
    const store = await openSqliteStore(file, { checkBytesMax: 1 })
    assert.equal((await store.runs({})).items.length, 50)
    await store.close()
    writeFileSync(file, readFileSync(file).fill(0xff, 0, 4_096))
    await refused('DATABASE_CORRUPT', openSqliteStore(file, { checkBytesMax: 1 }))
  }))

test('a write-ahead log that a killed process left is taken in, whatever its -shm says', () =>
  leftLog(async (file, wal) => {
    writeFileSync(`${file}-shm`, Buffer.alloc(32_768, 0x5a))
    const store = await openSqliteStore(file)
    assert.equal((await store.events('r')).length, 20)
    await store.close()
    assert.ok(!existsSync(wal))
  }))

test('DATABASE_CORRUPT: a broken frame in the log, before later commits, is not silently forgotten', () =>
  leftLog(async (file, wal) => {
    const log = readFileSync(wal)
    const at = Math.floor(log.length / 2)
    log[at] = (log[at] ?? 0) ^ 0xff
    writeFileSync(wal, log)
    await refused('DATABASE_CORRUPT', openSqliteStore(file))
    assert.ok(readFileSync(wal).equals(log), 'the log was changed')
  }))

test('a torn last transaction, as a power loss leaves it, is dropped, and all before it is there', () =>
  leftLog(async (file, wal) => {
    const log = readFileSync(wal)
    writeFileSync(wal, log.subarray(0, log.length - 100))
    const store = await openSqliteStore(file)
    assert.equal((await store.events('r')).length, 19)
    assert.equal((await store.run('r'))?.version, 19)
    await store.close()
  }))

test('a removal that was cut short is invisible, and is finished by the next start', () =>
  inFolder(async folder => {
    const file = join(folder, 'k.db')
    const copy = join(folder, 'copy.db')
    const store = await openSqliteStore(file)
    const tasks = Array.from({ length: 9_000 }, (_, index) => taskRow('r', index))
    await store.append(append('r', 0, { rows: { run: runRow('r'), tasks, attempts: [] } }))
    await store.append(settle('r', 1))
    const removal = store.removeRun('r')
    while ((await store.run('r')) !== null) await new Promise(setImmediate)
    await store.backup(copy)
    assert.equal(await removal, true)
    await store.close()
    const left = () => {
      const database = new DatabaseSync(copy)
      const count = database.prepare('SELECT count(*) AS n FROM task').get()?.['n']
      database.close()
      return count
    }
    assert.ok(Number(left()) > 0, 'the copy was taken in between')
    const again = await openSqliteStore(copy)
    assert.deepEqual((await again.tasks({ run: 'r' })).items, [])
    await again.close()
    assert.equal(left(), 0)
  }))

test('a run of 100,000 tasks in batches', () =>
  inFolder(async folder => {
    const store = await openSqliteStore(join(folder, 'k.db'))
    const batch = 1_000
    for (let version = 0; version < 100; version += 1) {
      const indexes = Array.from({ length: batch }, (_, index) => version * batch + index)
      await store.append(
        append('r', version, {
          rows: {
            run: runRow('r', { tasksTotal: 100_000 }),
            tasks: indexes.map(index =>
              taskRow('r', index, { state: index % 2 === 0 ? 'running' : 'pending' }),
            ),
            attempts: indexes.map(index => attemptRow('r', `t${index}`, 1, { handle: { pid: index } })),
          },
        }),
      )
    }
    let seen = 0
    for (let after: string | null | undefined; after !== null; ) {
      const page: Awaited<ReturnType<Store['tasks']>> = await store.tasks({
        run: 'r',
        states: ['running'],
        limit: 5_000,
        ...(after === undefined ? {} : { after }),
      })
      for (const task of page.items) assert.equal(task.index, 2 * seen++)
      after = page.next
    }
    assert.equal(seen, 50_000)
    assert.equal((await store.attempts('r')).length, 100_000)
    await store.close()
  }))

test('DISK_FULL: writes are refused, reads go on, it recovers by itself, and nothing acknowledged is lost', async t => {
  await inFolder(async folder => {
    const disk = join(folder, 'disk')
    mkdirSync(disk)
    const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', disk], { encoding: 'utf8' })
    if (mount.status !== 0) {
      const sentence = 'the disk-full test needs root, to mount a small tmpfs'
      assert.equal(process.env['CI'], undefined, sentence)
      t.skip(`SKIPPED: ${sentence}`)
      return
    }
    try {
      await fillUp(disk)
    } finally {
      spawnSync('umount', ['-l', disk])
    }
  })
})

async function fillUp(disk: string): Promise<void> {
  const filler = join(disk, 'filler')
  writeFileSync(filler, Buffer.alloc(1024 * 1024))
  const store = await openSqliteStore(join(disk, 'k.db'))
  const acknowledged = new Map<string, number>()
  const message = 'x'.repeat(2_000)
  const write = async (run: string): Promise<string> => {
    const version = acknowledged.get(run) ?? 0
    const rows = { run: runRow(run, { message }), tasks: [taskRow(run, version, { message })], attempts: [] }
    try {
      await store.append(append(run, version, { rows }))
      acknowledged.set(run, version + 1)
      return 'written'
    } catch (error) {
      assert.ok(error instanceof StoreError, String(error))
      return error.code
    }
  }
  const runs = ['a', 'b', 'c', 'd']
  const outcomes = new Set<string>()
  for (let round = 0; round < 2_000 && !outcomes.has('DISK_FULL'); round += 1)
    for (const outcome of await Promise.all(runs.map(write))) outcomes.add(outcome)
  assert.deepEqual(outcomes, new Set(['written', 'DISK_FULL']))
  for (let again = 0; again < 20; again += 1) await Promise.all(runs.map(write))
  const intact = async (one: Store): Promise<void> => {
    for (const [run, version] of acknowledged) assert.equal((await one.events(run)).length, version, run)
    assert.equal((await one.runs({})).items.length, runs.length)
  }
  await intact(store)
  const reader = await openSqliteStore(join(disk, 'k.db'))
  await intact(reader)
  await reader.close()

  rmSync(filler)
  assert.deepEqual(
    await Promise.all(runs.map(write)),
    runs.map(() => 'written'),
  )
  await intact(store)
  await store.close()
  const again = await openSqliteStore(join(disk, 'k.db'))
  await intact(again)
  await again.close()
}

/** A closed database with enough in it for damage to hit something. */
async function filled(file: string): Promise<void> {
  const store = await openSqliteStore(file)
  await Promise.all(
    Array.from({ length: 300 }, (_, index) => {
      const run = `r${index}`
      const tasks = [0, 1, 2].map(task => taskRow(run, task, { message: 'm'.repeat(50) }))
      const rows = { run: runRow(run, { labels: { a: 'b' } }), tasks, attempts: [attemptRow(run, 't0', 1)] }
      return store.append(append(run, 0, { rows }))
    }),
  )
  await store.close()
}

async function readAll(file: string): Promise<void> {
  const store = await openSqliteStore(file)
  try {
    for (let after: string | null | undefined; after !== null; ) {
      const page: Awaited<ReturnType<Store['runs']>> = await store.runs(after === undefined ? {} : { after })
      for (const { id } of page.items) {
        await store.events(id)
        await store.tasks({ run: id })
        await store.attempts(id)
      }
      after = page.next
    }
  } finally {
    await store.close()
  }
}

/** A database whose writer was killed after 20 commits, so that they are only in the log. */
async function leftLog(body: (file: string, wal: string) => Promise<void>): Promise<void> {
  await inFolder(async folder => {
    const made = join(folder, 'made.db')
    const writer = child('keepOpen', made, '20')
    await writer.said(1)
    await kill(writer)
    const file = join(folder, 'k.db')
    for (const suffix of ['', '-wal']) copyFileSync(made + suffix, file + suffix)
    await body(file, `${file}-wal`)
  })
}
