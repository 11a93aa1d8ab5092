import type { ProblemCode } from '../problem-codes.ts'
import { nearest } from '../nearest.ts'
import { equals, isIn } from './equality.ts'
import { FUNCTIONS, METHODS, UTC_ONLY } from './functions.ts'
import { charge, type Meter, sizeOf, ValueError } from './meter.ts'
import { type ExpressionProblem, ROOTS } from './names.ts'
import { patternFault } from './pattern.ts'

/** Most macros (`map`, `filter`, `all` …) inside each other. */
export const MACRO_DEPTH_MAX = 4
/** Longest text that `duration()` reads. */
const DURATION_LENGTH_MAX = 64

/**
 * A node of the library's syntax tree, as far as it is looked at here. Macros hang their expansion under `meta`; after
 * the type check, `handle` is what computes an operator or call.
 */
export interface Node {
  readonly op: string
  readonly args: unknown
  readonly pos: number
  readonly start: number
  readonly end: number
  readonly meta: { readonly alternate?: Node; readonly macro?: Macro }
  setMeta(key: string, value: unknown): Node
  handle?: Handle
}

/** Computes an operator or call from the values of its operands; the library passes its own things behind them. */
type Handle = (...values: unknown[]) => unknown

interface Macro {
  readonly args?: readonly Node[]
  readonly val?: Node
  readonly exp?: Node
  readonly var?: string
  readonly macroHasProps?: readonly Node[]
  evaluate: unknown
}

interface Comprehension {
  readonly iterable: Node
  readonly init: Node
  readonly step: Node
  readonly iterVarName: string
  condition?: (value: unknown) => boolean
}

interface Evaluator {
  run(node: Node, context: unknown): unknown
}

/**
 * Goes over a parsed expression before its types are checked: puts the real names where the placeholders are, leaves
 * open only the functions that are documented, and sends calls of a bounded function to it.
 *
 * @param renamed  Names of functions whose own version has a `_` at the end.
 */
export function prepare(
  root: Node,
  masked: string,
  names: ReadonlyMap<number, string>,
  renamed: ReadonlySet<string>,
): { readonly problems: readonly ExpressionProblem[]; readonly variables: ReadonlySet<string> } {
  const problems: ExpressionProblem[] = []
  const variables = new Set<string>()
  const report = (code: ProblemCode, offset: number, message: string, fix: string): void => {
    problems.push({ code, severity: 'error', path: [], message, fix, offset })
  }
  walk(root, (node, depth) => {
    const name = node.op === '.' ? names.get(node.pos) : undefined
    if (name !== undefined) argsOf(node)[1] = name
    if (node.op === 'id') variables.add(String(node.args))
    if (node.op === 'call' || node.op === 'rcall') checkCall(node, masked, renamed, report)
    const bound = boundName(node)
    if (bound !== null && ROOTS.some(root => root === bound))
      report(
        'CEL_SYNTAX',
        node.start,
        `${bound} cannot be the name of a variable here`,
        'Choose another name.',
      )
    if (node.op === 'comprehension' && depth === MACRO_DEPTH_MAX)
      report(
        'CEL_TOO_COMPLEX',
        node.start,
        `macros stand more than ${MACRO_DEPTH_MAX} deep inside each other`,
        'Prepare the data in a task instead.',
      )
    const literal = node.op === 'value' && typeof node.args === 'object' && node.args !== null
    if (literal)
      report(
        'CEL_TYPE',
        node.start,
        'bytes and unsigned numbers are not supported',
        'Write a text or an integer.',
      )
  })
  return { problems, variables }
}

/**
 * Puts the meter and the guards into a checked expression: every loop step, comparison, call and addition is charged;
 * only lists and maps have fields, so that no object of the host can be reached; a map literal becomes a `Map`.
 */
export function instrument(root: Node, meter: Meter): void {
  walk(root, node => {
    if (node.op === 'comprehension') meterLoop(node.args as Comprehension, meter)
    if (node.op === 'map') node.setMeta('evaluate', evaluateMap)
    if (node.meta.macro?.args !== undefined) node.meta.macro.evaluate = evaluateHas
    if (node.handle !== undefined) node.handle = guarded(node, node.handle, meter)
  })
}

function guarded(node: Node, inner: Handle, meter: Meter): Handle {
  switch (node.op) {
    case '?:':
    case 'comprehension':
      return inner
    case '.':
    case '[]':
      return guardedAccess(node, inner)
    case 'call':
    case 'rcall':
      return meteredCall(node, inner, meter)
    case '==':
      return (left, right) => equals(left, right, meter)
    case '!=':
      return (left, right) => !equals(left, right, meter)
    case 'in':
      return (value, collection) => isIn(value, collection, meter)
    default:
      return meteredOperator(inner, meter)
  }
}

function checkCall(
  node: Node,
  masked: string,
  renamed: ReadonlySet<string>,
  report: (code: ProblemCode, offset: number, message: string, fix: string) => void,
): void {
  const method = node.op === 'rcall'
  const name = String(argsOf(node)[0])
  const known = method ? METHODS : FUNCTIONS
  const receiver = method ? (argsOf(node)[1] as Node) : null
  const offset = receiver === null ? node.start : Math.max(masked.indexOf(name, receiver.end), node.start)
  const values = argsOf(node)[method ? 2 : 1] as readonly Node[]
  const notBind = name === 'bind' && !(receiver?.op === 'id' && receiver.args === 'cel')
  if (!known.includes(name) || notBind) {
    const guess = nearest(name, known) ?? (method ? FUNCTIONS : METHODS).find(other => other === name) ?? null
    const hint = guess === null ? '' : `; did you mean ${guess === name ? wayToCall(name, !method) : guess}?`
    report(
      'CEL_UNKNOWN_FUNCTION',
      offset,
      `there is no ${method ? 'method' : 'function'} called ${name}${hint}`,
      method ? 'Use a method that the page on expressions lists.' : `Use one of: ${known.join(', ')}.`,
    )
    return
  }
  if (UTC_ONLY.includes(name) && values.length > 0)
    report('CEL_TYPE', offset, `${name}() takes no zone: times are read in UTC`, `Write ${name}().`)
  const pattern = name === 'matches' ? values[0] : undefined
  const fault =
    pattern?.op === 'value' && typeof pattern.args === 'string' ? patternFault(pattern.args) : null
  if (fault !== null && pattern !== undefined)
    report('CEL_PATTERN', pattern.start, fault, 'Write a pattern in RE2 syntax.')
  if (renamed.has(name)) argsOf(node)[0] = `${name}_`
}

function wayToCall(name: string, method: boolean): string {
  return method ? `value.${name}()` : `${name}(value)`
}

function boundName(node: Node): string | null {
  if (node.op === 'comprehension') return (node.args as Comprehension).iterVarName
  return node.meta.macro?.var ?? null
}

function argsOf(node: Node): unknown[] {
  return node.args as unknown[]
}

/** Visits every node that takes part in the evaluation, outer ones first, with the number of macros around it. */
function walk(root: Node, visit: (node: Node, depth: number) => void, depth = 0): void {
  visit(root, depth)
  // Only the step of a macro is inside it: `list.map(…).filter(…)` stands side by side.
  const step = root.op === 'comprehension' ? (root.args as Comprehension).step : null
  for (const child of children(root)) walk(child, visit, child === step ? depth + 1 : depth)
}

function children(node: Node): readonly Node[] {
  if (node.meta.alternate !== undefined) return [node.meta.alternate]
  const { macro } = node.meta
  if (macro !== undefined)
    return [...(macro.args ?? []), macro.val, macro.exp].filter(child => child !== undefined)
  switch (node.op) {
    case 'value':
    case 'id':
    case 'accuValue':
    case 'accuInc':
      return []
    case 'accuPush':
    case '!_':
    case '-_':
      return [node.args as Node]
    case '.':
      return [argsOf(node)[0] as Node]
    case 'call':
      return argsOf(node)[1] as readonly Node[]
    case 'rcall':
      return [argsOf(node)[1] as Node, ...(argsOf(node)[2] as readonly Node[])]
    case 'map':
      return (node.args as readonly (readonly Node[])[]).flat()
    case 'comprehension': {
      const { iterable, init, step } = node.args as Comprehension
      return [iterable, init, step]
    }
    default:
      return node.args as readonly Node[]
  }
}

function meterLoop(loop: Comprehension, meter: Meter): void {
  let weight = 1
  walk(loop.step, () => weight++)
  const inner = loop.condition
  loop.condition = value => {
    charge(meter, weight)
    return inner === undefined || inner(value)
  }
}

function meteredCall(node: Node, inner: Handle, meter: Meter): Handle {
  const name = argsOf(node)[0]
  return (...values) => {
    for (const value of values[0] as readonly unknown[]) {
      charge(meter, name === 'size' && typeof value !== 'string' ? 1 : sizeOf(value))
      if (name === 'duration' && typeof value === 'string' && value.length > DURATION_LENGTH_MAX)
        throw new ValueError(`duration() takes at most ${DURATION_LENGTH_MAX} characters`)
    }
    const result = inner(...values)
    charge(meter, sizeOf(result))
    return result
  }
}

function meteredOperator(inner: Handle, meter: Meter): Handle {
  return (...values) => {
    charge(meter, sizeOf(values[0]) + sizeOf(values[1]))
    return inner(...values)
  }
}

function guardedAccess(node: Node, inner: Handle): Handle {
  return (left, right, ...rest) => {
    if (left instanceof Map && left.get(right) === undefined) throw new ValueError(missingKey(node, right))
    if (!(left instanceof Map || Array.isArray(left)))
      throw new ValueError(
        `${kindOf(left)} has no ${typeof right === 'string' ? `field ${right}` : 'elements'}`,
      )
    return inner(left, right, ...rest)
  }
}

function missingKey(node: Node, key: unknown): string {
  const owner = argsOf(node)[0] as Node
  const ofTask = owner.op === '.' && (argsOf(owner)[0] as Node).args === 'taskO'
  return ofTask
    ? `task ${String(argsOf(owner)[1])} gave no output called ${String(key)}`
    : `there is no key called ${String(key)}`
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value === 'bigint') return 'an integer'
  if (typeof value === 'string') return 'a text'
  return typeof value === 'object' ? 'a time or type' : `a ${typeof value}`
}

function evaluateHas(evaluator: Evaluator, macro: Macro, context: unknown): boolean {
  const path = (macro.macroHasProps ?? []).toReversed()
  const [root, ...fields] = path
  let value = root === undefined ? undefined : evaluator.run(root, context)
  for (const [index, field] of fields.entries()) {
    const key = argsOf(field)[1]
    value = value instanceof Map ? value.get(key) : undefined
    if (value === undefined && index < fields.length - 1)
      throw new ValueError(`there is no key called ${String(key)}`)
  }
  return value !== undefined
}

function evaluateMap(evaluator: Evaluator, node: Node, context: unknown): ReadonlyMap<unknown, unknown> {
  const map = new Map<unknown, unknown>()
  for (const [keyNode, valueNode] of node.args as readonly (readonly [Node, Node])[]) {
    const key = evaluator.run(keyNode, context)
    if (typeof key !== 'string' && typeof key !== 'bigint' && typeof key !== 'boolean')
      throw new ValueError('the key of a map must be a text, an integer or a boolean')
    if (map.has(key)) throw new ValueError(`the key ${key} stands twice in a map`)
    map.set(key, evaluator.run(valueNode, context))
  }
  return map
}
