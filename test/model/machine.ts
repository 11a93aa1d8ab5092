import type { Outcome } from '../../src/core/run/events.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { AttemptRef, AttemptSpec, Executor, Observe } from '../../src/ports/executor.ts'

/** What happens to an attempt that nobody ends by hand. */
export type Script = (ref: AttemptRef) => Outcome | 'runs' | 'ignores TERM' | 'hangs at start'

interface Task {
  readonly ref: AttemptRef
  outcome: Outcome | null
  ended: number
}

/**
 * A machine that runs attempts in memory, for any number of engines one after the other or at once. It keeps the rules of
 * the executor port: started at most once, ever; stopped before the start is never started; ends are told again.
 */
export class Machine {
  /** Every start that took effect, in order: what really ran. */
  readonly started: string[] = []
  readonly stops: { readonly key: string; readonly graceMs: number }[] = []
  readonly ended: string[] = []
  readonly runsEnded: string[] = []
  /** What a run leaves behind is gone only after this. */
  tidying: Promise<void> = Promise.resolve()
  script: Script = () => succeeded()
  /** What has to be seen to before attempts may be meant for a namespace. */
  preparing: ((namespace: string) => Promise<void> | null) | null = null
  /** Thrown by the next calls of `adopt`, one each. */
  readonly adoptFailures: Error[] = []
  readonly #tasks = new Map<string, Task>()
  readonly #clock: Clock
  readonly #watchers = new Set<{ readonly keys: Set<string>; readonly observe: Observe }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Attempts that run now. */
  running(): readonly string[] {
    return [...this.#tasks].flatMap(([key, { outcome }]) => (outcome === null ? [key] : []))
  }

  /** How an attempt really ended; null while it runs, or when it never did. */
  outcomeOf(key: string): Outcome | null {
    return this.#tasks.get(key)?.outcome ?? null
  }

  /** Lets a running attempt end. */
  end(key: string, outcome: Outcome = succeeded()): void {
    const task = this.#tasks.get(key)
    if (task === undefined) throw new Error(`${key} was not started`)
    this.#end(key, task, outcome)
  }

  /** An executor of one engine; `muted` once that engine was killed. */
  open(observe: Observe, muted: () => boolean): Executor {
    const told: Observe = observation => {
      queueMicrotask(() => {
        if (!muted()) observe(observation)
      })
    }
    const watcher = { keys: new Set<string>(), observe: told }
    this.#watchers.add(watcher)
    const watch = (key: string): void => {
      watcher.keys.add(key)
      const task = this.#tasks.get(key)
      if (task === undefined) return
      told({ kind: 'running', ref: task.ref, at: this.#clock.now(), handle: { key } })
      if (task.outcome !== null) told({ kind: 'ended', ref: task.ref, at: task.ended, outcome: task.outcome })
    }
    return {
      name: 'machine',
      ...(this.preparing === null
        ? {}
        : { era: 'era', prepare: (_, namespace) => this.preparing?.(namespace) ?? null }),
      ignores: () => [],
      start: (spec: AttemptSpec) => {
        const key = keyOf(spec)
        if (muted()) return
        if (!this.#tasks.has(key)) this.#start(key, spec)
        watch(key)
      },
      adopt: async ref => {
        const failure = this.adoptFailures.shift()
        if (failure !== undefined) throw failure
        const key = keyOf(ref)
        if (!this.#tasks.has(key)) return false
        watch(key)
        return true
      },
      stop: (ref, graceMs) => {
        if (!muted()) this.#stop(ref, graceMs, watch)
      },
      release: () => undefined,
      endRun: async run => {
        await this.tidying
        if (!muted()) this.runsEnded.push(run)
      },
      close: async () => {
        this.#watchers.delete(watcher)
      },
    }
  }

  #start(key: string, { run, task, attempt }: AttemptSpec): void {
    const entry: Task = { ref: { run, task, attempt }, outcome: null, ended: 0 }
    this.#tasks.set(key, entry)
    this.started.push(key)
    const scripted = this.script(entry.ref)
    if (typeof scripted !== 'string') queueMicrotask(() => this.#end(key, entry, scripted))
  }

  #stop(ref: AttemptRef, graceMs: number, watch: (key: string) => void): void {
    const key = keyOf(ref)
    this.stops.push({ key, graceMs })
    const task = this.#tasks.get(key)
    if (task === undefined) {
      const { run, task: name, attempt } = ref
      const outcome = anOutcome({ kind: 'cancelled', reason: 'CANCELLED', exitCode: null })
      this.#tasks.set(key, { ref: { run, task: name, attempt }, outcome, ended: this.#clock.now() })
    } else if (task.outcome === null && (graceMs === 0 || this.script(ref) !== 'ignores TERM')) {
      task.outcome = anOutcome({ reason: 'KILLED_BY_SIGNAL', exitCode: 143, signal: 'SIGTERM' })
      task.ended = this.#clock.now()
      this.ended.push(key)
    }
    watch(key)
  }

  #end(key: string, task: Task, outcome: Outcome): void {
    if (task.outcome !== null) return
    task.outcome = outcome
    task.ended = this.#clock.now()
    this.ended.push(key)
    for (const { keys, observe } of this.#watchers) {
      if (keys.has(key)) observe({ kind: 'ended', ref: task.ref, at: task.ended, outcome })
    }
  }
}

export const keyOf = ({ run, task, attempt }: AttemptRef): string => `${run}/${task}/${attempt}`

export function succeeded(outputs: Readonly<Record<string, string>> = {}): Outcome {
  return { kind: 'succeeded', reason: 'SUCCEEDED', exitCode: 0, signal: null, message: null, outputs }
}

/** A failure of the task with exit code 1, but for what is given. */
export function anOutcome(given: Partial<Outcome> = {}): Outcome {
  return {
    kind: 'exitCode',
    reason: 'EXIT_CODE',
    exitCode: 1,
    signal: null,
    message: null,
    outputs: {},
    ...given,
  }
}
