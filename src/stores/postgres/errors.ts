import { DatabaseError } from 'pg'
import { StoreError, type StoreErrorCode } from '../../ports/store.ts'
import { REFUSED_BY_GUARD } from '../migration.ts'
import type { Address } from './address.ts'

/** SQLSTATEs, and classes of them by their first two letters (PostgreSQL's documentation, appendix A). */
const CODES: Readonly<Record<string, StoreErrorCode>> = {
  [REFUSED_BY_GUARD]: 'TERMINAL',
  '08': 'DATABASE_UNAVAILABLE',
  /** Two transactions of ours met; the third of these is a name that somebody else took first. */
  '40001': 'DATABASE_BUSY',
  '40P01': 'DATABASE_BUSY',
  '55P03': 'DATABASE_BUSY',
  '57014': 'DATABASE_BUSY',
  '53300': 'DATABASE_BUSY',
  '53100': 'DISK_FULL',
  '53': 'DATABASE_UNAVAILABLE',
  '25006': 'READ_ONLY',
  '25P03': 'DATABASE_UNAVAILABLE',
  '28': 'DATABASE_UNAVAILABLE',
  '3D000': 'DATABASE_UNAVAILABLE',
  '42501': 'DATABASE_UNAVAILABLE',
  '57P': 'DATABASE_UNAVAILABLE',
  '58': 'DATABASE_UNAVAILABLE',
  XX001: 'DATABASE_CORRUPT',
  XX002: 'DATABASE_CORRUPT',
}
const SENTENCES: Readonly<Partial<Record<StoreErrorCode, string>>> = {
  DATABASE_BUSY: 'Others hold the database for longer than this one waits.',
  READ_ONLY: 'The database takes no writes: it is a standby, or is set to read-only.',
  DATABASE_CORRUPT: 'The server says that the database is damaged. Restore the last backup.',
  DISK_FULL:
    'The disk of the database is full; nothing was written. Free some space, then it goes on by itself.',
  DATABASE_UNAVAILABLE: 'The database cannot be used.',
  TERMINAL: 'What has settled does not change.',
}
/** These end when the whole transaction is run again; the last is a key that somebody else wrote meanwhile. */
const AGAIN: readonly string[] = ['40001', '40P01', '23505']
/** After these the server has closed the session. */
const SESSION_ENDED: readonly string[] = ['57P01', '57P02', '57P03', '57P05', '25P03', '25P04']

/** The line broke while something was under way on it. */
export class LostConnection extends StoreError {
  constructor(address: Address, cause: unknown) {
    super('DATABASE_UNAVAILABLE', `The connection to ${address.shown} was lost.${detail(cause)}`, { cause })
    this.name = 'LostConnection'
  }
}

/** Makes a failure of a statement a {@link StoreError}; a mistake in a statement stays what it is. */
export function translated(error: unknown, address: Address): unknown {
  if (error instanceof StoreError) return error
  if (!(error instanceof DatabaseError)) return new LostConnection(address, error)
  const state = error.code ?? ''
  if (SESSION_ENDED.includes(state)) return new LostConnection(address, error)
  const code = codeOf(state)
  return code === null ? error : stored(code, address, error)
}

/** No session could be had. */
export function unreachable(error: unknown, address: Address): StoreError {
  if (error instanceof StoreError) return error
  const code = error instanceof DatabaseError ? codeOf(error.code ?? '') : null
  return stored(code ?? 'DATABASE_UNAVAILABLE', address, error)
}

/** Whether the same transaction may well be accepted when it is run again. */
export function isWorthAnother(error: unknown): boolean {
  const cause = error instanceof StoreError ? error.cause : error
  return cause instanceof DatabaseError && AGAIN.includes(cause.code ?? '')
}

function codeOf(state: string): StoreErrorCode | null {
  return CODES[state] ?? CODES[state.slice(0, 3)] ?? CODES[state.slice(0, 2)] ?? null
}

function stored(code: StoreErrorCode, address: Address, cause: unknown): StoreError {
  return new StoreError(code, `${SENTENCES[code] ?? code} (${address.shown}${detail(cause)})`, { cause })
}

/** Messages of the server and of the system name hosts, users and keys, never a password. */
function detail(cause: unknown): string {
  if (cause instanceof AggregateError) return detail(cause.errors[0])
  return cause instanceof Error && cause.message !== '' ? `: ${cause.message}` : ''
}
