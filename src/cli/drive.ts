import type { RunEvent } from '../core/run/events.ts'
import { type RunState, isTerminal } from '../core/run/state.ts'
import type { Engine } from '../engine/engine.ts'
import { loadRun } from '../engine/load.ts'
import type { EngineSettings } from '../engine/parts.ts'
import type { LogArchive } from '../ports/logs.ts'
import type { ValueSource } from '../ports/secrets.ts'
import { StoreError } from '../ports/store.ts'
import { systemClock } from '../host/clock.ts'
import type { ExecutorChoice } from './executor.ts'
import { CommandError, EXIT, exitCodeOf } from './exit.ts'
import { type FollowFormat, follower } from './follow.ts'
import type { Local } from './local.ts'
import { openEngine } from './local-engine.ts'
import { NotifierOnDemand } from './notify-on-demand.ts'
import type { Records } from './records.ts'
import { rootFailure } from './root-failure.ts'
import type { Environment } from './settings.ts'
import { printLines } from './show/print.ts'
import { summaryLines } from './show/summary.ts'
import { painter } from './show/text.ts'

export interface DriveOptions {
  readonly local: Local
  readonly values: ValueSource
  readonly settings: EngineSettings
  readonly environment: Environment
  /** What runs the tasks. */
  readonly executor: ExecutorChoice
  readonly format: FollowFormat
  /** Values that must not show in what is printed of logs. */
  readonly secrets: readonly string[]
  /** Lines to print before anything else. */
  readonly notes: readonly string[]
}

/**
 * Drives one run to its end in this process and shows it. `begin` submits or adopts it and gives its id.
 * @returns The exit code.
 */
export async function driveRun(
  options: DriveOptions,
  begin: (engine: Engine) => Promise<string>,
): Promise<number> {
  const { local, environment } = options
  const show = follower(options.format, environment, () => systemClock.now())
  const over = Promise.withResolvers<RunState>()
  // It may fail before anybody waits for it.
  over.promise.catch(() => undefined)
  let mine: string | null = null
  const waiting: (readonly [RunState, readonly RunEvent[]])[] = []
  const notifier = new NotifierOnDemand(environment, text => show.say(text))
  const seen = (state: RunState, events: readonly RunEvent[]): void => {
    notifier.seen(state)
    if (mine === null) waiting.push([state, events])
    if (state.created.run !== mine) return
    show.events(state, events)
    if (isTerminal(state.phase)) over.resolve(state)
  }
  for (const note of [options.executor.note, ...options.notes]) if (note !== null) show.say(note)
  const engine = await openEngine(
    local,
    options.values,
    {
      events: seen,
      progress: message => show.say(message),
      trouble(code, message, run) {
        show.say(`warning ${code}: ${message}`)
        if (code === 'INTERNAL_ERROR' && run === mine && run !== null) over.reject(new Error(message))
        if (code === 'DATABASE_CORRUPT') over.reject(new StoreError(code, message))
        if (code === 'NOT_OWNER' && run === mine) over.reject(takenOver(message))
      },
    },
    options.settings,
    options.executor,
  )
  notifier.open(engine)
  const began = begin(engine)
  // From here on a signal cancels the run, even one that comes just before the run is known.
  const stopListening = listenForSignals(engine, began, environment.user, text => show.say(text))
  try {
    const run = await began
    mine = run
    for (const [state, events] of waiting.splice(0)) seen(state, events)
    const now = engine.stateOf(run) ?? (await loadRun(local.store, run))
    if (now !== null && isTerminal(now.phase)) over.resolve(now)
    else if (now !== null) show.events(now, [])
    const state = await over.promise
    show.end(state)
    await showEnd(state, { load: id => loadRun(local.store, id), logs: local.logs }, options)
    await notifier.flush()
    return exitCodeOf(state)
  } catch (error) {
    show.end(null)
    throw error
  } finally {
    stopListening()
    await notifier.close()
    await engine.close()
  }
}

/** What a person reads when a run is over; nothing where a program reads. */
export async function showEnd(
  state: RunState,
  { load, logs }: { readonly load: Records['load']; readonly logs: Pick<LogArchive, 'read' | 'size'> },
  options: Pick<DriveOptions, 'format' | 'environment' | 'secrets'>,
): Promise<void> {
  if (options.format !== 'tree' && options.format !== 'lines') return
  const paint = painter(options.environment.color)
  const root = state.phase === 'succeeded' ? null : await rootFailure(load, state)
  printLines(await summaryLines(state, root, logs, paint, masker(options.secrets)))
}

function takenOver(message: string): CommandError {
  return new CommandError('NOT_OWNER', message, 'see what it does with: kontroler watch @last', EXIT.failed)
}

/** Replaces secret values in what is printed; very short ones would hide half of every text and are left. */
export function masker(secrets: readonly string[]): (text: string) => string {
  const long = secrets.filter(secret => secret.length >= 4).toSorted((a, b) => b.length - a.length)
  return text => long.reduce((masked, secret) => masked.replaceAll(secret, '***'), text)
}

function listenForSignals(
  engine: Engine,
  began: Promise<string>,
  user: string,
  say: (text: string) => void,
): () => void {
  let times = 0
  let over = false
  const cancel = async (skipFinally: boolean): Promise<void> => {
    try {
      const run = await began
      if (skipFinally) engine.hurry(run, 0)
      await engine.request(run, { kind: 'cancel', by: user, skipFinally })
      if (skipFinally) engine.hurry(run, 0)
    } catch (error) {
      say(`the run cannot be cancelled now: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  const stop = (): void => {
    times += 1
    if (times > 2) process.exit(EXIT.cancelled)
    if (over) return
    if (times === 1) {
      say('cancelling: tasks get TERM, then KILL; press Ctrl-C again to kill them now')
      void cancel(false)
    } else {
      say('killing')
      void cancel(true)
    }
  }
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of names) process.on(name, stop)
  // They stay: a signal while the process closes must not make a run that succeeded look killed.
  return () => {
    over = true
  }
}
