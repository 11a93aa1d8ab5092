import assert from 'node:assert/strict'
import { type Argon2Parameters, argon2Sync } from 'node:crypto'
import { test } from 'node:test'
import { RequestProblem } from '../problem.ts'
import { checkPassword, type Derive, openPasswords } from './passwords.ts'

const LIMITS = { passwordsAtOnceMax: 2, passwordsWaitingMax: 3 }

test('a password is kept as argon2id with its own salt, and is known again', async () => {
  const passwords = openPasswords(LIMITS)
  const [one, other] = [await passwords.hash('correct horse'), await passwords.hash('correct horse')]
  assert.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  assert.notEqual(one, other)
  for (const phc of [one, other]) assert.equal(await passwords.matches('correct horse', phc), true)
  assert.equal(await passwords.matches('correct horses', one), false)
  const [, , , , salt = '', hash = ''] = one.split('$')
  const nonce = Buffer.from(salt, 'base64')
  const parameters = {
    message: 'correct horse',
    nonce,
    parallelism: 1,
    tagLength: 32,
    memory: 19_456,
    passes: 2,
  }
  assert.equal(argon2Sync('argon2id', parameters).toString('base64').replace(/=+$/, ''), hash)
})

test('it does not matter how a keyboard composes its letters', async () => {
  const passwords = openPasswords(LIMITS)
  const phc = await passwords.hash('zoë'.normalize('NFC'))
  assert.equal(await passwords.matches('zoë'.normalize('NFD'), phc), true)
})

test('one whom nobody knows costs what a wrong password costs, and never gets in', async () => {
  const seen: Omit<Argon2Parameters, 'message' | 'nonce'>[] = []
  const derive: Derive = async ({ message: _, nonce, ...rest }) => {
    seen.push({ ...rest })
    assert.equal(Buffer.from(nonce as Uint8Array).length, 16)
    return new Uint8Array(32)
  }
  const passwords = openPasswords(LIMITS, derive)
  const phc = await passwords.hash('some password')
  assert.equal(await passwords.matches('x', null), false)
  assert.equal(await passwords.matches('some password', phc), true)
  assert.equal(seen.length, 3)
  assert.deepEqual(seen[1], seen[2])
  assert.deepEqual(seen[0], seen[2])
})

test('few are hashed at once, some wait, and who comes then is told to come back', async () => {
  let under = 0
  let most = 0
  const open: (() => void)[] = []
  const derive: Derive = async () => {
    under += 1
    most = Math.max(most, under)
    await new Promise<void>(resolve => open.push(resolve))
    under -= 1
    return new Uint8Array(32)
  }
  const passwords = openPasswords(LIMITS, derive)
  const asked = Array.from({ length: 8 }, () => passwords.matches('x', null).catch((error: unknown) => error))
  const refused = await Promise.all(asked.slice(5))
  for (const error of refused) assert.ok(error instanceof RequestProblem && error.code === 'TOO_MANY_TRIES')
  for (let done = 0; done < 5; done += 1) {
    while (open.length === 0) await new Promise(resolve => setImmediate(resolve))
    open.shift()?.()
  }
  assert.deepEqual(await Promise.all(asked.slice(0, 5)), [false, false, false, false, false])
  assert.equal(most, 2)
})

test('a stored text that is none of ours is a bug, and no way in', async () => {
  const passwords = openPasswords(LIMITS)
  for (const phc of [
    '',
    'secret',
    '$2b$10$abcdefghijklmnopqrstuv',
    '$argon2i$v=19$m=1,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAA',
  ])
    await assert.rejects(passwords.matches('secret', phc), /not of argon2id/)
})

test('what is easily guessed is refused', () => {
  const limits = { passwordLengthMin: 12, passwordLengthMax: 64 }
  const check = (password: string) => () => checkPassword(password, 'adalovelace', limits)
  for (const weak of [
    '',
    'short',
    'aaaaaaaaaaaaaaaa',
    'adalovelaceadalovelace',
    'Passwordpassword1',
    'x'.repeat(65),
    '👍'.repeat(11),
  ])
    assert.throws(check(weak), RequestProblem, weak)
  for (const good of ['correct horse battery', 'q8#Vn2!kd0Zp', 'пароль из слов', 'a'.repeat(4) + 'bcdefghi'])
    check(good)()
})
