import type { Dag, ParameterValue } from '../dag/dag.ts'
import { meantOr } from '../nearest.ts'
import type { ProblemCode } from '../problem-codes.ts'
import type { Checked, Problem } from '../problem.ts'
import type { ReusedTask, RunCreated, RunEvent, Trigger } from './events.ts'
import { valueProblem } from './requests.ts'
import { outputsOf } from './scope.ts'
import { type RunState, type TaskState, taskAt } from './state.ts'

export interface RunOrder {
  readonly run: string
  readonly name: string
  readonly dag: Dag
  readonly dagHash: string
  readonly parameters: readonly ParameterValue[]
  readonly labels: Readonly<Record<string, string>>
  readonly trigger: Trigger
  readonly priority?: number | null
  readonly parent?: RunCreated['parent']
  readonly continues?: string | null
  readonly workdir: string | null
  readonly maxParallelTasks?: number | null
  readonly queued?: boolean
}

/** The first fact of a run, or everything that is wrong with what was ordered. Pins parameters for good. */
export function createRun(order: RunOrder, now: number): Checked<RunCreated> {
  const problems: Problem[] = []
  const parameters = parameterValues(order.dag, order.parameters, problems)
  if (problems.length > 0) return { ok: false, problems }
  const value: RunCreated = {
    type: 'runCreated',
    at: now,
    v: 1,
    run: order.run,
    name: order.name,
    namespace: order.dag.namespace,
    dag: order.dag.name,
    dagHash: order.dagHash,
    parameters,
    labels: { ...order.dag.labels, ...order.labels },
    trigger: order.trigger,
    priority: order.priority ?? order.dag.priority,
    parent: order.parent ?? null,
    continues: order.continues ?? null,
    workdir: order.workdir,
    maxParallelTasks: order.maxParallelTasks ?? null,
    queued: order.queued ?? false,
  }
  return { ok: true, value, warnings: [] }
}

function parameterValues(dag: Dag, given: readonly ParameterValue[], problems: Problem[]): ParameterValue[] {
  const known = new Set(dag.parameters.map(({ name }) => name))
  const overrides = new Map<string, ParameterValue>()
  for (const parameter of given) {
    if (!known.has(parameter.name)) problems.push(unknownParameter(dag, parameter.name))
    else if (overrides.has(parameter.name)) problems.push(twice(parameter.name))
    overrides.set(parameter.name, parameter)
  }
  return dag.parameters.flatMap((parameter): ParameterValue[] => {
    const { name, default: preset } = parameter
    const chosen: ParameterValue['value'] | null =
      overrides.get(name)?.value ?? (preset.kind === 'none' ? null : preset)
    if (chosen === null) {
      if (parameter.required) problems.push(missing(name))
      return []
    }
    const wrong = chosen.kind === 'value' ? valueProblem(parameter, chosen.value) : null
    if (wrong !== null) problems.push({ ...wrong, path: ['spec', 'parameters', name] })
    return [{ name, value: chosen }]
  })
}

/**
 * Which results of a finished run a new run of the same plan may take over: everything that succeeded or was skipped
 * and does not come after a task that is run again. `again` names those tasks; null means all that did not succeed.
 */
export function reusable(old: RunState, again: readonly string[] | null): Checked<readonly ReusedTask[]> {
  const unknown = (again ?? []).filter(key => !old.byKey.has(key))
  if (unknown.length > 0) {
    const message = `run ${old.created.name} has no task ${unknown.join(', ')}`
    const fix = meantOr(unknown[0] ?? '', old.byKey.keys(), `see kontroler get ${old.created.name}`)
    return { ok: false, problems: [problem('UNKNOWN_TASK', message, fix)] }
  }
  const rerun = tasksToRerun(old, again)
  const value = plannedTasks(old)
    .filter(task => task.part === 'main')
    .flatMap(task => {
      if (!rerun.has(task.index)) return [reusedTask(old, task)]
      const inputsStay = (old.plan.nodes[task.index]?.dependencies ?? []).every(index => !rerun.has(index))
      return inputsStay ? goodItems(old, task, again) : []
    })
  return { ok: true, value, warnings: [] }
}

/** Positions of what did not end well or is named, and of everything behind it. */
function tasksToRerun(old: RunState, again: readonly string[] | null): ReadonlySet<number> {
  // `build[2]` names its fan-out too: the fan-out settles anew.
  const named = new Set((again ?? []).map(key => key.replace(/\[\d+\]$/, '')))
  const open = plannedTasks(old)
    .filter(task => !isGood(task) || named.has(task.key))
    .map(task => task.index)
  const rerun = new Set<number>()
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (rerun.has(next)) continue
    rerun.add(next)
    for (const index of old.plan.nodes[next]?.dependents ?? []) open.push(index)
  }
  return rerun
}

/** Items of a fan-out that is run again only because other items of it failed. */
function goodItems(old: RunState, group: TaskState, again: readonly string[] | null): readonly ReusedTask[] {
  const named = new Set(again)
  if (group.fan === null || named.has(group.key)) return []
  return group.fan.children
    .map(index => taskAt(old, index))
    .filter(child => isGood(child) && !named.has(child.key))
    .map(child => ({ ...reusedTask(old, child), item: child.item }))
}

function reusedTask(old: RunState, task: TaskState): ReusedTask {
  const state = task.state === 'skipped' ? 'skipped' : 'succeeded'
  return { task: task.key, state, outputs: outputsOf(old, task), exitCode: task.exitCode }
}

function plannedTasks(state: RunState): readonly TaskState[] {
  return state.tasks.slice(0, state.plan.nodes.length)
}

/**
 * Finished for good: a result that need not be made again. A failure that was allowed is tried again like any
 * other.
 */
function isGood(task: TaskState): boolean {
  return task.state === 'succeeded' || task.state === 'skipped'
}

/** The facts a continuing run begins with, in events of bounded size. */
export function reuseEvents(reused: readonly ReusedTask[], now: number, sizeMax: number): RunEvent[] {
  const events: RunEvent[] = []
  for (let from = 0; from < reused.length; from += sizeMax) {
    events.push({ type: 'tasksReused', at: now, tasks: reused.slice(from, from + sizeMax) })
  }
  return events
}

function unknownParameter(dag: Dag, name: string): Problem {
  const names = dag.parameters.map(parameter => parameter.name)
  const fix = meantOr(name, names, `declared are: ${names.join(', ') || 'none'}`)
  return problem('PARAMETER_UNKNOWN', `DAG ${dag.name} declares no parameter ${name}`, fix)
}

function twice(name: string): Problem {
  return problem('PARAMETER_DUPLICATE', `parameter ${name} is given twice`, 'give it once')
}

function missing(name: string): Problem {
  return problem('PARAMETER_REQUIRED', `parameter ${name} needs a value`, `give it with -p ${name}=…`)
}

function problem(code: ProblemCode, message: string, fix: string): Problem {
  return { code, severity: 'error', path: [], message, fix }
}
