import { StoreError } from '../ports/store.ts'

/** A place in an ordered list: a number first, then an id. */
export interface Place {
  readonly at: number
  readonly id: string
}

/** Opaque to whoever pages; keyset, so nothing is skipped or doubled when rows are added meanwhile. */
export function cursorOf(at: number, id: string): string {
  return Buffer.from(JSON.stringify([at, id])).toString('base64url')
}

/** @throws {StoreError} `BAD_CURSOR` it is not one that {@link cursorOf} made. */
export function placeOf(cursor: string): Place {
  try {
    const read: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    if (Array.isArray(read) && read.length === 2) {
      const [at, id]: unknown[] = read
      if (typeof at === 'number' && Number.isSafeInteger(at) && typeof id === 'string') return { at, id }
    }
  } catch {
    // Said below, as for any other text that is not a cursor.
  }
  throw new StoreError('BAD_CURSOR', 'The cursor is not one that a page gave; start from the first page.')
}

/** A limit as given, kept between 1 and the most a page may have. */
export function within(limit: number | undefined, otherwise: number, most: number): number {
  return Math.min(most, Math.max(1, Math.floor(limit ?? otherwise)))
}
