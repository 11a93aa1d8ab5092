import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openPostgresStore } from '../../src/stores/postgres/open.ts'
import { openSqliteStore } from '../../src/stores/sqlite/open.ts'
import type { Store, StoredRun } from '../../src/ports/store.ts'

const BIN = fileURLToPath(new URL('../../bin/kontroler.js', import.meta.url))

/** One `kontroler` process. */
export interface Command {
  readonly child: ChildProcess
  readonly pid: number
  /** What it has written so far, to standard output and standard error. */
  output(): string
  /** Settles when it has ended. */
  readonly over: Promise<Ended>
  /** Settles when its output holds the text. Fails when it ends without. */
  says(text: string): Promise<void>
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
}

export interface StartOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly stdio?: 'no input' | 'closed input'
  /** Command that executes what follows it, in the surroundings it makes. */
  readonly through?: readonly string[]
}

/** What every command of a place is started with. */
export interface Surroundings {
  /** URL of the PostgreSQL database that takes the place of the file in the state directory. */
  readonly database?: string
  readonly env?: Readonly<Record<string, string>>
  readonly through?: readonly string[]
}

/** A folder of its own with a state directory, whose processes are gone when the test is over. */
export class Place {
  readonly folder: string
  readonly state: string
  readonly #surroundings: Surroundings
  readonly #commands = new Set<Command>()
  readonly #beforeRemoval: (() => void)[] = []

  constructor(folder: string, state: string, surroundings: Surroundings = {}) {
    this.folder = folder
    this.state = state
    this.#surroundings = surroundings
  }

  static async make(t: TestContext, surroundings: Surroundings = {}): Promise<Place> {
    const folder = await mkdtemp(join(tmpdir(), 'kontroler-e2e-'))
    const place = new Place(folder, join(folder, 'state'), surroundings)
    t.after(() => place.remove())
    return place
  }

  file(name: string, text: string): string {
    const path = join(this.folder, name)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, text)
    return path
  }

  /** Starts `kontroler` over the state directory. */
  start(args: readonly string[], options: StartOptions = {}): Command {
    const { database, env, through = [] } = this.#surroundings
    const command = startCommand(['--state', this.state, ...args], {
      cwd: this.folder,
      through,
      ...options,
      env: { ...(database === undefined ? {} : { KONTROLER_DATABASE: database }), ...env, ...options.env },
    })
    this.#commands.add(command)
    return command
  }

  async run(args: readonly string[], options: StartOptions = {}): Promise<Ended> {
    return await this.start(args, options).over
  }

  /** Reads the store beside whoever works with it. */
  async read<T>(work: (store: Store) => Promise<T>): Promise<T> {
    mkdirSync(this.state, { recursive: true, mode: 0o700 })
    const { database } = this.#surroundings
    const store =
      database === undefined
        ? await openSqliteStore(join(this.state, 'kontroler.db'))
        : await openPostgresStore(database)
    try {
      return await work(store)
    } finally {
      await store.close()
    }
  }

  /** All runs, newest first. */
  async runs(): Promise<readonly StoredRun[]> {
    return await this.read(async store => (await store.runs({ limit: 500 })).items)
  }

  /** Processes of tasks of this state directory that are alive. */
  tasks(): readonly number[] {
    return taskProcesses(this.state)
  }

  beforeRemoval(call: () => void): void {
    this.#beforeRemoval.push(call)
  }

  async remove(): Promise<void> {
    for (const { child } of this.#commands) child.kill('SIGKILL')
    for (const pid of this.tasks()) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended meanwhile.
      }
    }
    for (const call of this.#beforeRemoval.splice(0)) call()
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  }
}

export function startCommand(args: readonly string[], options: StartOptions = {}): Command {
  const [command = '', ...all] = [...(options.through ?? []), process.execPath, BIN, ...args]
  const child = spawn(command, all, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: {
      ...process.env,
      NO_COLOR: '1',
      NODE_TEST_CONTEXT: undefined,
      KONTROLER_EXECUTOR: 'process',
      ...options.env,
    },
    stdio: [options.stdio === 'closed input' ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  })
  child.stdin?.destroy()
  let output = ''
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
      for (const listener of listeners) listener()
    })
  }
  const over = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      resolve({ code, signal, output })
      for (const listener of listeners) listener()
    })
  })
  const says = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = output.includes(text)
        if (!found && child.exitCode === null && child.signalCode === null) return
        listeners.delete(look)
        if (found) resolve()
        else reject(new Error(`it ended without saying "${text}":\n${output}`))
      }
      listeners.add(look)
      look()
    })
  return { child, pid: child.pid ?? -1, output: () => output, over, says }
}

/** Living processes whose environment says that they belong to an attempt below this state directory. */
export function taskProcesses(state: string): readonly number[] {
  const found: number[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const environment = readFileSync(`/proc/${name}/environ`, 'latin1')
      if (!environment.includes(`KONTROLER_OUTPUT=${state}/`)) continue
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
      if (!/^[ZX]/u.test(stat.slice(stat.lastIndexOf(')') + 2))) found.push(Number(name))
    } catch {
      // It is gone, or somebody else's.
    }
  }
  return found
}

/** Waits until something holds; fails with what was seen last. */
export async function until<T>(
  what: string,
  look: () => Promise<T | null> | T | null,
  timeoutMs = 20_000,
): Promise<T> {
  const end = performance.now() + timeoutMs
  for (;;) {
    const found = await look()
    if (found !== null && found !== false) return found
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`)
    await delay(20)
  }
}

/** A document of one DAG. `tasks` is YAML, indented by four spaces. */
export function dagText(name: string, tasks: string, spec = ''): string {
  return `apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata:
  name: ${name}
spec:
${spec}  task:
${tasks}`
}

/** Calls all with at most `limit` at once. */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items]
  await Promise.all(
    Array.from({ length: limit }, async () => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
    }),
  )
}
