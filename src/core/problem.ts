import type { ProblemCode } from './problem-codes.ts'

/**
 * Something wrong with what a person wrote, in a shape every face can show: the CLI as text or SARIF, the API as
 * problem+json, the UI as an editor mark, a condition on a Kubernetes object.
 *
 * @example { code: 'DAG_CYCLE', severity: 'error', path: ['spec', 'task', 2, 'runAfter', 0],
 *            message: 'tasks wait for each other: a → b → a', fix: 'remove one of these runAfter entries' }
 */
export interface Problem {
  /** Stable, searchable, UPPER_SNAKE; listed in `core/problem-codes.ts`. */
  readonly code: ProblemCode
  readonly severity: 'error' | 'warning'
  /** Where in the document: keys and indexes from its root. Empty for the document as a whole. */
  readonly path: readonly (string | number)[]
  /** One sentence, lower-case start, no final full stop. */
  readonly message: string
  /** What to do about it: one imperative sentence. */
  readonly fix: string
  /** Filled by the reader that knows the text; absent when the object did not come from a text. */
  readonly at?: Position
}

/** A place in a text. `line` and `column` count from 1; columns count UTF-16 code units. */
export interface Position {
  /** File name as the user gave it; `-` for standard input. */
  readonly file: string
  readonly line: number
  readonly column: number
}

/** Either a value or everything that is wrong with what it was made from. */
export type Checked<T> =
  | { readonly ok: true; readonly value: T; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }
