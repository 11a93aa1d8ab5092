import { PROBLEM_CODES } from '../../core/problem-codes.ts'
import { nextStepOf } from '../../core/run/words.ts'
import { systemClock } from '../../host/clock.ts'
import { EXIT } from '../exit.ts'
import { type DataFormat, isDataFormat, printData, printLines } from '../show/print.ts'
import { ago, type Paint, painter, printable } from '../show/text.ts'
import { type DagObject, knownDag } from './dag-object.ts'
import { DagOfRun } from './followed.ts'
import { viewNamed } from './look.ts'
import { type ClusterRun, findClusterRun, isOver, reasonOf, timeOf } from './run-object.ts'
import { type TaskView, taskViews } from './run-tasks.ts'
import type { Session } from './session.ts'
import { problemOf } from './show-dag.ts'
import { type ClusterEventObject, detailText, phaseMark, stateMark, warningsOf } from './show-run.ts'

/** One answer to "why": a sentence with its subject, and what to do. */
interface Answer {
  readonly task: string | null
  readonly mark: string
  readonly code: string | null
  readonly sentence: string
  readonly next: string
}

/** Tasks that are told of. */
const TASKS_MAX = 10
const WARNINGS_MAX = 5

/**
 * `kontroler explain RUN [TASK]`: why it waits or why it ended so, and what to do next. Of `dag/NAME`, why it is not in
 * force.
 */
export async function explain(
  session: Session,
  text: string,
  key: string | undefined,
  options: { readonly output?: DataFormat },
): Promise<number> {
  const paint = painter(session.environment.color)
  if (/^dags?\//u.test(text)) return await explainDag(session, await knownDag(session, text), options, paint)
  const run = await findClusterRun(session, text)
  const views = taskViews(run, await new DagOfRun(session).read(run))
  const main =
    key === undefined
      ? answerOfRun(session, run, paint)
      : answerOfTask(session, run, viewNamed(run, views, key), paint)
  const others = key === undefined ? rootsOf(run, views) : []
  const roots = others.map(view => answerOfTask(session, run, view, paint))
  const warnings = key === undefined ? await warningsOf(session, run.uid, run.namespace) : []
  if (isDataFormat(options.output)) {
    printData(options.output, {
      run: run.id,
      name: run.name,
      task: key ?? null,
      ...answerData(main),
      root: roots.map(root => ({ task: root.task, ...answerData(root) })),
      events: warnings.map(({ reason, note, eventTime }) => ({ reason, note, at: eventTime ?? null })),
    })
    return EXIT.succeeded
  }
  printLines([
    ...answerLines(main, paint, ''),
    ...roots.flatMap(root => ['', ...answerLines(root, paint, '  ')]),
    ...warningLines(warnings, run.message, paint),
  ])
  return EXIT.succeeded
}

async function explainDag(
  session: Session,
  dag: DagObject,
  options: { readonly output?: DataFormat },
  paint: Paint,
): Promise<number> {
  const { name, uid, namespace = '' } = dag.metadata
  const problem = problemOf(dag)
  const warnings = await warningsOf(session, uid, namespace)
  if (isDataFormat(options.output)) {
    printData(options.output, {
      dag: name,
      code: problem?.reason ?? null,
      sentence: problem?.message ?? `version ${dag.status?.version ?? '?'} is in force`,
      events: warnings.map(({ reason, note, eventTime }) => ({ reason, note, at: eventTime ?? null })),
    })
    return EXIT.succeeded
  }
  const head =
    problem === null
      ? `${paint('green', '✔')} DAG ${name} is in force as version ${dag.status?.version ?? '?'}`
      : `${paint('red', '✖')} DAG ${name} is not in force as it is written: ${printable(problem.message)}`
  const before = dag.status?.version
  const held =
    problem !== null && before !== undefined ? [`  version ${before} stays in force until then`] : []
  printLines([head, ...held, ...warningLines(warnings, problem?.message ?? '', paint)])
  return EXIT.succeeded
}

function answerOfRun(session: Session, run: ClusterRun, paint: Paint): Answer {
  const { name, namespace } = run
  const shape = phaseMark(run.phase, paint)
  const base = { task: null, mark: shape, code: run.reason }
  if (!run.isSeen && !isOver(run)) {
    const said =
      run.object.status?.phase === undefined ? 'was not looked at by any controller' : 'was changed'
    const sentence = `run ${name} ${said} yet`
    const look = 'kubectl get pods -A -l app.kubernetes.io/name=kontroler'
    const next = `is a controller running that serves namespace ${namespace}? ${look}`
    return { ...base, code: null, sentence, next }
  }
  const code = reasonOf(run)
  const message = run.message === '' ? run.phase : run.message
  // Messages of waits have their subject already.
  const sentence = message.startsWith(`run ${name} `) ? message : `run ${name} ${verbOf(run)}: ${message}`
  if (run.phase === 'succeeded') return { ...base, sentence: `run ${name} succeeded`, next: 'nothing to do' }
  if (run.phase === 'pending') return { ...base, sentence, next: pendingStep(run) }
  const [first] = run.tasks
  // What holds it up is told below, with what to do about that.
  if (code === 'RUNNING' && first?.state !== 'running') return { ...base, sentence, next: 'nothing to do' }
  const next =
    code === null
      ? session.command('get', name)
      : stepOf(
          session,
          run,
          nextStepOf(code, { id: name, ...(first === undefined ? {} : { task: first.name }) }),
        )
  return { ...base, sentence, next }
}

const verbOf = (run: ClusterRun): string =>
  (run.phase === 'pending' ? 'has not begun' : `is ${run.phase}`).replace('is failed', 'failed')

function pendingStep({ reason, name, namespace, dag }: ClusterRun): string {
  if (reason === 'UNKNOWN_DAG') return `apply DAG ${dag} in namespace ${namespace}; the run begins then`
  const isProblem = reason !== null && Object.hasOwn(PROBLEM_CODES, reason)
  return isProblem ? `kubectl edit dr ${name} -n ${namespace}; it begins when that is put right` : 'wait'
}

function answerOfTask(session: Session, run: ClusterRun, view: TaskView, paint: Paint): Answer {
  const { told, name } = view
  const code = told === null ? null : reasonOf(told)
  const base = { task: name, mark: stateMark(view.state, paint), code }
  if (told === null || code === null) {
    const detail = detailText(view)
    const how =
      view.state === 'pending' && view.after.length > 0
        ? `waits for ${view.after.join(', ')}`
        : (view.state ?? 'is not told')
    const sentence = `${name} ${how === 'settled' || how === 'upstreamFailed' ? detail : how}`
    const next =
      view.state === null
        ? `a DagRun names at most 20 tasks; ${session.command('logs', run.name, name)}`
        : 'nothing to do'
    return { ...base, sentence, next }
  }
  const why = detailText(view)
  const sentence =
    told.state === 'failed'
      ? `${name} failed: ${why}`
      : `${name} is ${told.state}${why === '' || why === told.state ? '' : `: ${why}`}`
  const failed = told.state === 'failed' && told.reason === 'EXIT_CODE'
  const next = failed
    ? session.command('logs', run.name, '--task', name)
    : stepOf(session, run, nextStepOf(code, { id: run.name, task: name }))
  return { ...base, sentence, next }
}

/** Steps name commands as they are on this machine. */
function stepOf(session: Session, run: ClusterRun, step: string): string {
  return step.replaceAll(run.id, run.name).replace(/\bkontroler (?=[a-z])/gu, `${session.command()} `)
}

/** Where it began, or what holds it up. */
function rootsOf(run: ClusterRun, views: readonly TaskView[]): readonly TaskView[] {
  const failed = views.filter(({ state }) => state === 'failed')
  if (isOver(run) || failed.length > 0) return failed.slice(0, TASKS_MAX)
  return views.filter(({ told }) => told !== null).slice(0, TASKS_MAX)
}

const answerData = ({ code, sentence, next }: Answer) => ({ code, sentence, next })

function answerLines({ mark, sentence, next }: Answer, paint: Paint, indent: string): string[] {
  const lines = [`${indent}${mark} ${printable(sentence)}`]
  if (next !== 'nothing to do') lines.push(`${indent}  ${paint('dim', 'next:')} ${next}`)
  return lines
}

/** Warnings that say more than was said already. */
function warningLines(
  warnings: readonly ClusterEventObject[],
  said: string,
  paint: Paint,
): readonly string[] {
  const now = systemClock.now()
  const news = warnings.filter(({ note = '' }) => note !== '' && !said.includes(note)).slice(-WARNINGS_MAX)
  if (news.length === 0) return []
  const lines = news.map(({ reason, note = '', eventTime }) => {
    const at = timeOf(eventTime ?? undefined)
    return `  ${reason ?? ''}${at === null ? '' : ` ${ago(now - at)}`}: ${printable(note)}`
  })
  return ['', paint('bold', 'warnings'), ...lines]
}
