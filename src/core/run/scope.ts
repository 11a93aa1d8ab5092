import type { Dag, ParameterType, Task } from '../dag/dag.ts'
import type { ExpressionScope, ExpressionValues, References, TaskValue } from '../expression/expression.ts'
import type { Json } from '../json.ts'
import { type FanState, type RunState, type TaskState, taskAt } from './state.ts'

const scopes = new WeakMap<Dag, Map<string, ExpressionScope>>()

/** Where an expression stands decides which names it may use besides parameters, tasks and run. */
export interface Place {
  /** In what an item of a fan-out runs with. */
  readonly item: boolean
  /** In env and args. */
  readonly attempt: boolean
}

/** The names that expressions of this DAG may use; one object per DAG and place, so that compiled ones can be kept. */
export function scopeOf(dag: Dag, place: Place): ExpressionScope {
  const known = scopes.get(dag) ?? new Map<string, ExpressionScope>()
  scopes.set(dag, known)
  const key = `${place.item} ${place.attempt}`
  const scope = known.get(key) ?? {
    parameters: new Map<string, ParameterType>(
      dag.parameters
        .filter(({ default: { kind } }) => kind !== 'secret')
        .map(({ name, type }) => [name, type]),
    ),
    tasks: new Map([...dag.tasks, ...dag.finally].map(task => [task.name, outputNames(task)])),
    item: place.item,
    attempt: place.attempt,
    event: false,
  }
  known.set(key, scope)
  return scope
}

/** Outputs that others may read: those declared, or the answers to an approval's form. */
export function outputNames(task: Task): readonly string[] {
  return task.work.kind === 'approval' ? task.work.approval.form.map(({ name }) => name) : task.outputs
}

/** The values behind the names, no more of them than the expression uses. */
export function valuesFor(state: RunState, task: TaskState, references: References): ExpressionValues {
  const { created, dag } = state
  const given = new Map(created.parameters.map(({ name, value }) => [name, value]))
  const parameters: Record<string, Json> = Object.create(null) as Record<string, Json>
  for (const name of references.parameters) {
    const value = given.get(name)
    const type = dag.parameters.find(parameter => parameter.name === name)?.type ?? 'string'
    if (value?.kind === 'value') parameters[name] = typed(value.value, type)
  }
  const tasks: Record<string, TaskValue> = Object.create(null) as Record<string, TaskValue>
  for (const name of references.tasks) {
    const index = state.byKey.get(name)
    if (index !== undefined) tasks[name] = taskValue(state, taskAt(state, index))
  }
  const scheduledTime =
    created.trigger.kind === 'schedule' ? new Date(created.trigger.scheduledTime).toISOString() : ''
  return {
    parameters,
    tasks,
    run: { id: created.run, name: created.name, dag: created.dag, scheduledTime },
    ...(task.itemIndex === null ? {} : { item: task.item, index: task.itemIndex }),
    attempt: Math.max(1, task.attempts.length),
  }
}

/** A parameter's text as the value its declared type says; a text that does not fit stays as it is. */
export function typed(text: string, type: ParameterType): Json {
  switch (type) {
    case 'string':
      return text
    case 'boolean':
      return text === 'true'
    case 'integer':
    case 'number':
      return Number(text)
    case 'json':
      try {
        return JSON.parse(text) as Json
      } catch {
        return text
      }
  }
}

function taskValue(state: RunState, task: TaskState): TaskValue {
  return { state: task.state, exitCode: task.exitCode ?? -1, outputs: outputsOf(state, task) }
}

/** Outputs of fan-outs that have settled, so that thousands of readers do not each gather thousands of values. */
const gathered = new WeakMap<FanState, Readonly<Record<string, string>>>()

/** A fan-out's outputs are JSON lists: the value of each item that succeeded, in the order of the items. */
export function outputsOf(state: RunState, task: TaskState): Readonly<Record<string, string>> {
  const { fan } = task
  if (fan === null) return task.outputs
  const known = gathered.get(fan)
  if (known !== undefined) return known
  const outputs: Record<string, string> = {}
  for (const name of outputNames(task.task)) {
    const values = fan.children
      .map(index => taskAt(state, index).outputs[name])
      .filter(value => value !== undefined)
    outputs[name] = JSON.stringify(values)
  }
  if (task.settledAt !== null) gathered.set(fan, outputs)
  return outputs
}
