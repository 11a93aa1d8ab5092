import { neededSecrets } from '../../core/run/secrets.ts'
import { type RunState, isTerminal } from '../../core/run/state.ts'
import type { ValueSource } from '../../ports/secrets.ts'
import { loadRun, requestStored } from '../../engine/load.ts'
import { systemClock } from '../../host/clock.ts'
import { driveRun } from '../drive.ts'
import { chooseExecutor } from '../executor.ts'
import { CommandError, exitCodeOf } from '../exit.ts'
import { type ExecutionOptions, executionOptions } from '../execution.ts'
import { runInFront } from '../../engine/explain-context.ts'
import { findRun, isDriven, openLocal } from '../local.ts'
import { valuesOfRun } from '../source.ts'
import { endedText, goesOnText } from '../said.ts'
import type { Environment } from '../settings.ts'

/** `kontroler resume RUN`: ends a pause; drives the run on when no engine does, and shows it to its end. */
export async function resume(
  environment: Environment,
  text: string,
  options: ExecutionOptions,
): Promise<number> {
  if (environment.server !== null)
    return await (await import('../remote/change.ts')).resume(environment, text, options)
  const execution = executionOptions(options, environment)
  const executor = await chooseExecutor(environment, execution.kind)
  const local = await openLocal(environment, false)
  try {
    const run = await findRun(local.store, text)
    if (isTerminal(run.phase)) {
      process.stdout.write(endedText(run.name, run.phase))
      return exitCodeOf(run)
    }
    const by = environment.user
    const problem = await requestStored(local.store, run.id, { kind: 'resume', by }, () => systemClock.now())
    if (problem !== null) throw new CommandError(problem.code, problem.message, problem.fix, 1)
    // The look that finds the owner dead is the one whose owner is taken over from: another may be faster.
    const now = (await local.store.run(run.id)) ?? run
    if (await isDriven(local.store, now)) {
      process.stdout.write(goesOnText(run.name))
      return 0
    }
    const state = await loadRun(local.store, run.id)
    if (state === null) throw new CommandError('UNKNOWN_RUN', `there is no run ${text}`, 'see kontroler list')
    const isQueued = state.phase === 'queued'
    const front = isQueued ? await runInFront(local.store, now) : null
    if (front !== null) {
      const message = `run ${run.name} waits for run ${front.name}, as its DAG runs one at a time`
      throw new CommandError(
        'RUN_QUEUED',
        message,
        `kontroler watch ${front.name}, or resume or cancel that one first`,
        1,
      )
    }
    const { values, secrets } = await valuesOfRun(local.store, state, options.secret ?? [])
    await refuseWithoutSecrets(state, values)
    return await driveRun(
      { local, values, secrets, environment, notes: [], executor, ...execution },
      async engine => {
        if (!(await engine.adopt(run.id, now.owner))) {
          throw new CommandError(
            'NOT_ADOPTED',
            `another engine took run ${run.name} over`,
            `kontroler watch ${run.name}`,
            1,
          )
        }
        // Whoever would have begun it is gone, and nothing is before it.
        if (isQueued) await engine.request(run.id, { kind: 'begin' })
        return run.id
      },
    )
  } finally {
    await local.close()
  }
}

/** A task that starts without its Secret fails for good, so the person is asked for it before anything starts. */
async function refuseWithoutSecrets(state: RunState, values: ValueSource): Promise<void> {
  for (const { task, secret } of neededSecrets(state)) {
    if ((await values.secret(state.created.namespace, secret)) !== null) continue
    throw new CommandError(
      'SECRET_NOT_GIVEN',
      `${task} needs key ${secret.key} of Secret ${secret.name}, which nothing here holds`,
      `give it again with --secret ${secret.name}/${secret.key}=@FILE; values are kept nowhere`,
    )
  }
}
