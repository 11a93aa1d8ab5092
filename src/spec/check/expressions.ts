import { compileExpression, compileTemplate } from '../../core/expression/cel.ts'
import type {
  Compiled,
  Expression,
  ExpressionScope,
  Template,
  Wanted,
} from '../../core/expression/expression.ts'
import type { ParameterType } from '../../core/dag/dag.ts'
import { present, texts, type Loose } from '../loose.ts'
import type { ParameterSpec } from '../schema/dag.ts'
import { nameOf } from '../shape.ts'
import type { Path } from '../source.ts'
import { settledBefore } from './graph.ts'
import { isGiven } from './parameters.ts'
import { at, type TaskView } from './view.ts'
import type { Report } from './words.ts'

/** Everything between `${{` and `}}`, and the fields that are CEL as a whole. */
export function checkExpressions(
  views: readonly TaskView[],
  parameters: Loose<ParameterSpec[]> | undefined,
  report: Report,
): void {
  const types = parameterTypes(parameters)
  const secrets = new Set(
    present(parameters).flatMap(([, { name, defaultFromSecret }]) =>
      name !== undefined && isGiven(defaultFromSecret) ? [name] : [],
    ),
  )
  const settled = settledBefore(views)
  const mainTasks = new Map(views.filter(view => view.group === 'task').map(outputsOf))
  const allTasks = new Map(views.map(outputsOf))
  for (const view of views) {
    const tasks = view.group === 'task' ? mainTasks : allTasks
    const fanOut = view.spec.forEach !== undefined || view.spec.matrix !== undefined
    const scope: ExpressionScope = { parameters: types, tasks, item: false, event: false, attempt: false }
    const inner: ExpressionScope = { ...scope, item: fanOut, attempt: true }
    const context: Context = { view, settled, secrets, report }
    const { when, forEach } = view.spec
    if (when !== undefined) expression(when, scope, 'boolean', ['when'], context)
    if (typeof forEach === 'string') expression(forEach, scope, 'list', ['forEach'], context)
    for (const [field, rest, text] of templates(view)) template(text, inner, [field, ...rest], context)
  }
}

/** Types of the parameters that expressions may name; those from a Secret stay out, so that no value leaks. */
function parameterTypes(parameters: Loose<ParameterSpec[]> | undefined): Map<string, ParameterType> {
  const types = new Map<string, ParameterType>()
  for (const [, parameter] of present(parameters)) {
    const secret = isGiven(parameter.defaultFromSecret)
    if (parameter.name !== undefined && !secret) types.set(parameter.name, parameter.type ?? 'string')
  }
  return types
}

/** Reports what is wrong with an expression that stands by itself, such as a trigger's filter. */
export function checkExpressionAt(
  text: string,
  scope: ExpressionScope,
  wanted: Wanted,
  path: Path,
  report: Report,
): void {
  reportProblems(compileExpression(text, scope, wanted), text, path, report)
}

/** Reports what is wrong with a text that may hold `${{ }}`. */
export function checkTemplateAt(text: string, scope: ExpressionScope, path: Path, report: Report): void {
  if (text.includes('${{')) reportProblems(compileTemplate(text, scope), text, path, report)
}

type Context = {
  readonly view: TaskView
  readonly secrets: ReadonlySet<string>
  readonly settled: (view: TaskView, earlier: string) => boolean
  readonly report: Report
}
type FieldPath = readonly [field: Parameters<typeof at>[1], ...rest: (string | number)[]]

function expression(
  text: string,
  scope: ExpressionScope,
  wanted: Wanted,
  field: FieldPath,
  context: Context,
): void {
  const path = at(context.view, ...field)
  if (text.includes('${{')) {
    context.report({
      code: 'TEMPLATE_NOT_HERE',
      path,
      message: `${field[0]} is CEL as a whole, so \${{ }} has no place in it`,
      fix: 'remove ${{ and }}',
    })
    return
  }
  const compiled = compileExpression(text, scope, wanted)
  reportProblems(compiled, text, path, context.report, context.secrets)
  if (compiled.ok) checkReferences(compiled.value, path, context)
}

function template(text: string, scope: ExpressionScope, field: FieldPath, context: Context): void {
  if (!text.includes('${{')) return
  const path = at(context.view, ...field)
  const compiled = compileTemplate(text, scope)
  reportProblems(compiled, text, path, context.report, context.secrets)
  if (compiled.ok) checkReferences(compiled.value, path, context)
}

function reportProblems(
  compiled: Compiled<Expression | Template>,
  text: string,
  path: Path,
  report: Report,
  secrets: ReadonlySet<string> = new Set(),
): void {
  if (compiled.ok) return
  for (const { code, message, fix, offset } of compiled.problems) {
    const name = /^[-\w]+/.exec(text.slice(offset))?.[0] ?? ''
    if (code === 'CEL_UNKNOWN_NAME' && secrets.has(name)) {
      report({
        code: 'EXPRESSION_SECRET',
        path,
        offset,
        message: `the parameter ${name} comes from a Secret, whose value no expression sees`,
        fix: `hand it to the task: parameters: [${name}]`,
      })
      continue
    }
    // Codes of expressions are in the same table; a test holds every code that is used to it.
    report({ code, path, message: `in ${nameOf(path)}: ${message}`, fix, offset })
  }
}

/** A task may only look at tasks that have settled by the time it starts. */
function checkReferences(compiled: Expression | Template, path: Path, context: Context): void {
  const { view, settled, report } = context
  for (const name of compiled.references.tasks) {
    if (settled(view, name)) continue
    const offset = mentionOf(name, compiled.text)
    report({
      code: 'EXPRESSION_ORDER',
      path,
      offset,
      message:
        name === view.name
          ? `the task ${name} looks at itself`
          : `the task ${view.name ?? ''} looks at ${name}, but does not run after it`,
      fix: name === view.name ? 'look at another task' : `add ${name} to runAfter`,
    })
  }
}

/** Where a text first speaks of a task; 0 when it does so in a way that is not seen. */
function mentionOf(name: string, text: string): number {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const ends = !/^[-\w]/.test(text.slice(at + name.length))
    if (ends && /\btasks\s*(?:\.\s*|\[\s*["'])$/.test(text.slice(0, at))) return at
  }
  return 0
}

/** Texts of a task that may hold `${{ }}`, each with its place. */
function templates(view: TaskView): [field: FieldPath[0], rest: (string | number)[], text: string][] {
  const { spec } = view
  const found: [FieldPath[0], (string | number)[], string][] = []
  for (const field of ['command', 'args'] as const) {
    for (const [index, text] of present(spec[field])) found.push([field, [index], text])
  }
  for (const [index, variable] of present(spec.env)) {
    if (variable.value !== undefined) found.push(['env', [index, 'value'], variable.value])
  }
  for (const [index, { value }] of present(spec.dag?.parameters)) {
    if (typeof value === 'string') found.push(['dag', ['parameters', index, 'value'], value])
  }
  if (spec.approval?.message !== undefined) found.push(['approval', ['message'], spec.approval.message])
  return found
}

function outputsOf(view: TaskView): [name: string, outputs: string[]] {
  const { approval, outputs } = view.spec
  const names =
    approval === undefined ? texts(outputs) : present(approval.form).map(([, { name }]) => name ?? '')
  return [view.name ?? '', names]
}
