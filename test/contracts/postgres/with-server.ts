import assert from 'node:assert/strict'
import { after, before, type TestContext, test } from 'node:test'
import type { Store } from '../../../src/ports/store.ts'
import { openPostgresStore, type PostgresOptions } from '../../../src/stores/postgres/open.ts'
import { type PostgresServer, ROLE, type ServerSettings, startPostgres } from './server.ts'

/** The server of one test file; tests that need it are named, skipped and counted where it cannot be had. */
export interface ServerOfFile {
  readonly version: number
  /** @throws Where there is none; see {@link test}. */
  server(): PostgresServer
  test(title: string, body: (server: PostgresServer, context: TestContext) => Promise<void>): void
  /** Why there is none; null when it runs. */
  missing(): string | null
}

/**
 * Starts a server before the tests of this file (or suite), and removes it after them.
 *
 * @param settings  Throws, as the start does, where something that it needs is not here.
 */
export function withServer(version: number, settings: () => ServerSettings = () => ({})): ServerOfFile {
  let server: PostgresServer | null = null
  let missing: string | null = null
  before(async () => {
    try {
      server = await startPostgres(version, settings())
    } catch (error) {
      missing = error instanceof Error ? error.message : String(error)
    }
  })
  after(async () => {
    await server?.remove()
  })
  const running = (): PostgresServer => {
    assert.ok(server !== null, missing ?? 'the server has not been started')
    return server
  }
  return {
    version,
    server: running,
    missing: () => missing,
    test(title, body) {
      test(title, async context => {
        if (skips(context, missing)) return
        await body(running(), context)
      })
    },
  }
}

/** Where a part is missing, the test says so in one line; where everything must be there, it fails. */
export function skips(context: TestContext, missing: string | null): boolean {
  if (missing === null) return false
  assert.equal(process.env['CI'], undefined, missing)
  context.skip(`SKIPPED: ${missing}`)
  return true
}

let schemas = 0

/** The URL of a schema that nobody has used. */
export function freshSchema(server: PostgresServer): string {
  schemas += 1
  return server.urlWith({ schema: `s${process.pid}_${schemas}` })
}

/**
 * Takes everything out of the schema that a URL without a name of one has, past all guards, which is ten times as
 * quick as a new schema. Its stores must be closed.
 */
export async function emptied(server: PostgresServer): Promise<string> {
  const rows = await server.admin(
    `SELECT string_agg(format('DELETE FROM %I.%I', schemaname, tablename), ';') AS all FROM pg_tables
      WHERE schemaname = 'kontroler' AND tablename NOT IN ('schema_step', 'counter')`,
    ROLE,
  )
  const deletes = rows[0]?.['all']
  if (typeof deletes === 'string')
    await server.admin(
      `SET session_replication_role = replica; ${deletes}; UPDATE kontroler.counter SET value = 0`,
      ROLE,
    )
  return server.url
}

export async function withStore(
  server: PostgresServer,
  body: (store: Store, url: string) => Promise<void>,
  options: PostgresOptions = {},
): Promise<void> {
  const url = freshSchema(server)
  const store = await openPostgresStore(url, options)
  try {
    await body(store, url)
  } finally {
    await store.close()
  }
}
