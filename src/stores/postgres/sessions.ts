import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely'
import { Pool, type PoolClient, type ClientConfig, types } from 'pg'
import type { Tables } from '../tables.ts'
import type { Address } from './address.ts'
import { LostConnection, translated, unreachable } from './errors.ts'

/** Bounds of a session, in milliseconds. */
export interface SessionLimits {
  readonly connectMs: number
  /** Longest statement; the server ends a longer one. */
  readonly statementMs: number
  /** Longest wait for a lock. Longer than `idleMs`, so that a writer that was stopped does not fail the others. */
  readonly lockMs: number
  /** Longest pause inside a transaction; the server ends the session, and frees what it had locked. */
  readonly idleMs: number
}

/**
 * Where the answer does not come at all, the line is taken for dead this much after the server should have given
 * up.
 */
const ANSWER_MS = 5_000
const KEEP_ALIVE_MS = 10_000
const INT8 = 20
/**
 * Every statement here reads a range of an index, and is small. Said to the planner, that stays so with statistics
 * that are old or not there yet; compiling a plan to machine code would take longer than to run it.
 */
const PLANS = ['enable_seqscan=off', 'enable_bitmapscan=off', 'jit=off']

/** What every session of ours is opened with. */
export function sessionSettings(address: Address, limits: SessionLimits): ClientConfig {
  return {
    host: address.host,
    port: address.port,
    user: address.user,
    // Given only where the URL has one: what is not given is read from the environment and the password file.
    ...(address.password === undefined ? {} : { password: address.password }),
    database: address.database,
    ssl: address.tls,
    application_name: address.applicationName,
    options: [`search_path=${address.schema}`, ...PLANS].map(setting => `-c ${setting}`).join(' '),
    connectionTimeoutMillis: limits.connectMs,
    statement_timeout: limits.statementMs,
    query_timeout: limits.statementMs + ANSWER_MS,
    lock_timeout: limits.lockMs,
    idle_in_transaction_session_timeout: limits.idleMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    types: { getTypeParser: numbers },
  }
}

/** Kysely over sessions of their own; failures come out as errors of the store. */
export function sessions(address: Address, limits: SessionLimits, most: number): Kysely<Tables> {
  const pool = new Pool({ ...sessionSettings(address, limits), max: most })
  // A session that breaks while nobody uses it is only taken out of the pool.
  pool.on('error', () => undefined)
  // One that breaks in use says so twice: here, and in the statement that is under way.
  pool.on('connect', client => client.on('error', () => undefined))
  const known = new WeakMap<PoolClient, PostgresPoolClient>()
  const translating: PostgresPool = {
    async connect() {
      const client = await pool.connect().catch((error: unknown) => {
        throw unreachable(error, address)
      })
      const found = known.get(client) ?? translatingClient(client, address)
      known.set(client, found)
      return found
    },
    end: () => pool.end(),
    options: {},
  }
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: translating }) })
}

function translatingClient(client: PoolClient, address: Address): PostgresPoolClient {
  let broken = false
  // Kysely asks with a text and its values; the other way, a cursor, is not configured.
  const query = async (text: string, values: readonly unknown[]) => {
    try {
      return await client.query(text, [...values])
    } catch (error) {
      const known = translated(error, address)
      broken ||= known instanceof LostConnection
      throw known
    }
  }
  return {
    query: query as unknown as PostgresPoolClient['query'],
    release: discard => client.release(broken || discard === true),
  }
}

/** Numbers of 8 bytes are times and counts here, far below what a number of JavaScript holds exactly. */
const numbers: typeof types.getTypeParser = (id: number, format?: unknown) =>
  id === INT8 ? Number : types.getTypeParser(id, format as 'text')
