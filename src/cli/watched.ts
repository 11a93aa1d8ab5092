import type { RunEvent } from '../core/run/events.ts'
import { evolve } from '../core/run/evolve.ts'
import { type RunState, isTerminal } from '../core/run/state.ts'
import { loadRun } from '../engine/load.ts'
import type { Store } from '../ports/store.ts'
import { systemClock } from '../host/clock.ts'
import { CommandError, EXIT } from './exit.ts'
import { isDriven } from './local.ts'

/** How often a follower looks for news of another process. */
export const LOOK_MS = 50
/** A run without a living engine is given this long to find one, as `resume` and `dev` take over in two steps. */
const GONE_MS = 2_000

/** A run that other processes drive, as it goes. */
export interface WatchedRun extends AsyncDisposable {
  /** What had happened when it was opened. */
  readonly before: readonly RunEvent[]
  /** Changed in place by `news`. */
  readonly state: RunState
  /** What was appended since the last call, applied to `state`; cheap when there is nothing. */
  news(): Promise<readonly RunEvent[]>
  /** @throws {CommandError} No engine drives the run any more, and it is not over. */
  checkDriven(): Promise<void>
}

/** Reads it from the store of this machine. */
export async function watchRun(store: Store, run: string): Promise<WatchedRun> {
  let mark = await store.changeMark()
  const state = await loadRun(store, run)
  if (state === null) throw new CommandError('UNKNOWN_RUN', `there is no run ${run}`, 'see kontroler list')
  let drivenAt = systemClock.now()
  let lookedAt = 0
  const before = await store.events(run, 0, state.version)
  return {
    state,
    before,
    [Symbol.asyncDispose]: async () => undefined,
    async news() {
      // The mark is read first: what is committed in between is seen now and looked for once more.
      const now = await store.changeMark()
      if (now === mark) return []
      mark = now
      const events = await store.events(run, state.version)
      for (const event of events) evolve(state, event)
      state.work.changed.clear()
      return events
    },
    async checkDriven() {
      const now = systemClock.now()
      if (isTerminal(state.phase) || now - lookedAt < GONE_MS / 4) return
      lookedAt = now
      const row = await store.run(run)
      if (row === null) {
        throw new CommandError('UNKNOWN_RUN', 'the run was removed meanwhile', 'see kontroler list')
      }
      if (isTerminal(row.phase) || (await isDriven(store, row))) drivenAt = now
      else if (now - drivenAt > GONE_MS) {
        const { name } = state.created
        const message = `run ${name} was interrupted: no engine drives it`
        throw new CommandError('ENGINE_GONE', message, `kontroler resume ${name}`, EXIT.failed)
      }
    },
  }
}

export const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Where what is shown does not have it. */
export const sayBeside = (text: string): void => {
  process.stderr.write(`${text}\n`)
}
