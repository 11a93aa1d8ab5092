import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type AccountErrorCode,
  AccountError,
  type Accounts,
  ACCOUNT_LIMITS,
  type AuditFact,
  type Grants,
  type NewUser,
  type StoreWithAccounts,
} from '../../src/ports/accounts.ts'
import type { Role } from '../../src/ports/authenticator.ts'

/** A database to try: several stores may be opened on it, and what no code of ours would do can be done to it. */
export interface OpenedAccounts {
  readonly accounts: Accounts
  /** Another store on the same database; null where there is none. */
  readonly beside: (() => Promise<StoreWithAccounts>) | null
  /** Runs a statement past everything. */
  readonly tamper: ((sql: string) => Promise<void>) | null
  readonly close: () => Promise<void>
}

/** A sentence says why there is none here. */
export type OpenAccounts = () => Promise<OpenedAccounts | string>
type WithAccounts = (
  title: string,
  body: (accounts: Accounts, opened: OpenedAccounts) => Promise<void>,
) => void

/** What accounts must do, whatever database is below them. */
export function accountsContract(name: string, open: OpenAccounts): void {
  const withAccounts: WithAccounts = (title, body) => {
    test(title, async context => {
      const opened = await open()
      if (typeof opened === 'string') {
        assert.equal(process.env['CI'], undefined, opened)
        context.skip(`SKIPPED: ${opened}`)
        return
      }
      try {
        await body(opened.accounts, opened)
      } finally {
        await opened.close()
      }
    })
  }
  describe(`accounts contract: ${name}`, () => {
    describe('users', () => userContract(withAccounts))
    describe('sessions and tokens', () => sessionContract(withAccounts))
    describe('audit log', () => auditContract(withAccounts))
  })
}

export const grants = (text: string): Grants =>
  new Map(
    text
      .split(' ')
      .filter(part => part !== '')
      .map(part => part.split('=') as [string, Role]),
  )
export const user = (name: string, roles = '', over: Partial<NewUser> = {}): NewUser => ({
  id: `id-${name}`,
  name,
  password: 'phc',
  roles: grants(roles),
  at: 1_000,
  ...over,
})

export async function refusedAs(code: AccountErrorCode, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof AccountError, String(error))
    assert.equal(error.code, code)
    return true
  })
}

function userContract(withAccounts: WithAccounts): void {
  withAccounts('a user is kept as given, and found by id and by name', async accounts => {
    assert.equal(await accounts.isEmpty(), true)
    const made = await accounts.addUser(user('ada', 'b=editor *=viewer'))
    assert.deepEqual(made, {
      id: 'id-ada',
      name: 'ada',
      hasPassword: true,
      issuer: null,
      disabled: false,
      roles: grants('b=editor *=viewer'),
      createdAt: 1_000,
      version: 1,
    })
    assert.equal(await accounts.isEmpty(), false)
    assert.deepEqual(await accounts.user('id-ada'), made)
    assert.deepEqual(await accounts.userNamed('ada'), { user: made, password: 'phc' })
    assert.equal(await accounts.user('ada'), null)
    assert.equal(await accounts.userNamed('Ada'), null)
    await refusedAs('USER_EXISTS', accounts.addUser(user('ada', '', { id: 'other' })))
    assert.equal(await accounts.user('other'), null)
  })

  withAccounts('lists go by name, page by page', async accounts => {
    for (const name of ['cleo', 'ada', 'bo', 'bea']) await accounts.addUser(user(name, 'a=viewer b=editor'))
    const first = await accounts.users({ limit: 3 })
    assert.deepEqual(
      first.items.map(({ name }) => name),
      ['ada', 'bea', 'bo'],
    )
    assert.deepEqual(first.items[0]?.roles, grants('a=viewer b=editor'))
    const second = await accounts.users({ limit: 3, after: first.next ?? '' })
    assert.deepEqual([second.items.map(({ name }) => name), second.next], [['cleo'], null])
    assert.deepEqual(
      (await accounts.users({ namePrefix: 'b' })).items.map(({ name }) => name),
      ['bea', 'bo'],
    )
  })

  withAccounts(
    'changes replace what they name, count up, and end the sessions of that user',
    async accounts => {
      await accounts.addUser(user('root', '*=admin'))
      await accounts.addUser(user('ada', 'a=viewer'))
      const session = async (hash: string, version: number): Promise<boolean> =>
        await accounts.addSession({
          hash,
          user: 'id-ada',
          userVersion: version,
          at: 1,
          idleMs: 100,
          endsAt: 1_000,
        })
      assert.ok(await session('s1', 1))
      const same = await accounts.changeUser('id-ada', { roles: grants('a=viewer'), disabled: false })
      assert.equal(same.version, 1)
      assert.notEqual(await accounts.session('s1', 2), null)
      const changed = await accounts.changeUser('id-ada', { roles: grants('b=editor') })
      assert.deepEqual([changed.version, changed.roles], [2, grants('b=editor')])
      assert.equal(await accounts.session('s1', 2), null)
      assert.ok(await session('s2', 2))
      await accounts.changeUser('id-ada', { password: 'new' })
      assert.equal(await accounts.session('s2', 2), null)
      assert.equal((await accounts.userNamed('ada'))?.password, 'new')
      assert.ok(await session('s3', 3))
      const disabled = await accounts.changeUser('id-ada', { disabled: true })
      assert.deepEqual([disabled.disabled, disabled.roles], [true, grants('b=editor')])
      assert.equal(await accounts.session('s3', 2), null)
      await accounts.changeUser('id-ada', { disabled: false })
      assert.equal(await accounts.session('s3', 2), null)
      await refusedAs('USER_CHANGED', accounts.changeUser('id-ada', { disabled: true, expected: 1 }))
      await refusedAs('UNKNOWN_USER', accounts.changeUser('nobody', { disabled: true }))
    },
  )

  withAccounts('the last one who may manage users stays so', async accounts => {
    await accounts.addUser(user('ada', '*=admin'))
    await accounts.addUser(user('bo', '*=editor'))
    await refusedAs('LAST_ADMIN', accounts.changeUser('id-ada', { disabled: true }))
    await refusedAs('LAST_ADMIN', accounts.changeUser('id-ada', { roles: grants('a=admin') }))
    await refusedAs('LAST_ADMIN', accounts.removeUser('id-ada'))
    assert.deepEqual((await accounts.user('id-ada'))?.roles, grants('*=admin'))
    await accounts.changeUser('id-bo', { roles: grants('*=admin') })
    await accounts.changeUser('id-ada', { disabled: true })
    await refusedAs('LAST_ADMIN', accounts.removeUser('id-bo'))
  })

  withAccounts(
    'of two who take away the last two admins at once, one is refused',
    async (accounts, { beside }) => {
      await accounts.addUser(user('ada', '*=admin'))
      await accounts.addUser(user('bo', '*=admin'))
      const other = await beside?.()
      const results = await Promise.allSettled([
        accounts.changeUser('id-ada', { disabled: true }),
        (other?.accounts ?? accounts).changeUser('id-bo', { disabled: true }),
      ])
      assert.deepEqual(results.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
      await other?.close()
    },
  )

  withAccounts('who is removed leaves nothing behind, and the name is free', async accounts => {
    await accounts.addUser(user('root', '*=admin'))
    await accounts.addUser(user('ada', 'a=editor'))
    await accounts.addSession({ hash: 's', user: 'id-ada', userVersion: 1, at: 1, idleMs: 9, endsAt: 99 })
    await accounts.addToken({ ...TOKEN, roles: grants('a=viewer') })
    await accounts.removeUser('id-ada')
    assert.equal(await accounts.session('s', 2), null)
    assert.equal(await accounts.tokenOf('hash-t', 2), null)
    await refusedAs('UNKNOWN_USER', accounts.removeUser('id-ada'))
    await accounts.addUser(user('ada', '', { id: 'another' }))
    assert.deepEqual(await accounts.tokens('another'), [])
  })

  withAccounts('the code for the first user works once, and only while there is none', async accounts => {
    assert.equal(await accounts.setUp('code', user('eve', '*=admin')), null)
    assert.equal(await accounts.offerSetup('old', 1), true)
    assert.equal(await accounts.offerSetup('code', 2), true)
    assert.equal(await accounts.setUp('old', user('eve', '*=admin')), null)
    const both = await Promise.all([
      accounts.setUp('code', user('ada', '*=admin')),
      accounts.setUp('code', user('bo', '*=admin')),
    ])
    assert.deepEqual(
      both.map(made => made?.name),
      ['ada', undefined],
    )
    assert.equal(await accounts.offerSetup('again', 3), false)
    assert.equal(await accounts.setUp('again', user('eve', '*=admin')), null)
  })

  withAccounts('an identity is its issuer and subject, whatever name comes with it', async accounts => {
    const identity = (issuer: string, subject: string, over: object = {}) =>
      accounts.userOfIdentity({
        issuer,
        subject,
        id: `${issuer}/${subject}`,
        name: 'ada',
        roles: null,
        at: 5,
        ...over,
      })
    await accounts.addUser(user('ada', '*=admin'))
    const first = await identity('https://one', '1')
    assert.deepEqual([first.name, first.issuer, first.hasPassword], ['ada-2', 'https://one', false])
    const other = await identity('https://two', '1')
    assert.deepEqual([other.id, other.name], ['https://two/1', 'ada-3'])
    const again = await identity('https://one', '1', { id: 'unused', name: 'renamed' })
    assert.deepEqual(again, first)
  })

  withAccounts(
    'roles that an issuer gives replace those that were, and that ends sessions',
    async accounts => {
      const come = (roles: string | null) =>
        accounts.userOfIdentity({
          issuer: 'i',
          subject: 's',
          id: 'x',
          name: 'ada',
          roles: roles === null ? null : grants(roles),
          at: 5,
        })
      await come('a=editor')
      await accounts.addSession({ hash: 's', user: 'x', userVersion: 1, at: 1, idleMs: 9, endsAt: 99 })
      assert.equal((await come('a=editor')).version, 1)
      assert.equal((await come(null)).version, 1)
      assert.notEqual(await accounts.session('s', 2), null)
      const less = await come('a=viewer')
      assert.deepEqual([less.version, less.roles], [2, grants('a=viewer')])
      assert.equal(await accounts.session('s', 2), null)
      assert.deepEqual((await come('')).roles, new Map())
    },
  )
}

const TOKEN = {
  id: 't',
  hash: 'hash-t',
  user: 'id-ada',
  userVersion: 1,
  name: 'ci',
  roles: grants('a=viewer'),
  at: 10,
  expiresAt: 100,
} as const

function sessionContract(withAccounts: WithAccounts): void {
  withAccounts(
    'a session ends when it is idle, and at its end, and carries the roles of now',
    async accounts => {
      await accounts.addUser(user('ada', 'a=viewer'))
      const begun = { hash: 's', user: 'id-ada', userVersion: 1, at: 10, idleMs: 50, endsAt: 200 }
      assert.ok(await accounts.addSession(begun))
      assert.deepEqual(await accounts.session('s', 59), {
        hash: 's',
        createdAt: 10,
        seenAt: 10,
        endsAt: 200,
        user: await accounts.user('id-ada'),
      })
      assert.equal(await accounts.session('s', 60), null)
      for (const now of [50, 90, 130, 170]) await accounts.touchSession('s', now)
      await accounts.touchSession('s', 20)
      assert.equal((await accounts.session('s', 199))?.seenAt, 170)
      assert.equal(await accounts.session('s', 200), null)
      await accounts.removeSession('s')
      assert.equal(await accounts.session('s', 199), null)
      await accounts.touchSession('s', 180)
      assert.equal(await accounts.session('s', 199), null)
    },
  )

  withAccounts('sessions of one user are bounded: the oldest ends', async accounts => {
    for (const name of ['ada', 'bo']) await accounts.addUser(user(name))
    const add = (name: string, number: number): Promise<boolean> =>
      accounts.addSession({
        hash: `${name}${number}`,
        user: `id-${name}`,
        userVersion: 1,
        at: number,
        idleMs: 10_000,
        endsAt: 20_000,
      })
    await add('bo', 0)
    for (let number = 0; number <= ACCOUNT_LIMITS.sessionsPerUserMax; number += 1) await add('ada', number)
    assert.equal(await accounts.session('ada0', 500), null)
    for (const hash of ['ada1', `ada${ACCOUNT_LIMITS.sessionsPerUserMax}`, 'bo0'])
      assert.notEqual(await accounts.session(hash, 500), null, hash)
  })

  withAccounts('none begins for who is disabled, gone, or changed since the proof', async accounts => {
    await accounts.addUser(user('ada'))
    const begin = (over: object) =>
      accounts.addSession({
        hash: 's',
        user: 'id-ada',
        userVersion: 1,
        at: 1,
        idleMs: 50,
        endsAt: 200,
        ...over,
      })
    assert.equal(await begin({ userVersion: 2 }), false)
    assert.equal(await begin({ user: 'nobody' }), false)
    await accounts.changeUser('id-ada', { disabled: true })
    assert.equal(await begin({ userVersion: 2 }), false)
    assert.equal(await accounts.addToken({ ...TOKEN, userVersion: 2 }), false)
    assert.equal(await accounts.session('s', 2), null)
  })

  withAccounts('a token is good until it expires, is revoked, or its owner is disabled', async accounts => {
    await accounts.addUser(user('root', '*=admin'))
    await accounts.addUser(user('ada', 'a=editor'))
    assert.ok(await accounts.addToken(TOKEN))
    const token = {
      id: 't',
      name: 'ci',
      roles: grants('a=viewer'),
      createdAt: 10,
      expiresAt: 100,
      usedAt: null,
      revokedAt: null,
    }
    assert.deepEqual(await accounts.tokenOf('hash-t', 99), { token, user: await accounts.user('id-ada') })
    assert.equal(await accounts.tokenOf('hash-t', 100), null)
    await accounts.touchToken('t', 20)
    assert.deepEqual(await accounts.tokens('id-ada'), [{ ...token, usedAt: 20 }])
    await accounts.changeUser('id-ada', { disabled: true })
    assert.equal(await accounts.tokenOf('hash-t', 50), null)
    await accounts.changeUser('id-ada', { disabled: false, roles: grants('a=viewer') })
    assert.deepEqual((await accounts.tokenOf('hash-t', 50))?.user.roles, grants('a=viewer'))
    assert.equal(await accounts.revokeToken('id-root', 't', 60), false)
    assert.equal(await accounts.revokeToken('id-ada', 't', 60), true)
    assert.equal(await accounts.revokeToken('id-ada', 't', 61), false)
    assert.equal(await accounts.tokenOf('hash-t', 50), null)
    assert.equal((await accounts.tokens('id-ada'))[0]?.revokedAt, 60)
  })

  withAccounts('tokens of one user are bounded', async accounts => {
    await accounts.addUser(user('ada'))
    const add = (number: number): Promise<boolean> =>
      accounts.addToken({ ...TOKEN, id: `t${number}`, hash: `h${number}`, expiresAt: null })
    for (let number = 0; number < ACCOUNT_LIMITS.tokensPerUserMax; number += 1) assert.ok(await add(number))
    await refusedAs('TOO_MANY_TOKENS', add(1_000))
    await accounts.revokeToken('id-ada', 't1', 20)
    assert.ok(await add(1_000))
  })

  withAccounts(
    'tries are counted within a window, under all keys or none, and never more than may',
    async accounts => {
      const tries = (account: string, address: string) => [
        { key: account, max: 2 },
        { key: address, max: 3 },
      ]
      const many = await Promise.all(
        Array.from({ length: 5 }, () => accounts.attempt(tries('ada', 'here'), 100, 10)),
      )
      assert.deepEqual(many, [null, null, 110, 110, 110])
      assert.equal(await accounts.attempt(tries('ada', 'there'), 100, 50), 110)
      assert.equal(await accounts.attempt(tries('bo', 'here'), 100, 60), null)
      assert.equal(await accounts.attempt(tries('cleo', 'here'), 100, 60), 110)
      assert.equal(await accounts.attempt(tries('cleo', 'elsewhere'), 100, 60), null)
      assert.equal(await accounts.attempt(tries('ada', 'here'), 100, 110), null)
      await accounts.forgive('ada', 'here')
      assert.deepEqual(
        await Promise.all([1, 2, 3].map(() => accounts.attempt(tries('ada', 'here'), 100, 120))),
        [null, null, 220],
      )
    },
  )

  withAccounts('what has ended is swept away, and nothing else', async accounts => {
    await accounts.addUser(user('ada'))
    for (const [hash, idleMs, endsAt] of [
      ['idle', 5, 100],
      ['ended', 100, 20],
      ['good', 100, 100],
    ] as const)
      await accounts.addSession({ hash, user: 'id-ada', userVersion: 1, at: 1, idleMs, endsAt })
    await accounts.addToken({ ...TOKEN, id: 'old', hash: 'old', expiresAt: 15 })
    await accounts.addToken({ ...TOKEN, id: 'good', hash: 'good', expiresAt: null })
    await accounts.attempt([{ key: 'k', max: 1 }], 100, 1)
    await accounts.sweep(30, 20)
    assert.notEqual(await accounts.session('good', 30), null)
    assert.equal(await accounts.session('idle', 2), null)
    assert.equal(await accounts.session('ended', 10), null)
    assert.deepEqual(
      (await accounts.tokens('id-ada')).map(({ id }) => id),
      ['good'],
    )
    assert.equal(await accounts.attempt([{ key: 'k', max: 1 }], 100, 31), 101)
  })
}

export const fact = (over: Partial<AuditFact> = {}): AuditFact => ({
  at: 1,
  actor: 'user:1',
  actorName: 'ada',
  action: 'cancelRun',
  namespace: 'a',
  object: '/api/v1/runs/r/cancel',
  outcome: 'done',
  code: null,
  address: '127.0.0.1',
  before: null,
  after: null,
  unrecorded: 0,
  ...over,
})

function auditContract(withAccounts: WithAccounts): void {
  withAccounts(
    'entries are numbered without a gap, and each holds the hash of the one before',
    async accounts => {
      assert.deepEqual(await accounts.verifyAudit(), {
        intact: true,
        entries: 0,
        first: null,
        last: null,
        broken: null,
      })
      const made = await Promise.all(Array.from({ length: 20 }, (_, at) => accounts.record(fact({ at }))))
      assert.deepEqual(
        made.map(({ seq }) => seq),
        made.map((_, index) => index + 1),
      )
      for (const [index, entry] of made.entries())
        assert.equal(entry.previous, made[index - 1]?.hash ?? '0'.repeat(64))
      assert.deepEqual((await accounts.audit({})).items, made.toReversed())
      const last = made.at(-1)
      assert.deepEqual(await accounts.verifyAudit(), {
        intact: true,
        entries: 20,
        first: 1,
        last: { seq: 20, hash: last?.hash },
        broken: null,
      })
    },
  )

  withAccounts('two stores add to one log', async (accounts, { beside }) => {
    const other = await beside?.()
    const add = async (to: Accounts): Promise<void> => {
      for (let at = 0; at < 20; at += 1) await to.record(fact({ at }))
    }
    await Promise.all([add(accounts), add(other?.accounts ?? accounts)])
    const { intact, entries } = await accounts.verifyAudit()
    assert.deepEqual([intact, entries], [true, 40])
    await other?.close()
  })

  withAccounts('pages and filters', async accounts => {
    for (let at = 1; at <= 9; at += 1)
      await accounts.record(
        fact({
          at,
          namespace: [null, 'a', 'b'][at % 3] ?? null,
          actor: at % 2 === 0 ? 'user:2' : 'user:1',
          outcome: at === 5 ? 'denied' : 'done',
          action: at > 7 ? 'putDag' : 'cancelRun',
        }),
      )
    const seqs = async (query: object): Promise<readonly number[]> =>
      (await accounts.audit(query)).items.map(({ seq }) => seq)
    const first = await accounts.audit({ limit: 4 })
    assert.deepEqual(
      first.items.map(({ seq }) => seq),
      [9, 8, 7, 6],
    )
    assert.deepEqual(await seqs({ limit: 4, after: first.next }), [5, 4, 3, 2])
    assert.equal((await accounts.audit({ limit: 9 })).next, null)
    assert.deepEqual(await seqs({ namespace: 'a' }), [7, 4, 1])
    assert.deepEqual(await seqs({ namespaces: ['b'] }), [8, 5, 2])
    assert.deepEqual(await seqs({ namespaces: ['b'], namespace: 'a' }), [])
    assert.deepEqual(await seqs({ namespaces: [] }), [])
    assert.deepEqual(await seqs({ actor: 'user:2' }), [8, 6, 4, 2])
    assert.deepEqual(await seqs({ action: 'putDag' }), [9, 8])
    assert.deepEqual(await seqs({ outcome: 'denied' }), [5])
    assert.deepEqual(await seqs({ from: 3, before: 5 }), [4, 3])
  })

  withAccounts('retention takes the oldest, and what is left still follows what is gone', async accounts => {
    for (let at = 1; at <= 10; at += 1) await accounts.record(fact({ at }))
    assert.equal(await accounts.trimAudit({ keep: 20, before: 1 }), 0)
    assert.equal(await accounts.trimAudit({ keep: 8, before: 1 }), 2)
    assert.equal(await accounts.trimAudit({ keep: 20, before: 6 }), 3)
    await accounts.record(fact({ at: 11 }))
    const verdict = await accounts.verifyAudit()
    assert.deepEqual([verdict.intact, verdict.entries, verdict.first], [true, 6, 6])
    assert.equal(await accounts.trimAudit({ keep: 0, before: 1 }), 6)
    const next = await accounts.record(fact({ at: 12 }))
    assert.deepEqual([next.seq, next.previous], [12, verdict.last?.hash])
    assert.equal((await accounts.verifyAudit()).intact, true)
  })

  withAccounts(
    'a log that was written anew is found out by an entry that was noted elsewhere',
    async accounts => {
      const made = await Promise.all([1, 2, 3].map(at => accounts.record(fact({ at }))))
      const noted = made[1]
      assert.ok(noted !== undefined)
      assert.equal((await accounts.verifyAudit(noted)).intact, true)
      const other = await accounts.verifyAudit({ seq: 2, hash: 'f'.repeat(64) })
      assert.deepEqual(other.broken, { seq: 2, why: 'it is not the entry that was noted' })
      const short = await accounts.verifyAudit({ seq: 7, hash: noted.hash })
      assert.deepEqual(short.broken, { seq: 4, why: 'the log ends before the entry that was noted' })
    },
  )

  withAccounts('the database lets nobody change or remove an entry', async (accounts, { tamper }) => {
    if (tamper === null) return
    for (let at = 1; at <= 3; at += 1) await accounts.record(fact({ at }))
    await assert.rejects(tamper(`UPDATE audit SET actor_name = 'eve' WHERE seq = 2`))
    await assert.rejects(tamper('DELETE FROM audit WHERE seq = 1'))
    assert.equal((await accounts.verifyAudit()).entries, 3)
  })

  withAccounts('what somebody changed past the guards is named', async (accounts, { tamper }) => {
    if (tamper === null) return
    const unguarded = async (sql: string): Promise<void> => {
      await tamper(`UNGUARDED ${sql}`)
    }
    for (let at = 1; at <= 5; at += 1) await accounts.record(fact({ at }))
    const broken = async (): Promise<unknown> => (await accounts.verifyAudit()).broken
    await unguarded(`UPDATE audit SET actor_name = 'eve' WHERE seq = 3`)
    assert.deepEqual(await broken(), { seq: 3, why: 'it was changed' })
    await unguarded(`UPDATE audit SET actor_name = 'ada' WHERE seq = 3`)
    assert.equal(await broken(), null)
    await unguarded(`UPDATE audit SET previous = 'x' WHERE seq = 2`)
    assert.deepEqual(await broken(), { seq: 2, why: 'it does not follow the entry before' })
    await unguarded('DELETE FROM audit WHERE seq = 2')
    assert.deepEqual(await broken(), { seq: 2, why: 'it is missing' })
    await unguarded('DELETE FROM audit WHERE seq < 5')
    assert.deepEqual(await broken(), { seq: 1, why: 'it is missing' })
    await unguarded('DELETE FROM audit')
    assert.deepEqual(await broken(), { seq: 1, why: 'it is missing' })
  })
}
