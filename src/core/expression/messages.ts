import type { ProblemCode } from '../problem-codes.ts'
import { nearest } from '../nearest.ts'
import type { ExpressionScope } from './expression.ts'
import { METHODS } from './functions.ts'
import { ValueError } from './meter.ts'
import { type ExpressionProblem, ROOTS } from './names.ts'

/** A problem of an expression at a place of its text. */
export function problem(code: ProblemCode, offset: number, message: string, fix: string): ExpressionProblem {
  return { code, severity: 'error', path: [], message, fix, offset }
}

/** What the library's parser says of a text, as a problem. */
export function syntaxProblem(error: unknown, masked: string): ExpressionProblem {
  const { code, offset } = placeOf(error, masked)
  if (code === 'limit_exceeded' || error instanceof RangeError)
    return problem('CEL_TOO_COMPLEX', offset, 'the expression is too large', 'Work the value out in a task.')
  return problem('CEL_SYNTAX', offset, readable(summaryOf(error)), 'Correct the expression.')
}

/** What the library's type checker says of a text, as a problem. */
export function typeProblem(error: unknown, masked: string): ExpressionProblem {
  const { code, offset } = placeOf(error, masked)
  const message = readable(summaryOf(error))
  if (code === 'unknown_variable')
    return problem('CEL_UNKNOWN_NAME', offset, message, `Start with ${ROOTS.join(', ')}.`)
  if (code === 'invalid_macro_argument') return problem('CEL_SYNTAX', offset, message, 'Write has(a.b).')
  if (error instanceof RangeError)
    return problem('CEL_TOO_COMPLEX', offset, 'the expression is too large', 'Work the value out in a task.')
  const word = /^\w+/.exec(masked.slice(offset))?.[0] ?? ''
  if (code === 'cannot_index_type' && METHODS.includes(word))
    return problem('CEL_TYPE', offset, `${word} is a method`, `Write ${word}(…).`)
  return problem('CEL_TYPE', offset, message, typeFix(message))
}

function typeFix(message: string): string {
  const [, left, right] = /no such overload: (\S+) \S+ (\S+)/.exec(message) ?? []
  const pair = left === 'int' || right === 'string' ? `${left} ${right}` : `${right} ${left}`
  if (pair === 'int double')
    return 'Write whole numbers with a point beside doubles (2.0), or convert with double().'
  if (/(int|double) string/.test(pair)) return 'Outputs are text: convert with int(), double() or string().'
  return 'Use values of types that go together.'
}

/** A name without its root is the commonest slip: says so when a parameter or task has that name. */
export function withHints(
  problems: readonly ExpressionProblem[],
  scope: ExpressionScope,
): readonly ExpressionProblem[] {
  return problems.map(found => {
    const name = /^unknown variable: (\w+)$/.exec(found.message)?.[1]
    if (name === undefined) return found
    const parameter = scope.parameters.has(name) ? `parameters.${name}` : null
    const guess = parameter ?? (scope.tasks.has(name) ? `tasks.${name}` : nearest(name, ROOTS))
    const hint = guess === null ? '' : `; did you mean ${guess}?`
    return { ...found, message: `there is nothing called ${name}${hint}` }
  })
}

function placeOf(error: unknown, masked: string): { readonly code: string; readonly offset: number } {
  const { code, range } = error as { readonly code?: unknown; readonly range?: { readonly start: number } }
  const offset = Math.min(Math.max(range?.start ?? 0, 0), masked.length)
  return { code: typeof code === 'string' ? code : '', offset }
}

/** What went wrong in one evaluation. */
export function summaryOf(error: unknown): string {
  if (error instanceof ValueError) return error.message
  if (error instanceof RangeError) return 'is too large to evaluate'
  const { summary } = error as { readonly summary?: unknown }
  return typeof summary === 'string' ? summary : 'could not be evaluated'
}

/** The library's names of tokens, as a person writes them. */
const TOKENS: Readonly<Record<string, string>> = {
  EOF: 'the end',
  IDENTIFIER: 'a name',
  NUMBER: 'a number',
  STRING: 'a text',
  BYTES: 'bytes',
  BOOLEAN: 'a boolean',
  NULL: 'null',
  LPAREN: '(',
  RPAREN: ')',
  LBRACKET: '[',
  RBRACKET: ']',
  LBRACE: '{',
  RBRACE: '}',
  COMMA: ',',
  COLON: ':',
  QUESTION: '?',
  DOT: '.',
  PLUS: '+',
  MINUS: '-',
  MULTIPLY: '*',
  DIVIDE: '/',
  MODULO: '%',
  EQ: '==',
  NE: '!=',
  LT: '<',
  LE: '<=',
  GT: '>',
  GE: '>=',
  AND: '&&',
  OR: '||',
  NOT: '!',
  IN: 'in',
}

/** The library's words in ours: a lower-case start, tokens as they are typed, inner names as they were written. */
export function readable(summary: string): string {
  const ofTokens = /^(Expected|Unexpected token)/.test(summary)
  const words = ofTokens ? summary.replace(/\b[A-Z]{2,}\b/g, token => TOKENS[token] ?? token) : summary
  const plain = words.replace(/(\w)_\(/g, '$1(').replace(/dyn<([^<>]+)>/g, '$1')
  return plain.replace(/^[A-Z](?=[a-z ])/, letter => letter.toLowerCase())
}
