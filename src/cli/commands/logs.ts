import type { Task } from '../../core/dag/dag.ts'
import { nearest } from '../../core/nearest.ts'
import { childRunOf } from '../../core/run/child.ts'
import { type RunState, type TaskState, isSettled, isTerminal } from '../../core/run/state.ts'
import type { LogArchive } from '../../ports/logs.ts'
import { CommandError, EXIT } from '../exit.ts'
import { findRun, openLocal } from '../local.ts'
import { LogReader } from '../log-reader.ts'
import type { Environment } from '../settings.ts'
import { type LogSink, prefixOf, prefixSink, rawSink, terminalSink } from '../show/log-text.ts'
import { type Paint, painter } from '../show/text.ts'
import { type LogsOptions, type WantedLogs, wantedLogs } from '../wanted-logs.ts'
import { LOOK_MS, type WatchedRun, pause, watchRun } from '../watched.ts'

/** `kontroler logs RUN`: what tasks wrote; of one task byte for byte, of several each line behind its name. */
export async function logs(
  environment: Environment,
  text: string,
  task: string | undefined,
  options: LogsOptions,
): Promise<number> {
  const wanted = wantedLogs(task, options)
  const local = await openLocal(environment, false)
  try {
    const run = await findRun(local.store, text)
    const watched = await watchRun(local.store, run.id)
    checkTask(watched.state, wanted.task)
    const selection = new Selection(watched.state, wanted, local.logs, environment)
    if (options.follow === true) await follow(watched, selection, wanted)
    else await showNow(selection)
    if (selection.shown === 0) nothingShown(watched.state, wanted)
    else if (watched.state.phase === 'failed' && wanted.task === null && !wanted.failed) {
      process.stderr.write(`note: only of the tasks that failed: kontroler logs ${run.name} --failed\n`)
    }
    return EXIT.succeeded
  } finally {
    await local.close()
  }
}

/** Which logs are to be shown, as the run goes; each is handed out once. */
class Selection {
  readonly #state: RunState
  readonly #wanted: WantedLogs
  readonly #logs: LogArchive
  readonly #sinkOf: (task: TaskState, attempt: number) => LogSink
  /** By task key, the first attempt that is shown: the newest when we came, unless all are wanted. */
  readonly #from = new Map<string, number>()
  #looked = false
  shown = 0

  constructor(state: RunState, wanted: WantedLogs, logs: LogArchive, environment: Environment) {
    this.#state = state
    this.#wanted = wanted
    this.#logs = logs
    this.#sinkOf = sinks(state, wanted, environment)
  }

  /** Logs that came into being since the last call, in the order the attempts started. */
  async take(): Promise<readonly LogReader[]> {
    const found: { readonly at: number; readonly reader: LogReader }[] = []
    for (const task of this.#state.tasks) {
      if (task.attempts.length === 0 || !isWanted(task, this.#wanted)) continue
      const from = this.#from.get(task.key) ?? this.#firstOf(task)
      this.#from.set(task.key, task.attempts.length + 1)
      for (const { number, startedAt } of task.attempts.slice(from - 1)) {
        if (this.#wanted.attempt !== null && number !== this.#wanted.attempt) continue
        const ref = { run: this.#state.created.run, task: task.key, attempt: number }
        found.push({
          at: startedAt,
          reader: new LogReader(ref, this.#logs, this.#sinkOf(task, number)),
        })
      }
    }
    const readers = found.toSorted((a, b) => a.at - b.at).map(({ reader }) => reader)
    // A log that begins while we look is shown whole.
    if (this.#wanted.tail !== null && !this.#looked) {
      for (const reader of readers) await reader.startAtLast(this.#wanted.tail)
    }
    this.#looked = true
    this.shown += readers.length
    return readers
  }

  /** The attempt to begin with, of a task that is looked at for the first time. */
  #firstOf(task: TaskState): number {
    const { attempt, sinceStart, failed } = this.#wanted
    const isNew = this.#looked && !failed
    return attempt !== null || sinceStart || isNew ? 1 : task.attempts.length
  }

  hasEnded({ ref }: LogReader): boolean {
    const index = this.#state.byKey.get(ref.task)
    const task = index === undefined ? undefined : this.#state.tasks[index]
    return isTerminal(this.#state.phase) || task?.attempts[ref.attempt - 1]?.phase === 'ended'
  }

  /** Nothing more can begin. */
  isOver(): boolean {
    const { task } = this.#wanted
    if (isTerminal(this.#state.phase)) return true
    const index = task === null ? undefined : this.#state.byKey.get(task)
    const state = index === undefined ? undefined : this.#state.tasks[index]?.state
    return state !== undefined && isSettled(state)
  }
}

function isWanted(task: TaskState, wanted: WantedLogs): boolean {
  if (task.task.work.kind !== 'container' || task.fan !== null) return false
  if (wanted.failed && task.state !== 'failed') return false
  if (wanted.task === null || task.key === wanted.task) return true
  return task.itemIndex !== null && task.task.name === wanted.task
}

/** One log alone is shown as it is; several with the name of the task in front of each line. */
function sinks(
  state: RunState,
  wanted: WantedLogs,
  environment: Environment,
): (task: TaskState, attempt: number) => LogSink {
  const { terminal, color } = environment
  const planned = state.plan.nodes.map(({ task }) => task)
  const one = planned.find(({ name }) => name === wanted.task) ?? (planned.length === 1 ? planned[0] : null)
  const isItem = wanted.task?.endsWith(']') === true
  if (isItem || (one !== null && one !== undefined && one.fanOut === null)) {
    return () => (terminal ? terminalSink(color) : rawSink())
  }
  const widest = planned.reduce((most, task) => Math.max(most, prefixWidth(task)), 0)
  const paint: Paint = painter(color)
  return (task, attempt) => {
    const name = attempt === 1 ? task.key : `${task.key}#${attempt}`
    return prefixSink(prefixOf(name, task.index, Math.min(widest, 40), paint), terminal ? { color } : null)
  }
}

/** Room for the name, the number of an item and that of a later attempt. */
const prefixWidth = ({ name, fanOut, retry }: Task): number =>
  name.length + (fanOut === null ? 0 : 4) + (retry.limit === 0 ? 0 : 2)

/** One log after the other, each as long as it is now. */
async function showNow(selection: Selection): Promise<void> {
  for (const reader of await selection.take()) {
    const size = (await reader.size()) ?? 0
    while (await reader.step(size));
    await reader.end()
  }
}

async function follow(watched: WatchedRun, selection: Selection, wanted: WantedLogs): Promise<void> {
  const open = new Set(await selection.take())
  for (;;) {
    // Ends are looked at before the bytes: what is read after an end was recorded is all there will ever be.
    const over = selection.isOver()
    let moved = false
    for (const reader of open) {
      const ended = selection.hasEnded(reader)
      if (await reader.step()) moved = true
      else if (ended) {
        await reader.end()
        open.delete(reader)
      }
    }
    if (over && open.size === 0) return
    const events = await watched.news()
    if (events.length > 0) for (const reader of await selection.take()) open.add(reader)
    else if (!moved) {
      await watched.checkDriven()
      await pause(LOOK_MS)
    }
    if (wanted.attempt !== null && open.size === 0 && selection.shown > 0) return
  }
}

/** @throws {CommandError} The run has no such task, and will have none. */
function checkTask(state: RunState, key: string | null): void {
  if (key === null || state.byKey.has(key)) return
  const planned = state.plan.nodes.map(({ task }) => task)
  const group = planned.find(({ name, fanOut }) => fanOut !== null && key.startsWith(`${name}[`))
  if (group !== undefined && !isTerminal(state.phase)) return
  const near = nearest(key, state.byKey.keys())
  const all = planned
    .slice(0, 10)
    .map(({ name }) => name)
    .join(', ')
  const fix =
    near === null ? `its tasks are: ${all}${planned.length > 10 ? ', …' : ''}` : `did you mean ${near}?`
  throw new CommandError('UNKNOWN_TASK', `run ${state.created.name} has no task ${key}`, fix)
}

/** Says why there is nothing to read, where a person sees it and a pipe does not. */
function nothingShown(state: RunState, wanted: WantedLogs): void {
  const { name } = state.created
  const task = wanted.task === null ? null : state.tasks[state.byKey.get(wanted.task) ?? -1]
  const child = task === null || task === undefined ? null : childRunOf(task)
  let text = `no task of run ${name} has started yet`
  if (wanted.failed) text = `no task of run ${name} has failed`
  else if (child !== null) text = `${wanted.task} is a run of its own: kontroler logs ${child}`
  else if (task !== null && task !== undefined) {
    const attempt = wanted.attempt === null ? '' : ` in attempt ${wanted.attempt}`
    text = `${task.key} wrote no log${attempt}: it is ${task.state}`
  } else if (isTerminal(state.phase)) text = `no task of run ${name} has run`
  process.stderr.write(`note: ${text}\n`)
}
