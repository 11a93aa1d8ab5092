import { Environment, type ParseResult } from '@marcbachmann/cel-js'
import type { Json } from '../json.ts'
import {
  type Compiled,
  type Expression,
  ExpressionError,
  type ExpressionScope,
  type References,
  type Template,
  type Wanted,
} from './expression.ts'
import { ownFunctions, TEXT_LENGTH_MAX } from './functions.ts'
import { problem, readable, summaryOf, syntaxProblem, typeProblem, withHints } from './messages.ts'
import { type Meter, STEPS_MAX, ValueError } from './meter.ts'
import { type ExpressionProblem, resolveNames, type ResolvedNames, VARIABLES } from './names.ts'
import { instrument, type Node, prepare } from './syntax.ts'
import { templateParts } from './template-parts.ts'
import { toJson } from './values.ts'
import { variablesOf } from './variables.ts'

/** Longest expression, in UTF-16 units. */
export const EXPRESSION_LENGTH_MAX = 4_096
/** Most expressions in one template. */
export const TEMPLATE_EXPRESSIONS_MAX = 100
/** Most checked expressions that are kept for the next task with the same text. */
const KEPT_MAX = 2_000

const ECHOES = ['CEL_UNKNOWN_NAME', 'CEL_TYPE']

/** One evaluation at a time, and never one inside another: so one meter serves all of them. */
const meter: Meter = { left: 0 }
const own = ownFunctions(meter)
const renamed = new Set(own.filter(entry => entry.signature.includes('_(')).map(entry => entry.name))
/** Made with the first expression: many DAGs have none, and making it takes longer than reading them. */
let environment: Environment | null = null
const kept = new Map<string, Checked>()

/** A parsed, type-checked and metered expression. Depends on the masked text and the names only. */
interface Checked {
  readonly evaluate: ParseResult
  /** The variables that it reads. */
  readonly variables: ReadonlySet<string>
}

/**
 * Checks a CEL expression against the names that it may use.
 *
 * @example compileExpression("tasks.build-app.state == 'succeeded'", scope, 'boolean')
 */
export function compileExpression(
  text: string,
  scope: ExpressionScope,
  wanted: Wanted,
): Compiled<Expression> {
  if (text.length > EXPRESSION_LENGTH_MAX) {
    const message = `the expression is ${text.length} characters long; ${EXPRESSION_LENGTH_MAX} are allowed`
    return failed([problem('CEL_TOO_COMPLEX', 0, message, 'Shorten it, or work the value out in a task.')])
  }
  if (text.trim() === '') {
    return failed([
      problem('CEL_SYNTAX', 0, 'the expression is empty', 'Write a CEL expression, or leave it out.'),
    ])
  }
  const names = resolveNames(text, scope)
  const result = check(names, wanted)
  if (names.problems.length > 0 || !('evaluate' in result)) {
    const found = 'evaluate' in result ? [] : withHints(result.problems, scope)
    // What the checker makes of a name that is already known to be wrong would only repeat it.
    const other = names.problems.length === 0 ? found : found.filter(({ code }) => !ECHOES.includes(code))
    return failed([...names.problems, ...other].toSorted((a, b) => a.offset - b.offset))
  }
  const references: References = { parameters: names.parameters, tasks: names.tasks }
  return {
    ok: true,
    value: {
      text,
      references,
      evaluate: values =>
        measured(text, () => {
          const variables = variablesOf(values, scope, references, result.variables, meter)
          return wantedValue(toJson(result.evaluate(variables), meter), wanted)
        }),
    },
  }
}

/**
 * Checks a text with any number of `${{ … }}` in it. A text without one is a constant; `$${{` is a literal `${{`.
 *
 * @example compileTemplate('s3://${{ parameters.bucket }}/${{ run.id }}', scope)
 */
export function compileTemplate(text: string, scope: ExpressionScope): Compiled<Template> {
  const parts: (string | Expression)[] = []
  const problems: ExpressionProblem[] = []
  for (const part of templateParts(text)) {
    if (part.kind === 'text') {
      parts.push(part.text)
    } else if (part.kind === 'unterminated') {
      const fix = 'Add }}, or write $${{ when the text itself is meant.'
      problems.push(problem('TEMPLATE_UNTERMINATED', part.offset, 'the ${{ has no }} after it', fix))
    } else {
      const compiled = compileExpression(part.text, scope, 'any')
      if (compiled.ok) parts.push(compiled.value)
      else
        for (const found of compiled.problems) problems.push({ ...found, offset: found.offset + part.offset })
    }
  }
  const expressions = parts.filter(part => typeof part !== 'string')
  if (expressions.length > TEMPLATE_EXPRESSIONS_MAX) {
    const message = `the text holds ${expressions.length} expressions; ${TEMPLATE_EXPRESSIONS_MAX} are allowed`
    problems.push(problem('CEL_TOO_COMPLEX', 0, message, 'Split the text.'))
  }
  if (problems.length > 0) return failed(problems)
  const references: References = {
    parameters: [...new Set(expressions.flatMap(part => part.references.parameters))],
    tasks: [...new Set(expressions.flatMap(part => part.references.tasks))],
  }
  return {
    ok: true,
    value: {
      text,
      references,
      render: values => {
        const rendered = parts
          .map(part => (typeof part === 'string' ? part : shown(part.evaluate(values))))
          .join('')
        if (rendered.length > text.length + TEXT_LENGTH_MAX)
          throw new ExpressionError(text, `renders to more than ${TEXT_LENGTH_MAX} characters`)
        return rendered
      },
    },
  }
}

/** Whether a text holds a `${{` that is not escaped as `$${{`. */
export function hasTemplate(text: string): boolean {
  return text.includes('${{') && templateParts(text).some(part => part.kind !== 'text')
}

function shown(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function createEnvironment(): Environment {
  const created = new Environment({
    homogeneousAggregateLiterals: false,
    limits: {
      maxAstNodes: 1_000,
      maxDepth: 50,
      maxListElements: 500,
      maxMapEntries: 500,
      maxCallArguments: 8,
    },
  })
  for (const [name, type] of Object.entries(VARIABLES)) created.registerVariable(name, type)
  for (const { signature, apply } of own)
    created.registerFunction(signature, apply as (...values: unknown[]) => unknown, { async: false })
  return created
}

/** Parses, checks and meters; the same masked text with the same names is done once. */
function check(
  names: ResolvedNames,
  wanted: Wanted,
): Checked | { readonly problems: readonly ExpressionProblem[] } {
  // No name holds a line break, so the key is unambiguous.
  const key = `${wanted}\n${[...names.names].join()}\n${names.masked}`
  const before = kept.get(key)
  if (before !== undefined) return before
  let parsed: ParseResult
  let prepared: ReturnType<typeof prepare>
  try {
    environment ??= createEnvironment()
    parsed = environment.parse(names.masked)
    prepared = prepare(parsed.ast as unknown as Node, names.masked, names.names, renamed)
  } catch (error) {
    return { problems: [syntaxProblem(error, names.masked)] }
  }
  if (prepared.problems.length > 0) return prepared
  const types = parsed.check()
  const mismatch = types.valid
    ? wantedType(types.type ?? 'dyn', wanted)
    : typeProblem(types.error, names.masked)
  if (mismatch !== null) return { problems: [mismatch] }
  instrument(parsed.ast as unknown as Node, meter)
  const checked: Checked = { evaluate: parsed, variables: prepared.variables }
  const [oldest] = kept.keys()
  if (kept.size >= KEPT_MAX && oldest !== undefined) kept.delete(oldest)
  kept.set(key, checked)
  return checked
}

/** Runs an evaluation on a full meter and turns whatever goes wrong into an {@link ExpressionError}. */
function measured(text: string, evaluate: () => Json): Json {
  meter.left = STEPS_MAX
  try {
    const value = evaluate()
    if (meter.left < 0) throw new ValueError(`takes more than ${STEPS_MAX} steps`)
    return value
  } catch (error) {
    const spent = meter.left < 0 ? `takes more than ${STEPS_MAX} steps` : null
    throw new ExpressionError(text, spent ?? readable(summaryOf(error)))
  }
}

function wantedType(type: string, wanted: Wanted): ExpressionProblem | null {
  const fine =
    wanted === 'any' ||
    type.startsWith('dyn') ||
    (wanted === 'boolean' ? type === 'bool' : type === 'list' || type.startsWith('list<'))
  if (fine) return null
  const fix =
    wanted === 'boolean' ? 'Compare it with something.' : "Make a list of it: split(','), json(…) or [ … ]."
  return problem('CEL_TYPE', 0, `the expression gives ${readable(type)}, not a ${wanted}`, fix)
}

function wantedValue(value: Json, wanted: Wanted): Json {
  const fine = wanted === 'any' || (wanted === 'boolean' ? typeof value === 'boolean' : Array.isArray(value))
  if (!fine) throw new ValueError(`gives ${JSON.stringify(value).slice(0, 60)}, not a ${wanted}`)
  return value
}

function failed(problems: readonly ExpressionProblem[]): {
  readonly ok: false
  readonly problems: readonly ExpressionProblem[]
} {
  return { ok: false, problems }
}
