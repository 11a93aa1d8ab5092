import { execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** A process of a cluster that outlives whoever started it; known by a file with its pid and start time. */
export class Part {
  readonly name: string
  readonly #folder: string
  readonly #path: string

  constructor(name: string, folder: string, programs: readonly string[]) {
    this.name = name
    this.#folder = folder
    this.#path = [...programs, process.env['PATH'] ?? ''].join(delimiter)
  }

  /** Does nothing when it runs already. */
  start(program: string, args: readonly string[]): void {
    if (this.pid !== null) return
    const log = openSync(this.log, 'a')
    const child = spawn(program, args, {
      cwd: this.#folder,
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, PATH: this.#path },
    })
    closeSync(log)
    if (child.pid === undefined) throw new Error(`${program} cannot be started`)
    child.unref()
    writeFileSync(this.#file, JSON.stringify({ pid: child.pid, started: startOf(child.pid) }))
  }

  /** Its process id, or null when it does not run. */
  get pid(): number | null {
    if (!existsSync(this.#file)) return null
    const { pid, started } = JSON.parse(readFileSync(this.#file, 'utf8')) as { pid: number; started: string }
    return started !== '' && startOf(pid) === started ? pid : null
  }

  signal(signal: NodeJS.Signals): void {
    const { pid } = this
    if (pid !== null) process.kill(pid, signal)
  }

  /** TERM, and KILL when that does not do in time. */
  async stop(graceMs = 10_000): Promise<void> {
    this.signal('SIGTERM')
    for (let waited = 0; this.pid !== null && waited < graceMs; waited += 50) await delay(50)
    await this.kill()
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    while (this.pid !== null) await delay(10)
    rmSync(this.#file, { force: true })
  }

  get log(): string {
    return join(this.#folder, `${this.name}.log`)
  }

  /** The end of its log, for whoever has to find out why it does not come up. */
  tail(lines = 15): string {
    if (!existsSync(this.log)) return '(no log)'
    return readFileSync(this.log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  }

  get #file(): string {
    return join(this.#folder, `${this.name}.pid`)
  }
}

/** Start of a process in ticks since boot, so that a pid that was given again is not taken for it; '' when it is gone. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? '' : (fields[19] ?? '')
  } catch {
    return ''
  }
}

/** Below the ports that the kernel hands out for outgoing connections. */
const [PORT_MIN, PORT_MAX] = [20_000, 32_000]

/**
 * Ports that nobody listens on now. None of those that the kernel hands out by itself: while a server is down, a client
 * that asks for it again and again is given the server's own port as its side of the connection, sooner or later.
 */
export async function freePorts(count: number, host = '127.0.0.1'): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN))
    if (await isFree(port, host)) ports.add(port)
  }
  return [...ports]
}

const isFree = (port: number, host: string): Promise<boolean> =>
  new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })

/** @throws {Error} It did not come true in time; `why` says what is known. */
export async function eventually(
  what: string,
  isTrue: () => Promise<boolean> | boolean,
  why: () => string,
  withinMs = 60_000,
): Promise<void> {
  const until = Date.now() + withinMs
  for (;;) {
    if (await (async () => isTrue())().catch(() => false)) return
    if (Date.now() > until) throw new Error(`${what} did not come up within ${withinMs / 1000} s:\n${why()}`)
    await delay(100)
  }
}

export function quietly(program: string, ...args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
