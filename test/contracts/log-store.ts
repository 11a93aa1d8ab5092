import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LogRef, LogStore } from '../../src/ports/logs.ts'

/** A log store to try, and the same one as an engine finds it that starts after the first was killed. */
export interface OpenedLogStore {
  readonly store: LogStore
  readonly again: () => Promise<LogStore>
  readonly close: () => Promise<void>
}

type WithLogStore = (title: string, body: (store: LogStore, opened: OpenedLogStore) => Promise<void>) => void

const log: LogRef = { run: 'Run-1', task: 'build[3]', attempt: 2 }
const sidecar: LogRef = { ...log, container: 'git-sync' }
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

export async function whole(store: LogStore, ref: LogRef): Promise<string> {
  const parts: Uint8Array[] = []
  for (let offset = 0; ; ) {
    const part = await store.read(ref, offset, 1000)
    if (part.length === 0) return Buffer.concat(parts).toString()
    parts.push(part)
    offset += part.length
  }
}

/** What any store of fetched logs must do. */
export function logStoreContract(name: string, open: () => Promise<OpenedLogStore>): void {
  const withStore: WithLogStore = (title, body) => {
    test(title, async () => {
      const opened = await open()
      try {
        await body(opened.store, opened)
      } finally {
        await opened.close()
      }
    })
  }

  describe(`log store contract: ${name}`, () => {
    withStore('a log that nobody wrote is not there', async store => {
      assert.equal(await store.size(log), null)
      assert.equal((await store.read(log, 0, 10)).length, 0)
      assert.equal(await store.isComplete(log), false)
      assert.deepEqual(await store.containers(log), [])
      await store.remove(log.run)
    })

    withStore('what was written is read while it is written, and from any offset', async store => {
      const writer = await store.writer(log)
      assert.equal(writer.cursor, null)
      await writer.write(bytesOf('one\n'))
      assert.equal(await whole(store, log), 'one\n')
      await writer.write(bytesOf('two\n'))
      await writer.finish('end')
      await writer.close()
      assert.equal(await store.size(log), 8)
      assert.equal(Buffer.from(await store.read(log, 4, 2)).toString(), 'tw')
      assert.equal((await store.read(log, 8, 2)).length, 0)
      assert.equal((await store.read(log, 9, 2)).length, 0)
      assert.equal((await store.read(log, 0, 0)).length, 0)
    })

    withStore('bytes are kept as they came', async store => {
      const bytes = Uint8Array.from({ length: 512 }, (_, index) => index % 256)
      const writer = await store.writer(log)
      await writer.write(bytes)
      await writer.finish('end')
      await writer.close()
      assert.deepEqual(Buffer.from(await store.read(log, 0, 1000)), Buffer.from(bytes))
    })

    withStore(
      'the next writer goes on from the last flush; what came after it is cut off',
      async (store, opened) => {
        const killed = await store.writer(log)
        await killed.write(bytesOf('kept\n'))
        await killed.flush({ at: '2026-01-01T00:00:00Z', lines: 1 })
        await killed.write(bytesOf('lost\n'))
        const later = await opened.again()
        const writer = await later.writer(log)
        assert.deepEqual(writer.cursor, { at: '2026-01-01T00:00:00Z', lines: 1 })
        assert.equal(await whole(later, log), 'kept\n')
        await writer.write(bytesOf('more\n'))
        await writer.flush(2)
        assert.equal(writer.cursor, 2)
        await writer.close()
        assert.equal(await whole(later, log), 'kept\nmore\n')
        await killed.close()
      },
    )

    withStore(
      'a writer that stopped before its first flush leaves nothing behind for the next',
      async (store, opened) => {
        const first = await store.writer(log)
        await first.write(bytesOf('lost\n'))
        await first.close()
        const writer = await (await opened.again()).writer(log)
        assert.equal(writer.cursor, null)
        await writer.write(bytesOf('x'))
        await writer.finish('end')
        await writer.close()
        assert.equal(await whole(store, log), 'x')
      },
    )

    withStore('a log is complete once it was finished, for every engine', async (store, opened) => {
      const writer = await store.writer(log)
      await writer.write(bytesOf('all'))
      await writer.flush(1)
      assert.equal(await store.isComplete(log), false)
      await writer.finish('end')
      await writer.finish('end')
      await writer.close()
      const later = await opened.again()
      assert.equal(await later.isComplete(log), true)

      assert.equal(await whole(later, log), 'all')
    })

    withStore('an empty log can be complete', async (store, opened) => {
      const writer = await store.writer(log)
      await writer.finish('end')
      await writer.close()
      const later = await opened.again()
      assert.equal(await later.isComplete(log), true)
      assert.equal(await later.size(log), 0)
      assert.equal((await later.read(log, 0, 10)).length, 0)
    })

    withStore('logs of further containers stand beside the own one', async store => {
      for (const [ref, text] of [
        [sidecar, 'side'],
        [log, 'own'],
        [{ ...log, container: 'json' }, 'json'],
      ] as const) {
        const writer = await store.writer(ref)
        await writer.write(bytesOf(text))
        await writer.finish('end')
        await writer.close()
      }
      assert.equal(await whole(store, log), 'own')
      assert.equal(await whole(store, sidecar), 'side')
      assert.deepEqual(await store.containers(log), ['git-sync', 'json'])
      assert.deepEqual(await store.containers({ ...log, attempt: 1 }), [])
    })

    withStore('logs of names that hold anything are told apart and stay in their place', async store => {
      const refs: LogRef[] = [
        { run: 'a', task: '../../b', attempt: 1 },
        { run: 'a', task: 'B', attempt: 1 },
        { run: 'a', task: 'b', attempt: 1 },
        { run: 'a', task: 'b', attempt: 11 },
        { run: 'a', task: 'b?x=%2f#é', attempt: 1 },
        { run: 'a'.repeat(300), task: 'b', attempt: 1 },
        { run: 'A', task: 'b', attempt: 1 },
      ]
      for (const [index, ref] of refs.entries()) {
        const writer = await store.writer(ref)
        await writer.write(bytesOf(`log ${index}`))
        await writer.finish('end')
        await writer.close()
      }
      for (const [index, ref] of refs.entries()) assert.equal(await whole(store, ref), `log ${index}`)
      await store.remove('a')
      assert.deepEqual(await Promise.all(refs.map(async ref => (await store.size(ref)) !== null)), [
        false,
        false,
        false,
        false,
        false,
        true,
        true,
      ])
    })

    withStore('removing a run removes all its logs, finished or not', async store => {
      const done = await store.writer(sidecar)
      await done.write(bytesOf('x'))
      await done.finish('end')
      await done.close()
      const begun = await store.writer(log)
      await begun.write(bytesOf('x'))
      await begun.flush(1)
      await begun.close()
      await store.remove(log.run)
      for (const ref of [log, sidecar]) {
        assert.equal(await store.size(ref), null)
        assert.equal(await store.isComplete(ref), false)
      }
      assert.deepEqual(await store.containers(log), [])
      await store.remove(log.run)
    })
  })
}
