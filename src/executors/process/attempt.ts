import type { ChildProcess } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Outcome } from '../../core/run/events.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AttemptRef, AttemptSpec, Observation } from '../../ports/executor.ts'
import { readIntent, recordIntent } from './intent.ts'
import type { Place } from './launch.ts'
import { prepare, spawnLauncher } from './launch.ts'
import type { End } from './outcome.ts'
import { lost, neverStarted, notRun, outcomeOf, startError } from './outcome.ts'
import { descendants, isAlive, signal } from './processes.ts'
import type { AttemptRecord, Claim } from './record.ts'
import { codeOf, readRecord, settleRecord } from './record.ts'

export interface AttemptOptions {
  readonly ref: AttemptRef
  readonly folder: string
  readonly place: Place
  readonly clock: Clock
  readonly report: (observation: Observation) => void
}

/** How often an attempt is looked at that no exit event tells about: often at first, as most tasks are short. */
const POLL_MS_MIN = 10
const POLL_MS_MAX = 100
/** The same while it is being stopped, or between a process's end and the end of what it left behind. */
const STOP_POLL_MS = 20
/** Rounds of KILL to each process before the group is killed as one, launcher included (a fork bomb outruns rounds). */
const KILL_ROUNDS_MAX = 25
/** How long a record may stay without a word before its writer counts as dead. */
const BLANK_MS = 2_000
/** Tries to make an attempt's folder on a machine that is out of files or space. */
const TRIES_MAX = 25
const TRY_AGAIN_MS = 200
/** What a machine may run out of and have again a moment later. */
const SHORTAGES: readonly string[] = ['EMFILE', 'ENFILE', 'ENOSPC', 'EDQUOT', 'ENOMEM', 'EAGAIN']
/** Rounds of KILL after which a process that the kernel will not let die is no longer waited for. */
const CLEARINGS_MAX = 500
/** Longest a timer may be set for. */
const DELAY_MS_MAX = 2 ** 31 - 1

type Claimed = Extract<AttemptRecord, { kind: 'claimed' }>

interface Stop {
  readonly deadline: number
  /** TERM has been sent. */
  readonly asked: boolean
  /** How often KILL has been sent. */
  readonly rounds: number
}

/**
 * One attempt under watch. There is one question, "what do its files and processes say now", asked by `#look` after
 * every call, exit and timer; whoever asks, and however often, the answer and what follows from it are the same.
 */
export class Attempt {
  readonly #options: AttemptOptions
  /** What to start when it turns out that nobody has; forgotten as soon as it is not needed, since it holds secrets. */
  #spec: AttemptSpec | null = null
  #outputs: readonly string[] | null = null
  #child: ChildProcess | null = null
  #exit: { readonly pid: number; readonly code: number | null } | null = null
  #stop: Stop | null = null
  #saidRunning = false
  #blankSince: number | null = null
  #tries = 0
  #clearings = 0
  #pollMs = POLL_MS_MIN
  #callOff: (() => void) | null = null
  #looking: Promise<void> | null = null
  #again = false
  #done = false

  constructor(options: AttemptOptions) {
    this.#options = options
  }

  start(spec: AttemptSpec): void {
    this.#spec = spec
    this.#outputs = spec.outputs
    this.#saidRunning = false
    this.#lookSoon()
  }

  /** Watches what was started before; the caller has seen that something was. */
  adopt(): void {
    this.#saidRunning = false
    this.#lookSoon()
  }

  stop(graceMs: number): void {
    const deadline = this.#options.clock.now() + Math.max(0, graceMs)
    const before = this.#stop
    if (before === null) this.#stop = { deadline, asked: false, rounds: 0 }
    else this.#stop = { ...before, deadline: Math.min(before.deadline, deadline) }
    this.#lookSoon()
  }

  /** Stops watching. What runs goes on. */
  async close(): Promise<void> {
    this.#done = true
    this.#callOff?.()
    this.#child?.removeAllListeners('exit').unref()
    await this.#looking
  }

  #lookSoon(): void {
    setImmediate(() => this.#look())
  }

  #lookIn(delayMs: number): void {
    this.#callOff?.()
    const delay = Math.min(Math.max(0, delayMs), DELAY_MS_MAX)
    this.#callOff = this.#options.clock.after(delay, () => this.#look())
  }

  /** Looks at once, or again when a look is under way: what it has read may be old. */
  #look(): void {
    if (this.#done) return
    this.#again = true
    this.#looking ??= this.#lookUntilQuiet().finally(() => {
      this.#looking = null
      if (this.#again) this.#look()
    })
  }

  async #lookUntilQuiet(): Promise<void> {
    while (this.#again && !this.#done) {
      this.#again = false
      try {
        await this.#lookOnce()
        this.#tries = 0
      } catch (error) {
        this.#failed(error)
      }
    }
  }

  async #lookOnce(): Promise<void> {
    const record = readRecord(this.#options.folder)
    switch (record.kind) {
      case 'none':
        return this.#notClaimed()
      case 'blank':
        return this.#blank()
      case 'settled':
        return this.#end(record.outcome, record.at)
      case 'claimed':
        return this.#claimed(record)
      default:
        record satisfies never
    }
  }

  async #notClaimed(): Promise<void> {
    if (this.#stop !== null) return this.#settle(neverStarted)
    if (this.#child !== null) return this.#lookIn(STOP_POLL_MS)
    if (this.#exit !== null) return this.#settle(startError('its launcher ended before the task began'))
    if (this.#spec !== null) return this.#launch(this.#spec)
  }

  async #launch(spec: AttemptSpec): Promise<void> {
    const { folder, place } = this.#options
    const launch = prepare(spec, folder, place)
    if (!('argv' in launch)) return this.#settle(launch)
    const earlier = readIntent(folder)
    if (earlier !== null && earlier.boot !== place.boot)
      return this.#settle(lost('the machine was restarted just after it was started'))
    await recordIntent(folder, { boot: place.boot, outputs: spec.outputs })
    if (this.#done) return
    if (this.#stop !== null) return this.#settle(neverStarted)
    const child = spawnLauncher(launch, place, outcome => this.#spawnFailed(outcome))
    if ('kind' in child) return this.#settle(child)
    this.#spec = null
    if (child.pid === undefined) return
    const pid = child.pid
    this.#child = child
    child.once('exit', code => {
      this.#child = null
      this.#exit = { pid, code }
      this.#look()
    })
    this.#lookIn(STOP_POLL_MS)
  }

  /** Somebody is between creating the record and writing to it, or died there; then the task has not begun. */
  #blank(): void {
    const { folder, clock } = this.#options
    const left = this.#child === null ? descendants(folder, null) : []
    const now = clock.now()
    this.#blankSince ??= now
    if (this.#child === null && left.length === 0 && now - this.#blankSince >= BLANK_MS)
      return this.#end(startError('its launcher ended before the task began'), now)
    if (this.#stop !== null && now >= this.#stop.deadline) for (const { pid } of left) signal(pid, 'SIGKILL')
    this.#lookIn(STOP_POLL_MS)
  }

  #claimed(record: Claimed): void {
    const { folder, place } = this.#options
    const { claim } = record
    this.#spec = null
    this.#running(record)
    if (isAlive(claim, place.boot)) return this.#alive(record)
    // The end may have been written between the first reading and the death.
    const latest = readRecord(folder)
    const end = latest.kind === 'claimed' ? latest.end : null
    const stopped = this.#stop !== null && existsSync(join(folder, 'stop'))
    if ((end === null || stopped) && !this.#cleared(end !== null)) return this.#lookIn(STOP_POLL_MS)
    if (end === null) return this.#end(this.#outcomeWithoutEnd(claim), this.#options.clock.now())
    return this.#end(this.#outcome(end), end.at)
  }

  #alive(record: Claimed): void {
    if (this.#stop !== null) this.#press(record.claim, this.#stop)
    // Its own child tells by its exit; any other is asked from time to time.
    else if (this.#child?.pid !== record.claim.pid) this.#poll()
  }

  #poll(): void {
    this.#lookIn(this.#pollMs)
    this.#pollMs = Math.min(POLL_MS_MAX, this.#pollMs * 2)
  }

  #running(record: Claimed): void {
    if (this.#saidRunning) return
    this.#saidRunning = true
    const { ref, report } = this.#options
    const { pid, started, boot } = record.claim
    report({ kind: 'running', ref, at: record.at, handle: { pid, started, boot } })
  }

  /** TERM to the whole tree once; from the deadline on KILL, until the launcher has recorded the end and gone. */
  #press(claim: Claim, stop: Stop): void {
    const { folder, clock } = this.#options
    if (!stop.asked) {
      // The file first: a launcher that has not forked its task yet looks for it right after the fork.
      note(folder, 'TERM')
      const escaped = descendants(folder, claim.pid).filter(({ group }) => group !== claim.pid)
      signal(-claim.pid, 'SIGTERM')
      for (const { pid } of escaped) signal(pid, 'SIGTERM')
    }
    const late = clock.now() >= stop.deadline
    this.#stop = { ...stop, asked: true, rounds: stop.rounds + (late ? 1 : 0) }
    if (late) {
      if (stop.rounds === 0) note(folder, 'KILL')
      for (const { pid } of descendants(folder, claim.pid)) signal(pid, 'SIGKILL')
      if (stop.rounds >= KILL_ROUNDS_MAX) signal(-claim.pid, 'SIGKILL')
    }
    const left = late ? STOP_POLL_MS : stop.deadline - clock.now()
    this.#lookIn(this.#child?.pid === claim.pid ? left : Math.min(left, POLL_MS_MAX))
  }

  /**
   * Whether nothing of the attempt runs any more once its launcher has gone. Without that a retry would run beside it.
   *
   * @param patient  What is left has been asked to end and has until the deadline.
   */
  #cleared(patient: boolean): boolean {
    const left = descendants(this.#options.folder, null)
    if (left.length === 0) return true
    if (patient && this.#stop !== null && this.#options.clock.now() < this.#stop.deadline) return false
    for (const { pid } of left) signal(pid, 'SIGKILL')
    this.#clearings += 1
    return this.#clearings > CLEARINGS_MAX
  }

  #outcome(end: End): Outcome {
    const { folder } = this.#options
    if (end.code >= 126 && existsSync(join(folder, 'refused'))) return notRun(end.code)
    // A stop that came before the task was forked ends it with the code of a TERM.
    const bySignal = end.bySignal || (end.code === 143 && noted(folder).includes('TERM'))
    const declared = this.#outputs ?? readIntent(folder)?.outputs ?? []
    return outcomeOf(folder, { code: end.code, bySignal }, declared)
  }

  #outcomeWithoutEnd(claim: Claim): Outcome {
    const { folder, place } = this.#options
    // On a full disk the launcher could not record the end, and ended with the task's code itself.
    const code = this.#exit?.pid === claim.pid ? this.#exit.code : null
    if (code !== null) return this.#outcome({ code, bySignal: false })
    if (claim.boot !== place.boot) return lost('the machine was restarted while it ran')
    if (noted(folder).includes('KILL')) return this.#outcome({ code: 137, bySignal: true })
    return lost(`its launcher (pid ${claim.pid}) was killed, so nobody saw how the task ended`)
  }

  /** Decides an attempt that has not begun, unless a launcher was faster; then its claim counts. */
  #settle(outcome: Outcome): void {
    const { folder, clock } = this.#options
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (settleRecord(folder, outcome)) this.#end(outcome, clock.now())
    else this.#again = true
  }

  #spawnFailed(outcome: Outcome): void {
    this.#child = null
    if (this.#done) return
    try {
      this.#settle(outcome)
      if (this.#again) this.#look()
    } catch (error) {
      this.#failed(error)
    }
  }

  /** The machine did not let us read or write the attempt's files. */
  #failed(error: unknown): void {
    const code = codeOf(error)
    if (code === '') throw error
    this.#tries += 1
    const mayPass = SHORTAGES.includes(code)
    if (this.#tries < TRIES_MAX && mayPass) return this.#lookIn(TRY_AGAIN_MS)
    const why = `its files under the state directory cannot be used (${code})`
    if (this.#spec === null && this.#stop === null && mayPass) return this.#lookIn(TRY_AGAIN_MS)
    this.#end(this.#spec === null ? lost(why) : startError(why), this.#options.clock.now())
  }

  #end(outcome: Outcome, at: number): void {
    if (this.#done) return
    this.#done = true
    this.#again = false
    this.#callOff?.()
    const { ref, report } = this.#options
    report({ kind: 'ended', ref, at, outcome })
  }
}

/** What the engines did to stop an attempt, for whoever finds it dead. */
function note(folder: string, word: 'TERM' | 'KILL'): void {
  appendFileSync(join(folder, 'stop'), `${word}\n`, { mode: 0o600 })
}

function noted(folder: string): string {
  try {
    return readFileSync(join(folder, 'stop'), 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  }
}
