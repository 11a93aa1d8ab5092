import { randomUUID } from 'node:crypto'
import type { Run, StartedRun } from '../../client/api-types.ts'
import type { ParameterValue } from '../../core/dag/dag.ts'
import { continued } from '../../core/run/again.ts'
import { runData } from '../../core/run/run-data.ts'
import { systemClock } from '../../host/clock.ts'
import { checkLabels, checkMetadata } from '../../spec/check/metadata.ts'
import { againNotes, givenParameters } from '../again-notes.ts'
import type { AgainOptions } from '../commands/again.ts'
import { watchToEnd } from '../commands/watch.ts'
import { CommandError, EXIT } from '../exit.ts'
import type { FollowFormat } from '../follow.ts'
import { printProblems, readManifest } from '../manifest.ts'
import type { Records } from '../records.ts'
import type { Environment } from '../settings.ts'
import { printData } from '../show/print.ts'
import { assignments } from '../values.ts'
import { refuseHere } from './refuse-here.ts'
import { remoteRecords } from './records.ts'
import { recordOf } from './run-record.ts'
import { openServerOf } from './server.ts'
import { Refused } from './trouble.ts'

export interface SubmitOptions {
  readonly file?: readonly string[]
  readonly namespace?: string
  readonly parameter?: readonly string[]
  readonly fromSecret?: readonly string[]
  readonly name?: string
  readonly label?: readonly string[]
  readonly watch?: boolean
  readonly wait?: boolean
  readonly output?: FollowFormat | 'name'
}

/** `kontroler submit DAG`: a run of a DAG that the server knows. */
export async function submit(
  environment: Environment,
  dagName: string | undefined,
  options: SubmitOptions,
): Promise<number> {
  await using server = openServerOf(environment)
  const wish = await wishOf(environment, dagName, options)
  if (wish === null) return EXIT.usage
  const run = await started(environment, options.output, () =>
    server.ask(() => server.client.call('createRun', { headers: key(wish.key), body: wish.body })),
  )
  if (run === null) return EXIT.usage
  const records = remoteRecords(server)
  const { output } = options
  if (output === 'name') process.stdout.write(`${run.name}\n`)
  if (options.watch === true || options.wait === true) {
    const quiet = options.watch !== true || output === 'name'
    return await watchToEnd(
      records,
      run.id,
      environment,
      output === 'name' ? 'none' : quiet ? (output ?? 'none') : output,
    )
  }
  if (output !== 'name') sayStarted(run, output)
  return EXIT.succeeded
}

/** `kontroler retry RUN` (`from` null) and `kontroler fork RUN`: the new run is followed to its end, as without one. */
export async function again(
  environment: Environment,
  text: string,
  options: AgainOptions,
  from: readonly string[] | null,
): Promise<number> {
  refuseHere(options)
  await using server = openServerOf(environment)
  const records = remoteRecords(server)
  const old = await records.find(text)
  const given = givenParameters(options.parameter ?? [])
  const parameters = given.map(parameterBody)
  const params = { run: old.id }
  const headers = key(randomUUID())
  const { latest = false, output } = options
  const run = await started(environment, output, () =>
    server.ask(() =>
      from === null
        ? server.client.call('retryRun', { params, headers, body: { parameters } })
        : server.client.call('forkRun', { params, headers, body: { from: [...from], parameters, latest } }),
    ),
  )
  if (run === null) return EXIT.usage
  if (options.detach === true) {
    sayStarted(run, output)
    return EXIT.succeeded
  }
  const notes = await notesOf(records, run, { old: old.id, given, from })
  return await watchToEnd(records, run.id, environment, output, notes)
}

/** The same notes as where the run begins on this machine, by the same rules. */
async function notesOf(
  records: Records,
  run: Run,
  { old, given, from }: { old: string; given: readonly ParameterValue[]; from: readonly string[] | null },
): Promise<readonly string[]> {
  const [state, dag] = [await records.load(old), await records.dagOf(run)]
  const taken = state === null || dag === null ? null : continued(state, dag.dag, from, given)
  return state !== null && taken?.ok === true ? againNotes(state, taken.value, from) : []
}

/** Null when what was asked for has problems, which are told. */
async function started(
  environment: Environment,
  output: string | undefined,
  ask: () => Promise<StartedRun>,
): Promise<StartedRun | null> {
  try {
    return await ask()
  } catch (error) {
    // What is wrong with values is told all at once.
    if (!(error instanceof Refused) || !error.code.startsWith('PARAMETER_')) throw error
    printProblems(error.problems, output === 'json' ? 'json' : 'text', environment)
    return null
  }
}

function sayStarted(run: StartedRun, output: string | undefined): void {
  const { name, dag } = run
  if (output === 'json') return printData('json', runData(recordOf(run), run.interrupted, systemClock.now()))
  if (output === 'none') return
  process.stdout.write(`run ${name} of DAG ${dag} is submitted\n`)
  process.stdout.write(`  watch: kontroler watch ${name}\n  logs:  kontroler logs -f ${name}\n`)
}

type Parameter = { name: string; value: string } | { name: string; fromSecret: { name: string; key: string } }

interface Wish {
  readonly key: string
  readonly body: {
    readonly namespace: string
    readonly dag: string
    readonly name?: string
    readonly parameters: Parameter[]
    readonly labels: Record<string, string>
  }
}

/** What the command line says; what it leaves out may stand in a DagRun of a file. Null when that has errors. */
async function wishOf(
  environment: Environment,
  dagName: string | undefined,
  options: SubmitOptions,
): Promise<Wish | null> {
  const own = {
    parameters: [
      ...givenParameters(options.parameter ?? []).map(parameterBody),
      ...secretsIn(options.fromSecret ?? []),
    ],
    labels: labelsIn(options.label ?? []),
  }
  if (options.name !== undefined) checkMetadata({ name: options.name }, 'DagRun', refuse)
  const { namespace = 'default', file } = options
  // The same request is the same run, however often a broken connection makes it come.
  const base = { key: randomUUID() }
  const name = options.name === undefined ? {} : { name: options.name }
  if (file === undefined) {
    if (dagName === undefined)
      throw new CommandError('BAD_OPTION', 'which DAG is to run?', 'kontroler submit DAG')
    return { ...base, body: { namespace, dag: dagName.replace(/^dags?\//u, ''), ...name, ...own } }
  }
  const manifest = await readManifest(file, null, { namespace })
  if (printProblems(manifest.problems, 'text', environment, manifest.inputs)) return null
  const [only, second] = manifest.dagRuns.filter(run => dagName === undefined || run.dagName === dagName)
  if (only === undefined || second !== undefined) {
    throw new CommandError(
      only === undefined ? 'UNKNOWN_RUN' : 'AMBIGUOUS_RUN',
      only === undefined ? 'the files hold no DagRun' : 'the files hold several DagRuns',
      'name a file with one document of kind DagRun',
    )
  }
  if (only.action !== null) {
    throw new CommandError(
      'ACTION_NOT_YET',
      `the DagRun asks for a ${only.action.type}, which a server does not take as a document`,
      `kontroler ${only.action.type} ${only.action.run}`,
    )
  }
  const given = new Set(own.parameters.map(parameter => parameter.name))
  const parameters = only.parameters.filter(parameter => !given.has(parameter.name)).map(parameterBody)
  const body = {
    namespace: only.namespace,
    dag: only.dagName,
    ...(only.name === null ? {} : { name: only.name }),
    ...name,
    parameters: [...parameters, ...own.parameters],
    labels: { ...only.labels, ...own.labels },
  }
  return { ...base, body }
}

const key = (text: string): { readonly 'idempotency-key': string } => ({ 'idempotency-key': text })

function parameterBody({ name, value }: ParameterValue): Parameter {
  return value.kind === 'value'
    ? { name, value: value.value }
    : { name, fromSecret: { name: value.secret.name, key: value.secret.key } }
}

/** `--from-secret NAME=SECRET/KEY`; the value stays where the server is. */
function secretsIn(texts: readonly string[]): readonly Parameter[] {
  return [...assignments('--from-secret', texts)].map(([name, text]) => {
    const [of = '', of2 = 'secret', ...more] = text.split('/')
    if (of === '' || of2 === '' || more.length > 0) {
      const fix = 'write --from-secret PARAMETER=SECRET or PARAMETER=SECRET/KEY'
      throw new CommandError('BAD_OPTION', `--from-secret ${name}=${text} names no Secret`, fix)
    }
    return { name, fromSecret: { name: of, key: of2 } }
  })
}

function labelsIn(texts: readonly string[]): Record<string, string> {
  const labels = Object.fromEntries(assignments('--label', texts))
  checkLabels(labels, refuse)
  return labels
}

/** @throws {CommandError} Always. */
function refuse({ code, message, fix }: Pick<CommandError, 'code' | 'message' | 'fix'>): void {
  throw new CommandError(code, message, fix)
}
