import { setImmediate as nextTurn } from 'node:timers/promises'
import { CompiledQuery, type Kysely } from 'kysely'
import { type Append, type FeedEntry, StoreError, type StoreErrorCode } from '../ports/store.ts'
import { apart } from './append.ts'
import type { Database } from './sql-store.ts'
import type { Tables } from './tables.ts'

/** Most writes, and most rows where the writer says how many, that share a transaction. */
const WRITES_MAX = 200
const ROWS_MAX = 2_000

/** These say no to one write; every other failure with a code is of the world and ends the whole transaction. */
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

/** How appends that rest on nothing of each other are written together, and the feed at the end. */
export interface Writers {
  readonly appends: (writing: Writing, appends: readonly Append[]) => Promise<readonly (StoreError | null)[]>
  readonly feed: (writing: Writing) => Promise<void>
}

/**
 * Writes of one event-loop turn, and those that queued up while a transaction ran, share the next transaction, in
 * the order in which they came. A promise settles when the transaction is durable, a refusal's too: it may rest on
 * what others wrote in the same one.
 *
 * Appends that follow each other are judged and written together, which is what makes a large batch cheap. Where one
 * write of a batch fails in the database itself (a guard of the schema, a text it cannot hold), the batch is done
 * once more, each write inside a savepoint of its own, so that it takes back only itself.
 */
export class GroupCommit {
  readonly #transact: Database['transact']
  readonly #writers: Writers
  readonly #waiting: Waiting[] = []
  #running: Promise<void> | null = null
  /** Why nothing is written any more: closed, or damage was met and more writing could only make it worse. */
  #ended: StoreError | null = null

  constructor(database: Pick<Database, 'transact'>, writers: Writers) {
    this.#transact = write => database.transact(write)
    this.#writers = writers
  }

  append(append: Append, rows: number): Promise<void> {
    return this.#enqueue<void>((resolve, reject) => ({ kind: 'append', append, rows, resolve, reject }))
  }

  write<T>(write: Write<T>): Promise<T> {
    return this.#enqueue<T>((resolve, reject) => ({
      kind: 'write',
      async run(writing) {
        const value = await write(writing)
        return () => resolve(value)
      },
      rows: 1,
      reject,
    }))
  }

  /** Writes what is waiting, then takes nothing more. */
  async close(): Promise<void> {
    this.#ended ??= new StoreError('DATABASE_UNAVAILABLE', 'The store is closed; nothing was written.')
    await this.#running
  }

  #enqueue<T>(
    waiting: (resolve: (value: T) => void, reject: (error: unknown) => void) => Waiting,
  ): Promise<T> {
    if (this.#ended !== null) return Promise.reject(this.#ended)
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#waiting.push(waiting(resolve, reject))
    this.#running ??= this.#flush()
    return promise
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

  async #commit(batch: readonly Waiting[]): Promise<readonly Settle[]> {
    try {
      return await this.#transaction(writing => this.#together(writing, batch))
    } catch (error) {
      if (isOfTheWorld(error)) throw error
      return await this.#transaction(writing => this.#oneByOne(writing, batch))
    }
  }

  #transaction(work: Write<readonly Settle[]>): Promise<readonly Settle[]> {
    return this.#transact(async trx => {
      const writing: Writing = { trx, feed: [] }
      const settles = await work(writing)
      if (writing.feed.length > 0) await this.#writers.feed(writing)
      return settles
    })
  }

  async #together(writing: Writing, batch: readonly Waiting[]): Promise<readonly Settle[]> {
    const settles: Settle[] = []
    for (let at = 0; at < batch.length; at = settles.length) {
      const group = appendsFrom(batch, at)
      if (group.length > 0) settles.push(...(await this.#appends(writing, group)))
      for (const waiting of batch.slice(settles.length, settles.length + 1))
        if (waiting.kind === 'write') settles.push(await waiting.run(writing))
    }
    return settles
  }

  async #appends(writing: Writing, group: readonly WaitingAppend[]): Promise<readonly Settle[]> {
    const refusals = await this.#writers.appends(
      writing,
      group.map(({ append }) => append),
    )
    return group.map(({ resolve, reject }, index) => {
      const refusal = refusals[index] ?? null
      return refusal === null ? resolve : () => reject(refusal)
    })
  }

  async #oneByOne(writing: Writing, batch: readonly Waiting[]): Promise<readonly Settle[]> {
    const settles: Settle[] = []
    for (const waiting of batch) {
      const fed = writing.feed.length
      await writing.trx.executeQuery(SAVEPOINT)
      try {
        if (waiting.kind === 'write') settles.push(await waiting.run(writing))
        else settles.push(...(await this.#appends(writing, [waiting])))
      } catch (error) {
        if (isOfTheWorld(error)) throw error
        await writing.trx.executeQuery(ROLL_BACK)
        writing.feed.splice(fed)
        settles.push(() => waiting.reject(error))
      }
      await writing.trx.executeQuery(RELEASE)
    }
    return settles
  }
}

/** Tells the writer how it went; called when that is durable. */
type Settle = () => void

type Waiting = WaitingAppend | WaitingWrite

interface WaitingAppend {
  readonly kind: 'append'
  readonly append: Append
  readonly rows: number
  readonly resolve: Settle
  readonly reject: (error: unknown) => void
}

interface WaitingWrite {
  readonly kind: 'write'
  readonly run: (writing: Writing) => Promise<Settle>
  readonly rows: number
  readonly reject: (error: unknown) => void
}

/** The appends from a place on that can be written together. */
function appendsFrom(batch: readonly Waiting[], from: number): readonly WaitingAppend[] {
  const group: WaitingAppend[] = []
  for (const waiting of batch.slice(from)) {
    if (waiting.kind !== 'append') break
    group.push(waiting)
  }
  return group.slice(0, apart(group.map(({ append }) => append)))
}

function isOfTheWorld(error: unknown): boolean {
  return error instanceof StoreError && !REFUSALS.has(error.code)
}
