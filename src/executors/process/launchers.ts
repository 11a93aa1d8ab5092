import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import type { Launch, Launcher, Over, Place } from './launch.ts'
import { ENV_COMMAND, LAUNCHER } from './launch.ts'
import { inherited } from './environment.ts'
import { bootId, lastCreated, NUMBER_MAX, pids, processesCreated, sessionOf } from './processes.ts'

/** What launchers need to know, which does not depend on the state directory. */
export type LauncherPlace = Omit<Place, 'state'>

export const launcherPlace = (shell: readonly string[] = ['/bin/sh']): LauncherPlace => ({
  boot: bootId(),
  shell,
  umask: process.umask().toString(8).padStart(4, '0'),
})

/** Launchers that have nothing to do and are kept for the next attempt. */
const IDLE_MAX = 16
/** An attempt that took longer has the processes counted that were created since it began. */
const QUICK_MS = 100
/** The count is read again when it is older than this. */
const COUNT_MS_MAX = 1_000
/** Numbers of processes that are tried one by one; among more, those that are there are listed. */
const NUMBERS_MAX = 64
/** What is longer goes by way of a launcher of its own: a shell reads its commands slowly. */
const COMMAND_LENGTH_MAX = 16_384

/**
 * Launchers that run one attempt after the other. Starting a task then costs one `vfork` of a shell of 1 MB, however
 * large the engine is; an engine's own `fork` copies its page tables (`docs/adr/0008-spawn-path.md`).
 *
 * They only save time: one that dies, and whatever cannot be done this way, leaves the attempt to a launcher of
 * its own.
 */
export class Launchers {
  readonly #place: LauncherPlace
  /** What every launcher begins with; the rest of a task's environment comes with its command. */
  readonly #base = inherited(process.env)
  readonly #idle: Worker[] = []
  readonly #busy = new Set<Worker>()

  constructor(place: LauncherPlace) {
    this.#place = place
  }

  /** Starts one that waits for its first attempt: an engine that is still small does so faster, beside other work. */
  warm(): void {
    const worker = process.platform === 'linux' ? this.#open() : null
    if (worker !== null) this.#idle.push(worker)
  }

  /** Hands an attempt to a launcher; null when it has to have one of its own. */
  launch(launch: Launch, over: Over): Launcher | null {
    const missing = Object.keys(this.#base).some(name => launch.environment.variables[name] === undefined)
    const command = commandText(launch, this.#base)
    if (process.platform !== 'linux' || missing || command.length > COMMAND_LENGTH_MAX) return null
    const worker = this.#idle.pop() ?? this.#open()
    if (worker === null) return null
    this.#busy.add(worker)
    worker.give(command, over, keep => {
      this.#busy.delete(worker)
      if (keep && this.#idle.length < IDLE_MAX) this.#idle.push(worker)
      else worker.end()
    })
    return worker
  }

  /** The idle ones go, and are waited for; the others go when their task has ended. */
  async close(): Promise<void> {
    for (const worker of this.#busy) worker.end()
    this.#busy.clear()
    await Promise.all(this.#idle.splice(0).map(worker => worker.gone()))
  }

  #open(): Worker | null {
    const [shell = '/bin/sh', ...shellArgs] = this.#place.shell
    try {
      const child = spawn(shell, [...shellArgs, '-s', this.#place.boot, this.#place.umask], {
        cwd: '/',
        env: { ...this.#base },
        detached: true,
        stdio: ['pipe', 'pipe', 'ignore'],
      })
      const worker = new Worker(child, () => this.#forget(worker))
      return child.pid === undefined ? null : worker
    } catch {
      return null
    }
  }

  #forget(worker: Worker): void {
    this.#busy.delete(worker)
    const index = this.#idle.indexOf(worker)
    if (index !== -1) this.#idle.splice(index, 1)
  }
}

interface Given {
  readonly at: number
  /** The process created last before. */
  readonly last: number
  /** Processes created on this machine until some time before. */
  readonly created: number
  readonly over: Over
  readonly free: (keep: boolean) => void
}

/** One launcher: a shell in a session of its own that reads commands from a pipe. */
class Worker implements Launcher {
  readonly pid: number
  readonly #child: ChildProcess
  readonly #commands: Writable
  #given: Given | null = null
  /** It has told the end of what it was given last. */
  #told = false

  constructor(child: ChildProcess, gone: () => void) {
    this.#child = child
    this.pid = child.pid ?? 0
    // Both are there: they were asked for as pipes.
    this.#commands = child.stdin as Writable
    const answers = child.stdout as Readable
    child.on('error', () => undefined)
    // A launcher that has gone is told of by its exit.
    this.#commands.on('error', () => undefined)
    this.#commands.write(`. ${quoted(LAUNCHER)}\n`)
    answers.on('error', () => undefined)
    answers.on('data', () => this.#hear())
    child.once('exit', code => {
      gone()
      const given = this.#given
      this.#given = null
      given?.over(code, this.#told)
    })
    this.#hold(false)
  }

  give(command: string, over: Over, free: (keep: boolean) => void): void {
    this.#given = { at: performance.now(), last: lastCreated(), created: createdBefore(), over, free }
    this.#told = false
    this.#hold(true)
    this.#commands.write(command)
  }

  /** Without commands it ends everything of its group, itself included, as soon as no task runs. */
  end(): void {
    this.#commands.end()
  }

  /** Ends it while nothing of it runs. */
  async gone(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#hold(true)
    this.#commands.end()
    await once(this.#child, 'exit')
  }

  letGo(): void {
    this.#given = null
    this.#hold(false)
  }

  /** The line that tells an end. A launcher with which something may be left is ended first: its exit tells then. */
  #hear(): void {
    const given = this.#given
    if (given === null) return
    this.#told = true
    if (!isComparable(given) || isLeft(this.pid, given.last, lastCreated())) return given.free(false)
    this.#given = null
    this.#hold(false)
    given.free(true)
    given.over(null, true)
  }

  /** Whether the engine's process stays for it. */
  #hold(yes: boolean): void {
    for (const part of [this.#child, this.#child.stdin, this.#child.stdout]) {
      const handle = part as { ref?(): void; unref?(): void } | null
      if (yes) handle?.ref?.()
      else handle?.unref?.()
    }
  }
}

/**
 * Whether the numbers of processes cannot have gone all the way round since an attempt began. Then everything it left
 * running has a number between the two that were created last before and after.
 */
function isComparable(given: Given): boolean {
  return performance.now() - given.at <= QUICK_MS || processesCreated() - given.created < NUMBER_MAX / 2
}

/** Whether one of the processes created after one number and up to another is of a launcher's session. */
function isLeft(launcher: number, before: number, last: number): boolean {
  if (before === 0 || last <= before) return true
  // Only the task itself.
  if (last === before + 1) return false
  return numbersBetween(before, last).some(pid => sessionOf(pid) === launcher)
}

function numbersBetween(before: number, last: number): readonly number[] {
  if (last - before > NUMBERS_MAX) return pids().filter(pid => pid > before && pid <= last)
  return Array.from({ length: last - before }, (_, index) => before + 1 + index).filter(pid =>
    existsSync(`/proc/${pid}`),
  )
}

let counted = { at: Number.NEGATIVE_INFINITY, created: 0 }

/** A count that is at most a second old: too small by what was created since. */
function createdBefore(): number {
  const at = performance.now()
  if (at - counted.at > COUNT_MS_MAX) counted = { at, created: processesCreated() }
  return counted.created
}

/**
 * One compound command, so that a shell runs it whole or, when the engine died while writing it, not at all. It goes
 * through a pipe of the engine and the launcher alone: nothing of it is ever an argument of any process but the task.
 */
export function commandText(launch: Launch, base: Readonly<Record<string, string>>): string {
  const { folder, argv, environment, workdir } = launch
  const variables: string[] = []
  const odd: string[] = []
  for (const [name, value] of Object.entries(environment.variables)) {
    if (/^KONTROLER_ENV_\d+$/u.test(name)) odd.push(value)
    else if (base[name] !== value) variables.push(`${name}=${quoted(value)}`)
  }
  const words = odd.length === 0 ? argv : [ENV_COMMAND, '--', ...odd, ...argv]
  const [command = ''] = words
  const task = [...variables, ...words.map(quoted)].join(' ')
  return (
    `if kontroler_begin ${quoted(folder)} ${quoted(workdir)}; then\n` +
    `${task} >>"$kontroler_dir/log" 2>&1 </dev/null\nkontroler_ended $? ${quoted(command)}\n` +
    `else kontroler_ended 143 ${quoted(command)}\nfi\n`
  )
}

/** A word of the shell, byte for byte. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
