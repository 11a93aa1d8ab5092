import { isTerminal } from '../../core/run/state.ts'
import { systemClock } from '../../host/clock.ts'
import { showEnd } from '../drive.ts'
import { EXIT, exitCodeOf } from '../exit.ts'
import { type FollowFormat, follower } from '../follow.ts'
import { type Records, openRecords } from '../records.ts'
import type { Environment } from '../settings.ts'
import { LOOK_MS, pause, sayBeside } from '../watched.ts'

/**
 * `kontroler watch RUN`: shows a run that another process drives, as `run` would, to its end. Leaving it leaves the
 * run alone.
 */
export async function watch(
  environment: Environment,
  text: string,
  options: { readonly output?: FollowFormat },
): Promise<number> {
  await using records = await openRecords(environment)
  const { id } = await records.find(text)
  return await watchToEnd(records, id, environment, options.output)
}

/** Shows a run until it has ended or somebody leaves; gives the exit code. */
export async function watchToEnd(
  records: Records,
  run: string,
  environment: Environment,
  output: FollowFormat | undefined,
  notes: readonly string[] = [],
): Promise<number> {
  const format = output ?? (environment.live ? 'tree' : 'lines')
  const show = follower(format, environment, () => systemClock.now())
  const leaving = leave()
  try {
    const say = format === 'tree' ? (text: string) => show.say(text) : sayBeside
    for (const note of notes) show.say(note)
    await using watched = await records.watch(run, say)
    const { state } = watched
    const { name } = state.created
    show.events(state, watched.before)
    while (!isTerminal(state.phase) && !leaving.asked()) {
      // What is asked of a server that is away may take long, and nobody has to wait for it to leave.
      const news = (async () => {
        await watched.checkDriven()
        return await watched.news()
      })()
      const events = await Promise.race([news, leaving.gone])
      if (events.length > 0) show.events(state, events)
      else await pause(LOOK_MS)
    }
    if (!isTerminal(state.phase)) {
      show.end(null)
      process.stderr.write(`run ${name} goes on; cancel it with: kontroler cancel ${name}\n`)
      return EXIT.interrupted
    }
    show.end(state)
    await showEnd(state, records, { format, environment, secrets: await records.secretsOf(state) })
    return exitCodeOf(state)
  } catch (error) {
    show.end(null)
    throw error
  } finally {
    leaving.close()
  }
}

interface Leaving {
  asked(): boolean
  /** Resolves to nothing that happened. */
  readonly gone: Promise<readonly []>
  close(): void
}

function leave(): Leaving {
  const { promise, resolve } = Promise.withResolvers<readonly []>()
  let asked = false
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const note = (): void => {
    asked = true
    resolve([])
  }
  for (const name of names) process.on(name, note)
  return { asked: () => asked, gone: promise, close: () => names.forEach(name => process.off(name, note)) }
}
