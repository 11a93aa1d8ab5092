import { REASONS, type ReasonCode } from './reasons.ts'
import { type TaskState, lastAttempt } from './state.ts'

/** What may stand for the `{…}` of a reason. What is empty falls away, with the `:` or space before it. */
export interface Values {
  readonly text?: string | null
  readonly tasks?: string
  readonly task?: string
  readonly id?: string
  readonly run?: string
  readonly pool?: string
  readonly used?: number
  readonly limit?: number
  readonly code?: number
  readonly signal?: string
}

/** The sentence of a reason without its subject: `exited with code 3`. */
export function sentenceOf(code: ReasonCode, values: Values): string {
  return fill(REASONS[code][0], values)
}

/** What to do next, as a command where there is one. */
export function nextStepOf(code: ReasonCode, values: Values): string {
  // An item's key has brackets, which a shell would read as a pattern.
  const task = values.task?.includes('[') === true ? `'${values.task}'` : values.task
  return fill(REASONS[code][1], task === undefined ? values : { ...values, task })
}

function fill(pattern: string, values: Values): string {
  return pattern.replace(/(:? )?\{(\w+)\}/g, (_, lead: string | undefined, name: keyof Values) => {
    const value = values[name] ?? ''
    return value === '' ? '' : `${lead ?? ''}${value}`
  })
}

/**
 * How a task failed, without its name: `exited with code 3 (attempt 2 of 2)`.
 *
 * @param attempts  Of how many attempts the last one is; only told when there was more than one.
 */
export function failureOf(task: TaskState, attempts = task.attempts.length): string {
  const outcome = lastAttempt(task)?.outcome ?? null
  const code = task.settledAt === null ? (outcome?.reason ?? task.reason) : task.reason
  const sentence = sentenceOf(code ?? 'INTERNAL_ERROR', outcomeValues(task))
  return attempts > 1 ? `${sentence} (attempt ${task.attempts.length} of ${attempts})` : sentence
}

/** What is known of how a task ended. */
export function outcomeValues(task: TaskState): Values {
  const outcome = lastAttempt(task)?.outcome ?? null
  return {
    text: task.message,
    signal: outcome?.signal ?? 'a signal',
    ...(task.exitCode === null ? {} : { code: task.exitCode }),
  }
}

/** `a`, `a and b`, `a, b and c`, `a, b, c and 4 more`. */
export function listOf(names: readonly string[]): string {
  const shown = names.length > 3 ? [...names.slice(0, 3), `${names.length - 3} more`] : names
  const last = shown[shown.length - 1] ?? ''
  return shown.length < 2 ? last : `${shown.slice(0, -1).join(', ')} and ${last}`
}
