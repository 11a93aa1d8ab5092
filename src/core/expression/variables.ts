import type { ParameterType } from '../dag/dag.ts'
import type { Json } from '../json.ts'
import type { ExpressionScope, ExpressionValues, References } from './expression.ts'
import { type Meter, ValueError } from './meter.ts'
import { PARAMETER_VARIABLE } from './names.ts'
import { toCel } from './values.ts'

/**
 * The checker's variables with their values: only what the expression reads, each of its declared type.
 *
 * @throws {ValueError} Something that is referred to is missing, or a parameter is not of its type.
 */
export function variablesOf(
  values: ExpressionValues,
  scope: ExpressionScope,
  references: References,
  used: ReadonlySet<string>,
  meter: Meter,
): ReadonlyMap<string, unknown> {
  const variables = new Map<string, unknown>()
  addParameters(variables, values, scope, references.parameters, meter)
  addTasks(variables, values, references.tasks)
  if (used.has('run')) variables.set('run', new Map(Object.entries(values.run)))
  for (const name of ['attempt', 'index', 'item', 'event'] as const) {
    if (!used.has(name)) continue
    const value = values[name]
    if (value === undefined) throw new ValueError(`${name} has no value here`)
    variables.set(name, toCel(value, meter))
  }
  return variables
}

function addParameters(
  variables: Map<string, unknown>,
  values: ExpressionValues,
  scope: ExpressionScope,
  names: readonly string[],
  meter: Meter,
): void {
  for (const name of names) {
    const type = scope.parameters.get(name) ?? 'json'
    const value = Object.hasOwn(values.parameters, name) ? values.parameters[name] : undefined
    if (value === undefined) throw new ValueError(`parameter ${name} has no value`)
    const variable = PARAMETER_VARIABLE[type]
    let group = variables.get(variable)
    if (!(group instanceof Map)) variables.set(variable, (group = new Map<string, unknown>()))
    if (group instanceof Map) group.set(name, typed(name, type, value, meter))
  }
}

function typed(name: string, type: ParameterType, value: Json, meter: Meter): unknown {
  const fits = type === 'json' || (type === 'integer' ? Number.isSafeInteger(value) : typeof value === type)
  if (!fits) throw new ValueError(`parameter ${name} is not of its type, ${type}`)
  return type === 'number' ? value : toCel(value, meter)
}

function addTasks(variables: Map<string, unknown>, values: ExpressionValues, names: readonly string[]): void {
  const states = new Map<string, string>()
  const exitCodes = new Map<string, bigint>()
  const outputs = new Map<string, ReadonlyMap<string, string>>()
  for (const name of names) {
    const task = Object.hasOwn(values.tasks, name) ? values.tasks[name] : undefined
    if (task === undefined) throw new ValueError(`task ${name} has no state yet`)
    states.set(name, task.state)
    exitCodes.set(name, BigInt(task.exitCode))
    outputs.set(name, new Map(Object.entries(task.outputs)))
  }
  variables.set('taskS', states).set('taskE', exitCodes).set('taskO', outputs)
}
