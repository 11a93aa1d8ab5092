import { nearest } from '../nearest.ts'
import type { Problem } from '../problem.ts'
import type { Draft, DslParameter } from './dsl.ts'
import { problemAt } from './dsl-reader.ts'
import { DSL_PROBLEMS_MAX, type DslToken } from './dsl-tokens.ts'

/** What a text says of names that are not there, or are there twice. */
export function checkDsl(draft: Draft): readonly Problem[] {
  return [
    ...duplicates('task', draft.tasks),
    ...duplicates('parameter', draft.parameters),
    ...draft.parameters.flatMap(defaultProblem),
    ...unknownTasks(draft),
    ...unknownParameters(draft),
  ]
}

function duplicates(
  what: string,
  named: readonly { readonly name: string; readonly line: number; readonly column: number }[],
): readonly Problem[] {
  const first = new Map<string, number>()
  return named.flatMap(item => {
    const before = first.get(item.name)
    if (before === undefined) {
      first.set(item.name, item.line)
      return []
    }
    const message = `there is a ${what} called ${item.name} on line ${before} already`
    return [problemAt(item, 'DSL_DUPLICATE', message, `Give one ${what} another name.`)]
  })
}

function defaultProblem(parameter: DslParameter): readonly Problem[] {
  const both = parameter.default !== undefined && parameter.defaultFromSecret !== undefined
  const neither = parameter.default === undefined && parameter.defaultFromSecret === undefined
  if (!both && !neither) return []
  const message = `parameter ${parameter.name} has ${both ? 'both a default and a secret' : 'no default'}`
  return [problemAt(parameter, 'DSL_PARAMETER_DEFAULT', message, 'Give it default or defaultFromSecret.')]
}

function unknownTasks({ tasks, names }: Draft): readonly Problem[] {
  const known = new Set(tasks.map(task => task.name))
  const unknown = new Map<string, DslToken>()
  for (const token of names)
    if (!known.has(token.text) && !unknown.has(token.text)) unknown.set(token.text, token)
  return [...unknown.values()].slice(0, DSL_PROBLEMS_MAX).map(token => {
    const message = `there is no task called ${token.text}${hint(token.text, known)}`
    return problemAt(token, 'DSL_UNKNOWN_TASK', message, `Add task ${token.text} { … }, or correct the name.`)
  })
}

function unknownParameters({ tasks, parameters }: Draft): readonly Problem[] {
  const known = new Set(parameters.map(parameter => parameter.name))
  const unknown = tasks.flatMap(task =>
    task.parameterTokens.filter(token => !known.has(token.text)).map(token => ({ task, token })),
  )
  return unknown.slice(0, DSL_PROBLEMS_MAX).map(({ task, token }) => {
    const message = `task ${task.name} names a parameter ${token.text} that is not there${hint(token.text, known)}`
    return problemAt(token, 'DSL_UNKNOWN_PARAMETER', message, 'Add it to parameters, or correct the name.')
  })
}

function hint(name: string, known: Iterable<string>): string {
  const guess = nearest(name, known)
  return guess === null ? '' : `; did you mean ${guess}?`
}
