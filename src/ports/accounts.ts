import type { Role } from './authenticator.ts'
import type { Page, Store } from './store.ts'

/**
 * Who may sign in, and what was done. Secrets never come here: passwords are argon2id texts, and of session ids,
 * tokens and one-time codes there is only a SHA-256. What it must do is written down as tests in
 * `test/contracts/accounts.ts`.
 *
 * Every method may throw `StoreError`; writes are durable when they settle. Times are milliseconds since 1970 and
 * come from who calls.
 */
export interface Accounts {
  /** Whether there is no user yet. */
  isEmpty(): Promise<boolean>
  /**
   * Makes this the code with which the first user can be made; one that was offered before is good no more.
   *
   * @returns false, with nothing written: there are users.
   */
  offerSetup(codeHash: string, at: number): Promise<boolean>
  /** Makes the first user. Null, with nothing written: there are users, or the code is not the one that was offered. */
  setUp(codeHash: string, user: NewUser): Promise<User | null>

  /** @throws {AccountError} `USER_EXISTS` */
  addUser(user: NewUser): Promise<User>
  user(id: string): Promise<User | null>
  /** With the password as it is stored: null for somebody who has none. */
  userNamed(name: string): Promise<{ readonly user: User; readonly password: string | null } | null>
  /** In order of their names. */
  users(query: UserQuery): Promise<Page<User>>
  /**
   * Changes what is given, and ends all sessions of the user. What is as it was already is no change.
   *
   * @throws {AccountError} `UNKNOWN_USER`; `USER_CHANGED` it is not at the version that was expected; `LAST_ADMIN`
   *   nobody would be left who may manage users.
   */
  changeUser(id: string, change: UserChange): Promise<User>
  /**
   * Takes a user away with all roles, identities, sessions and tokens.
   *
   * @throws {AccountError} `UNKNOWN_USER`, `LAST_ADMIN`
   */
  removeUser(id: string): Promise<void>
  /**
   * The user that an issuer knows by a subject, made when there is none; nothing else says who somebody is. Roles that
   * are given replace those that were; where that changes them, all sessions end. The name is only wished for.
   */
  userOfIdentity(identity: Identity): Promise<User>

  /**
   * Of more than {@link ACCOUNT_LIMITS.sessionsPerUserMax} the oldest ends.
   *
   * @returns false, with nothing written: the user is gone, disabled, or was changed since that version.
   */
  addSession(session: NewSession): Promise<boolean>
  /** One that has not ended, of a user who is not disabled, with the user as they are now. */
  session(hash: string, now: number): Promise<Session | null>
  /** Says that it was used: its idle time begins anew. Does nothing to one that is gone. */
  touchSession(hash: string, now: number): Promise<void>
  removeSession(hash: string): Promise<void>

  /**
   * @returns false, as with a session.
   * @throws {AccountError} `TOO_MANY_TOKENS` the user has {@link ACCOUNT_LIMITS.tokensPerUserMax} that are good.
   */
  addToken(token: NewToken): Promise<boolean>
  /** One that is good now, with its owner as they are now. What it may do is what both may. */
  tokenOf(hash: string, now: number): Promise<{ readonly token: Token; readonly user: User } | null>
  /** Newest first; those that are good no more, too, until they are swept. */
  tokens(user: string): Promise<readonly Token[]>
  touchToken(id: string, now: number): Promise<void>
  /** @returns false: the user has no such token, or it was revoked before. */
  revokeToken(user: string, id: string, at: number): Promise<boolean>

  /**
   * Counts a try under each of the keys, unless one of them has had its most within the window; then nothing is
   * counted.
   *
   * @returns null: go on. A time: refused until then.
   */
  attempt(tries: readonly Tries[], windowMs: number, now: number): Promise<number | null>
  /** After a try that was good: forgets all under the one key, and takes this one back under the other. */
  forgive(forgotten: string, takenBack: string): Promise<void>

  /** Adds to the end of the audit log. */
  record(fact: AuditFact): Promise<AuditEntry>
  /** Newest first. */
  audit(query: AuditQuery): Promise<Page<AuditEntry>>
  /**
   * Reads the whole log and checks that each entry is what its hash says and follows the one before.
   *
   * @param known  An entry that somebody noted elsewhere: it must still be there, unless retention took it.
   */
  verifyAudit(known?: AuditMark): Promise<AuditVerdict>
  /** Takes the oldest entries away: those beyond the newest `keep`, and those from before a time. @returns how many. */
  trimAudit(rule: { readonly keep: number; readonly before: number }): Promise<number>
  /** Takes away what has ended: sessions, tries, tokens that were good until before `tokensBefore`. */
  sweep(now: number, tokensBefore: number): Promise<void>
}

/** A store whose database holds accounts, too. */
export interface StoreWithAccounts extends Store {
  readonly accounts: Accounts
}

/** Bounds of accounts, with their units. */
export const ACCOUNT_LIMITS = {
  /** Tokens of one user that are good at once. */
  tokensPerUserMax: 100,
  /** Sessions of one user at once; a further one ends the oldest. */
  sessionsPerUserMax: 100,
  /** Namespaces in which one user has a role. */
  grantsMax: 500,
  /** Entries of the audit log that are read at a time. */
  auditPageMax: 1_000,
} as const

/** Role by namespace; `*` stands for every namespace that is not named. */
export type Grants = ReadonlyMap<string, Role>

export interface User {
  /** Never given out again. */
  readonly id: string
  /** Small letters; one user has it at a time. */
  readonly name: string
  readonly hasPassword: boolean
  /** Who vouches for them; null for a user of this database only. */
  readonly issuer: string | null
  readonly disabled: boolean
  readonly roles: Grants
  readonly createdAt: number
  /** Counts the changes, from 1. */
  readonly version: number
}

export interface NewUser {
  readonly id: string
  readonly name: string
  /** As argon2id writes it (PHC text). */
  readonly password: string | null
  readonly roles: Grants
  readonly at: number
}

export interface UserQuery {
  readonly namePrefix?: string
  /** 1..500, default 50. */
  readonly limit?: number
  readonly after?: string
}

export interface UserChange {
  readonly roles?: Grants
  readonly disabled?: boolean
  readonly password?: string
  /** Version that the change was made from. */
  readonly expected?: number
}

export interface Identity {
  readonly issuer: string
  readonly subject: string
  /** Id for a user that is made. */
  readonly id: string
  /** Wished for; when somebody has it, one like it is made. */
  readonly name: string
  /** Null: they keep those they have. */
  readonly roles: Grants | null
  readonly at: number
}

export interface NewSession {
  readonly hash: string
  readonly user: string
  /** Version of the user that was asked for proof. */
  readonly userVersion: number
  readonly at: number
  /** Ends this long after it was last used. */
  readonly idleMs: number
  /** Ends then, used or not. */
  readonly endsAt: number
}

export interface Session {
  readonly hash: string
  readonly createdAt: number
  readonly seenAt: number
  readonly endsAt: number
  readonly user: User
}

export interface NewToken {
  readonly id: string
  readonly hash: string
  readonly user: string
  readonly userVersion: number
  readonly name: string
  readonly roles: Grants
  readonly at: number
  /** Null: until it is revoked. */
  readonly expiresAt: number | null
}

export interface Token {
  readonly id: string
  readonly name: string
  readonly roles: Grants
  readonly createdAt: number
  readonly expiresAt: number | null
  readonly usedAt: number | null
  readonly revokedAt: number | null
}

export interface Tries {
  readonly key: string
  readonly max: number
}

/** How it went: done; not allowed; not possible as asked; a failure of ours. */
export type AuditOutcome = 'done' | 'denied' | 'refused' | 'failed'

export interface AuditFact {
  readonly at: number
  /** Id of who asked. */
  readonly actor: string
  readonly actorName: string
  /** Name of the operation, such as `cancelRun`. */
  readonly action: string
  /** Null for what belongs to none. */
  readonly namespace: string | null
  readonly object: string | null
  readonly outcome: AuditOutcome
  /** Code of the problem, when it was not done. */
  readonly code: string | null
  readonly address: string | null
  /** Names the content of the object before and after, where it has one. */
  readonly before: string | null
  readonly after: string | null
  /** Denied requests of the same origin before this one that were too many to be written down. */
  readonly unrecorded: number
}

export interface AuditMark {
  readonly seq: number
  readonly hash: string
}

export interface AuditEntry extends AuditFact, AuditMark {
  /** Hash of the entry before. */
  readonly previous: string
}

export interface AuditQuery {
  /** Only entries of these; those of no namespace are then left out. */
  readonly namespaces?: readonly string[]
  readonly namespace?: string
  readonly actor?: string
  readonly action?: string
  readonly outcome?: AuditOutcome
  readonly from?: number
  readonly before?: number
  /** 1..500, default 50. */
  readonly limit?: number
  readonly after?: string
}

export interface AuditVerdict {
  readonly intact: boolean
  /** Entries that were read. */
  readonly entries: number
  /** The oldest entry that is kept; null when there is none. */
  readonly first: number | null
  /** The newest one: noted elsewhere, it lets nobody write the log anew unseen. */
  readonly last: AuditMark | null
  /** The first entry that does not fit, and why. */
  readonly broken: { readonly seq: number; readonly why: string } | null
}

/** What accounts refuse. Codes are stable. */
export const ACCOUNT_CODES = {
  USER_EXISTS: 'there is a user of that name',
  UNKNOWN_USER: 'there is no such user',
  USER_CHANGED: 'the user was changed since it was read',
  LAST_ADMIN: 'nobody would be left who may manage users',
  TOO_MANY_TOKENS: 'the user has as many tokens as there may be',
} as const satisfies Readonly<Record<string, string>>

export type AccountErrorCode = keyof typeof ACCOUNT_CODES

/** Nothing was written. */
export class AccountError extends Error {
  readonly code: AccountErrorCode
  constructor(code: AccountErrorCode) {
    super(ACCOUNT_CODES[code])
    this.name = 'AccountError'
    this.code = code
  }
}
