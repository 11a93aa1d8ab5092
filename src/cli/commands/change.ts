import type { RunRequest } from '../../core/run/requests.ts'
import { isTerminal } from '../../core/run/state.ts'
import { loadRun, requestStored } from '../../engine/load.ts'
import type { Store, StoredRun } from '../../ports/store.ts'
import { systemClock } from '../../host/clock.ts'
import { driveRun } from '../drive.ts'
import { chooseExecutor } from '../executor.ts'
import { forEachNamed } from '../each.ts'
import { EXIT, CommandError } from '../exit.ts'
import { executionOptions } from '../execution.ts'
import { findRun, isDriven, openLocal, type Local } from '../local.ts'
import type { Environment } from '../settings.ts'
import { valuesOfRun } from '../source.ts'
import { assignments } from '../values.ts'

const LOOK_MS = 50

/**
 * `kontroler cancel RUN…`: asks each run to end and waits until it has. A run whose engine is gone is driven to its
 * end here, so that nothing it started stays behind.
 */
export async function cancel(
  environment: Environment,
  texts: readonly string[],
  options: { readonly now?: boolean; readonly grace: string },
): Promise<number> {
  return await withStore(environment, async local => {
    const { tellRefused } = await forEachNamed(texts, async text => {
      const run = await findRun(local.store, text)
      const skipFinally = options.now === true
      await ask(local.store, run, { kind: 'cancel', by: environment.user, skipFinally })
      // Another process ends it; when there is none, or it dies meanwhile, this one does.
      for (let now = await openRun(local.store, run.id); now !== null; ) {
        if (!(await isDriven(local.store, now))) await driveToEnd(environment, local, now, options.grace)
        else await new Promise(resolve => setTimeout(resolve, LOOK_MS))
        now = await openRun(local.store, run.id)
      }
      const now = await local.store.run(run.id)
      process.stdout.write(
        `run ${run.name} ${now?.phase === 'cancelled' ? 'is cancelled' : `has ${now?.phase}`}\n`,
      )
    })
    tellRefused()
    return EXIT.succeeded
  })
}

/** `kontroler pause RUN…`: nothing new starts; what runs goes on. */
export async function pause(environment: Environment, texts: readonly string[]): Promise<number> {
  return await withStore(environment, async local => {
    const { tellRefused } = await forEachNamed(texts, async text => {
      const run = await findRun(local.store, text)
      await ask(local.store, run, { kind: 'pause', by: environment.user })
      process.stdout.write(`run ${run.name} is paused; go on with: kontroler resume ${run.name}\n`)
    })
    tellRefused()
    return EXIT.succeeded
  })
}

/** `kontroler approve RUN [TASK]`: answers an approval, with the values of its form. */
export async function approve(
  environment: Environment,
  text: string,
  task: string | undefined,
  options: { readonly parameter?: readonly string[]; readonly reject?: boolean; readonly message?: string },
): Promise<number> {
  return await withStore(environment, async local => {
    const run = await findRun(local.store, text)
    const approved = options.reject !== true
    const chosen = task ?? (await onlyWaiting(local.store, run))
    await ask(local.store, run, {
      kind: 'answer',
      by: environment.user,
      task: chosen,
      approved,
      message: options.message ?? null,
      values: Object.fromEntries(assignments('-p', options.parameter ?? [])),
    })
    process.stdout.write(`${chosen} of run ${run.name} is ${approved ? 'approved' : 'rejected'}\n`)
    if (!(await isDriven(local.store, run))) {
      process.stdout.write(`no engine drives the run; go on with: kontroler resume ${run.name}\n`)
    }
    return EXIT.succeeded
  })
}

async function withStore(environment: Environment, work: (local: Local) => Promise<number>): Promise<number> {
  const local = await openLocal(environment, false)
  try {
    return await work(local)
  } finally {
    await local.close()
  }
}

async function ask(store: Store, run: StoredRun, request: RunRequest): Promise<void> {
  const problem = await requestStored(store, run.id, request, () => systemClock.now())
  if (problem !== null) throw new CommandError(problem.code, problem.message, problem.fix, EXIT.failed)
}

async function onlyWaiting(store: Store, run: StoredRun): Promise<string> {
  const state = await loadRun(store, run.id)
  const waiting = (state?.tasks ?? []).filter(({ reason }) => reason === 'WAITING_FOR_APPROVAL')
  const [only, second] = waiting
  if (only !== undefined && second === undefined) return only.key
  if (only === undefined) {
    throw new CommandError(
      'NOT_WAITING',
      `nothing of run ${run.name} waits for approval`,
      `kontroler get ${run.name}`,
      1,
    )
  }
  const names = waiting.map(({ key }) => key).join(', ')
  throw new CommandError('SEVERAL_WAIT', `several tasks wait for approval: ${names}`, 'name one of them')
}

/** The run as it is now; null when it has settled. */
async function openRun(store: Store, id: string): Promise<StoredRun | null> {
  const run = await store.run(id)
  return run === null || isTerminal(run.phase) ? null : run
}

async function driveToEnd(
  environment: Environment,
  local: Local,
  run: StoredRun,
  grace: string,
): Promise<void> {
  const state = await loadRun(local.store, run.id)
  if (state === null || isTerminal(state.phase)) return
  const { values, secrets } = await valuesOfRun(local.store, state, [])
  const { settings, kind } = executionOptions({ grace }, environment)
  const executor = await chooseExecutor(environment, kind)
  const notes: string[] = []
  try {
    await driveRun(
      { local, values, secrets, environment, executor, notes, settings, format: 'none' },
      async engine => {
        if (await engine.adopt(run.id, run.owner)) return run.id
        throw new CommandError('NOT_ADOPTED', `another engine took run ${run.name} over`, 'try again', 1)
      },
    )
  } catch (error) {
    // Somebody else was faster, and ends it.
    if (!(error instanceof CommandError) || error.code !== 'NOT_ADOPTED') throw error
  }
}
