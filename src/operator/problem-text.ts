import type { Problem } from '../core/problem.ts'
import { nameOf } from '../spec/shape.ts'
import { shortened } from './conditions.ts'

/** Problems told in one message; the others are counted. */
const SHOWN_MAX = 5

/** What is wrong, for a condition: the code of the first problem, and the first few in words. */
export function problemText(problems: readonly Problem[]): {
  readonly reason: string
  readonly message: string
} {
  const errors = problems.filter(({ severity }) => severity === 'error')
  const shown = errors.slice(0, SHOWN_MAX).map(sentence)
  const rest = errors.length - shown.length
  if (rest > 0) shown.push(`and ${rest} more`)
  return { reason: errors[0]?.code ?? 'UNKNOWN', message: shortened(shown.join('; ')) }
}

/** `DAG_CYCLE at spec.task[2].runAfter: tasks wait for each other: a → b → a (fix: remove one)`. */
function sentence({ code, path, message, fix }: Problem): string {
  const place = path.length === 0 ? '' : ` at ${nameOf(path)}`
  return `${code}${place}: ${message} (fix: ${fix})`
}
