import { describe } from 'node:test'
import { openPostgresStore } from '../../src/stores/postgres/open.ts'
import { accountsContract } from './accounts.ts'
import { ROLE } from './postgres/server.ts'
import { emptied, withServer } from './postgres/with-server.ts'

for (const version of [16, 18])
  describe(`PostgreSQL ${version}`, () => {
    const file = withServer(version)
    accountsContract(`PostgreSQL ${version}`, async () => {
      const missing = file.missing()
      if (missing !== null) return missing
      const server = file.server()
      const url = await emptied(server)
      const store = await openPostgresStore(url)
      return {
        accounts: store.accounts,
        beside: () => openPostgresStore(url),
        async tamper(sql) {
          const [, unguarded] = /^UNGUARDED (.*)/.exec(sql) ?? []
          const past = unguarded === undefined ? '' : 'SET session_replication_role = replica; '
          await server.admin(`SET search_path = kontroler; ${past}${unguarded ?? sql}`, ROLE)
        },
        close: () => store.close(),
      }
    })
  })
