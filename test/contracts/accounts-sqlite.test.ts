import { mkdtemp, rm } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStore } from '../../src/stores/sqlite/open.ts'
import { accountsContract } from './accounts.ts'

accountsContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-accounts-'))
  const file = join(folder, 'kontroler.db')
  const store = await openSqliteStore(file)
  return {
    accounts: store.accounts,
    beside: () => openSqliteStore(file),
    tamper: async sql => tamper(file, sql),
    close: async () => {
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
})

function tamper(file: string, sql: string): void {
  const database = new DatabaseSync(file)
  try {
    const [, unguarded] = /^UNGUARDED (.*)/.exec(sql) ?? []
    if (unguarded !== undefined)
      for (const name of ['audit_never_changes', 'audit_stays'])
        database.exec(`DROP TRIGGER IF EXISTS ${name}`)
    database.exec(unguarded ?? sql)
  } finally {
    database.close()
  }
}
