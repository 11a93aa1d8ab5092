import { runAgain } from '../../engine/run-again.ts'
import { systemClock, systemIdentity } from '../../host/clock.ts'
import { againNotes, givenParameters } from '../again-notes.ts'
import { runName } from '../run-name.ts'
import { driveRun } from '../drive.ts'
import { chooseExecutor } from '../executor.ts'
import { EXIT, CommandError } from '../exit.ts'
import { type ExecutionOptions, executionOptions } from '../execution.ts'
import { findRun, openLocal } from '../local.ts'
import { printProblems } from '../manifest.ts'
import type { Environment } from '../settings.ts'
import { valuesOfRun } from '../source.ts'

export interface AgainOptions extends ExecutionOptions {
  readonly parameter?: readonly string[]
  readonly from?: readonly string[]
  readonly latest?: boolean
  /** Of a server: does not follow the new run. */
  readonly detach?: boolean
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
  if (environment.server !== null)
    return await (await import('../remote/start.ts')).again(environment, text, options, from)
  if (options.detach === true) {
    throw new CommandError('BAD_OPTION', 'without a server the run is driven here', 'leave out --detach')
  }
  const execution = executionOptions(options, environment)
  const executor = await chooseExecutor(environment, execution.kind)
  const local = await openLocal(environment, false)
  try {
    const found = await findRun(local.store, text)
    const id = systemIdentity.id()
    const begun = await runAgain(
      local.store,
      {
        old: found.id,
        from,
        parameters: givenParameters(options.parameter ?? []),
        latest: options.latest === true,
        run: id,
        nameOf: runName,
        trigger: { kind: 'manual', key: id, by: environment.user },
      },
      systemClock.now(),
    )
    if (!begun.ok) {
      const [first] = begun.problems
      // What is wrong with values is told all at once.
      if (first !== undefined && !first.code.startsWith('PARAMETER_'))
        throw new CommandError(first.code, first.message, first.fix)
      printProblems(begun.problems, execution.format === 'json' ? 'json' : 'text', environment)
      return EXIT.usage
    }
    const { old, stored, taken, created } = begun.value
    const { values, secrets } = await valuesOfRun(local.store, old, options.secret ?? [])
    const { reused } = taken
    const notes = againNotes(old, taken, from)
    return await driveRun(
      { local, values, secrets, environment, notes, executor, ...execution },
      async engine => {
        await engine.submit(stored.dag, created, reused)
        return id
      },
    )
  } finally {
    await local.close()
  }
}
