import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, chmodSync, chownSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from 'pg'
import { type Binaries, binaries } from './binaries.ts'

/** The role that tests of the store use: it owns its database and nothing else. */
export const ROLE = 'kontroler'
export const PASSWORD = 'not-a-secret'

/** A real PostgreSQL on a directory of its own; one for each test file. */
export interface PostgresServer {
  readonly version: number
  readonly folder: string
  readonly port: number
  /** Of the ordinary role, over TCP, without TLS. */
  readonly url: string
  /** As `url`, with other query parameters. */
  urlWith(parameters: Readonly<Record<string, string>>): string
  /** Runs SQL as the superuser, in the database `postgres` if no other is named, and gives the rows. */
  admin(sql: string, database?: string): Promise<readonly Record<string, unknown>[]>
  /** Ends it in an orderly way; sessions are cut off. */
  stop(): Promise<void>
  start(): Promise<void>
  /** Kills it and all its processes at once, as a power loss would. */
  kill9(): Promise<void>
  /** Ends it and removes its directory. */
  remove(): Promise<void>
}

export interface ServerSettings {
  /** Lines for `postgresql.conf`. */
  readonly configuration?: readonly string[]
  /** Called when the data directory is made, before the first start. */
  readonly prepare?: (data: string, own: (path: string) => void) => void
  /** Lines that stand before the others of `pg_hba.conf`. */
  readonly access?: readonly string[]
  /** An existing directory to put the data in; default a new one below the temporary directory. */
  readonly folder?: string
}

/** @throws {Error} With one sentence where a server of this version cannot be had here. */
export async function startPostgres(version: number, settings: ServerSettings = {}): Promise<PostgresServer> {
  const folder = settings.folder ?? mkdtempSync(join(tmpdir(), 'kontroler-pg-'))
  chmodSync(folder, 0o755)
  const found = binaries(version, folder)
  const data = join(folder, 'data')
  const own = (path: string): void => {
    if (found.user !== null) chownSync(path, found.user.uid, found.user.gid)
  }
  own(folder)
  initialize(found, data, settings)
  settings.prepare?.(data, own)
  const port = await freePort()
  appendFileSync(
    join(data, 'postgresql.conf'),
    [...configuration(folder, port), ...(settings.configuration ?? []), ''].join('\n'),
  )
  const server = running(version, found, folder, port)
  await server.start()
  await server.admin(`CREATE ROLE ${ROLE} LOGIN PASSWORD '${PASSWORD}'`)
  await server.admin(`CREATE DATABASE ${ROLE} OWNER ${ROLE}`)
  return server
}

/** A collation that differs from the order of code points shows where the store relies on the server's. */
function initialize(found: Binaries, data: string, settings: ServerSettings): void {
  const made = spawnSync(
    join(found.bin, 'initdb'),
    [
      '-D',
      data,
      '-U',
      'postgres',
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=icu',
      '--icu-locale=en-US',
      '--auth-local=trust',
      '--auth-host=scram-sha-256',
      '--no-sync',
      '--no-instructions',
    ],
    { ...identity(found), encoding: 'utf8' },
  )
  if (made.status !== 0)
    throw new Error(`initdb failed: ${made.stderr}${made.stdout}${String(made.error ?? '')}`)
  if (settings.access === undefined) return
  const file = join(data, 'pg_hba.conf')
  const before = readFileSync(file, 'utf8')
  rmSync(file)
  appendFileSync(file, [...settings.access, before].join('\n'))
  if (found.user !== null) chownSync(file, found.user.uid, found.user.gid)
}

function configuration(folder: string, port: number): readonly string[] {
  return [
    `listen_addresses = '127.0.0.1'`,
    `port = ${port}`,
    `unix_socket_directories = '${folder}'`,
    `log_destination = 'stderr'`,
    'fsync = on',
    'shared_buffers = 64MB',
    'max_connections = 60',
  ]
}

function running(version: number, found: Binaries, folder: string, port: number): PostgresServer {
  let postmaster: ChildProcess | null = null
  const urlWith = (parameters: Readonly<Record<string, string>>): string =>
    `postgres://${ROLE}:${PASSWORD}@127.0.0.1:${port}/${ROLE}?${String(new URLSearchParams({ sslmode: 'disable', ...parameters }))}`
  const ended = async (signal: NodeJS.Signals): Promise<void> => {
    const one = postmaster
    if (one === null || one.exitCode !== null || one.signalCode !== null) return
    const end = once(one, 'exit')
    one.kill(signal)
    await end
  }
  const server: PostgresServer = {
    version,
    folder,
    port,
    url: urlWith({}),
    urlWith,
    async admin(sql, database = 'postgres') {
      const client = new Client({ host: folder, port, user: 'postgres', database })
      await client.connect()
      try {
        return (await client.query<Record<string, unknown>>(sql)).rows
      } finally {
        await client.end()
      }
    },
    async start() {
      for (let attempt = 1; ; attempt += 1) {
        postmaster = spawn(join(found.bin, 'postgres'), ['-D', join(folder, 'data')], {
          ...identity(found),
          stdio: ['ignore', 'ignore', 'pipe'],
        })
        guard(postmaster)
        if (await accepts(postmaster, folder, port)) return
        if (attempt === 20) throw new Error(`PostgreSQL ${version} does not start: ${logOf(postmaster)}`)
        // The processes of one that was killed may need a moment to see it.
        await pause(100)
      }
    },
    stop: () => ended('SIGINT'),
    async kill9() {
      const pid = postmaster?.pid
      if (pid === undefined) return
      const children = childrenOf(pid)
      const end = ended('SIGKILL')
      for (const child of children) {
        try {
          process.kill(child, 'SIGKILL')
        } catch {
          // It has ended by itself.
        }
      }
      await end
    },
    async remove() {
      await ended('SIGQUIT')
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return server
}

function identity(found: Binaries): { uid?: number; gid?: number; env: NodeJS.ProcessEnv; cwd: string } {
  const env = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' }
  return found.user === null ? { env, cwd: '/' } : { ...found.user, env, cwd: '/' }
}

const logs = new WeakMap<ChildProcess, string>()
function logOf(postmaster: ChildProcess): string {
  return logs.get(postmaster) ?? ''
}

/** The server ends with the test process, however that one ends; what it says last is kept for messages. */
function guard(postmaster: ChildProcess): void {
  const kill = (): void => {
    postmaster.kill('SIGQUIT')
  }
  process.once('exit', kill)
  postmaster.once('exit', () => process.off('exit', kill))
  postmaster.stderr?.setEncoding('utf8').on('data', (text: string) => {
    logs.set(postmaster, (logOf(postmaster) + text).slice(-4_000))
  })
}

async function accepts(postmaster: ChildProcess, folder: string, port: number): Promise<boolean> {
  while (postmaster.exitCode === null && postmaster.signalCode === null) {
    const client = new Client({ host: folder, port, user: 'postgres', database: 'postgres' })
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.end()
      return true
    } catch {
      await pause(30)
    }
  }
  return false
}

function childrenOf(parent: number): readonly number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(name => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent
      } catch {
        return false
      }
    })
    .map(Number)
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Whether something listens there. */
export async function listens(port: number): Promise<boolean> {
  const socket = createConnection(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
