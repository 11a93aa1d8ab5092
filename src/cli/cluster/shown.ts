import { EXIT, exitCodeOf } from '../exit.ts'
import type { FollowFormat } from '../follow.ts'
import { systemClock } from '../../host/clock.ts'
import type { Dag } from '../../core/dag/dag.ts'
import { isProblem } from '../../kubernetes/problem.ts'
import { printLines } from '../show/print.ts'
import { Redrawn } from '../show/redrawn.ts'
import { clockTime, cut, mark, painter, phaseText, printable, shellWord } from '../show/text.ts'
import { DagOfRun, followRun } from './followed.ts'
import { type ClusterRun, isOver, reasonOf } from './run-object.ts'
import { isSettledState, type TaskView, taskViews } from './run-tasks.ts'
import type { Session } from './session.ts'
import { clusterRunData, detailText, phaseMark, stateMark, taskTree, tookText } from './show-run.ts'

/** How a run is shown while it goes, as a local one is. */
interface Shower {
  show(run: ClusterRun, tasks: readonly TaskView[]): void
  say(text: string): void
  end(): void
}

const FRAME_MS = 80

/**
 * Shows a run until it has ended, or until it cannot go on because of how it was written.
 *
 * @returns The exit code.
 */
export async function showToEnd(session: Session, run: ClusterRun, format: FollowFormat): Promise<number> {
  const { environment } = session
  const shower = showerOf(format, session)
  const dags = new DagOfRun(session)
  const leaving = leave()
  let dag: Dag | null = null
  let last = run
  /** The DAG is read once; before, and when it cannot be, there are only the tasks that the status names. */
  const show = async (now: ClusterRun): Promise<void> => {
    // Now and then it cannot be read; the next change of the run asks again.
    dag = await dags.read(now).catch((error: unknown) => {
      if (isProblem(error)) return dag
      throw error
    })
    if (last === now) shower.show(now, remembered(taskViews(now, dag)))
  }
  const remembered = remembering()
  let showing: Promise<void> = Promise.resolve()
  try {
    const ended = await followRun(session, run, over => isOver(over) || over.isStuck, {
      changed(now) {
        last = now
        showing = showing.then(() => show(now))
        // Told when it is waited for, below.
        showing.catch(() => undefined)
      },
      say: text => shower.say(text),
      signal: leaving.signal,
    })
    await showing
    shower.end()
    if (ended === null) {
      const cancel = session.command('cancel', run.name)
      process.stderr.write(`run ${run.name} goes on; cancel it with: ${cancel}\n`)
      return EXIT.interrupted
    }
    if (format === 'tree' || format === 'lines') {
      printLines(endLines(session, ended, taskViews(ended, dag), environment.color))
    }
    return exitOf(ended)
  } catch (error) {
    shower.end()
    throw error
  } finally {
    leaving.close()
  }
}

/** What was told to have ended stays so, also when the status does not tell it any more. */
function remembering(): (views: readonly TaskView[]) => readonly TaskView[] {
  const ended = new Map<string, TaskView['state']>()
  return views =>
    views.map(view => {
      if (isSettledState(view.state)) ended.set(view.name, view.state)
      return view.state === null ? { ...view, state: ended.get(view.name) ?? null } : view
    })
}

function exitOf(run: ClusterRun): number {
  if (run.phase === 'pending') return EXIT.usage
  return exitCodeOf({ phase: run.phase, reason: reasonOf(run) })
}

/** What a person wants to read when a run is over: how it ended, why, and what to do. */
export function endLines(
  { command }: Session,
  run: ClusterRun,
  tasks: readonly TaskView[],
  color: boolean,
): readonly string[] {
  const paint = painter(color)
  const took = run.startedAt === null ? '' : ` after ${tookText(run, run.endedAt ?? 0)}`
  const count = run.progress === null ? '' : ` (${run.progress.done}/${run.progress.total})`
  const head = `${phaseMark(run.phase, paint)} ${paint('bold', run.name)} ${run.phase}${took}${count}`
  if (run.phase === 'succeeded') return [head]
  const lines = [head, ...(run.message === '' ? [] : [`  ${printable(run.message)}`])]
  if (run.phase === 'pending') {
    return [...lines, `  its parameters can still be edited: kubectl edit dr ${run.name} -n ${run.namespace}`]
  }
  const failed = tasks.find(({ state }) => state === 'failed')
  if (failed !== undefined) {
    lines.push(`  logs:    ${command('logs', run.name, '--task')} ${shellWord(failed.name)}`)
  }
  return [...lines, `  explain: ${command('explain', run.name)}`, `  retry:   ${command('retry', run.name)}`]
}

function showerOf(format: FollowFormat, { environment }: Session): Shower {
  switch (format) {
    case 'tree':
      return liveTree(environment)
    case 'lines':
      return plainLines(environment.color)
    case 'json':
      return {
        show(run, tasks) {
          const states = tasks.map(({ name, state }) => ({ task: name, state }))
          const data = { at: new Date().toISOString(), ...clusterRunData(run, systemClock.now()) }
          process.stdout.write(`${JSON.stringify({ ...data, tasks: states })}\n`)
        },
        say: text => process.stderr.write(`${text}\n`),
        end: () => undefined,
      }
    case 'none':
      return { show: () => undefined, say: text => process.stderr.write(`${text}\n`), end: () => undefined }
  }
}

function liveTree(environment: Session['environment']): Shower {
  let now: { readonly run: ClusterRun; readonly tasks: readonly TaskView[] } | null = null
  const paint = painter(environment.color)
  const picture = new Redrawn(environment, frame => {
    if (now === null) return null
    const { run, tasks } = now
    const { columns, rows } = environment
    const tree = taskTree(tasks, { paint, columns: columns - 1, rows: rows - 5, frame })
    // Of a run that is over, the summary below says what the headline would.
    if (isOver(run) || run.isStuck) return tree
    const progress = run.progress === null ? '' : `  ${run.progress.done}/${run.progress.total}`
    const took = paint('dim', tookText(run, systemClock.now()))
    const why = run.phase === 'running' ? [] : [`  ${paint('dim', cut(printable(run.message), columns - 4))}`]
    return [
      `${phaseMark(run.phase, paint, frame)} ${paint('bold', run.name)}${progress}  ${took}`,
      ...why,
      ...tree,
    ]
  })
  return {
    show(run, tasks) {
      now = { run, tasks }
      picture.start(FRAME_MS)
    },
    say: text => picture.say(text),
    end: () => picture.stop(),
  }
}

/** One line for each thing that is other than before. */
function plainLines(color: boolean): Shower {
  const paint = painter(color)
  const states = new Map<string, TaskView['state']>()
  let before: ClusterRun | null = null
  let isTitled = false
  const line = (shape: string, text: string): void => {
    process.stdout.write(`${paint('dim', clockTime(systemClock.now()))} ${shape} ${text}\n`)
  }
  return {
    show(run, tasks) {
      if (!isTitled) line('▶', `run ${paint('bold', run.name)} (${run.id}) of DAG ${printable(run.dag)}`)
      const isWaiting = ['pending', 'queued', 'paused'].includes(run.phase)
      const isNews = before?.phase !== run.phase || (isWaiting && before.message !== run.message)
      if (isNews && run.isSeen && !isOver(run) && !run.isStuck) {
        const why = isWaiting && run.message !== '' ? `: ${printable(run.message)}` : ''
        line(phaseMark(run.phase, paint), `${phaseText(run.phase, run.phase, paint)}${why}`)
      }
      if (run.isSeen) before = run
      isTitled = true
      for (const view of tasks) {
        const { name, state } = view
        if (states.get(name) === state) continue
        states.set(name, state)
        if (state === null || state === 'pending') continue
        const detail = detailText(view)
        const word = state === 'upstreamFailed' ? '' : state === 'settled' ? '' : ` ${state}`
        line(
          stateMark(state, paint),
          `${printable(name)}${word}${detail === '' || detail === state ? '' : `: ${detail}`}`,
        )
      }
    },
    say: text => process.stdout.write(`${mark('waiting', paint)} ${text}\n`),
    end: () => undefined,
  }
}

/** Ctrl-C of a person who only looks. */
function leave(): { readonly signal: AbortSignal; close(): void } {
  const controller = new AbortController()
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const note = (): void => controller.abort()
  for (const name of names) process.on(name, note)
  return { signal: controller.signal, close: () => names.forEach(name => process.off(name, note)) }
}
