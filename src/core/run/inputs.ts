import type { ContainerWork, EnvSource, ParameterValue } from '../dag/dag.ts'
import {
  type Compiled,
  type Expression,
  ExpressionError,
  type ExpressionScope,
  type Template,
  type Wanted,
} from '../expression/expression.ts'
import type { Json } from '../json.ts'
import { LIMITS } from '../limits.ts'
import { scopeOf, valuesFor } from './scope.ts'
import type { RunState, TaskState } from './state.ts'

/** How texts become expressions. There is one (`expression/cel.ts`); it is an argument so that tests can do without. */
export interface ExpressionLanguage {
  compileExpression(text: string, scope: ExpressionScope, wanted: Wanted): Compiled<Expression>
  compileTemplate(text: string, scope: ExpressionScope): Compiled<Template>
  hasTemplate(text: string): boolean
}

type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string }

/** What `when` says now. A task without one always runs. */
export function conditionOf(
  state: RunState,
  task: TaskState,
  language: ExpressionLanguage,
):
  | { readonly kind: 'true' }
  | { readonly kind: 'false' }
  | { readonly kind: 'error'; readonly message: string } {
  if (task.task.when === null) return { kind: 'true' }
  const result = evaluate(state, task, task.task.when, 'boolean', language)
  if (!result.ok) return { kind: 'error', message: `when: ${result.message}` }
  return result.value === true ? { kind: 'true' } : { kind: 'false' }
}

/**
 * The items of a fan-out, at most so many that the run stays within its limit of tasks.
 *
 * @param newTasks  Tasks that others are about to add at the same time.
 */
export function itemsOf(
  state: RunState,
  task: TaskState,
  language: ExpressionLanguage,
  newTasks = 0,
): Result<readonly Json[]> {
  const items = itemsUnbounded(state, task, language)
  if (!items.ok) return items
  const count = items.value.length
  if (count > LIMITS.fanOutItemsMax) {
    return {
      ok: false,
      message: `the list has ${count} items; a fan-out has at most ${LIMITS.fanOutItemsMax}`,
    }
  }
  if (state.tasks.length + newTasks + count > LIMITS.tasksPerRunMax) {
    return {
      ok: false,
      message: `with ${count} more items the run would exceed ${LIMITS.tasksPerRunMax} tasks`,
    }
  }
  return items
}

function itemsUnbounded(
  state: RunState,
  task: TaskState,
  language: ExpressionLanguage,
): Result<readonly Json[]> {
  const over = task.task.fanOut?.over
  switch (over?.kind) {
    case undefined:
      return { ok: true, value: [] }
    case 'list':
      return { ok: true, value: over.items }
    case 'matrix':
      return product(over.axes)
    case 'expression': {
      const result = evaluate(state, task, over.expression, 'list', language)
      if (!result.ok) return { ok: false, message: `forEach: ${result.message}` }
      if (!Array.isArray(result.value))
        return { ok: false, message: 'forEach: the expression did not give a list' }
      return { ok: true, value: result.value }
    }
  }
}

function product(
  axes: readonly { readonly name: string; readonly values: readonly Json[] }[],
): Result<readonly Json[]> {
  const count = axes.reduce((size, axis) => size * axis.values.length, 1)
  if (count > LIMITS.fanOutItemsMax) {
    return {
      ok: false,
      message: `the matrix has ${count} items; a fan-out has at most ${LIMITS.fanOutItemsMax}`,
    }
  }
  let items: { readonly [name: string]: Json }[] = axes.length === 0 ? [] : [{}]
  for (const axis of axes)
    items = items.flatMap(item => axis.values.map(value => ({ ...item, [axis.name]: value })))
  return { ok: true, value: items }
}

/** What an attempt is started with: expressions rendered, Secrets still references. Derived again at will. */
export interface AttemptInputs {
  readonly work: ContainerWork
  readonly env: readonly { readonly name: string; readonly source: EnvSource }[]
}

export function attemptInputs(
  state: RunState,
  task: TaskState,
  language: ExpressionLanguage,
): Result<AttemptInputs> {
  const { work } = task.task
  if (work.kind !== 'container') return { ok: false, message: `${task.key} runs no container` }
  try {
    const render = (text: string): string => renderText(state, task, text, language)
    const env = work.env.map(({ name, ...source }) => ({
      name,
      source: source.kind === 'text' ? { ...source, value: render(source.value) } : source,
    }))
    const rendered = { ...work, command: work.command.map(render), args: work.args.map(render) }
    return {
      ok: true,
      value: { work: rendered, env: [...parameterEnv(state, task), ...env, ...builtInEnv(state, task)] },
    }
  } catch (error) {
    if (error instanceof ExpressionError) return { ok: false, message: `${error.text}: ${error.message}` }
    throw error
  }
}

/** Parameters of the run that a `dag` task starts. */
export function childParameters(
  state: RunState,
  task: TaskState,
  language: ExpressionLanguage,
): Result<readonly ParameterValue[]> {
  const { work } = task.task
  if (work.kind !== 'dag') return { ok: false, message: `${task.key} runs no DAG` }
  try {
    return {
      ok: true,
      value: work.parameters.map(({ name, value }) => ({
        name,
        value:
          value.kind === 'value'
            ? { kind: 'value', value: renderText(state, task, value.value, language) }
            : value,
      })),
    }
  } catch (error) {
    if (error instanceof ExpressionError) return { ok: false, message: `${error.text}: ${error.message}` }
    throw error
  }
}

function parameterEnv(state: RunState, task: TaskState): AttemptInputs['env'] {
  const given = new Map(state.created.parameters.map(({ name, value }) => [name, value]))
  return task.task.parameters.flatMap(name => {
    const value = given.get(name)
    if (value === undefined) return []
    const source: EnvSource =
      value.kind === 'value'
        ? { kind: 'text', value: value.value }
        : { kind: 'secret', secret: value.secret, optional: false }
    return [{ name, source }]
  })
}

/** What every task may count on; written last, so that nobody can forge it. */
function builtInEnv(state: RunState, task: TaskState): AttemptInputs['env'] {
  const { created } = state
  const scheduled =
    created.trigger.kind === 'schedule' ? new Date(created.trigger.scheduledTime).toISOString() : null
  const values: Record<string, string | null> = {
    KONTROLER_RUN_ID: created.run,
    KONTROLER_RUN_NAME: created.name,
    KONTROLER_DAG: created.dag,
    KONTROLER_NAMESPACE: created.namespace,
    KONTROLER_TASK: task.key,
    KONTROLER_ATTEMPT: String(Math.max(1, task.attempts.length)),
    KONTROLER_SCHEDULED_TIME: scheduled,
    KONTROLER_ITEM: task.itemIndex === null ? null : asText(task.item),
    KONTROLER_INDEX: task.itemIndex === null ? null : String(task.itemIndex),
  }
  return Object.entries(values).flatMap(([name, value]) =>
    value === null ? [] : [{ name, source: { kind: 'text' as const, value } }],
  )
}

function asText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const compiled = new WeakMap<ExpressionScope, Map<string, Compiled<Expression> | Compiled<Template>>>()

function evaluate(
  state: RunState,
  task: TaskState,
  text: string,
  wanted: Wanted,
  language: ExpressionLanguage,
): Result<Json> {
  const scope = scopeOf(state.dag, { item: false, attempt: false })
  const expression = remembered(scope, `${wanted} ${text}`, () =>
    language.compileExpression(text, scope, wanted),
  )
  if (!expression.ok) return { ok: false, message: expression.problems[0]?.message ?? 'not understood' }
  try {
    return { ok: true, value: expression.value.evaluate(valuesFor(state, task, expression.value.references)) }
  } catch (error) {
    if (error instanceof ExpressionError) return { ok: false, message: error.message }
    throw error
  }
}

function renderText(state: RunState, task: TaskState, text: string, language: ExpressionLanguage): string {
  if (!language.hasTemplate(text)) return text
  const scope = scopeOf(state.dag, { item: task.itemIndex !== null, attempt: true })
  const template = remembered(scope, `text ${text}`, () => language.compileTemplate(text, scope))
  if (!template.ok) throw new ExpressionError(text, template.problems[0]?.message ?? 'not understood')
  return template.value.render(valuesFor(state, task, template.value.references))
}

function remembered<T extends Compiled<Expression> | Compiled<Template>>(
  scope: ExpressionScope,
  key: string,
  compile: () => T,
): T {
  const known = compiled.get(scope) ?? new Map<string, Compiled<Expression> | Compiled<Template>>()
  compiled.set(scope, known)
  const found = known.get(key)
  if (found !== undefined) return found as T
  const made = compile()
  known.set(key, made)
  return made
}
