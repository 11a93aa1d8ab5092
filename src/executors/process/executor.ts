import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, realpathSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { attemptPath, runPath, workspacePath } from '../../core/run/attempt-path.ts'
import type { ContainerWork } from '../../core/dag/dag.ts'
import type { Clock } from '../../ports/clock.ts'
import type {
  AttemptRef,
  AttemptSpec,
  Executor,
  Intended,
  Observation,
  Observe,
} from '../../ports/executor.ts'
import { eraOf, mayHaveRun } from '../era.ts'
import { stateIdentity } from '../state-identity.ts'
import { Attempt } from './attempt.ts'
import { launcherPlace, Launchers } from './launchers.ts'
import { ignoredOf } from './ignored.ts'
import type { Place } from './launch.ts'
import type { Moment } from './processes.ts'
import { descendants, momentNow, numberBefore, signal } from './processes.ts'
import { codeOf, readRecord } from './record.ts'

export interface ProcessExecutorOptions {
  /** Made when it is not there, for its owner only. */
  readonly stateDir: string
  readonly observe: Observe
  /** Default: the machine's. */
  readonly clock?: Clock
  /** The POSIX shell that runs the launcher. Default `/bin/sh`. */
  readonly shell?: readonly string[]
  /** Some of this process that were opened before; the executor closes them. */
  readonly launchers?: Launchers
}

/**
 * Runs attempts as processes of this machine. Whether an attempt was started, by whom, and how it ended is kept in its
 * folder and nowhere else (`docs/adr/0003-process-start.md`), so any number of these may look after the same
 * attempts, one after the other or at once.
 */
export const createProcessExecutor = (options: ProcessExecutorOptions): Executor =>
  new ProcessExecutor(options)

/** How long `endRun` waits for processes that have been sent KILL, and how often it looks. */
const END_ROUNDS_MAX = 250
const END_ROUND_MS = 20

class ProcessExecutor implements Executor {
  readonly name = 'process'
  readonly era: string
  readonly #launchers: Launchers
  readonly #place: Place
  readonly #observe: Observe
  readonly #clock: Clock
  /** Attempts that are looked after; an ended one is not, as its folder tells. */
  readonly #attempts = new Map<string, Attempt>()
  /** When runs began of which nobody else has started anything; null for others. What they left running is younger. */
  readonly #began = new Map<string, Moment | null>()
  readonly #pending = new Set<Promise<void>>()
  #closed = false

  constructor(options: ProcessExecutorOptions) {
    mkdirSync(options.stateDir, { recursive: true, mode: 0o700 })
    this.#place = { state: realpathSync(options.stateDir), ...launcherPlace(options.shell) }
    this.era = eraOf('process', stateIdentity(this.#place.state), this.#place.boot)
    this.#launchers = options.launchers ?? new Launchers(this.#place)
    this.#observe = options.observe
    this.#clock = options.clock ?? machineClock
  }

  ignores(work: ContainerWork): readonly string[] {
    return ignoredOf(work)
  }

  start(spec: AttemptSpec): void {
    if (process.platform === 'linux' && !this.#began.has(spec.run)) {
      const folder = join(this.#place.state, runPath(spec.run))
      this.#began.set(spec.run, existsSync(folder) ? null : momentNow())
    }
    this.#attempt(spec).start(spec)
  }

  async adopt(ref: Intended): Promise<boolean> {
    this.#began.set(ref.run, null)
    if (readRecord(this.#folder(ref)).kind === 'none') return false
    this.#attempt(ref).adopt(ref)
    return true
  }

  stop(intended: Intended, graceMs: number): void {
    this.#attempt(intended).stop(intended, graceMs)
  }

  /** The record stays as a tombstone until the run is removed: it is what holds back a launcher that comes late. */
  release(ref: AttemptRef): void {
    const folder = this.#folder(ref)
    for (const file of namesIn(folder)) {
      if (KEPT.includes(file)) continue
      this.#keep(rm(join(folder, file), { force: true, recursive: true }))
    }
  }

  async endRun(run: string, options: { readonly removeWorkspace: boolean }): Promise<void> {
    const folder = join(this.#place.state, runPath(run))
    const began = this.#began.get(run) ?? null
    this.#began.delete(run)
    for (let round = 0; round < END_ROUNDS_MAX; round += 1) {
      const left = descendants(folder, null, began === null ? null : numberBefore(began))
      if (left.length === 0) break
      for (const { pid } of left) signal(pid, 'SIGKILL')
      await new Promise<void>(resolve => this.#clock.after(END_ROUND_MS, resolve))
    }
    if (options.removeWorkspace) await removeWorkspace(join(this.#place.state, workspacePath(run)))
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const attempt of this.#attempts.values()) attempt.close()
    this.#attempts.clear()
    await Promise.all([this.#launchers.close(), ...this.#pending])
  }

  #attempt(ref: AttemptRef): Attempt {
    if (this.#closed) throw new Error('the process executor is closed')
    const folder = this.#folder(ref)
    const known = this.#attempts.get(folder)
    if (known !== undefined) return known
    const attempt = new Attempt({
      ref: { run: ref.run, task: ref.task, attempt: ref.attempt },
      folder,
      place: this.#place,
      launchers: this.#launchers,
      clock: this.#clock,
      mayHaveRun: ({ era }) => mayHaveRun(era, this.era),
      report: observation => this.#report(folder, observation),
    })
    this.#attempts.set(folder, attempt)
    return attempt
  }

  #folder(ref: AttemptRef): string {
    if (!Number.isSafeInteger(ref.attempt) || ref.attempt < 1) throw new Error(`no attempt ${ref.attempt}`)
    return join(this.#place.state, attemptPath(ref.run, ref.task, ref.attempt))
  }

  #report(folder: string, observation: Observation): void {
    if (observation.kind === 'ended') this.#attempts.delete(folder)
    queueMicrotask(() => {
      if (!this.#closed) this.#observe(observation)
    })
  }

  #keep(removal: Promise<void>): void {
    const settled = removal
      .catch((error: unknown) => {
        // What cannot be removed is removed with the run.
        if (codeOf(error) === '') throw error
      })
      .finally(() => this.#pending.delete(settled))
    this.#pending.add(settled)
  }
}

/** What stays of an attempt that is released. */
const KEPT: readonly string[] = ['record', 'log']

/** Empty for a folder that is not there. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (codeOf(error) === '') throw error
    return []
  }
}

/** Removes a workspace, also one whose parts a task has made read-only. Links are removed, never followed. */
async function removeWorkspace(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true })
  } catch {
    await promisify(execFile)('chmod', ['-R', 'u+rwX', folder])
    await rm(folder, { recursive: true, force: true })
  }
}

const machineClock: Clock = {
  now: () => Date.now(),
  after(delayMs, call) {
    const timer = setTimeout(call, delayMs)
    return () => clearTimeout(timer)
  },
  soon(call) {
    setImmediate(call)
  },
}
