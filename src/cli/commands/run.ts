import { resolve } from 'node:path'
import type { Dag, ParameterValue } from '../../core/dag/dag.ts'
import { createRun } from '../../core/run/create.ts'
import { dagHash } from '../../engine/dag-hash.ts'
import { runName, systemClock, systemIdentity } from '../clock.ts'
import { driveRun } from '../drive.ts'
import { EXIT, CommandError } from '../exit.ts'
import { executionOptions, type ExecutionOptions } from '../execution.ts'
import { openLocal } from '../local.ts'
import { interruptedNotes } from '../interrupted.ts'
import { type Manifest, ignoredNotes, printProblems, readManifest, storeManifest } from '../manifest.ts'
import { ignoredOf } from '../../executors/process/ignored.ts'
import type { Environment } from '../settings.ts'
import { assignments, secretOptions, valueSource, valuesIn } from '../values.ts'

export interface RunOptions extends ExecutionOptions {
  readonly parameter?: readonly string[]
  readonly dag?: string
  readonly name?: string
  readonly label?: readonly string[]
}

/** `kontroler run FILE…`: one run of one DAG, to its end. */
export async function run(
  environment: Environment,
  files: readonly string[],
  options: RunOptions,
): Promise<number> {
  const execution = executionOptions(options, environment)
  const given = secretOptions(options.secret ?? [])
  const local = await openLocal(environment.stateDir, true)
  try {
    const manifest = await readManifest(files, local.store)
    if (
      printProblems(
        manifest.problems,
        execution.format === 'json' ? 'json' : 'text',
        environment,
        manifest.inputs,
      )
    )
      return EXIT.usage
    const chosen = choose(manifest, options.dag)
    const parameters = chosenParameters(chosen.parameters, options.parameter ?? [])
    await storeManifest(manifest, local.store, systemClock.now())
    const id = systemIdentity.id()
    const created = createRun(
      {
        run: id,
        name: options.name ?? chosen.runName ?? runName(chosen.dag.name),
        dag: chosen.dag,
        dagHash: dagHash(chosen.dag),
        parameters,
        labels: Object.fromEntries(assignments('--label', options.label ?? [])),
        trigger: { kind: 'manual', key: id, by: environment.user },
        workdir: resolve('.'),
      },
      systemClock.now(),
    )
    if (!created.ok) {
      printProblems(created.problems, execution.format === 'json' ? 'json' : 'text', environment)
      return EXIT.usage
    }
    const values = valueSource(
      given,
      () => manifest.secrets,
      () => manifest.configMaps,
    )
    const secrets = [...valuesIn(given), ...valuesIn(manifest.secrets)]
    const notes = [...(await interruptedNotes(local.store)), ...ignoredNotes(chosen.dag, ignoredOf)]
    return await driveRun({ local, values, environment, secrets, notes, ...execution }, async engine => {
      await engine.submit(chosen.dag, created.value)
      return id
    })
  } finally {
    await local.close()
  }
}

interface Chosen {
  readonly dag: Dag
  readonly parameters: readonly ParameterValue[]
  readonly runName: string | null
}

/** The one DAG that is meant: named, or the only one, or the one that the only DagRun in the files is of. */
function choose(manifest: Manifest, wanted: string | undefined): Chosen {
  const dags = manifest.dags.filter(({ dag: { name } }) => wanted === undefined || name === wanted)
  const names = manifest.dags.map(({ dag }) => dag.name).join(', ')
  if (wanted !== undefined && dags.length === 0) {
    throw new CommandError(
      'UNKNOWN_DAG',
      `the files hold no DAG ${wanted}`,
      names === '' ? 'name a file with a DAG' : `they hold: ${names}`,
    )
  }
  const runs = manifest.dagRuns.filter(({ dagName }) => wanted === undefined || dagName === wanted)
  const [onlyRun, secondRun] = runs
  if (onlyRun !== undefined && secondRun === undefined) {
    const loaded = manifest.dags.find(
      ({ dag }) => dag.name === onlyRun.dagName && dag.namespace === onlyRun.namespace,
    )
    if (loaded !== undefined)
      return { dag: loaded.dag, parameters: onlyRun.parameters, runName: onlyRun.name }
  }
  const [first, second] = dags
  if (first === undefined)
    throw new CommandError('NO_DAG', 'the files hold no DAG', 'name a file with a document of kind DAG')
  if (second !== undefined) {
    throw new CommandError(
      'SEVERAL_DAGS',
      `the files hold several DAGs: ${names}`,
      'choose one with --dag NAME',
    )
  }
  return { dag: first.dag, parameters: [], runName: null }
}

/** What `-p` says wins over what a DagRun document says. */
function chosenParameters(
  documented: readonly ParameterValue[],
  texts: readonly string[],
): readonly ParameterValue[] {
  const given = assignments('-p', texts)
  const overrides = [...given].map(
    ([name, value]): ParameterValue => ({ name, value: { kind: 'value', value } }),
  )
  return [...documented.filter(({ name }) => !given.has(name)), ...overrides]
}
