import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { RequestProblem } from '../problem.ts'
import { Turns } from '../turns.ts'

/** What OWASP asks for as the least of argon2id: 19 MiB, two passes, one lane. */
const MEMORY_KIB = 19_456
const PASSES = 2
const LANES = 1
const SALT_BYTES = 16
const HASH_BYTES = 32
const PHC =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{11,86})$/
const RETRY_SECONDS = '5'

export type Derive = (parameters: Argon2Parameters) => Promise<Uint8Array>

/** Hashing of passwords: a few at a time, since each takes memory and a thread of the process. */
export interface Passwords {
  /** As PHC text. */
  hash(password: string): Promise<string>
  /** The same work is done whether there is anything to compare with or not. */
  matches(password: string, phc: string | null): Promise<boolean>
}

export interface PasswordLimits {
  readonly passwordsAtOnceMax: number
  readonly passwordsWaitingMax: number
}

export function openPasswords(limits: PasswordLimits, derive: Derive = argon2id): Passwords {
  const turns = new Turns(limits.passwordsAtOnceMax)
  let inside = 0
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (inside >= limits.passwordsAtOnceMax + limits.passwordsWaitingMax) throw busy()
    inside += 1
    try {
      return await turns.take(work)
    } finally {
      inside -= 1
    }
  }
  const stand = phcOf(randomBytes(SALT_BYTES), randomBytes(HASH_BYTES))
  return {
    hash: password =>
      inTurn(async () => {
        const nonce = randomBytes(SALT_BYTES)
        const parameters = { memory: MEMORY_KIB, passes: PASSES, parallelism: LANES, tagLength: HASH_BYTES }
        return phcOf(nonce, await derive({ message: bytesOf(password), nonce, ...parameters }))
      }),
    matches: (password, phc) =>
      inTurn(async () => {
        const { parameters, hash } = read(phc ?? stand)
        const found = await derive({ message: bytesOf(password), ...parameters })
        return timingSafeEqual(found, hash) && phc !== null
      }),
  }
}

const run = promisify(argon2)
const argon2id: Derive = parameters => run('argon2id', parameters)

/** One password, however a keyboard composes its letters. */
const bytesOf = (password: string): Uint8Array => Buffer.from(password.normalize('NFKC'))

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/=+$/, '')

const phcOf = (salt: Uint8Array, hash: Uint8Array): string =>
  `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$${base64(salt)}$${base64(hash)}`

interface Stored {
  readonly parameters: Omit<Argon2Parameters, 'message'>
  readonly hash: Uint8Array
}

/** What was written here; of anything else it is a bug, or somebody changed the database. */
function read(phc: string): Stored {
  const [, memory, passes, parallelism, salt, hash] = PHC.exec(phc) ?? []
  if (salt === undefined || hash === undefined) throw new Error('a stored password is not of argon2id')
  const bytes = Buffer.from(hash, 'base64')
  return {
    parameters: {
      nonce: Buffer.from(salt, 'base64'),
      memory: Number(memory),
      passes: Number(passes),
      parallelism: Number(parallelism),
      tagLength: bytes.length,
    },
    hash: bytes,
  }
}

function busy(): RequestProblem {
  const message = 'too many sign in at this moment'
  return new RequestProblem('TOO_MANY_TRIES', message, 'try again in a moment', {
    headers: { 'retry-after': RETRY_SECONDS },
  }).denying(null)
}

const DISTINCT_MIN = 5

/** @throws {RequestProblem} `WEAK_PASSWORD` */
export function checkPassword(
  password: string,
  name: string,
  limits: { readonly passwordLengthMin: number; readonly passwordLengthMax: number },
): void {
  const { length } = Array.from(password.normalize('NFKC'))
  const rest = [name.toLowerCase(), 'kontroler', 'password'].reduce(
    (text, word) => text.replaceAll(word, ''),
    password.toLowerCase(),
  )
  const weak =
    length < limits.passwordLengthMin
      ? `the password has less than ${limits.passwordLengthMin} characters`
      : length > limits.passwordLengthMax
        ? `the password has more than ${limits.passwordLengthMax} characters`
        : new Set(rest).size < DISTINCT_MIN
          ? 'the password is made of the name, or of a few characters'
          : null
  if (weak !== null)
    throw new RequestProblem('WEAK_PASSWORD', weak, 'take several words, or what a program makes')
}
