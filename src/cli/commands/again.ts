import type { ParameterValue } from '../../core/dag/dag.ts'
import { type Again, continued } from '../../core/run/again.ts'
import { createRun } from '../../core/run/create.ts'
import { type RunState, isTerminal } from '../../core/run/state.ts'
import { loadRun } from '../../engine/load.ts'
import type { StoredDag } from '../../ports/store.ts'
import { systemClock, systemIdentity } from '../../host/clock.ts'
import { runName } from '../run-name.ts'
import { driveRun } from '../drive.ts'
import { chooseExecutor } from '../executor.ts'
import { EXIT, CommandError } from '../exit.ts'
import { type ExecutionOptions, executionOptions } from '../execution.ts'
import { findRun, openLocal, type Local } from '../local.ts'
import { printProblems } from '../manifest.ts'
import type { Environment } from '../settings.ts'
import { valuesOfRun } from '../source.ts'
import { assignments } from '../values.ts'

export interface AgainOptions extends ExecutionOptions {
  readonly parameter?: readonly string[]
  readonly from?: readonly string[]
  readonly latest?: boolean
}

/** `kontroler retry RUN`: a new run that reuses what succeeded and runs the rest again. The old run stays as it is. */
export async function retry(environment: Environment, text: string, options: AgainOptions): Promise<number> {
  return await again(environment, text, options, null)
}

/** `kontroler fork RUN --from TASK`: a new run from that task on, with other parameters or the newest DAG if wanted. */
export async function fork(environment: Environment, text: string, options: AgainOptions): Promise<number> {
  return await again(environment, text, options, options.from ?? [])
}

async function again(
  environment: Environment,
  text: string,
  options: AgainOptions,
  from: readonly string[] | null,
): Promise<number> {
  const execution = executionOptions(options, environment)
  const executor = await chooseExecutor(environment, execution.kind)
  const local = await openLocal(environment, false)
  try {
    const found = await findRun(local.store, text)
    const old = await loadRun(local.store, found.id)
    if (old === null) throw new CommandError('UNKNOWN_RUN', `there is no run ${text}`, 'see kontroler list')
    if (!isTerminal(old.phase)) {
      const { name } = found
      const fix = `wait for it (kontroler watch ${name}), resume it if it was interrupted, or cancel it`
      throw new CommandError('RUN_NOT_FINISHED', `run ${found.name} is ${old.phase}`, fix)
    }
    if (from === null && old.phase === 'succeeded') {
      throw new CommandError(
        'NOTHING_TO_RETRY',
        `run ${found.name} succeeded`,
        `kontroler fork ${found.name} --from TASK`,
      )
    }
    const version = await versionFor(local, old, options.latest === true)
    const taken = takenOver(old, version, from, given(options.parameter ?? []))
    const id = systemIdentity.id()
    const created = createRun(
      {
        run: id,
        name: runName(old.created.dag),
        dag: version.dag,
        dagHash: version.hash,
        parameters: taken.parameters,
        labels: old.created.labels,
        trigger: { kind: 'manual', key: id, by: environment.user },
        continues: old.created.run,
        workdir: old.created.workdir,
        maxParallelTasks: old.created.maxParallelTasks,
      },
      systemClock.now(),
    )
    if (!created.ok) {
      printProblems(created.problems, execution.format === 'json' ? 'json' : 'text', environment)
      return EXIT.usage
    }
    const { values, secrets } = await valuesOfRun(local.store, old, options.secret ?? [])
    const { reused } = taken
    const notes = notesOf(old, taken, from)
    return await driveRun(
      { local, values, secrets, environment, notes, executor, ...execution },
      async engine => {
        await engine.submit(version.dag, created.value, reused)
        return id
      },
    )
  } finally {
    await local.close()
  }
}

async function versionFor(local: Local, old: RunState, latest: boolean): Promise<StoredDag> {
  const { namespace, dag, dagHash } = old.created
  const found = latest ? await local.store.dag(namespace, dag) : await local.store.dagByHash(dagHash)
  if (found === null)
    throw new CommandError('UNKNOWN_DAG', `DAG ${dag} is not in the state directory`, 'run its file')
  return found
}

function takenOver(
  old: RunState,
  version: StoredDag,
  from: readonly string[] | null,
  parameters: readonly ParameterValue[],
): Again {
  const taken = continued(old, version.dag, from, parameters)
  if (taken.ok) return taken.value
  const [problem] = taken.problems
  throw new CommandError(problem?.code ?? 'UNKNOWN_TASK', problem?.message ?? '', problem?.fix ?? '')
}

/** What there is to say about the results that the new run begins with. */
function notesOf(
  old: RunState,
  { because, reused }: Again,
  from: readonly string[] | null,
): readonly string[] {
  switch (because) {
    case 'workspace':
      return ['note: the run had a workspace, which is gone; every task runs again']
    case 'parameters':
      return ['note: with other parameters every task runs again']
    case null: {
      if (from !== null && from.length === 0) return []
      return [`note: reused of ${old.created.name}: ${reused.length} of ${old.plan.nodes.length} results`]
    }
  }
}

function given(texts: readonly string[]): readonly ParameterValue[] {
  return [...assignments('-p', texts)].map(
    ([name, value]): ParameterValue => ({ name, value: { kind: 'value', value } }),
  )
}
