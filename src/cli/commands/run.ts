import { resolve } from 'node:path'
import type { Problem } from '../../core/problem.ts'
import { createRun } from '../../core/run/create.ts'
import type { Store } from '../../ports/store.ts'
import { checkLabels, checkMetadata } from '../../spec/check/metadata.ts'
import { dagHash } from '../../engine/dag-hash.ts'
import { systemClock, systemIdentity } from '../../host/clock.ts'
import { runName } from '../run-name.ts'
import { driveRun } from '../drive.ts'
import { choose, chosenParameters } from '../choice.ts'
import { CommandError, EXIT } from '../exit.ts'
import { chooseExecutor } from '../executor.ts'
import { executionOptions, type ExecutionOptions } from '../execution.ts'
import { openLocal } from '../local.ts'
import { interruptedNotes } from '../interrupted.ts'
import { ignoredNotes, printProblems, readManifest, storeManifest } from '../manifest.ts'
import type { Environment } from '../settings.ts'
import { assignments, secretOptions, valueSource, valuesIn } from '../values.ts'

export interface RunOptions extends ExecutionOptions {
  readonly parameter?: readonly string[]
  readonly dag?: string
  readonly name?: string
  readonly label?: readonly string[]
  readonly recursive?: boolean
}

/** `kontroler run FILE…`: one run of one DAG, to its end. */
export async function run(
  environment: Environment,
  files: readonly string[],
  options: RunOptions,
): Promise<number> {
  const execution = executionOptions(options, environment)
  const executor = await chooseExecutor(environment, execution.kind)
  const given = secretOptions(options.secret ?? [])
  if (options.name !== undefined) checkRunName(options.name)
  const labels = runLabels(options.label ?? [])
  const local = await openLocal(environment, true)
  try {
    const manifest = await readManifest(files, local.store, { recursive: options.recursive === true })
    if (
      printProblems(
        manifest.problems,
        execution.format === 'json' ? 'json' : 'text',
        environment,
        manifest.inputs,
      )
    )
      return EXIT.usage
    if (options.name !== undefined) await refuseTaken(local.store, options.name)
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
        labels,
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
    const notes = [
      ...(await interruptedNotes(local.store)),
      ...ignoredNotes(chosen.dag, work => executor.ignores(work)),
    ]
    return await driveRun(
      { local, values, environment, secrets, notes, executor, ...execution },
      async engine => {
        await engine.submit(chosen.dag, created.value)
        return id
      },
    )
  } finally {
    await local.close()
  }
}

/** Two runs of one name could not be told apart by it. */
async function refuseTaken(store: Store, name: string): Promise<void> {
  const taken = (await store.runsLike(name, 10)).find(run => run.name === name)
  if (taken === undefined) return
  throw new CommandError(
    'RUN_EXISTS',
    `there is a run ${name} already (${taken.phase})`,
    'give another --name',
  )
}

/** A run's name is that of its DagRun, so it has the form that Kubernetes asks for. */
function checkRunName(name: string): void {
  checkMetadata({ name }, 'DagRun', refuse)
}

function runLabels(texts: readonly string[]): Readonly<Record<string, string>> {
  const labels = Object.fromEntries(assignments('--label', texts))
  checkLabels(labels, refuse)
  return labels
}

/** @throws {CommandError} Always. */
function refuse({ code, message, fix }: Pick<Problem, 'code' | 'message' | 'fix'>): void {
  throw new CommandError(code, message, fix)
}
