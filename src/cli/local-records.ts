import { explainRun, explainTask } from '../core/run/explain.ts'
import type { RunState, TaskState } from '../core/run/state.ts'
import { explainContext } from '../engine/explain-context.ts'
import { livingEngines } from '../engine/living.ts'
import { loadRun } from '../engine/load.ts'
import { engineProbe } from '../host/this-engine.ts'
import type { LogArchive } from '../ports/logs.ts'
import type { Store, StoredDag, StoredRun } from '../ports/store.ts'
import { type Local, type Place, findRun, openLocal } from './local.ts'
import type { DagLine, Explained, LogSource, Records, RunRecord } from './records.ts'
import { logPathOf } from './show/task.ts'
import { valuesOfRun } from './source.ts'
import { watchRun } from './watched.ts'

/** @throws {CommandError} `NO_STATE` */
export async function openLocalRecords(place: Place): Promise<Records> {
  return localRecords(await openLocal(place, false))
}

/** The records of a state directory. */
export function localRecords(local: Local): Records {
  const { store, logs, stateDir } = local
  return {
    run: async id => await recordOf(store, await store.run(id)),
    async runs(query) {
      const { items, next } = await store.runs(query)
      return { items: await recordsOf(store, items), next }
    },
    async find(text) {
      const [record] = await recordsOf(store, [await findRun(store, text)])
      if (record === undefined) throw new Error('a run that was found has no record')
      return record
    },
    load: run => loadRun(store, run),
    dag: (namespace, name, version) => store.dag(namespace, name, version),
    dagOf: ({ dagHash }) => store.dagByHash(dagHash),
    dags: async () => (await store.dags()).map(lineOf),
    skips: (namespace, dag, limit) => store.skips(namespace, dag, limit),
    explain: (run, state, task, now) => explained(store, run, state, task, now),
    watch: run => watchRun(store, run),
    logs: sourceOf(logs),
    logPath: (state, task, attempt) => logPathOf(stateDir, state, task, attempt),
    secretsOf: async state => (await valuesOfRun(store, state, [])).secrets,
    [Symbol.asyncDispose]: () => local.close(),
  }
}

/** What is there now is all there is to read. */
export function sourceOf(logs: LogArchive): LogSource {
  const read: LogArchive['read'] = (log, offset, bytes) => logs.read(log, offset, bytes)
  return { read, grown: read, size: log => logs.size(log) }
}

async function recordOf(store: Store, run: StoredRun | null): Promise<RunRecord | null> {
  return run === null ? null : ((await recordsOf(store, [run]))[0] ?? null)
}

async function recordsOf(store: Store, runs: readonly StoredRun[]): Promise<readonly RunRecord[]> {
  const isOpen = runs.some(({ endedAt }) => endedAt === null)
  const living = isOpen ? await livingEngines(store, engineProbe) : new Set<string>()
  return runs.map(run => {
    const { owner, endedAt } = run
    return { ...run, interrupted: endedAt === null && (owner === null || !living.has(owner)) }
  })
}

function lineOf({ dag, version, hash, source, createdAt }: StoredDag): DagLine {
  const { namespace, name, schedules, timeZone, suspended } = dag
  const tasks = dag.tasks.length + dag.finally.length
  return { namespace, name, version, hash, source, createdAt, schedules, timeZone, suspended, tasks }
}

async function explained(
  store: Store,
  record: RunRecord,
  state: RunState,
  task: TaskState | null,
  now: number,
): Promise<Explained> {
  const run = await store.run(record.id)
  if (run === null) throw new Error(`run ${record.id} was removed meanwhile`)
  const context = await explainContext(store, engineProbe, run, state)
  const main = task === null ? explainRun(state, now, context) : explainTask(state, task.key, now, context)
  return {
    main,
    roots: main.root.map(cause => [cause.task, explainTask(state, cause.task, now, context)] as const),
  }
}
