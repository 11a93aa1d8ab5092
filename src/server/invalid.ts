import type * as z from 'zod'
import { nearest } from '../core/nearest.ts'
import type { ProblemCode } from '../core/problem-codes.ts'
import type { Problem } from '../core/problem.ts'
import { RequestProblem } from './problem.ts'

const PROBLEMS_MAX = 50

export type Part = 'query' | 'body' | 'headers' | 'file'

/** A part of a request that does not fit its schema: where, and what to do. */
export function invalid(part: Part, error: z.ZodError, known: readonly string[]): RequestProblem {
  const problems = error.issues.slice(0, PROBLEMS_MAX).flatMap(issue => problemsOf(part, issue, known))
  const [first] = problems
  const more = problems.length > 1 ? `, and ${problems.length - 1} more` : ''
  return new RequestProblem(
    'INVALID_REQUEST',
    `${first?.message ?? `the ${part} does not fit`}${more}`,
    first?.fix ?? 'see /api/v1/openapi.json',
    { problems },
  )
}

function problemsOf(part: Part, issue: z.core.$ZodIssue, known: readonly string[]): Problem[] {
  const path = issue.path.map(step => (typeof step === 'symbol' ? String(step) : step))
  const name = path.length === 0 ? `the ${part}` : `${path.join('.')} of the ${part}`
  const told = (code: ProblemCode, message: string, fix: string, where: Problem['path'] = path): Problem => ({
    code,
    severity: 'error',
    path: where,
    message,
    fix,
  })
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.slice(0, PROBLEMS_MAX).map(key => {
        const near = path.length === 0 ? nearest(key, known) : null
        const fix =
          near === null ? `remove it${list(path.length === 0 ? known : [])}` : `did you mean ${near}?`
        return told('FIELD_UNKNOWN', `the ${part} has no ${shown(key)}`, fix, [...path, key])
      })
    case 'invalid_type':
      return issue.input === undefined
        ? [told('FIELD_MISSING', `${name} is missing`, `give it: ${issue.expected}`)]
        : [told('FIELD_TYPE', `${name} is not ${article(issue.expected)}`, `give ${article(issue.expected)}`)]
    case 'invalid_value':
      return [
        told('FIELD_VALUE', `${name} cannot be that`, `use one of: ${issue.values.map(String).join(', ')}`),
      ]
    case 'too_big':
      return [told('FIELD_RANGE', `${name} is too large`, `the most is ${issue.maximum}`)]
    case 'too_small':
      return [told('FIELD_RANGE', `${name} is too small`, `the least is ${issue.minimum}`)]
    case 'invalid_union':
      return [told('FIELD_VALUE', `${name} has none of its forms`, 'see /api/v1/openapi.json')]
    default:
      return [told('FIELD_VALUE', `${name} does not fit`, issue.message)]
  }
}

const list = (known: readonly string[]): string =>
  known.length === 0 ? '' : `; there are: ${known.join(', ')}`
const article = (type: string): string => (/^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`)
const shown = (text: string): string => JSON.stringify(text.slice(0, 100))
