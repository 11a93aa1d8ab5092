import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Outcome } from '../../core/run/events.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AttemptRef, AttemptSpec, Intended, Observation } from '../../ports/executor.ts'
import type { Launcher, Place } from './launch.ts'
import { prepare, spawnLauncher } from './launch.ts'
import type { Launchers } from './launchers.ts'
import { lost, neverStarted, outcomeOf, outcomeWithoutEnd, startError } from './outcome.ts'
import { noteOutputs, notedOutputs } from './output-names.ts'
import { descendants, hasBegun, isAlive, signal } from './processes.ts'
import type { AttemptRecord, Claim } from './record.ts'
import { codeOf, readRecord, settleRecord } from './record.ts'
import { noteStop, stopNotes } from '../stop-notes.ts'

export interface AttemptOptions {
  readonly ref: AttemptRef
  readonly folder: string
  readonly place: Place
  readonly launchers: Launchers
  readonly clock: Clock
  /** Why this attempt may have run although nothing is known of it here; null when it has not. */
  readonly mayHaveRun: (intended: Intended) => string | null
  readonly report: (observation: Observation) => void
}

/** How often an attempt is looked at that no exit event tells about: often at first, as most tasks are short. */
const POLL_MS_MIN = 10
const POLL_MS_MAX = 100
/** The same while its files or processes are about to change. */
const SOON_MS = 20
/** An attempt that is over by then is told to run and to have ended in one: one transaction less for a short task. */
const RUNS_MS = 100
/** Rounds of KILL to each process before the group is killed as one, launcher included (a fork bomb outruns rounds). */
const KILL_ROUNDS_MAX = 25
/** Rounds of KILL after which a process that the kernel will not let die is no longer waited for. */
const CLEARINGS_MAX = 500
/** Looks at a record without a word, and no process that could write one, until its writer counts as dead. */
const BLANK_LOOKS_MAX = 100
/** Tries to make an attempt's folder on a machine that is out of files or space. */
const TRIES_MAX = 25
const TRY_AGAIN_MS = 200
/** What a machine may run out of and have again a moment later. */
const SHORTAGES: readonly string[] = ['EMFILE', 'ENFILE', 'ENOSPC', 'EDQUOT', 'ENOMEM', 'EAGAIN']
const WORDS: Readonly<Record<string, string>> = {
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
  ENOSPC: 'no space left on the disk',
  EDQUOT: 'no space left of the quota',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
}
/** Longest a timer may be set for. */
const DELAY_MS_MAX = 2 ** 31 - 1

type Claimed = Extract<AttemptRecord, { kind: 'claimed' }>

interface Stop {
  /** TERM has been sent. */
  readonly asked: boolean
  /** The grace time is over. */
  readonly late: boolean
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
  /** Why it may have run although nothing is known of it here. */
  #mayHaveRun: string | null = null
  /** Who runs it, as long as this executor waits for its word. */
  #launcher: Launcher | null = null
  #exit: { readonly pid: number; readonly code: number | null } | null = null
  #stop: Stop | null = null
  #saidRunning = false
  /** What the look under way has read; null while it has not, or could not. */
  #record: AttemptRecord | null = null
  /** How it ended without having begun, while that could not be written down yet. */
  #verdict: Outcome | null = null
  #blankLooks = 0
  #tries = 0
  #clearings = 0
  #pollMs = POLL_MS_MIN
  #callOff: (() => void) | null = null
  readonly #graces: (() => void)[] = []
  #looking = false
  #again = false
  #done = false

  constructor(options: AttemptOptions) {
    this.#options = options
  }

  start(spec: AttemptSpec): void {
    this.#spec = spec
    this.#intended(spec)
    this.#outputs = spec.outputs
    this.#saidRunning = false
    this.#lookSoon()
  }

  /** Watches what was started before; the caller has seen that something was. */
  adopt(intended: Intended): void {
    this.#intended(intended)
    this.#saidRunning = false
    this.#lookSoon()
  }

  /** Each call has a timer of its own, so the shortest grace time counts, and a clock that jumps changes nothing. */
  stop(intended: Intended, graceMs: number): void {
    this.#intended(intended)
    this.#stop ??= { asked: false, late: false, rounds: 0 }
    const delay = Math.min(Math.max(0, graceMs), DELAY_MS_MAX)
    const late = (): void => {
      if (this.#stop !== null) this.#stop = { ...this.#stop, late: true }
      this.#look()
    }
    this.#graces.push(this.#options.clock.after(delay, late))
    this.#lookSoon()
  }

  /** Stops watching. What runs goes on. */
  close(): void {
    this.#quiet()
    this.#launcher?.letGo()
  }

  #intended(intended: Intended): void {
    this.#mayHaveRun ??= this.#options.mayHaveRun(intended)
  }

  #quiet(): void {
    this.#done = true
    this.#again = false
    this.#callOff?.()
    for (const callOff of this.#graces) callOff()
  }

  #lookSoon(): void {
    setImmediate(() => this.#look())
  }

  #lookIn(delayMs: number): void {
    this.#callOff?.()
    this.#callOff = this.#options.clock.after(delayMs, () => this.#look())
  }

  /** Looks at once, or again when a look is under way: what it has read may be old. */
  #look(): void {
    this.#again = true
    if (this.#looking) return
    this.#looking = true
    try {
      while (this.#again && !this.#done) this.#lookOrFail()
    } finally {
      this.#looking = false
    }
  }

  #lookOrFail(): void {
    this.#again = false
    try {
      this.#lookOnce()
      this.#tries = 0
    } catch (error) {
      this.#failed(error)
    }
  }

  #lookOnce(): void {
    this.#record = null
    const record = readRecord(this.#options.folder)
    this.#record = record
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

  #notClaimed(): void {
    if (this.#verdict !== null) return this.#settle(this.#verdict)
    if (this.#mayHaveRun !== null) return this.#settle(lost(this.#mayHaveRun))
    if (this.#stop !== null) return this.#settle(neverStarted)
    if (this.#launcher !== null) return this.#lookIn(SOON_MS)
    if (this.#exit !== null && !this.#cleared(false)) {
      // It ran, and has removed its claim.
      this.#spec = null
      return this.#lookIn(SOON_MS)
    }
    if (this.#spec !== null) return this.#launch(this.#spec)
    if (this.#exit !== null) return this.#settle(startError('its launcher ended before the task began'))
  }

  /** Hands it to one of the launchers; when that one has gone without a claim, to a launcher of its own. */
  #launch(spec: AttemptSpec): void {
    const { folder, place, launchers } = this.#options
    const launch = prepare(spec, folder, place)
    if (!('argv' in launch)) return this.#settle(launch)
    noteOutputs(folder, spec.outputs)
    const over = (code: number | null, ran: boolean): void => {
      // A task may have removed its own folder, the claim with it.
      if (ran || !existsSync(join(folder, 'log'))) this.#spec = null
      this.#exit = { pid: this.#launcher?.pid ?? 0, code }
      this.#launcher = null
      this.#look()
    }
    const shared = this.#exit === null ? launchers.launch(launch, over) : null
    const launcher = shared ?? spawnLauncher(launch, place, outcome => this.#spawnFailed(outcome), over)
    if ('kind' in launcher) return this.#settle(launcher)
    if (shared === null) this.#spec = null
    if (launcher.pid === 0) return
    this.#launcher = launcher
    this.#lookIn(RUNS_MS)
  }

  /** Somebody is between creating the record and writing to it, or died there; then the task has not begun. */
  #blank(): void {
    const { folder, clock } = this.#options
    const left = this.#launcher === null ? descendants(folder, null) : []
    const abandoned = this.#launcher === null && left.length === 0
    this.#blankLooks = abandoned ? this.#blankLooks + 1 : 0
    if (abandoned && this.#mayHaveRun !== null)
      return this.#end(lost('the machine was restarted while it was being started'), clock.now())
    if (this.#blankLooks > BLANK_LOOKS_MAX)
      return this.#end(startError('its launcher ended before the task began'), clock.now())
    if (this.#stop?.late === true) for (const { pid } of left) signal(pid, 'SIGKILL')
    this.#lookIn(SOON_MS)
  }

  #claimed(record: Claimed): void {
    const { folder, place, clock } = this.#options
    const { claim } = record
    this.#spec = null
    this.#running(record)
    if (this.#isUnderWay(record)) return this.#alive(record)
    // The end may have been written between the first reading and the death.
    const latest = record.end === null ? readRecord(folder) : record
    const end = latest.kind === 'claimed' ? latest.end : null
    const stopped = this.#stop !== null && stopNotes(folder) !== ''
    if ((end === null || stopped) && !this.#cleared(end !== null)) return this.#lookIn(SOON_MS)
    const outputs = this.#outputs ?? notedOutputs(folder)
    if (end !== null) return this.#end(outcomeOf(folder, end, outputs), end.at)
    const code = this.#exit?.pid === claim.pid ? this.#exit.code : null
    this.#end(outcomeWithoutEnd(folder, claim, place.boot, code, outputs), clock.now())
  }

  /** A launcher may live on and run other attempts when this one is over. */
  #isUnderWay({ claim, end }: Claimed): boolean {
    const { folder, place } = this.#options
    if (this.#launcher?.pid === claim.pid) return true
    if (this.#exit?.pid === claim.pid) return false
    if (!isAlive(claim, place.boot)) return false
    return end === null || descendants(folder, null).length > 0
  }

  #alive(record: Claimed): void {
    if (this.#stop !== null && record.end === null) this.#press(record.claim, this.#stop)
    const asking = this.#stop !== null && (this.#stop.late || !this.#stop.asked)
    if (asking && record.end === null) this.#lookIn(SOON_MS)
    // Who waits for its launcher's word is told; any other asks from time to time.
    else if (this.#launcher?.pid !== record.claim.pid) this.#poll()
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

  /** TERM to the whole tree once; when the grace time is over KILL, until the launcher recorded the end and went. */
  #press(claim: Claim, stop: Stop): void {
    const { folder } = this.#options
    let asked = stop.asked
    if (!asked) {
      // The note first: a launcher that has not forked its task yet looks for it right after the fork.
      noteStop(folder, 'TERM')
      const all = descendants(folder, claim.pid)
      const escaped = all.filter(({ group }) => group !== claim.pid)
      // Before the task itself is there, the launcher alone would hear it.
      asked = hasBegun(claim.pid, all)
      // CONT, since what is suspended would not hear the TERM.
      for (const name of ['SIGTERM', 'SIGCONT'] as const) {
        signal(-claim.pid, name)
        for (const { pid } of escaped) signal(pid, name)
      }
    }
    if (stop.late) {
      if (stop.rounds === 0) noteStop(folder, 'KILL')
      for (const { pid } of descendants(folder, claim.pid)) signal(pid, 'SIGKILL')
      if (stop.rounds >= KILL_ROUNDS_MAX) signal(-claim.pid, 'SIGKILL')
    }
    this.#stop = { ...stop, asked, rounds: stop.rounds + (stop.late ? 1 : 0) }
  }

  /**
   * Whether nothing of the attempt runs any more once its launcher has gone. Without that a retry would run beside it.
   *
   * @param patient  What is left has been asked to end and has until the end of the grace time.
   */
  #cleared(patient: boolean): boolean {
    const left = descendants(this.#options.folder, null)
    if (left.length === 0) return true
    if (patient && this.#stop?.late === false) return false
    for (const { pid } of left) signal(pid, 'SIGKILL')
    this.#clearings += 1
    return this.#clearings > CLEARINGS_MAX
  }

  /** Decides an attempt that has not begun, unless a launcher was faster; then its claim counts. */
  #settle(outcome: Outcome): void {
    const { folder, clock } = this.#options
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (settleRecord(folder, outcome)) this.#end(outcome, clock.now())
    else this.#again = true
  }

  #spawnFailed(outcome: Outcome): void {
    this.#launcher = null
    this.#verdict = outcome
    this.#look()
  }

  /** The machine did not let us read or write the attempt's files. */
  #failed(error: unknown): void {
    const code = codeOf(error)
    if (code === '') throw error
    this.#tries += 1
    const passing = SHORTAGES.includes(code)
    if (passing && this.#tries < TRIES_MAX) return this.#lookIn(TRY_AGAIN_MS)
    const why = `its files under the state directory cannot be used: ${WORDS[code] ?? code}`
    const now = this.#options.clock.now()
    if (this.#record?.kind === 'none') {
      // It has not begun, and that could not be written down; a launcher could not write its claim either.
      const unbegun = this.#stop === null ? startError(why) : neverStarted
      const first = this.#verdict ?? (this.#mayHaveRun === null ? unbegun : lost(this.#mayHaveRun))
      if (this.#verdict !== null) return this.#end(first, now)
      this.#verdict = first
      return this.#lookIn(SOON_MS)
    }
    // It may be running: as long as there is hope to read its record, nothing else is said about it.
    if (passing) return this.#lookIn(TRY_AGAIN_MS)
    if (!this.#cleared(false)) return this.#lookIn(SOON_MS)
    this.#end(lost(why), now)
  }

  #end(outcome: Outcome, at: number): void {
    if (this.#done) return
    this.#quiet()
    const { ref, report } = this.#options
    report({ kind: 'ended', ref, at, outcome })
  }
}
