import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { checkServerIdentity, type ConnectionOptions } from 'node:tls'
import { StoreError } from '../../ports/store.ts'

/** Where a database is, who we are there, and how the line to it is secured. Read from one URL. */
export interface Address {
  /** A host name, an IP address, or the directory of a Unix socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  /** Undefined: what `PGPASSWORD` or the password file says. */
  readonly password: string | undefined
  readonly database: string
  /** Where our tables are; made when it is not there. */
  readonly schema: string
  readonly tls: ConnectionOptions | false
  readonly applicationName: string
  /** The address for people: without password and parameters. */
  readonly shown: string
}

const MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const
type TlsMode = (typeof MODES)[number]

const PARAMETERS = [
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'schema',
  'application_name',
  'host',
] as const
const PORT = 5432
const SCHEMA = 'kontroler'

/**
 * Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…`.
 *
 * `sslmode` is one of `disable`; `require` (encrypted, the server may be anybody, unless `sslrootcert` names who
 * vouches for it); `verify-ca` (somebody we trust vouches for the server); `verify-full` (and for its name). Without
 * it the line to another machine is `verify-full`, and one within this machine `disable`.
 *
 * @throws {StoreError} `DATABASE_UNAVAILABLE`: what is wrong with the URL, without its password.
 */
export function readAddress(text: string): Address {
  const url = parse(text)
  const { searchParams } = url
  for (const name of searchParams.keys())
    if (!PARAMETERS.some(known => known === name))
      throw wrong(`it has an unknown parameter "${name}"; known are ${PARAMETERS.join(', ')}`)
  const parameter = (name: (typeof PARAMETERS)[number]): string | null => searchParams.get(name)
  const host = parameter('host') ?? (decoded(url.hostname.replace(/^\[(.*)\]$/, '$1')) || 'localhost')
  const user = decoded(url.username)
  const database = decoded(url.pathname.replace(/^\//, '')) || user
  if (user === '') throw wrong('it names no user; write postgres://USER@HOST/DATABASE')
  const schema = parameter('schema') ?? SCHEMA
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema) || schema.startsWith('pg_'))
    throw wrong(`"${schema}" is no name of a schema; use small letters, digits and _`)
  const port = url.port === '' ? PORT : Number(url.port)
  const where = host.startsWith('/') ? `[${host}]` : host.includes(':') ? `[${host}]` : host
  return {
    host,
    port,
    user,
    password: url.password === '' ? undefined : decoded(url.password),
    database,
    schema,
    tls: tlsOf(host, parameter),
    applicationName: parameter('application_name') ?? 'kontroler',
    shown: `postgres://${user}@${where}:${port}/${database}`,
  }
}

/** `new URL` puts the whole text, with its password, into its errors; so nothing of them is passed on. */
function parse(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !['postgres:', 'postgresql:'].includes(url.protocol))
    throw wrong('write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE, with special characters as %XX')
  return url
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw wrong('a % in it is not followed by two digits; write a % itself as %25')
  }
}

function tlsOf(
  host: string,
  parameter: (name: 'sslmode' | 'sslrootcert' | 'sslcert' | 'sslkey') => string | null,
): ConnectionOptions | false {
  const mode = modeOf(parameter('sslmode'), host)
  if (mode === 'disable') return false
  const file = (name: 'sslrootcert' | 'sslcert' | 'sslkey'): string | undefined => {
    const path = parameter(name)
    return path === null || path === 'system' ? undefined : contents(name, path)
  }
  const [ca, cert, key] = [file('sslrootcert'), file('sslcert'), file('sslkey')]
  const named = isIP(host) === 0 ? { servername: host } : {}
  return {
    ...named,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: mode !== 'require' || ca !== undefined,
    // The name is looked at with the host of the URL, whatever the socket below is connected to.
    checkServerIdentity: (_name, certificate) =>
      mode === 'verify-full' ? checkServerIdentity(host, certificate) : undefined,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
}

function modeOf(text: string | null, host: string): TlsMode {
  const loopback = isIP(host) === 4 && host.startsWith('127.')
  const local = loopback || host.startsWith('/') || host === 'localhost' || host === '::1'
  if (text === null) return local ? 'disable' : 'verify-full'
  const mode = MODES.find(one => one === text)
  if (mode === undefined) throw wrong(`sslmode "${text}" is not one of ${MODES.join(', ')}`)
  return mode
}

function contents(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'error'
    throw wrong(`the file of ${name} cannot be read (${path}: ${code})`)
  }
}

function wrong(what: string): StoreError {
  return new StoreError('DATABASE_UNAVAILABLE', `The database URL cannot be used: ${what}.`)
}
