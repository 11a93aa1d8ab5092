import type { Kysely } from 'kysely'
import type { Accounts } from '../../ports/accounts.ts'
import type { SqlDialect } from '../dialect.ts'
import type { GroupCommit } from '../group-commit.ts'
import type { Tables } from '../tables.ts'
import { lookUps } from './look-ups.ts'
import * as log from './audit.ts'
import * as sessions from './sessions.ts'
import * as tokens from './tokens.ts'
import { userById } from './user-rows.ts'
import * as users from './users.ts'

/** The {@link Accounts} of a database; writes share the transactions of its store. */
export function sqlAccounts(read: Kysely<Tables>, dialect: SqlDialect, commits: GroupCommit): Accounts {
  const write = <T>(work: (trx: Kysely<Tables>) => Promise<T>): Promise<T> =>
    commits.write(({ trx }) => work(trx))
  const asked = lookUps(read)
  return {
    isEmpty: () => users.isEmpty(read),
    offerSetup: (hash, at) => write(trx => users.offerSetup(trx, hash, at)),
    setUp: (hash, user) => write(trx => users.setUp(trx, hash, user)),
    addUser: user => write(trx => users.addUser(trx, user)),
    user: id => userById(read, id),
    userNamed: name => users.userNamed(read, name),
    users: query => users.users(read, query),
    changeUser: (id, change) => write(trx => users.changeUser(trx, id, change)),
    removeUser: id => write(trx => users.removeUser(trx, id)),
    userOfIdentity: identity => write(trx => users.userOfIdentity(trx, identity)),
    addSession: session => write(trx => sessions.addSession(trx, dialect, session)),
    session: (hash, now) => asked.session(hash, now),
    touchSession: (hash, now) => write(trx => sessions.touchSession(trx, hash, now)),
    removeSession: hash => write(trx => sessions.removeSession(trx, hash)),
    addToken: token => write(trx => tokens.addToken(trx, dialect, token)),
    tokenOf: (hash, now) => asked.tokenOf(hash, now),
    tokens: user => tokens.tokens(read, user),
    touchToken: (id, now) => write(trx => tokens.touchToken(trx, id, now)),
    revokeToken: (user, id, at) => write(trx => tokens.revokeToken(trx, user, id, at)),
    attempt: (tries, windowMs, now) => write(trx => sessions.attempt(trx, tries, windowMs, now)),
    forgive: (forgotten, takenBack) => write(trx => sessions.forgive(trx, forgotten, takenBack)),
    record: fact => write(trx => log.record(trx, fact)),
    audit: query => log.audit(read, query),
    verifyAudit: known => log.verifyAudit(read, known),
    trimAudit: rule => write(trx => log.trimAudit(trx, rule)),
    sweep: (now, tokensBefore) => write(trx => sessions.sweep(trx, now, tokensBefore)),
  }
}
