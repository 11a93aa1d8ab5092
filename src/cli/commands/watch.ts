import { isTerminal } from '../../core/run/state.ts'
import { systemClock } from '../../host/clock.ts'
import { showEnd } from '../drive.ts'
import { EXIT, exitCodeOf } from '../exit.ts'
import { type FollowFormat, follower } from '../follow.ts'
import { findRun, openLocal } from '../local.ts'
import type { Environment } from '../settings.ts'
import { valuesOfRun } from '../source.ts'
import { LOOK_MS, pause, watchRun } from '../watched.ts'

/**
 * `kontroler watch RUN`: shows a run that another process drives, as `run` would, to its end. Leaving it leaves the
 * run alone.
 */
export async function watch(
  environment: Environment,
  text: string,
  options: { readonly output?: FollowFormat },
): Promise<number> {
  const format = options.output ?? (environment.live ? 'tree' : 'lines')
  const local = await openLocal(environment, false)
  const show = follower(format, environment, () => systemClock.now())
  const leaving = leave()
  try {
    const run = await findRun(local.store, text)
    const watched = await watchRun(local.store, run.id)
    const { state } = watched
    show.events(state, await local.store.events(run.id))
    while (!isTerminal(state.phase)) {
      if (leaving.asked()) {
        show.end(null)
        process.stderr.write(`run ${run.name} goes on; cancel it with: kontroler cancel ${run.name}\n`)
        return EXIT.interrupted
      }
      await watched.checkDriven()
      const events = await watched.news()
      if (events.length > 0) show.events(state, events)
      else await pause(LOOK_MS)
    }
    show.end(state)
    const { secrets } = await valuesOfRun(local.store, state, [])
    await showEnd(state, local, { format, environment, secrets })
    return exitCodeOf(state)
  } catch (error) {
    show.end(null)
    throw error
  } finally {
    leaving.close()
    await local.close()
  }
}

function leave(): { asked(): boolean; close(): void } {
  let asked = false
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const note = (): void => {
    asked = true
  }
  for (const name of names) process.on(name, note)
  return { asked: () => asked, close: () => names.forEach(name => process.off(name, note)) }
}
