import type { Dag } from '../../core/dag/dag.ts'
import type { Problem } from '../../core/problem.ts'
import { createRun } from '../../core/run/create.ts'
import { dagHash } from '../../engine/dag-hash.ts'
import { isProblem } from '../../kubernetes/problem.ts'
import { resourceOf } from '../../operator/kubernetes-cluster.ts'
import { DAG_LABEL } from '../../operator/names.ts'
import { API_VERSION } from '../../spec/api-version.ts'
import { checkLabels, checkMetadata } from '../../spec/check/metadata.ts'
import type { DagRunSpec } from '../../spec/schema/dag-run.ts'
import { toParameterValue } from '../../spec/to-dag.ts'
import { systemClock } from '../../host/clock.ts'
import { CommandError, EXIT } from '../exit.ts'
import type { FollowFormat } from '../follow.ts'
import { printProblems, readManifest } from '../manifest.ts'
import { runName } from '../run-name.ts'
import { printData } from '../show/print.ts'
import { assignments } from '../values.ts'
import { type DagObject, dagOf, knownDag } from './dag-object.ts'
import { type ClusterRun, type DagRunObject, findClusterRun, isOver, runOf } from './run-object.ts'
import { ASKED, type Session, sessionIn } from './session.ts'
import { clusterRunData } from './show-run.ts'
import { showToEnd } from './shown.ts'

/** How a new DagRun is followed, and shown. */
export interface StartOptions {
  readonly parameter?: readonly string[]
  readonly fromSecret?: readonly string[]
  readonly name?: string
  readonly label?: readonly string[]
  readonly watch?: boolean
  readonly wait?: boolean
  readonly output?: FollowFormat | 'name'
}

export interface SubmitOptions extends StartOptions {
  readonly file?: readonly string[]
}

export interface ForkOptions extends StartOptions {
  readonly from: string
}

type Parameters = NonNullable<DagRunSpec['parameters']>

/** What is to become a DagRun. */
interface Wish {
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly spec: DagRunSpec
}

/** `kontroler submit DAG`: one run of a DAG of the cluster. */
export async function submit(
  session: Session,
  dagName: string | undefined,
  options: SubmitOptions,
): Promise<number> {
  const parameters = parametersIn(options)
  const labels = labelsIn(options.label ?? [])
  if (options.name !== undefined) checkMetadata({ name: options.name }, 'DagRun', refuse)
  const wish =
    options.file === undefined
      ? fromWords(session, dagName, options.name, labels, parameters)
      : await fromFiles(session, options.file, dagName, options.name, labels, parameters)
  if (wish === null) return EXIT.usage
  const there = sessionIn(session, wish.namespace)
  const dag = await knownDag(there, wish.spec.dagName)
  if (!(await fits(there, dag, wish))) return EXIT.usage
  return await start(there, wish, options)
}

/** `kontroler retry RUN`: a new DagRun that reuses what succeeded and runs the rest again. */
export async function retry(session: Session, text: string, options: StartOptions): Promise<number> {
  const old = await endedRun(session, text)
  if (old.phase === 'succeeded') {
    throw new CommandError(
      'NOTHING_TO_RETRY',
      `run ${old.name} succeeded`,
      `${session.command('fork', old.name, '--from')} TASK`,
    )
  }
  return await again(session, old, { type: 'retry', run: old.name }, options)
}

/** `kontroler fork RUN --from TASK`: a new DagRun from that task on. */
export async function fork(session: Session, text: string, options: ForkOptions): Promise<number> {
  const old = await endedRun(session, text)
  return await again(session, old, { type: 'fork', run: old.name, task: options.from }, options)
}

async function again(
  session: Session,
  old: ClusterRun,
  action: NonNullable<DagRunSpec['action']>,
  options: StartOptions,
): Promise<number> {
  const parameters = parametersIn(options)
  const wish: Wish = {
    namespace: old.namespace,
    name: options.name ?? runName(old.dag),
    labels: { [DAG_LABEL]: old.dag, ...labelsIn(options.label ?? []) },
    spec: { dagName: old.dag, ...(parameters.length === 0 ? {} : { parameters }), action },
  }
  return await start(session, wish, options)
}

async function endedRun(session: Session, text: string): Promise<ClusterRun> {
  const old = await findClusterRun(session, text)
  if (isOver(old)) return old
  const fix = `wait for it (${session.command('watch', old.name)}) or cancel it`
  throw new CommandError('RUN_NOT_FINISHED', `run ${old.name} is ${old.phase}`, fix)
}

function fromWords(
  session: Session,
  dagName: string | undefined,
  name: string | undefined,
  labels: Wish['labels'],
  parameters: Parameters,
): Wish {
  if (dagName === undefined) {
    throw new CommandError('BAD_OPTION', 'which DAG is to run?', session.command('submit', 'DAG'))
  }
  const dag = dagName.replace(/^dags?\//u, '')
  return {
    namespace: session.namespace,
    name: name ?? runName(dag),
    labels: { [DAG_LABEL]: dag, ...labels },
    spec: { dagName: dag, ...(parameters.length === 0 ? {} : { parameters }) },
  }
}

/** The only DagRun of the files, or the only one of that DAG; what the command line says wins. */
async function fromFiles(
  session: Session,
  files: readonly string[],
  dagName: string | undefined,
  name: string | undefined,
  labels: Wish['labels'],
  parameters: Parameters,
): Promise<Wish | null> {
  const { environment, namespace } = session
  const manifest = await readManifest(files, null, { namespace })
  if (printProblems(manifest.problems, 'text', environment, manifest.inputs)) return null
  const found = manifest.dagRuns.filter(run => dagName === undefined || run.dagName === dagName)
  const [only, second] = found
  if (only === undefined || second !== undefined) {
    throw new CommandError(
      only === undefined ? 'UNKNOWN_RUN' : 'AMBIGUOUS_RUN',
      only === undefined ? 'the files hold no DagRun' : `the files hold ${found.length} DagRuns`,
      'name a file with one document of kind DagRun; kubectl create -f makes several',
    )
  }
  const { metadata = {}, spec } = only.document as unknown as {
    readonly metadata?: { readonly generateName?: string; readonly annotations?: Wish['annotations'] }
    readonly spec: DagRunSpec
  }
  const given = new Set(parameters.map(parameter => parameter.name))
  const all = [...(spec.parameters ?? []).filter(parameter => !given.has(parameter.name)), ...parameters]
  return {
    namespace: only.namespace,
    name: name ?? only.name ?? runName((metadata.generateName ?? only.dagName).replace(/-+$/u, '')),
    labels: { [DAG_LABEL]: only.dagName, ...only.labels, ...labels },
    ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
    spec: { ...spec, ...(all.length === 0 ? {} : { parameters: all }) },
  }
}

/** Wrong parameters are told before anything is made. A DAG that cannot be read is the controller's to judge. */
async function fits(session: Session, object: DagObject, { spec, name }: Wish): Promise<boolean> {
  const dag = await readableDag(session, object)
  if (dag === null || spec.action !== undefined) return true
  const created = createRun(
    {
      run: 'submit',
      name,
      dag,
      dagHash: dagHash(dag),
      parameters: (spec.parameters ?? []).map(toParameterValue),
      labels: {},
      trigger: { kind: 'manual', key: 'submit', by: '' },
      workdir: null,
    },
    systemClock.now(),
  )
  if (created.ok) return true
  printProblems(created.problems, 'text', session.environment)
  return false
}

/** Who may start runs need not be allowed to read the DagTasks that the DAG names. */
async function readableDag(session: Session, object: DagObject): Promise<Dag | null> {
  try {
    return (await dagOf(session, object)).dag
  } catch (error) {
    if (isProblem(error, 'forbidden')) return null
    throw error
  }
}

async function start(session: Session, wish: Wish, options: StartOptions): Promise<number> {
  const { environment, command } = session
  const object = await create(session, wish, options.name !== undefined)
  const run = runOf(object)
  const { output } = options
  if (output === 'name') process.stdout.write(`dagrun/${run.name}\n`)
  if (options.watch === true || options.wait === true) {
    const quiet = options.watch !== true || output === 'name'
    const preset: FollowFormat = quiet ? 'none' : environment.live ? 'tree' : 'lines'
    return await showToEnd(session, run, output === 'name' ? 'none' : (output ?? preset))
  }
  if (output === 'json') printData('json', clusterRunData(run, systemClock.now()))
  else if (output !== 'name' && output !== 'none') {
    process.stdout.write(`run ${run.name} of DAG ${run.dag} is submitted\n`)
    process.stdout.write(
      `  watch: ${command('watch', run.name)}\n  logs:  ${command('logs', '-f', run.name)}\n`,
    )
  }
  return EXIT.succeeded
}

/** The name is ours, so a creation whose fate is unknown is just done again. */
async function create(session: Session, wish: Wish, isNamed: boolean): Promise<DagRunObject> {
  const { namespace, name, labels, annotations, spec } = wish
  const body = {
    apiVersion: API_VERSION,
    kind: 'DagRun',
    metadata: { name, namespace, labels, ...(annotations === undefined ? {} : { annotations }) },
    spec,
  }
  const resource = resourceOf('DagRun')
  let unknown = false
  for (;;) {
    try {
      return await session.client.create<DagRunObject>(resource, namespace, body, {
        ...ASKED,
        fieldValidation: 'Strict',
      })
    } catch (error) {
      if (unknown && isProblem(error, 'alreadyExists')) {
        return await session.client.get<DagRunObject>(resource, { namespace, name }, ASKED)
      }
      if (isProblem(error, 'alreadyExists') && isNamed) {
        throw new CommandError('RUN_EXISTS', `there is a DagRun ${name} already`, 'give another --name')
      }
      if (unknown || !isProblem(error) || error.effect !== 'unknown') throw error
      unknown = true
    }
  }
}

/** `-p NAME=value` and `--from-secret NAME=SECRET/KEY`. */
function parametersIn(options: StartOptions): Parameters {
  const plain = [...assignments('-p', options.parameter ?? [])].map(([name, value]) => ({ name, value }))
  const secret = [...assignments('--from-secret', options.fromSecret ?? [])].map(([name, text]) => {
    const [of = '', key, ...more] = text.split('/')
    if (of === '' || key === '' || more.length > 0) {
      throw new CommandError(
        'BAD_OPTION',
        `--from-secret ${name}=${text} names no Secret`,
        'write --from-secret PARAMETER=SECRET or PARAMETER=SECRET/KEY; the value stays in the cluster',
      )
    }
    return { name, fromSecret: key === undefined ? of : { name: of, key } }
  })
  return [...plain, ...secret]
}

function labelsIn(texts: readonly string[]): Readonly<Record<string, string>> {
  const labels = Object.fromEntries(assignments('--label', texts))
  checkLabels(labels, refuse)
  return labels
}

/** @throws {CommandError} Always. */
function refuse({ code, message, fix }: Pick<Problem, 'code' | 'message' | 'fix'>): void {
  throw new CommandError(code, message, fix)
}
