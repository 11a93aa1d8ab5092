import { systemClock } from '../../host/clock.ts'
import { type Candidate, NAMES_MAX, type Names, OF_OPEN_RUNS } from '../commands/complete.ts'
import { environment } from '../settings.ts'
import { ago } from '../show/text.ts'
import { clusterWords } from './asked.ts'
import { allDags } from './dag-object.ts'
import { DagOfRun } from './followed.ts'
import { allRuns, findClusterRun, isOver } from './run-object.ts'
import { taskViews } from './run-tasks.ts'
import { type ClusterOptions, openSession, type Session } from './session.ts'

/** Someone who is typing waits no longer. */
const PATIENCE_MS = 3_000

/** Names of the cluster that the words so far mean. */
export function clusterNames(words: readonly string[]): Names {
  return {
    runs: command =>
      asked(words, async session => {
        const now = systemClock.now()
        const runs = await allRuns(session)
        const fit = OF_OPEN_RUNS.includes(command) ? runs.filter(run => !isOver(run)) : runs
        const names = fit.slice(0, NAMES_MAX).map(({ name, phase, createdAt }) => ({
          word: name,
          meaning: `${phase}, ${ago(now - createdAt)}`,
        }))
        return [...names, { word: '@last', meaning: 'the newest run' }]
      }),
    dags: () =>
      asked(words, async session =>
        (await allDags(session)).map(({ metadata }) => ({ word: metadata.name, meaning: 'DAG' })),
      ),
    tasks: text =>
      text === undefined
        ? Promise.resolve([])
        : asked(words, async session => {
            const run = await findClusterRun(session, text)
            const views = taskViews(run, await new DagOfRun(session).read(run))
            return views.slice(0, 1_000).map(({ name, state }) => ({ word: name, meaning: state ?? '' }))
          }),
  }
}

/** Nobody who is typing sees an error. */
async function asked(
  words: readonly string[],
  read: (session: Session) => Promise<readonly Candidate[]>,
): Promise<readonly Candidate[]> {
  try {
    await using session = await openSession(optionsIn(words), environment({}), clusterWords(words))
    const late = new Promise<readonly Candidate[]>(resolve => {
      setTimeout(resolve, PATIENCE_MS, []).unref()
    })
    return await Promise.race([read(session), late])
  } catch {
    return []
  }
}

/** The options that name a cluster, of a line that is not finished. */
function optionsIn(words: readonly string[]): ClusterOptions {
  const given = clusterWords(words.slice(0, -1))
  const valueOf = (...names: readonly string[]): string | undefined => {
    const at = given.findIndex(word => names.includes(word.replace(/=.*$/su, '')))
    if (at < 0) return undefined
    const word = given[at]
    return word?.includes('=') === true ? word.slice(word.indexOf('=') + 1) : given[at + 1]
  }
  const [context, kubeconfig] = [valueOf('--context'), valueOf('--kubeconfig')]
  const [namespace, as] = [valueOf('-n', '--namespace'), valueOf('--as')]
  return {
    ...(context === undefined ? {} : { context }),
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(as === undefined ? {} : { as }),
  }
}
