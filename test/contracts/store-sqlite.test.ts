import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStore } from '../../src/stores/sqlite/open.ts'
import { storeContract } from './store.ts'

for (const kind of ['file', 'memory'] as const)
  storeContract(`SQLite, ${kind}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kontroler-store-'))
    const file = kind === 'file' ? join(folder, 'state', 'kontroler.db') : ':memory:'
    const store = await openSqliteStore(file)
    return {
      store,
      beside: kind === 'file' ? () => openSqliteStore(file) : null,
      backup: { file: join(folder, 'backup.db'), open: openSqliteStore },
      close: async () => {
        await store.close()
        await rm(folder, { recursive: true })
      },
    }
  })
