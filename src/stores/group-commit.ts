import { setImmediate as nextTurn } from 'node:timers/promises'
import { CompiledQuery, type Kysely } from 'kysely'
import { type FeedEntry, StoreError, type StoreErrorCode } from '../ports/store.ts'
import type { Tables } from './tables.ts'

/** Most writes, and most rows where the writer says how many, that share a transaction. */
const WRITES_MAX = 200
const ROWS_MAX = 2_000

/** These say no to one write; every other failure is of the world and ends the whole transaction. */
const REFUSALS: ReadonlySet<StoreErrorCode> = new Set([
  'VERSION_CONFLICT',
  'DUPLICATE_RUN',
  'POOL_FULL',
  'NOT_OWNER',
  'TERMINAL',
])

const SAVEPOINT = CompiledQuery.raw('savepoint one_write')
const RELEASE = CompiledQuery.raw('release savepoint one_write')
const ROLL_BACK = CompiledQuery.raw('rollback to savepoint one_write')

/** What a write works with: the open transaction, and the feed it adds to as its very last step. */
export interface Writing {
  readonly trx: Kysely<Tables>
  readonly feed: Omit<FeedEntry, 'seq'>[]
}

export type Write<T> = (writing: Writing) => Promise<T>

/**
 * Writes of one event-loop turn, and those that queued up while a transaction ran, share the next transaction, in
 * the order in which they came. Each runs inside a savepoint, so a refused one takes back only itself. A promise
 * settles when the transaction is durable, a refusal's too: it may rest on what others wrote in the same one.
 */
export class GroupCommit {
  readonly #db: Kysely<Tables>
  readonly #flushFeed: (writing: Writing) => Promise<void>
  readonly #waiting: Waiting[] = []
  #running: Promise<void> | null = null
  /** Why nothing is written any more: closed, or damage was met and more writing could only make it worse. */
  #ended: StoreError | null = null

  constructor(db: Kysely<Tables>, flushFeed: (writing: Writing) => Promise<void>) {
    this.#db = db
    this.#flushFeed = flushFeed
  }

  write<T>(write: Write<T>, rows = 1): Promise<T> {
    if (this.#ended !== null) return Promise.reject(this.#ended)
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const run = async (writing: Writing): Promise<() => void> => {
      const value = await write(writing)
      return () => resolve(value)
    }
    this.#waiting.push({ run, reject, rows })
    this.#running ??= this.#flush()
    return promise
  }

  /** Writes what is waiting, then takes nothing more. */
  async close(): Promise<void> {
    this.#ended ??= new StoreError('DATABASE_UNAVAILABLE', 'The store is closed; nothing was written.')
    await this.#running
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      await nextTurn()
      const batch = this.#nextBatch()
      try {
        for (const settle of await this.#commit(batch)) settle()
      } catch (error) {
        if (error instanceof StoreError && error.code === 'DATABASE_CORRUPT') this.#ended = error
        for (const { reject } of batch) reject(error)
      }
    }
    this.#running = null
  }

  #nextBatch(): readonly Waiting[] {
    let rows = 0
    let count = 0
    for (const waiting of this.#waiting.slice(0, WRITES_MAX)) {
      rows += waiting.rows
      if (count > 0 && rows > ROWS_MAX) break
      count += 1
    }
    return this.#waiting.splice(0, count)
  }

  async #commit(batch: readonly Waiting[]): Promise<readonly (() => void)[]> {
    return this.#db.transaction().execute(async trx => {
      const writing: Writing = { trx, feed: [] }
      const settles: (() => void)[] = []
      for (const waiting of batch) settles.push(await runAlone(writing, waiting))
      if (writing.feed.length > 0) await this.#flushFeed(writing)
      return settles
    })
  }
}

interface Waiting {
  /** Gives what is to be called after the commit. */
  readonly run: (writing: Writing) => Promise<() => void>
  readonly reject: (error: unknown) => void
  readonly rows: number
}

async function runAlone(writing: Writing, { run, reject }: Waiting): Promise<() => void> {
  await writing.trx.executeQuery(SAVEPOINT)
  try {
    const settle = await run(writing)
    await writing.trx.executeQuery(RELEASE)
    return settle
  } catch (error) {
    if (error instanceof StoreError && !REFUSALS.has(error.code)) throw error
    await writing.trx.executeQuery(ROLL_BACK)
    await writing.trx.executeQuery(RELEASE)
    return () => reject(error)
  }
}
