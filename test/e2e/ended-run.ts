import assert from 'node:assert/strict'
import { createFilesystemLogs } from '../../src/archives/filesystem/logs.ts'
import type { RunEvent } from '../../src/core/run/events.ts'
import { replay } from '../../src/core/run/evolve.ts'
import type { AttemptRow } from '../../src/core/run/rows.ts'
import { takeChangedRows } from '../../src/core/run/to-rows.ts'
import type { Store, StoredRun } from '../../src/ports/store.ts'
import type { Place } from './kontroler.ts'

/** What became of a run and its children, and what their tasks said. */
export interface EndedRun {
  /** Runs, tasks, attempts and logs in words, without what is chance: two runs that ended alike have the same. */
  readonly result: readonly string[]
  /** `run/task/attempt` of attempts whose task ran. */
  readonly ran: readonly string[]
  /** Of those that are told to have never begun, as the engine died when it was about to start them. */
  readonly neverBegan: readonly string[]
  readonly runs: readonly StoredRun[]
}

const LOG_BYTES_MAX = 100_000

/** Reads everything of the only run of this place, after its rows were held against what its events say. */
export async function endedRun(place: Place): Promise<EndedRun> {
  const runs = await place.runs()
  const told: { result: string[]; ran: string[]; neverBegan: string[] } = {
    result: [],
    ran: [],
    neverBegan: [],
  }
  await place.read(async store => {
    for (const run of runs) {
      const events = await store.events(run.id)
      const attempts = await attemptsOf(store, run, events)
      const key = ({ task, attempt }: AttemptRow): string => `${run.id}/${task}/${attempt}`
      const unbegun = attempts.filter(({ outcome }) => outcome === 'startError')
      const begun = attempts.filter(row => !unbegun.includes(row))
      told.neverBegan.push(...unbegun.map(key))
      told.ran.push(...begun.map(key))
      told.result.push(...(await wordsOf(place, store, run, begun, events)))
    }
  })
  // Ids differ from run to run; what they stand for does not.
  const named = (line: string): string =>
    runs.reduce((text, { id, dag }) => text.replaceAll(id, `<${dag}>`), line)
  return { ...told, result: sorted(told.result.map(named)), runs }
}

async function wordsOf(
  place: Place,
  store: Store,
  run: StoredRun,
  attempts: readonly AttemptRow[],
  events: readonly RunEvent[],
): Promise<readonly string[]> {
  const { trigger } = run
  const who = trigger.kind === 'dag' ? `${run.dag} of ${trigger.key}` : run.dag
  const words = [`${who}: ${run.phase}, ${run.tasksDone} of ${run.tasksTotal}`]
  for (const { task, state, reason, exitCode } of (await store.tasks({ run: run.id })).items)
    words.push(`${who} ${task}: ${state} ${reason} ${exitCode}`)
  const logs = createFilesystemLogs(place.state)
  const numbers = new Map<string, number>()
  for (const { task, attempt, outcome, reason, exitCode } of attempts) {
    const number = (numbers.get(task) ?? 0) + 1
    numbers.set(task, number)
    const end = events.find(
      event => event.type === 'attemptEnded' && event.task === task && event.attempt === attempt,
    )
    const outputs = end?.type === 'attemptEnded' ? end.outcome.outputs : null
    const log = await logs.read({ run: run.id, task, attempt }, 0, LOG_BYTES_MAX)
    words.push(
      `${who} ${task} attempt ${number}: ${outcome} ${reason} ${exitCode} ${JSON.stringify(outputs)}, ` +
        `said ${JSON.stringify(new TextDecoder().decode(log))}`,
    )
  }
  return words
}

/** The attempts of a run that ran something, in order. */
async function attemptsOf(
  store: Store,
  run: StoredRun,
  events: readonly RunEvent[],
): Promise<readonly AttemptRow[]> {
  const [first] = events
  assert.ok(first?.type === 'runCreated')
  const dag = await store.dagByHash(first.dagHash)
  assert.ok(dag !== null)
  const rows = takeChangedRows(replay(dag.dag, events))
  const { version, owner: _, ...stored } = run
  assert.deepEqual(stored, rows.run, 'the run is what its events say')
  assert.equal(version, events.length)
  assert.deepEqual(
    (await store.tasks({ run: run.id })).items,
    rows.tasks.toSorted((a, b) => a.index - b.index),
  )
  const found = byKey(await store.attempts(run.id))
  assert.deepEqual(found, byKey(rows.attempts))
  const children = new Set(dag.dag.tasks.filter(({ work }) => work.kind === 'dag').map(({ name }) => name))
  return found.filter(({ task }) => !children.has(task.replace(/\[\d+\]$/, '')))
}

function byKey(rows: readonly AttemptRow[]): readonly AttemptRow[] {
  return rows.toSorted((a, b) => (a.task === b.task ? a.attempt - b.attempt : a.task < b.task ? -1 : 1))
}

export const sorted = (texts: readonly string[]): readonly string[] =>
  texts.toSorted((a, b) => (a < b ? -1 : 1))
