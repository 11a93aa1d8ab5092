import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { CommandError } from './exit.ts'
import { TOKEN_FILE, localAuthenticator, tokenOf } from './local-authenticator.ts'

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'kontroler-token-'))
  t.after(() => rmSync(made, { recursive: true }))
  return made
}
const none = new Map<string, string>()

test('the token of a state directory is made once, and only its user may read it', t => {
  const here = folder(t)
  const token = tokenOf(here)
  assert.match(token, /^[\w-]{43}$/)
  assert.equal(tokenOf(here), token)
  assert.equal(statSync(join(here, TOKEN_FILE)).mode & 0o777, 0o600)
  assert.equal(readFileSync(join(here, TOKEN_FILE), 'utf8'), `${token}\n`)
  assert.notEqual(tokenOf(folder(t)), token)
})

test('one that others may read, that is no file of its own, or holds none, is not used', t => {
  const here = folder(t)
  const file = join(here, TOKEN_FILE)
  const refused = (): void => {
    assert.throws(
      () => tokenOf(here),
      (error: unknown) => error instanceof CommandError && error.code === 'TOKEN_EXPOSED',
    )
  }
  tokenOf(here)
  for (const mode of [0o640, 0o604, 0o660]) {
    chmodSync(file, mode)
    refused()
  }
  writeFileSync(file, 'short')
  chmodSync(file, 0o600)
  refused()
  rmSync(file)
  const other = join(here, 'other')
  writeFileSync(other, `${'a'.repeat(43)}\n`, { mode: 0o600 })
  symlinkSync(other, file)
  refused()
})

test('who shows the token is the user of this machine, and nobody else is known', async () => {
  const auth = localAuthenticator('t'.repeat(43), 'ada')
  const known = await auth.identify({ bearer: 't'.repeat(43), cookies: none })
  assert.deepEqual([known?.name, known?.roles.get('*')], ['ada', 'admin'])
  for (const bearer of ['', 't'.repeat(42), 't'.repeat(44), 'T'.repeat(43)])
    assert.equal(await auth.identify({ bearer, cookies: none }), null)
  assert.equal(await auth.identify({ bearer: null, cookies: none }), null)
})

test('a link is good once, and its cookie for this port and as long as the token is', async () => {
  const auth = localAuthenticator('t'.repeat(43), 'ada')
  auth.port = 8080
  assert.equal(await auth.redeem(''), null)
  const code = auth.newLink().replace('/sign-in?code=', '')
  assert.equal(await auth.redeem(`${code}x`), null)
  const cookie = await auth.redeem(code)
  assert.equal(await auth.redeem(code), null)
  assert.equal(cookie?.name, 'kontroler-8080')
  const cookies = new Map([[cookie?.name ?? '', cookie?.value ?? '']])
  assert.equal((await auth.identify({ bearer: null, cookies }))?.name, 'ada')
  assert.ok(!cookie?.value.includes('ttt'))
  const other = localAuthenticator('u'.repeat(43), 'ada')
  other.port = 8080
  assert.equal(await other.identify({ bearer: null, cookies }), null)
  // Who shows a wrong token is not let in by a cookie.
  assert.equal(await auth.identify({ bearer: 'wrong', cookies }), null)
})
