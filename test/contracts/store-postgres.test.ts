import { describe } from 'node:test'
import { openPostgresStore } from '../../src/stores/postgres/open.ts'
import { emptied, withServer } from './postgres/with-server.ts'
import { storeContract } from './store.ts'

for (const version of [16, 18])
  describe(`PostgreSQL ${version}`, () => {
    const file = withServer(version)
    storeContract(`PostgreSQL ${version}`, async () => {
      const missing = file.missing()
      if (missing !== null) return missing
      const url = await emptied(file.server())
      const store = await openPostgresStore(url)
      return {
        store,
        beside: () => openPostgresStore(url),
        backup: null,
        close: () => store.close(),
      }
    })
  })
