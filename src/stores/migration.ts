/** Databases that a migration is written for. */
export type Dialect = 'sqlite' | 'postgres'

/**
 * One step of the schema. A published step never changes (its checksum is recorded in every database); what is to
 * be different comes as the next number.
 */
export interface Migration {
  readonly number: number
  readonly name: string
  /** Statements in order, each one text; all of a step run in one transaction. */
  readonly sql: Readonly<Record<Dialect, readonly string[]>>
  /** What `checksumOf` gives for it, known beforehand: it is compared at every start, and hashing has to be loaded. */
  readonly checksums?: Readonly<Record<Dialect, string>>
}

/** SQLSTATE with which a guard of the schema refuses, in PostgreSQL. Steps that are published hold it: it stays. */
export const REFUSED_BY_GUARD = 'KT001'
