import type { ParameterValue } from '../core/dag/dag.ts'
import type { ProblemCode } from '../core/problem-codes.ts'
import type { Checked } from '../core/problem.ts'
import { type Again, continued } from '../core/run/again.ts'
import { createRun } from '../core/run/create.ts'
import type { RunCreated, Trigger } from '../core/run/events.ts'
import { type RunState, isTerminal } from '../core/run/state.ts'
import type { Store, StoredDag } from '../ports/store.ts'
import { loadRun } from './load.ts'

/** A retry (`from` null) or fork of a run that has ended. */
export interface AgainOrder {
  /** Id of the run that is to be continued. */
  readonly old: string
  readonly from: readonly string[] | null
  readonly parameters: readonly ParameterValue[]
  readonly latest: boolean
  /** Of the new run. */
  readonly run: string
  readonly nameOf: (dag: string) => string
  readonly trigger: Trigger
}

export interface RunAgain {
  readonly old: RunState
  readonly stored: StoredDag
  readonly taken: Again
  readonly created: RunCreated
}

/** What a retry or fork begins with, or why there can be none. */
export async function runAgain(store: Store, order: AgainOrder, now: number): Promise<Checked<RunAgain>> {
  const old = await loadRun(store, order.old)
  if (old === null) return refused('UNKNOWN_RUN', `there is no run ${order.old}`, 'see kontroler list')
  const { name, dag, dagHash, namespace } = old.created
  if (!isTerminal(old.phase)) {
    const fix = `wait for it (kontroler watch ${name}), resume it if it was interrupted, or cancel it`
    return refused('RUN_NOT_FINISHED', `run ${name} is ${old.phase}`, fix)
  }
  if (order.from === null && old.phase === 'succeeded')
    return refused('NOTHING_TO_RETRY', `run ${name} succeeded`, `kontroler fork ${name} --from TASK`)
  const stored = order.latest ? await store.dag(namespace, dag) : await store.dagByHash(dagHash)
  if (stored === null)
    return refused('UNKNOWN_DAG', `DAG ${dag} is not in the state directory`, 'run its file')
  const taken = continued(old, stored.dag, order.from, order.parameters)
  if (!taken.ok) return taken
  const created = createRun(
    {
      run: order.run,
      name: order.nameOf(dag),
      dag: stored.dag,
      dagHash: stored.hash,
      parameters: taken.value.parameters,
      labels: old.created.labels,
      trigger: order.trigger,
      continues: old.created.run,
      workdir: old.created.workdir,
      maxParallelTasks: old.created.maxParallelTasks,
    },
    now,
  )
  if (!created.ok) return created
  return { ok: true, value: { old, stored, taken: taken.value, created: created.value }, warnings: [] }
}

function refused(code: ProblemCode, message: string, fix: string): Checked<never> {
  return { ok: false, problems: [{ code, severity: 'error', path: [], message, fix }] }
}
