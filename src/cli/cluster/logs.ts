import { runSelector } from '../../executors/pod/names.ts'
import { startReflector } from '../../kubernetes/reflector.ts'
import type { Dag } from '../../core/dag/dag.ts'
import { isProblem } from '../../kubernetes/problem.ts'
import { PODS } from '../../kubernetes/resource.ts'
import { CommandError, EXIT } from '../exit.ts'
import { type LogSink, prefixOf, prefixSink, rawSink, terminalSink } from '../show/log-text.ts'
import { painter } from '../show/text.ts'
import { type LogsOptions, type WantedLogs, wantedLogs } from '../wanted-logs.ts'
import { DagOfRun, followRun } from './followed.ts'
import { viewNamed } from './look.ts'
import { type AttemptPod, attemptPod, type PodObject, readPodLog } from './pod-log.ts'
import { type ClusterRun, findClusterRun, isOver } from './run-object.ts'
import { isSettledState, type TaskView, taskViews } from './run-tasks.ts'
import { ASKED, type Session } from './session.ts'
import { clusterTrouble } from './trouble.ts'

export interface ClusterLogsOptions extends LogsOptions {
  readonly container?: string
}

interface Wanted extends WantedLogs {
  /** Null for the one that runs the task. */
  readonly container: string | null
}

/** `kontroler logs RUN`: what tasks wrote, from the pods of the run. */
export async function logs(
  session: Session,
  text: string,
  task: string | undefined,
  options: ClusterLogsOptions,
): Promise<number> {
  const wanted: Wanted = { ...wantedLogs(task, options), container: options.container ?? null }
  const run = await findClusterRun(session, text)
  const dags = new DagOfRun(session)
  const views = taskViews(run, await dags.read(run))
  const pods = await podsOf(session, run, wanted.container)
  const isThere = ({ ref }: AttemptPod): boolean => isOf(ref.task, wanted.task)
  if (wanted.task !== null && !pods.some(isThere) && !mayCome(run, views, wanted.task)) {
    viewNamed(run, views, wanted.task)
  }
  const reading = new Reading(session, run, wanted, views)
  const isFollowed = options.follow === true && !isOver(run)
  const last = isFollowed ? await follow(session, run, { wanted, reading, dags }) : run
  if (!isFollowed) for (const pod of chosen(pods, wanted)) await reading.read(pod, false)
  return tellRest(session, last, { wanted, reading, pods, views })
}

/** An item of a fan-out has no name before the fan-out is known. */
function mayCome(run: ClusterRun, views: readonly TaskView[], key: string): boolean {
  const group = key.replace(/\[\d+\]$/u, '')
  return views.some(({ name }) => name === key || (name === group && !isOver(run)))
}

const isOf = (key: string, task: string | null): boolean =>
  task === null || key === task || key.startsWith(`${task}[`)

async function podsOf(
  session: Session,
  run: ClusterRun,
  container: string | null,
): Promise<readonly AttemptPod[]> {
  const query = { namespace: run.namespace, labelSelector: runSelector(run.id) }
  const { items } = await session.client.list<PodObject>(PODS, query, ASKED)
  return items.map(pod => attemptPod(pod, container)).filter(pod => pod !== null)
}

/** In the order in which the attempts began; of each task the last one, unless more are wanted. */
function chosen(pods: readonly AttemptPod[], wanted: Wanted): readonly AttemptPod[] {
  const last = new Map<string, number>()
  for (const { ref } of pods) last.set(ref.task, Math.max(ref.attempt, last.get(ref.task) ?? 0))
  return pods.filter(pod => isWanted(pod, wanted, last.get(pod.ref.task) ?? 1)).toSorted(inOrder)
}

function isWanted({ ref, hasFailed }: AttemptPod, wanted: Wanted, last: number): boolean {
  if (!isOf(ref.task, wanted.task) || (wanted.failed && !hasFailed)) return false
  if (wanted.attempt !== null) return ref.attempt === wanted.attempt
  return wanted.sinceStart || ref.attempt >= last
}

const inOrder = (a: AttemptPod, b: AttemptPod): number =>
  a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : a.ref.task < b.ref.task ? -1 : 1

/** Logs that are read, each once. */
class Reading {
  readonly #session: Session
  readonly #wanted: Wanted
  readonly #sinkOf: (pod: AttemptPod) => LogSink
  readonly #begun = new Set<string>()
  /** Tasks of which a log was read. */
  readonly shown = new Set<string>()
  /** Pods that were removed before anything of their logs was read. */
  readonly gone = new Set<string>()
  /** Of some log, the end could not be read. */
  isCut = false

  constructor(session: Session, run: ClusterRun, wanted: Wanted, views: readonly TaskView[]) {
    this.#session = session
    this.#wanted = wanted
    this.#sinkOf = sinks(session, run, wanted, views)
  }

  /** Whether it was not begun before. */
  take({ uid }: AttemptPod): boolean {
    if (this.#begun.has(uid)) return false
    this.#begun.add(uid)
    return true
  }

  async read(pod: AttemptPod, follow: boolean, isNew = false): Promise<void> {
    const { ref, name, container } = pod
    const end = await readPodLog(this.#session, pod, this.#sinkOf(pod), {
      follow,
      // A log that begins while we look is shown whole.
      tail: isNew ? null : this.#wanted.tail,
      say,
    })
    if (end === 'gone') return void this.gone.add(pod.uid)
    this.shown.add(ref.task)
    if (end === 'cut') this.isCut = true
    if (end === 'neverStarted')
      say(`note: container ${container} of ${ref.task} has not started, or is not in pod ${name}`)
  }
}

const say = (text: string): void => {
  process.stderr.write(`${text}\n`)
}

/** One log alone is shown as it is; several with the name of the task in front of each line. */
function sinks(
  { environment }: Session,
  run: ClusterRun,
  wanted: Wanted,
  views: readonly TaskView[],
): (pod: AttemptPod) => LogSink {
  const { terminal, color } = environment
  const withPods = views.filter(({ work }) => work === 'container')
  const isGroup = withPods.some(({ name, isFanOut }) => name === wanted.task && isFanOut)
  const total = run.progress?.total ?? withPods.length
  const isOne = wanted.task === null ? total === 1 && withPods[0]?.isFanOut !== true : !isGroup
  if (isOne) return () => (terminal ? terminalSink(color) : rawSink())
  const names = withPods.map(({ name, isFanOut }) => name.length + (isFanOut ? 4 : 0))
  const width = Math.min(40, Math.max(1, ...names))
  const paint = painter(color)
  return ({ ref }) => {
    const name = ref.attempt === 1 ? ref.task : `${ref.task}#${ref.attempt}`
    const group = ref.task.replace(/\[\d+\]$/u, '')
    const index = Math.max(
      0,
      views.findIndex(view => view.name === group),
    )
    return prefixSink(prefixOf(name, index, width, paint), terminal ? { color } : null)
  }
}

/** Follows containers as they begin, until the run (or the task) has ended and every log with it. */
async function follow(
  session: Session,
  run: ClusterRun,
  { wanted, reading, dags }: { readonly wanted: Wanted; readonly reading: Reading; readonly dags: DagOfRun },
): Promise<ClusterRun> {
  const open = new Set<Promise<void>>()
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => undefined)
  let listed = false
  const begun = new Map<string, AttemptPod>()
  const begin = (pod: AttemptPod, following: boolean): void => {
    if (pod.phase === 'waiting' || !reading.take(pod)) return
    const read = reading
      .read(pod, following && pod.phase === 'running', listed)
      .catch(error => failed.reject(error))
      .finally(() => open.delete(read))
    open.add(read)
  }
  await using reflector = startReflector({
    client: session.client,
    resource: PODS,
    namespace: run.namespace,
    labelSelector: runSelector(run.id),
    listener: {
      changed(object) {
        const pod = attemptPod(object, wanted.container)
        if (pod === null || !isOf(pod.ref.task, wanted.task)) return
        begun.set(pod.uid, pod)
        if (listed && isWanted(pod, wanted, 1)) begin(pod, true)
      },
      deleted: ({ uid }) => begun.delete(uid),
      listed() {
        if (listed) return
        for (const pod of chosen([...begun.values()], wanted)) begin(pod, true)
        for (const pod of begun.values()) if (pod.phase !== 'waiting') reading.take(pod)
        listed = true
      },
      trouble(error) {
        if (isProblem(error, 'forbidden')) {
          failed.reject(clusterTrouble(error, reflector.state().lists > 0 ? 'watch' : undefined))
        }
      },
    },
  })
  const last = await untilEnough(session, run, { wanted, dags, failed: failed.promise })
  // What began in the last moment may not have been told yet.
  const pods = await podsOf(session, last, wanted.container)
  for (const pod of listed ? pods.filter(one => isWanted(one, wanted, 1)) : chosen(pods, wanted)) {
    begin(pod, true)
  }
  while (open.size > 0) await Promise.race([Promise.all(open), failed.promise])
  return last
}

interface Until {
  readonly wanted: Wanted
  readonly dags: DagOfRun
  /** Rejects when there is no use in waiting. */
  readonly failed: Promise<never>
}

/** The run once nothing that is wanted can begin any more. */
async function untilEnough(
  session: Session,
  run: ClusterRun,
  { wanted: { task }, dags, failed }: Until,
): Promise<ClusterRun> {
  const leaving = new AbortController()
  let dag: Dag | null = await dags.read(run)
  const isEnough = (now: ClusterRun): boolean =>
    isOver(now) || now.isStuck || (task !== null && hasSettled(taskViews(now, dag), task))
  const ended = followRun(session, run, isEnough, {
    changed(now) {
      if (task === null) return
      // Without it there is only what the status names, and the end of the run.
      dags.read(now).then(
        found => (dag = found),
        () => undefined,
      )
    },
    say,
    signal: leaving.signal,
  })
  ended.catch(() => undefined)
  try {
    return (await Promise.race([ended, failed])) ?? run
  } finally {
    leaving.abort()
  }
}

/** A status does not name tasks that succeeded. That one has follows from the others, but not where tasks fan out. */
export function hasSettled(views: readonly TaskView[], task: string): boolean {
  const view = views.find(({ name }) => name === task)
  if (view === undefined || !isSettledState(view.state)) return false
  return view.told !== null || !views.some(({ isFanOut }) => isFanOut)
}

interface Rest {
  readonly wanted: Wanted
  readonly reading: Reading
  readonly pods: readonly AttemptPod[]
  readonly views: readonly TaskView[]
}

/** What could not be shown, and why. */
function tellRest({ command }: Session, run: ClusterRun, { wanted, reading, pods, views }: Rest): number {
  const { shown } = reading
  const isHere = (name: string): boolean =>
    shown.has(name) || pods.some(({ ref, uid }) => isOf(ref.task, name) && !reading.gone.has(uid))
  const gone = views
    .filter(({ name, work }) => isOf(name, wanted.task) && work === 'container' && !isHere(name))
    .filter(({ state, told }) => (told?.attempts ?? 0) > 0 || state === 'succeeded')
    .map(({ name }) => name)
  const some =
    gone.length > 5 ? `${gone.slice(0, 4).join(', ')} and ${gone.length - 4} more` : gone.join(', ')
  const reused = run.object.spec?.action === undefined ? '' : ', unless results were reused'
  const [noun, are] = gone.length === 1 ? ['pod', 'is'] : ['pods', 'are']
  const why = `the ${noun} of ${some} ${are} gone${reused}`
  const archived =
    'pods stay for some minutes; the archived log is with the controller, which has no API for it yet'
  if (shown.size === 0 && !wanted.failed && gone.length > 0) {
    throw new CommandError('LOG_GONE', why, archived, EXIT.failed)
  }
  if (
    shown.size === 0 &&
    !wanted.failed &&
    isOver(run) &&
    run.startedAt !== null &&
    pods.length === reading.gone.size
  ) {
    throw new CommandError('LOG_GONE', `no pod of run ${run.name} is there any more`, archived, EXIT.failed)
  }
  if (gone.length > 0 && !wanted.failed) say(`note: ${why}: ${archived}`)
  else if (shown.size === 0) say(`note: ${nothingText(run, wanted)}`)
  else if (run.phase === 'failed' && wanted.task === null && !wanted.failed) {
    say(`note: only of the tasks that failed: ${command('logs', run.name, '--failed')}`)
  }
  return reading.isCut ? EXIT.failed : EXIT.succeeded
}

function nothingText({ name, phase }: ClusterRun, { task, failed }: Wanted): string {
  if (failed) return `no pod of run ${name} has failed`
  return task === null
    ? `no task of run ${name} has started; it is ${phase}`
    : `${task} of run ${name} has not started`
}
