import type { Json } from '../json.ts'
import type { Problem } from '../problem.ts'
import type { ParameterType } from '../dag/dag.ts'

/** What the names in an expression can mean: declared before anything runs, so that mistakes show at once. */
export interface ExpressionScope {
  readonly parameters: ReadonlyMap<string, ParameterType>
  /** Task name → names of its outputs. Names may hold `-`: `tasks.my-task.state` is understood. */
  readonly tasks: ReadonlyMap<string, readonly string[]>
  /** Inside a fan-out: `item` and `index`. */
  readonly item: boolean
  /** In triggers: `event`. */
  readonly event: boolean
  /** In env and args: `attempt`. */
  readonly attempt: boolean
}

/** What the names mean now. Only what the expression's `references` name has to be there. */
export interface ExpressionValues {
  /** Typed values: text, integer, number, boolean, or parsed JSON. */
  readonly parameters: Readonly<Record<string, Json>>
  readonly tasks: Readonly<Record<string, TaskValue>>
  readonly run: {
    readonly id: string
    readonly name: string
    readonly dag: string
    /** RFC 3339 UTC text; empty when the run was not scheduled. */
    readonly scheduledTime: string
  }
  readonly attempt?: number
  readonly item?: Json
  readonly index?: number
  readonly event?: Json
}

export interface TaskValue {
  readonly state: string
  /** -1 when there is none. */
  readonly exitCode: number
  readonly outputs: Readonly<Record<string, string>>
}

export interface References {
  readonly parameters: readonly string[]
  readonly tasks: readonly string[]
}

/** A checked expression. `evaluate` throws {@link ExpressionError} only. */
export interface Expression {
  readonly text: string
  readonly references: References
  evaluate(values: ExpressionValues): Json
}

/** A text with `${{ … }}` in it. Renders to text: strings as they are, other values as JSON. */
export interface Template {
  readonly text: string
  readonly references: References
  render(values: ExpressionValues): string
}

/** The wanted type of the result, when it matters; `any` does not care. */
export type Wanted = 'boolean' | 'list' | 'any'

/** An expression that could not give a value: a missing key, a wrong type at run time, a budget used up. */
export class ExpressionError extends Error {
  readonly text: string
  constructor(text: string, message: string) {
    super(message)
    this.name = 'ExpressionError'
    this.text = text
  }
}

/** Result of compiling. Problems carry `path: []` and, in `offset`, where in the text they are. */
export type Compiled<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly (Problem & { readonly offset: number })[] }
