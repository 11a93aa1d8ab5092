import { type CompiledQuery, type Kysely, type RawBuilder, sql } from 'kysely'
import type { Tables } from './tables.ts'

export type Value = string | number | null
/** Stands for a value that is given at each call. */
export type SlotOf = <T>(name: string) => RawBuilder<T>

/** A query that kysely compiles once and that then runs with other values; for the few that run all the time. */
export interface Prepared {
  /** With the values of all slots in the order of the text. */
  runInOrder<R>(on: Kysely<Tables>, values: readonly unknown[]): Promise<readonly R[]>
}

export function prepared(build: (slot: SlotOf) => CompiledQuery): Prepared {
  const compiled = build(<T>(name: string) => sql<T>`${new Slot(name)}`)
  if (!compiled.parameters.every(value => value instanceof Slot))
    throw new Error('a prepared query has values only in its slots')
  return runner(compiled, compiled.parameters.length)
}

/** The same for a query whose places for values are part of its text. */
export function preparedBulk(compiled: CompiledQuery, places: number): Prepared {
  if (compiled.parameters.length > 0) throw new Error('the values of a bulk query are those of its source')
  return runner(compiled, places)
}

function runner(compiled: CompiledQuery, places: number): Prepared {
  return {
    async runInOrder<R>(on: Kysely<Tables>, parameters: readonly unknown[]): Promise<readonly R[]> {
      if (parameters.length !== places) throw new Error(`${parameters.length} values for ${places} places`)
      const { rows } = await on.executeQuery<R>({ ...compiled, parameters })
      return rows
    },
  }
}

class Slot {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}
