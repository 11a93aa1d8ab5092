import { statSync, watch } from 'node:fs'
import { resolve } from 'node:path'
import type { Dag } from '../../core/dag/dag.ts'
import { createRun } from '../../core/run/create.ts'
import { hookPaths } from '../../core/webhook/incoming.ts'
import { isTerminal } from '../../core/run/state.ts'
import { dagHash } from '../../engine/dag-hash.ts'
import type { Engine } from '../../engine/engine.ts'
import { ScheduledDags } from '../../engine/scheduled-dags.ts'
import { type ScheduledDag, Scheduler } from '../../engine/scheduler.ts'
import { StoreError } from '../../ports/store.ts'
import type { LoadedDagRun } from '../../spec/load.ts'
import { systemClock, systemIdentity } from '../../host/clock.ts'
import { runName } from '../run-name.ts'
import { chooseExecutor } from '../executor.ts'
import { CommandError, EXIT } from '../exit.ts'
import { type ExecutionOptions, executionOptions } from '../execution.ts'
import { adoptableRuns } from '../interrupted.ts'
import { type Local, openLocal } from '../local.ts'
import { openEngine } from '../local-engine.ts'
import type { Notifier } from '../notify.ts'
import { type Manifest, ignoredNotes, printProblems, readManifest, storeManifest } from '../manifest.ts'
import type { Server } from '../../server/server.ts'
import type { Environment } from '../settings.ts'
import { eventLines } from '../show/lines.ts'
import { clockTime, painter, printable } from '../show/text.ts'
import { secretOptions, valueSource } from '../values.ts'

/** Editors write a file in several steps; what follows within this time is one change. */
const SETTLE_MS = 150
/** Looked at this often even without a notice, which some file systems never give. */
const RESCAN_MS = 5_000

/**
 * `kontroler dev [DIR]`: a standing engine over a directory of manifests: schedules, DagRuns, and runs whose engine
 * was killed. Changed files are read again; runs keep the version they started with.
 */
export async function dev(environment: Environment, directory: string, options: DevOptions): Promise<number> {
  const { settings, kind } = executionOptions(options, environment)
  const port = options.port === undefined ? null : portOf(options.port)
  const executor = await chooseExecutor(environment, kind)
  const folder = directoryOf(directory)
  const given = secretOptions(options.secret ?? [])
  const paint = painter(environment.color)
  const say = (text: string): void => {
    process.stdout.write(`${paint('dim', clockTime(systemClock.now()))} ${text}\n`)
  }
  const local = await openLocal(environment, true)
  try {
    const watched: Watched = {
      folder,
      ignores: work => executor.ignores(work),
      manifest: null,
      seen: '',
    }
    const values = valueSource(
      given,
      () => watched.manifest?.secrets ?? new Map(),
      () => watched.manifest?.configMaps ?? new Map(),
    )
    const over = Promise.withResolvers<void>()
    const engine = await openEngine(
      local,
      values,
      {
        events(state, events) {
          for (const event of events) {
            for (const line of eventLines(state, event, paint)) {
              process.stdout.write(`${line.replace(' ', ` ${paint('bold', state.created.name)} `)}\n`)
            }
            if (event.type === 'runSettled') {
              const why = event.message === '' ? '' : `: ${printable(event.message)}`
              say(`${paint('bold', state.created.name)} ${event.phase}${why}`)
              void scheduler.look()
            }
          }
        },
        progress: say,
        trouble: (code, message) => say(paint('yellow', `warning ${code}: ${message}`)),
      },
      settings,
      executor,
    )
    if (executor.note !== null) say(executor.note)
    const scheduler: Scheduler = new Scheduler(engine, { workdir: folder, nameOf: dag => runName(dag.name) })
    const scheduled = new ScheduledDags(scheduler)
    const stopListening = onSignals(() => over.resolve())
    let server: Server | null = null
    let notifier: Notifier | null = null
    try {
      say(`watching ${folder}; state in ${environment.stateDir}; Ctrl-C ends`)
      await scheduled.open(local.store)
      const { openNotifier } = await import('../notify.ts')
      notifier = openNotifier(engine, environment, text => say(paint('yellow', text)))
      const look = async (): Promise<void> => {
        await reload(watched, local, engine, scheduled, environment, say)
        await scheduler.look()
        await adoptInterrupted(local, engine, say)
      }
      await look()
      if (options.server !== false) {
        // Loaded only here: it takes as long as everything else together.
        const { serveDev } = await import('../dev-server.ts')
        const { user } = environment
        const notesOf = (dag: Dag): readonly string[] => ignoredNotes(dag, watched.ignores)
        const accounts = options.accounts ?? null
        const serving = { local, engine, dags: scheduled, folder, user, notesOf, port, accounts, say }
        server = await serveDev(serving)
      }
      const stopWatching = onChanges(folder, look, say)
      await over.promise
      stopWatching()
    } finally {
      stopListening()
      await server?.close()
      await scheduler.close()
      await notifier?.close()
      const left = engine.driving().filter(({ phase }) => !isTerminal(phase))
      await engine.close()
      for (const { created } of left)
        say(`run ${created.name} goes on with the next kontroler dev, or: kontroler cancel ${created.name}`)
    }
    return EXIT.succeeded
  } finally {
    await local.close()
  }
}

export interface DevOptions extends ExecutionOptions {
  readonly port?: string
  /** False with `--no-server`. */
  readonly server?: boolean
  /** `true`, or the file that was named. */
  readonly accounts?: string | true
}

function portOf(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw new CommandError('BAD_OPTION', `--port ${text} is no port`, 'give a number from 0 (any) to 65535')
}

interface Watched {
  readonly folder: string
  readonly ignores: Parameters<typeof ignoredNotes>[1]
  manifest: Manifest | null
  /** Content of all files at the last look, to tell a change from a touch. */
  seen: string
}

function directoryOf(text: string): string {
  const folder = resolve(text)
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return folder
  throw new CommandError(
    'NOT_A_DIRECTORY',
    `${text} is not a directory`,
    'name the directory that holds your DAGs',
  )
}

async function reload(
  watched: Watched,
  local: Local,
  engine: Engine,
  scheduled: ScheduledDags,
  environment: Environment,
  say: (text: string) => void,
): Promise<void> {
  const read = await readManifest([watched.folder], local.store, { recursive: true })
  const seen = JSON.stringify(read.inputs)
  if (seen === watched.seen) return
  const first = watched.seen === ''
  watched.seen = seen
  const bad = printProblems(read.problems, 'text', environment, read.inputs)
  if (bad) say('files with errors are left out; DAGs they held keep their last good version')
  const manifest = keepLastGood(read, watched.manifest)
  watched.manifest = manifest
  const dags = manifest.dags.map(({ dag }): ScheduledDag => ({ dag, hash: dagHash(dag) }))
  await scheduled.files(dags, () => storeManifest(manifest, local.store, systemClock.now()))
  const names = dags.map(({ dag }) => dag.name).join(', ')
  const count = `${dags.length} ${dags.length === 1 ? 'DAG' : 'DAGs'}`
  say(`${first ? 'read' : 'read again'}: ${count}${names === '' ? '' : ` (${names})`}`)
  for (const { dag } of dags)
    for (const path of hookPaths(dag)) say(`hook: POST /hooks/${dag.namespace}/${dag.name}/${path}`)
  for (const note of new Set(dags.flatMap(({ dag }) => ignoredNotes(dag, watched.ignores)))) say(note)
  for (const dagRun of manifest.dagRuns) await startDagRun(dagRun, dags, engine, watched.folder, say)
}

/** A DAG that had an error since the last time keeps its last good version as long as its file is there. */
function keepLastGood(read: Manifest, before: Manifest | null): Manifest {
  const broken = new Set(
    read.problems.filter(({ severity }) => severity === 'error').map(({ at }) => at?.file ?? ''),
  )
  const there = new Set(read.dags.map(({ dag }) => `${dag.namespace}/${dag.name}`))
  const kept = (before?.dags ?? []).filter(
    ({ dag, at }) => broken.has(at.file) && !there.has(`${dag.namespace}/${dag.name}`),
  )
  return { ...read, dags: [...read.dags, ...kept] }
}

/** A DagRun document is an order for one run: its name is the key, so it is carried out once. */
async function startDagRun(
  dagRun: LoadedDagRun,
  dags: readonly ScheduledDag[],
  engine: Engine,
  workdir: string,
  say: (text: string) => void,
): Promise<void> {
  const target = dags.find(({ dag }) => dag.name === dagRun.dagName && dag.namespace === dagRun.namespace)
  const why = notStarted(dagRun, target !== undefined)
  if (why !== null) return say(`DagRun ${dagRun.name ?? ''} is not carried out: ${why}`)
  if (target === undefined || dagRun.name === null) return
  const created = createRun(
    {
      run: systemIdentity.id(),
      name: dagRun.name,
      dag: target.dag,
      dagHash: target.hash,
      parameters: dagRun.parameters,
      labels: dagRun.labels,
      trigger: { kind: 'dagRun', key: dagRun.name },
      workdir,
    },
    systemClock.now(),
  )
  if (!created.ok) {
    for (const problem of created.problems) say(`DagRun ${dagRun.name}: ${problem.message}; ${problem.fix}`)
    return
  }
  try {
    await engine.submit(target.dag, created.value)
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'DUPLICATE_RUN') throw error
  }
}

/** Why an order cannot be carried out here; null when it can. */
function notStarted({ name, dagName, action }: LoadedDagRun, isThere: boolean): string | null {
  if (action !== null)
    return `documents cannot ${action.type} yet; use kontroler ${action.type} ${action.run}`
  if (!isThere) return `there is no DAG ${dagName} in this directory`
  return name === null ? 'give it metadata.name; generateName would start a run at each change' : null
}

async function adoptInterrupted(local: Local, engine: Engine, say: (text: string) => void): Promise<void> {
  for (const run of await adoptableRuns(local.store)) {
    try {
      if (engine.stateOf(run.id) === null && (await engine.adopt(run.id, run.owner)))
        say(`run ${run.name} was interrupted and goes on`)
    } catch (error) {
      // One run that cannot be read does not hold up the others.
      engine.trouble(error, run.id)
    }
  }
}

/** Calls when a file below changed, one call at a time; returns how to stop. */
function onChanges(folder: string, call: () => Promise<void>, say: (text: string) => void): () => void {
  let running = false
  let timer: NodeJS.Timeout | null = null
  const soon = (delayMs: number): void => {
    if (timer !== null) clearTimeout(timer)
    timer = setTimeout(() => {
      if (running) return soon(SETTLE_MS)
      running = true
      call()
        .catch((error: unknown) =>
          say(`the files could not be read: ${error instanceof Error ? error.message : String(error)}`),
        )
        .finally(() => {
          running = false
          soon(RESCAN_MS)
        })
    }, delayMs)
  }
  const watcher = watch(folder, { recursive: true }, (_event, name) => {
    if (name === null || /\.(ya?ml|json)$/.test(name)) soon(SETTLE_MS)
  })
  watcher.on('error', () => undefined)
  soon(RESCAN_MS)
  return () => {
    watcher.close()
    if (timer !== null) clearTimeout(timer)
    running = true
  }
}

function onSignals(call: () => void): () => void {
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of names) process.on(name, call)
  return () => names.forEach(name => process.off(name, call))
}
