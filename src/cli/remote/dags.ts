import type { AppliedDag, Dag } from '../../client/api-types.ts'
import type { LoadedDag } from '../../spec/load.ts'
import { problemsAsText } from '../../spec/report.ts'
import { yamlText } from '../../spec/yaml-text.ts'
import { forEachNamed } from '../each.ts'
import { CommandError, EXIT } from '../exit.ts'
import { type Manifest, printProblems, readManifest } from '../manifest.ts'
import type { Environment } from '../settings.ts'
import { printData, printLines } from '../show/print.ts'
import { wholeNumber } from '../values.ts'
import { type RemoteServer, openServerOf } from './server.ts'
import { Refused } from './trouble.ts'

export interface ApplyOptions {
  readonly file?: readonly string[]
  readonly recursive?: boolean
  readonly namespace?: string
  readonly ifVersion?: string
  readonly force?: boolean
  readonly output?: 'json' | 'yaml' | 'name'
}

export interface DeleteOptions {
  readonly namespace: string
  readonly ifVersion?: string
}

/** How often a change that is forced meets another one before it gives up. */
const TRIES = 5

/** What is in force before a change, and how it is named there. */
interface Before {
  readonly dag: Dag
  readonly etag: string
}

/** `kontroler apply FILE…`: puts the DAGs of files in force on a server. */
export async function apply(
  environment: Environment,
  places: readonly string[],
  options: ApplyOptions,
): Promise<number> {
  const files = [...places, ...(options.file ?? [])]
  if (files.length === 0)
    throw new CommandError('BAD_OPTION', 'which files are to be applied?', 'kontroler apply FILE')
  const wanted = versionIn(options)
  const { namespace = 'default', recursive = false, output } = options
  const manifest = await readManifest(files, null, { namespace, recursive })
  const format = output === 'json' ? 'json' : 'text'
  if (printProblems(manifest.problems, format, environment, manifest.inputs)) return EXIT.usage
  refuseOthers(manifest)
  if (wanted !== undefined && manifest.dags.length > 1)
    throw new CommandError('BAD_OPTION', '--if-version is about one DAG', 'name a file with one DAG')
  await using server = openServerOf(environment)
  const byName = new Map(manifest.dags.map(loaded => [nameOf(loaded.dag), loaded]))
  const { done, tellRefused } = await forEachNamed([...byName.keys()], async name => {
    const loaded = byName.get(name)
    if (loaded === undefined) throw new Error(`no DAG ${name} was read`)
    return await applyOne(server, loaded, textOf(loaded, manifest), { wanted, force: options.force === true })
  })
  if (output === 'json' || output === 'yaml') printData(output, { dags: done.map(({ dag }) => dag) })
  else if (output === 'name') printLines(done.map(({ dag }) => dag.name))
  else printLines(done.flatMap(appliedLines))
  tellRefused()
  return EXIT.succeeded
}

/** `kontroler delete DAG…`: takes DAGs out of force on a server; their runs and versions stay. */
export async function deleteDags(
  environment: Environment,
  names: readonly string[],
  options: DeleteOptions,
): Promise<number> {
  const wanted = versionIn(options)
  await using server = openServerOf(environment)
  const { tellRefused } = await forEachNamed(names, async text => {
    const [space, plain] = text.split('/', 2)
    const params =
      plain === undefined
        ? { namespace: options.namespace, name: text }
        : { namespace: space ?? '', name: plain }
    const before = await inForce(server, params)
    if (before === null) {
      const message = `there is no DAG ${params.namespace}/${params.name}`
      throw new CommandError('UNKNOWN_DAG', message, 'see kontroler list dags')
    }
    refuseOther(before, wanted)
    const headers = { 'if-match': before.etag }
    await changing(() =>
      server.ask(() => server.client.call('deleteDag', { params, headers }), { repeat: 'untouched' }),
    )
    printLines([`DAG ${nameOf(params)} is deleted; its runs and versions stay`])
  })
  tellRefused()
  return EXIT.succeeded
}

interface Applied {
  readonly dag: AppliedDag
  readonly before: Dag | null
}

interface How {
  readonly wanted: number | undefined
  readonly force: boolean
}

/** Says what the change is made from, so that of two who change a DAG at once the second one is told. */
async function applyOne(server: RemoteServer, loaded: LoadedDag, body: string, how: How): Promise<Applied> {
  const { namespace, name } = loaded.dag
  const params = { namespace, name }
  for (let tried = 1; ; tried += 1) {
    const before = await inForce(server, params)
    refuseOther(before, how.wanted)
    const known = how.force ? '*' : (before?.etag ?? '*')
    const headers = before === null ? { 'if-none-match': '*' } : { 'if-match': known }
    try {
      const put = () => server.client.call('putDag', { params, headers, body })
      const dag = await changing(() => server.ask(put, { repeat: 'untouched' }))
      return { dag, before: before?.dag ?? null }
    } catch (error) {
      // It came or went between the look and the change.
      const isRace = error instanceof CommandError && error.code === 'DAG_CHANGED'
      if (!isRace || !how.force || tried >= TRIES) throw error
    }
  }
}

async function inForce(
  { client, ask }: RemoteServer,
  params: { readonly namespace: string; readonly name: string },
): Promise<Before | null> {
  try {
    return await ask(async () => {
      const { body, headers } = await client.ask('getDag', { params })
      return { dag: body, etag: headers.get('etag') ?? '*' }
    })
  } catch (error) {
    if (error instanceof CommandError && error.code === 'UNKNOWN_DAG') return null
    throw error
  }
}

/** @throws {CommandError} `DAG_CHANGED` another version is in force than the change was made from. */
function refuseOther(before: Before | null, wanted: number | undefined): void {
  if (wanted === undefined || before?.dag.version === wanted) return
  const now = before === null ? 'there is none' : `version ${before.dag.version} is in force`
  throw new CommandError(
    'DAG_CHANGED',
    `the change was made from version ${wanted}, and ${now}`,
    'make it from what is in force now: kontroler export DAG',
    EXIT.failed,
  )
}

/** Refusals that a person who sends a file reads, in words that fit. */
async function changing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    // A server of another version finds more than was found here.
    if (error instanceof Refused && error.code === 'INVALID_DOCUMENT' && error.problems.length > 1)
      process.stderr.write(problemsAsText(error.problems, { inputs: [], paint: (_, text) => text }))
    if (error.code === 'DAG_OWNED') {
      const fix = 'change it where it is kept: in the file that the server watches, or in what puts it there'
      throw new CommandError('DAG_OWNED', error.message, fix, EXIT.failed)
    }
    if (error.code === 'DAG_CHANGED' || error.code === 'VERSION_CONFLICT') {
      const fix = 'see what it is now (kontroler export DAG), make your change to that, and apply it again'
      throw new CommandError('DAG_CHANGED', error.message, fix, EXIT.failed)
    }
    throw error
  }
}

/** The text as it stands, where it holds nothing else; so places in it are those of the file. */
function textOf({ at, document }: LoadedDag, { dags, inputs }: Manifest): string {
  const others = dags.filter(other => other.at.file === at.file).length > 1
  const input = inputs.find(({ name }) => name === at.file)
  return others || input === undefined || /^---/m.test(input.text) ? yamlText(document) : input.text
}

/** @throws {CommandError} `DAGS_ONLY` */
function refuseOthers({ dags, dagRuns, dagTasks, secrets, configMaps }: Manifest): void {
  const [run] = dagRuns
  const [task] = dagTasks
  const refuse = (what: string, fix: string): CommandError =>
    new CommandError('DAGS_ONLY', `a server takes DAGs, and the files hold ${what}`, fix)
  if (run !== undefined) throw refuse('a DagRun', 'start it with: kontroler submit -f FILE')
  if (task !== undefined)
    throw refuse(`the DagTask ${task.name}`, 'put it where the server reads files; there is no other way yet')
  if (secrets.size + configMaps.size > 0)
    throw refuse('a Secret or ConfigMap', 'put it where the server runs the tasks; the API takes no values')
  if (dags.length === 0) throw new CommandError('NO_DAG', 'the files hold no DAG', 'name a file with one')
}

function appliedLines({ dag, before }: Applied): readonly string[] {
  const { version, warnings, notes } = dag
  const how =
    before === null
      ? `is created: version ${version}`
      : before.version === version && before.suspended === dag.suspended
        ? `is unchanged: version ${version}`
        : `is in force: version ${version}${before.version === version ? '' : ` (before: ${before.version})`}`
  return [
    `DAG ${nameOf(dag)} ${how}`,
    ...warnings.map(({ code, message }) => `  warning ${code}: ${message}`),
    ...notes.map(note => `  ${note}`),
  ]
}

const nameOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `${namespace}/${name}`

function versionIn({
  ifVersion,
  force,
}: {
  readonly ifVersion?: string
  readonly force?: boolean
}): number | undefined {
  if (ifVersion !== undefined && force === true)
    throw new CommandError('BAD_OPTION', '--if-version and --force say two things', 'leave one out')
  return ifVersion === undefined ? undefined : wholeNumber('--if-version', ifVersion)
}
