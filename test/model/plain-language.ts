import {
  type Compiled,
  type Expression,
  ExpressionError,
  type ExpressionScope,
  type ExpressionValues,
  type Template,
} from '../../src/core/expression/expression.ts'
import type { Json } from '../../src/core/json.ts'
import type { ExpressionLanguage } from '../../src/core/run/inputs.ts'

/**
 * A stand-in for CEL with six sentences, so that tests of the core depend on the core alone: `yes`, `no`, `boom`
 * (an error when evaluated), `items 3` (the list 0, 1, 2), `TASK is STATE`, `TASK gave VALUE` (an output read as JSON).
 */
export const PLAIN_LANGUAGE: ExpressionLanguage = {
  compileExpression: (text, scope) => compile(text, scope),
  compileTemplate: (text, scope): Compiled<Template> => {
    const inner = /\$\{\{\s*(.*?)\s*\}\}/.exec(text)
    const compiled = compile(inner?.[1] ?? 'yes', scope)
    if (!compiled.ok) return compiled
    const { references } = compiled.value
    const render = (values: ExpressionValues): string => {
      const value = compiled.value.evaluate(values)
      return text.replace(inner?.[0] ?? '', () => (typeof value === 'string' ? value : JSON.stringify(value)))
    }
    return { ok: true, value: { text, references, render } }
  },
  hasTemplate: text => text.includes('${{'),
}

function compile(text: string, scope: ExpressionScope): Compiled<Expression> {
  const words = text.trim().split(/\s+/)
  const [first = '', verb, third = ''] = words
  const isAboutTask = words.length === 3 && (verb === 'is' || verb === 'gave')
  const known = isAboutTask ? scope.tasks.has(first) : ['yes', 'no', 'boom', 'items'].includes(first)
  if (!known) {
    const fix = 'write yes, no, boom, items N, TASK is STATE or TASK gave VALUE'
    const message = `not understood: ${text}`
    return {
      ok: false,
      problems: [{ code: 'CEL_SYNTAX', severity: 'error', path: [], message, fix, offset: 0 }],
    }
  }
  const evaluate = (values: ExpressionValues): Json => {
    if (isAboutTask) return aboutTask(text, first, verb, third, values)
    if (first === 'boom') throw new ExpressionError(text, 'it blew up')
    if (first === 'items') return Array.from({ length: Number(verb) }, (_, index) => index)
    return first === 'yes'
  }
  const references = { parameters: [], tasks: isAboutTask ? [first] : [] }
  return { ok: true, value: { text, references, evaluate } }
}

function aboutTask(
  text: string,
  name: string,
  verb: string | undefined,
  what: string,
  values: ExpressionValues,
): Json {
  const task = values.tasks[name]
  if (verb === 'is') return task?.state === what
  const output = task?.outputs[what]
  if (output === undefined) throw new ExpressionError(text, `${name} gave no ${what}`)
  return JSON.parse(output) as Json
}
