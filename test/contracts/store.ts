import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Store, StoreError, type StoreErrorCode } from '../../src/ports/store.ts'
import { deliveriesContract } from './deliveries.ts'
import { appendContract } from './store-append.ts'
import { houseContract } from './store-house.ts'
import { pagesContract } from './store-pages.ts'

/** A store to try, and how to come back to the same database. */
export interface OpenedStore {
  readonly store: Store
  /** Another store on the same database, opened beside this one; null where the database ends with its store. */
  readonly beside: (() => Promise<Store>) | null
  /** A path where a backup may be written, and how to open what was written; null where it is not the store's work. */
  readonly backup: { readonly file: string; readonly open: (file: string) => Promise<Store> } | null
  readonly close: () => Promise<void>
}

/** A sentence says why there is none here. */
export type OpenStore = () => Promise<OpenedStore | string>
/** A test with a fresh store of its own. */
export type WithStore = (title: string, body: (store: Store, opened: OpenedStore) => Promise<void>) => void

/** What any store must do, whatever database is below it. */
export function storeContract(name: string, open: OpenStore): void {
  const withStore: WithStore = (title, body) => {
    test(title, async context => {
      const opened = await open()
      if (typeof opened === 'string') {
        assert.equal(process.env['CI'], undefined, opened)
        context.skip(`SKIPPED: ${opened}`)
        return
      }
      try {
        await body(opened.store, opened)
      } finally {
        await opened.close()
      }
    })
  }
  describe(`store contract: ${name}`, () => {
    describe('append', () => appendContract(withStore))
    describe('pages', () => pagesContract(withStore))
    describe('DAGs, engines, schedules, feed', () => houseContract(withStore))
    describe('deliveries', () => deliveriesContract(withStore))
  })
}

/** Waits for the refusal and gives it back. */
export async function refused(code: StoreErrorCode, promise: Promise<unknown>): Promise<StoreError> {
  try {
    await promise
  } catch (error) {
    assert.ok(error instanceof StoreError, `expected a StoreError, got ${String(error)}`)
    assert.equal(error.code, code, error.message)
    return error
  }
  throw new assert.AssertionError({ message: `expected ${code}, but it was accepted` })
}
