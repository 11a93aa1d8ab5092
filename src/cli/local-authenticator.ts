import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Authenticator, Principal } from '../ports/authenticator.ts'
import { CommandError } from './exit.ts'

/** In the state directory; whoever can read it may do everything that the API can. */
export const TOKEN_FILE = 'api-token'
const TOKEN = /^[A-Za-z0-9_-]{43}$/

/** Who asks on a laptop: its user, who shows the token of the state directory or came by a link. */
export interface LocalAuthenticator extends Authenticator {
  /** A path that signs a browser in, once. */
  newLink(): string
  /** Cookies are shared by all ports of a host, so that each has a name of its own. */
  port: number
}

export function localAuthenticator(token: string, user: string): LocalAuthenticator {
  const principal: Principal = { id: 'local', name: user, roles: new Map([['*', 'admin']]) }
  // Not the token itself: what a browser keeps opens nothing but a server of this state directory.
  const cookie = createHmac('sha256', token).update('cookie').digest('base64url')
  let code: string | null = null
  const self: LocalAuthenticator = {
    port: 0,
    newLink() {
      code = randomBytes(32).toString('base64url')
      return `/sign-in?code=${code}`
    },
    async identify({ bearer, cookies }) {
      const shown = cookies.get(nameOf(self.port))
      const known = bearer === null ? shown !== undefined && isSame(shown, cookie) : isSame(bearer, token)
      return known ? principal : null
    },
    async redeem(given) {
      if (code === null || !isSame(given, code)) return null
      code = null
      return { name: nameOf(self.port), value: cookie }
    },
  }
  return self
}

const nameOf = (port: number): string => `kontroler-${port}`

/** Takes as long for any two texts: their digests are compared. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

/**
 * The token of a state directory, made when there is none.
 *
 * @throws {CommandError} `TOKEN_EXPOSED` somebody else may read or write it.
 */
export function tokenOf(stateDir: string): string {
  const file = join(stateDir, TOKEN_FILE)
  return readToken(file) ?? makeToken(file)
}

function readToken(file: string): string | null {
  let handle: number
  try {
    handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw exposed(file)
  }
  try {
    const found = fstatSync(handle)
    const foreign = process.getuid !== undefined && found.uid !== process.getuid()
    if (!found.isFile() || foreign || (process.platform !== 'win32' && (found.mode & 0o077) !== 0))
      throw exposed(file)
    const text = readFileSync(handle, 'utf8').trim()
    if (!TOKEN.test(text)) throw exposed(file)
    return text
  } finally {
    closeSync(handle)
  }
}

/** Written whole under another name first: of two that make one at once, both use the one that came first. */
function makeToken(file: string): string {
  const draft = `${file}.${randomBytes(8).toString('hex')}`
  writeFileSync(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
  try {
    linkSync(draft, file)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
  const token = readToken(file)
  if (token === null) throw exposed(file)
  return token
}

function exposed(file: string): CommandError {
  return new CommandError(
    'TOKEN_EXPOSED',
    `${file} is no token that this user alone may read`,
    'remove it; a new one is made',
  )
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
