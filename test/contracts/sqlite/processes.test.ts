import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { openSqliteStore } from '../../../src/stores/sqlite/open.ts'
import { append } from '../store-records.ts'
import { competing, feedFitsLogs, fits } from '../store-fits.ts'
import { child, inFolder, kill } from '../store-processes.ts'

for (const count of [2, 4])
  test(`${count} processes on one new file: nothing is lost, nothing doubled`, () =>
    inFolder(folder => competing(join(folder, 'state', 'kontroler.db'), openSqliteStore, count, 40)))

test('kill -9 of a writer, 50 times: what was acknowledged is there, logs have no gap, rows fit them', () =>
  inFolder(async folder => {
    for (let database = 0; database < 5; database += 1) {
      const file = join(folder, `${database}.db`)
      const acknowledged = new Map<string, number>()
      for (let round = 0; round < 10; round += 1) {
        const writer = child('write', file, '3')
        await writer.said(1)
        await pause((round * 7 + database) % 20)
        await kill(writer)
        for (const line of writer.lines) {
          const [run = '', version] = line.split(' ')
          acknowledged.set(run, Math.max(acknowledged.get(run) ?? 0, Number(version)))
        }
        const store = await openSqliteStore(file)
        for (const [run, version] of acknowledged) await fits(store, run, version)
        await feedFitsLogs(store)
        await store.close()
      }
      assert.ok((acknowledged.get('run0') ?? 0) >= 10, 'it went on in every round')
    }
  }))

test('readers see whole transactions while another process writes, and are not held up', () =>
  inFolder(async folder => {
    const file = join(folder, 'kontroler.db')
    const writer = child('write', file, '3')
    await writer.said(1)
    const store = await openSqliteStore(file)
    const marks = new Set<number>()
    for (let look = 0; look < 200; look += 1) {
      marks.add(await store.changeMark())
      for (const { id } of (await store.runs({})).items) {
        const events = await store.events(id)
        const tasks = await store.tasks({ run: id, limit: 5_000 })
        const run = await store.run(id)
        assert.ok(events.length <= tasks.items.length && tasks.items.length <= (run?.version ?? 0))
      }
    }
    await kill(writer)
    assert.ok(marks.size > 1, 'the change mark showed the other process')
    await store.close()
  }))

test('a store goes on while others open and close the file', () =>
  inFolder(async folder => {
    const file = join(folder, 'kontroler.db')
    const store = await openSqliteStore(file)
    const others = Array.from({ length: 6 }, () => child('open', file))
    let version = 0
    let open = true
    const closed = Promise.all(others.map(({ end }) => end)).finally(() => {
      open = false
    })
    while (open) {
      await store.append(append('r', version))
      version += 1
    }
    await closed
    assert.deepEqual(
      others.map(({ lines }) => lines[0]),
      others.map(() => 'opened'),
    )
    assert.equal((await store.events('r')).length, version)
    await store.close()
  }))

test('a backup beside writers ends, and is one moment of the database', () =>
  inFolder(async folder => {
    const file = join(folder, 'kontroler.db')
    const writer = child('write', file, '3')
    const store = await openSqliteStore(file)
    await writer.said(300)
    let stopped = false
    const own = (async () => {
      for (let version = 0; !stopped; version += 1) await store.append(append('own', version))
    })()
    for (let copy = 0; copy < 5; copy += 1) {
      const target = join(folder, `copy${copy}.db`)
      await store.backup(target)
      const copied = await openSqliteStore(target)
      for (const run of ['run0', 'run1', 'run2']) await fits(copied, run, 50)
      await feedFitsLogs(copied)
      await copied.close()
    }
    stopped = true
    await own
    await kill(writer)
    await store.close()
  }))
