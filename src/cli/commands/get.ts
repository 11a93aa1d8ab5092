import { nearest } from '../../core/nearest.ts'
import { type RunState, type TaskState, taskByKey } from '../../core/run/state.ts'
import { systemClock } from '../../host/clock.ts'
import { CommandError, EXIT } from '../exit.ts'
import { type Records, type RunRecord, openRecords } from '../records.ts'
import type { Environment } from '../settings.ts'
import { type DataFormat, isDataFormat, printData, printLines } from '../show/print.ts'
import { parameterData, runData, taskData } from '../../core/run/run-data.ts'
import { runHeader } from '../show/run-header.ts'
import { taskLines, taskTable } from '../show/task.ts'
import { painter } from '../show/text.ts'
import { treeLines } from '../show/tree.ts'

/** `kontroler get RUN [TASK]`: everything about one run, or about one of its tasks. */
export async function get(
  environment: Environment,
  text: string,
  key: string | undefined,
  options: { readonly output?: DataFormat | 'wide' },
): Promise<number> {
  await using records = await openRecords(environment)
  const run = await records.find(text)
  const state = await records.load(run.id)
  if (state === null) throw new CommandError('UNKNOWN_RUN', `there is no run ${text}`, 'see kontroler list')
  if (key === undefined) await showRun(environment, records, run, state, options.output)
  else showTask(environment, records, state, taskNamed(state, key), options.output)
  return EXIT.succeeded
}

async function showRun(
  environment: Environment,
  records: Records,
  run: RunRecord,
  state: RunState,
  output: DataFormat | 'wide' | undefined,
): Promise<void> {
  const now = systemClock.now()
  const { interrupted: isInterrupted } = run
  const dag = await records.dagOf(run)
  if (isDataFormat(output)) {
    return printData(output, {
      ...runData(run, isInterrupted, now),
      dagVersion: dag?.version ?? null,
      parameters: parameterData(state.created.parameters),
      tasks: state.tasks.map(task =>
        taskData(state, task, (_key, attempt) => records.logPath(state, task, attempt)),
      ),
    })
  }
  const paint = painter(environment.color)
  const continues = run.continues === null ? null : await records.run(run.continues)
  const parent = run.parentRun === null ? null : await records.run(run.parentRun)
  const related = { dag, continues, parent }
  printLines(runHeader(run, state, related, { paint, now, isInterrupted }))
  const columns = environment.terminal ? environment.columns : Number.POSITIVE_INFINITY
  const [, ...tree] = treeLines(state, now, { paint, columns, rows: Number.POSITIVE_INFINITY, frame: null })
  printLines(['', ...(output === 'wide' ? taskTable(state, { paint, now }) : tree)])
}

function showTask(
  environment: Environment,
  records: Records,
  state: RunState,
  task: TaskState,
  output: DataFormat | 'wide' | undefined,
): void {
  if (isDataFormat(output)) {
    const data = taskData(state, task, (_key, attempt) => records.logPath(state, task, attempt))
    return printData(output, { run: state.created.run, ...data })
  }
  const paint = painter(environment.color)
  const width = environment.terminal ? environment.columns : Number.POSITIVE_INFINITY
  printLines(taskLines(state, task, { paint, width, now: systemClock.now(), logPath: records.logPath }))
}

/** @throws {CommandError} The run has no such task. */
export function taskNamed(state: RunState, key: string): TaskState {
  if (state.byKey.has(key)) return taskByKey(state, key)
  const near = nearest(key, state.byKey.keys())
  const names = [...state.byKey.keys()]
  const some = `its tasks are: ${names.slice(0, 10).join(', ')}${names.length > 10 ? ', …' : ''}`
  throw new CommandError(
    'UNKNOWN_TASK',
    `run ${state.created.name} has no task ${key}`,
    near === null ? some : `did you mean ${near}?`,
  )
}
