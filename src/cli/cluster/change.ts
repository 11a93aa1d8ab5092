import { isProblem } from '../../kubernetes/problem.ts'
import { resourceOf } from '../../operator/kubernetes-cluster.ts'
import { forEachNamed } from '../each.ts'
import { CommandError, EXIT } from '../exit.ts'
import type { FollowFormat } from '../follow.ts'
import { followRun } from './followed.ts'
import { type ClusterRun, type DagRunObject, findClusterRun, isOver, runOf } from './run-object.ts'
import { ASKED, type Session } from './session.ts'
import { showToEnd } from './shown.ts'

/** A controller that is there has answered long before. */
const ANSWER_MS = 5_000

/** `kontroler cancel RUN…`: asks each run to end, and waits until it has. */
export async function cancel(
  session: Session,
  texts: readonly string[],
  options: { readonly wait: boolean },
): Promise<number> {
  const { done, tellRefused } = await forEachNamed(texts, text => ask(session, text, { cancel: true }))
  for (const run of done) {
    if (!options.wait) {
      process.stdout.write(`run ${run.name} is asked to end\n`)
      continue
    }
    const ended = await followRun(session, run, isOver, quietly())
    process.stdout.write(endText(ended ?? run))
  }
  tellRefused()
  return EXIT.succeeded
}

/** `kontroler pause RUN…`: nothing new starts; what runs goes on. */
export async function pause(session: Session, texts: readonly string[]): Promise<number> {
  const { tellRefused } = await forEachNamed(texts, async text => {
    const run = await ask(session, text, { paused: true })
    const now = await answered(session, run, ({ phase }) => phase === 'paused')
    const goOn = session.command('resume', run.name)
    if (now === null)
      process.stdout.write(`run ${run.name} is asked to pause; no controller has answered yet\n`)
    else if (isOver(now)) process.stdout.write(endText(now))
    else process.stdout.write(`run ${run.name} is paused; go on with: ${goOn}\n`)
  })
  tellRefused()
  return EXIT.succeeded
}

/** `kontroler resume RUN`: a paused run goes on. */
export async function resume(
  session: Session,
  text: string,
  options: { readonly watch?: boolean; readonly output?: FollowFormat },
): Promise<number> {
  const run = await ask(session, text, { paused: false })
  if (options.watch === true) {
    const { live } = session.environment
    return await showToEnd(session, run, options.output ?? (live ? 'tree' : 'lines'))
  }
  const now = await answered(session, run, ({ phase, isSeen }) => isSeen && phase !== 'paused')
  const watch = session.command('watch', run.name)
  if (now === null)
    process.stdout.write(`run ${run.name} is asked to go on; no controller has answered yet\n`)
  else process.stdout.write(isOver(now) ? endText(now) : `run ${run.name} goes on; watch it with: ${watch}\n`)
  return EXIT.succeeded
}

const endText = ({ name, phase }: ClusterRun): string =>
  `run ${name} ${phase === 'cancelled' ? 'is cancelled' : `has ${phase}`}\n`

/** Writes a wish into the spec of this very DagRun. */
async function ask(
  session: Session,
  text: string,
  wish: { readonly cancel?: boolean; readonly paused?: boolean },
): Promise<ClusterRun> {
  const run = await findClusterRun(session, text)
  if (isOver(run)) throw finished(run)
  const { namespace, name, uid } = run
  try {
    const patch = { metadata: { uid }, spec: wish }
    const place = { namespace, name }
    return runOf(await session.client.mergePatch<DagRunObject>(resourceOf('DagRun'), place, patch, ASKED))
  } catch (error) {
    // It may have ended since it was read.
    if (isProblem(error, 'invalid', 'conflict')) {
      const now = await findClusterRun(session, name)
      if (isOver(now)) throw finished(now)
    }
    throw error
  }
}

const finished = ({ name, phase }: ClusterRun): CommandError =>
  new CommandError(
    'RUN_FINISHED',
    `run ${name} has ended already: ${phase}`,
    'nothing is left to do',
    EXIT.failed,
  )

/** The run once it is such, or is over; null when nothing has changed in a while. */
async function answered(
  session: Session,
  run: ClusterRun,
  is: (run: ClusterRun) => boolean,
): Promise<ClusterRun | null> {
  const signal = AbortSignal.timeout(ANSWER_MS)
  return await followRun(session, run, now => isOver(now) || is(now), { ...quietly(), signal })
}

const quietly = () => ({
  changed: () => undefined,
  say: (text: string) => {
    process.stderr.write(`${text}\n`)
  },
})
