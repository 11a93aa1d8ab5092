import type { ProblemCode } from '../problem-codes.ts'
import type { ParameterType } from '../dag/dag.ts'
import { nearest } from '../nearest.ts'
import type { Problem } from '../problem.ts'
import type { ExpressionScope } from './expression.ts'
import { skipSpace, tokenAt } from './tokens.ts'

/** A problem of an expression, with its place: UTF-16 units from the start of the text. */
export type ExpressionProblem = Problem & { readonly offset: number }

/**
 * An expression whose names have been looked up. CEL identifiers hold no `-`, and its checker knows nothing of our
 * scopes; so each name (`my-task` in `tasks.my-task.state`, or `tasks["my-task"].state`) is replaced by a placeholder
 * of the same length, and its root by a variable of the right type. All offsets stay what they were.
 */
export interface ResolvedNames {
  readonly masked: string
  /** Offset of a placeholder → the name it stands for. */
  readonly names: ReadonlyMap<number, string>
  readonly parameters: readonly string[]
  readonly tasks: readonly string[]
  readonly problems: readonly ExpressionProblem[]
}

/** The variables that the checker knows instead of `tasks` and `parameters`, with their CEL types. */
export const VARIABLES = {
  taskS: 'map<string, string>',
  taskE: 'map<string, int>',
  taskO: 'map<string, map<string, string>>',
  parameterS: 'map<string, string>',
  parameterI: 'map<string, int>',
  parameterN: 'map<string, double>',
  parameterB: 'map<string, bool>',
  parameterJ: 'map<string, dyn>',
  run: 'map<string, string>',
  attempt: 'int',
  index: 'int',
  item: 'dyn',
  event: 'dyn',
} as const

/** Last letter of the `parameter?` variable that holds parameters of a type. */
export const PARAMETER_VARIABLE: Readonly<Record<ParameterType, keyof typeof VARIABLES>> = {
  string: 'parameterS',
  integer: 'parameterI',
  number: 'parameterN',
  boolean: 'parameterB',
  json: 'parameterJ',
}

/** Names that a text may start from, in the order in which they are suggested. */
export const ROOTS = ['parameters', 'tasks', 'run', 'item', 'index', 'attempt', 'event'] as const

const TASK_FIELDS = ['state', 'exitCode', 'outputs'] as const
const RUN_FIELDS = ['id', 'name', 'dag', 'scheduledTime'] as const
/** Variables of the checker that nobody writes: the stand-ins, and the library's own constants. */
const HIDDEN = new Set(['taskS', 'taskE', 'taskO', ...Object.values(PARAMETER_VARIABLE), 'google'])

/** Most wrong names of one expression that are reported. */
const PROBLEMS_MAX = 20

interface Scan {
  readonly text: string
  readonly scope: ExpressionScope
  /** One UTF-16 unit each. */
  readonly masked: string[]
  readonly names: Map<number, string>
  readonly parameters: Set<string>
  readonly tasks: Set<string>
  readonly problems: ExpressionProblem[]
}

/** Looks up every name of the text that the scope decides about, and says which of them it does not know. */
export function resolveNames(text: string, scope: ExpressionScope): ResolvedNames {
  const scan: Scan = {
    text,
    scope,
    masked: text.split(''),
    names: new Map(),
    parameters: new Set(),
    tasks: new Set(),
    problems: [],
  }
  let at = 0
  let afterDot = false
  while (at < text.length) {
    const { kind, end } = tokenAt(text, at)
    const called = text[skipSpace(text, end)] === '('
    const next = kind === 'word' && !afterDot && !called ? resolveRoot(scan, at, end) : end
    if (kind !== 'space') afterDot = kind === 'other' && text[at] === '.'
    at = next
  }
  const { masked, names, parameters, tasks, problems } = scan
  return { masked: masked.join(''), names, parameters: [...parameters], tasks: [...tasks], problems }
}

/** Resolves the path that starts with the word at `start`; the answer is where reading goes on. */
function resolveRoot(scan: Scan, start: number, end: number): number {
  const word = scan.text.slice(start, end)
  if (word === 'parameters') return resolveParameter(scan, start, end)
  if (word === 'tasks') return resolveTask(scan, start, end)
  if (word === 'run') return resolveRun(scan, end)
  const missing = missingRoot(word, scan.scope)
  if (missing !== null) report(scan, start, 'CEL_UNKNOWN_NAME', `${word} is ${missing}`, 'Use another name.')
  if (HIDDEN.has(word)) unknown(scan, start, 'name', word, ROOTS)
  if (word === 'cel' && !/^\.\s*bind\s*\(/.test(scan.text.slice(skipSpace(scan.text, end))))
    unknown(scan, start, 'name', word, ROOTS)
  return end
}

function missingRoot(word: string, scope: ExpressionScope): string | null {
  if ((word === 'item' || word === 'index') && !scope.item) return 'only known inside a fan-out'
  if (word === 'attempt' && !scope.attempt) return 'only known in env and args'
  if (word === 'event' && !scope.event) return 'only known in triggers'
  return null
}

function resolveParameter(scan: Scan, start: number, end: number): number {
  const { parameters } = scan.scope
  const step = readStep(scan.text, end, name => parameters.has(name))
  if (step === null || step === 'dynamic') return incomplete(scan, start, end, 'parameters', 'NAME', step)
  if (step.known) scan.parameters.add(step.name)
  else unknown(scan, step.start, 'parameter', step.name, parameters.keys())
  const type = parameters.get(step.name) ?? 'json'
  scan.masked[end - 1] = PARAMETER_VARIABLE[type].slice(-1)
  maskName(scan, step)
  return step.end
}

function resolveTask(scan: Scan, start: number, end: number): number {
  const { tasks } = scan.scope
  const step = readStep(scan.text, end, name => tasks.has(name))
  if (step === null || step === 'dynamic') return incomplete(scan, start, end, 'tasks', 'NAME', step)
  if (step.known) scan.tasks.add(step.name)
  else unknown(scan, step.start, 'task', step.name, tasks.keys())
  maskName(scan, step)

  const path = `tasks.${step.name}`
  const field = readStep(scan.text, step.end, name => TASK_FIELDS.some(known => known === name))
  if (field === null || field === 'dynamic')
    return incomplete(scan, start, step.end, path, 'state, .exitCode or .outputs.NAME', field)
  const outputs = tasks.get(step.name)
  if (!field.known) {
    const output = outputs?.includes(field.name) ? `outputs.${field.name}` : null
    unknown(scan, field.start, `field of ${path}`, field.name, TASK_FIELDS, output)
  }
  blank(scan, field)
  scan.masked[end - 1] = field.name === 'state' ? 'S' : field.name === 'exitCode' ? 'E' : 'O'
  if (field.name !== 'outputs') return field.end

  const output = readStep(scan.text, field.end, name => outputs?.includes(name) ?? false)
  if (output === null || output === 'dynamic') return field.end
  if (!output.known && outputs !== undefined)
    unknown(scan, output.start, `output of ${path}`, output.name, outputs)
  maskName(scan, output)
  return output.end
}

function resolveRun(scan: Scan, end: number): number {
  const step = readStep(scan.text, end, name => RUN_FIELDS.some(known => known === name))
  if (step === null || step === 'dynamic') return end
  if (!step.known) unknown(scan, step.start, 'field of run', step.name, RUN_FIELDS)
  maskName(scan, step)
  return step.end
}

/** One `.name` or `["name"]` of a path. */
interface Step {
  readonly name: string
  readonly known: boolean
  /** Of the dot or bracket. */
  readonly from: number
  /** Of the name itself. */
  readonly start: number
  readonly end: number
}

/** `null`: no name follows (or the name of a method); `dynamic`: an index that is not a plain text. */
function readStep(text: string, at: number, isKnown: (name: string) => boolean): Step | 'dynamic' | null {
  const from = skipSpace(text, at)
  if (text[from] === '[') return readIndex(text, from, isKnown)
  if (text[from] !== '.') return null
  const start = skipSpace(text, from + 1)
  const letters = /^[A-Za-z0-9_-]*/.exec(text.slice(start))?.[0] ?? ''
  for (let length = letters.length; length > 0; length--) {
    const name = letters.slice(0, length)
    if (/^[A-Za-z0-9_]/.test(letters.slice(length)) || !isKnown(name)) continue
    if (text[skipSpace(text, start + length)] === '(') return null
    return { name, known: true, from, start, end: start + length }
  }
  const after = text[start + letters.length]
  const name = after === '.' || after === '[' ? letters : (/^[A-Za-z0-9_]*/.exec(letters)?.[0] ?? '')
  if (name === '' || text[skipSpace(text, start + name.length)] === '(') return null
  return { name, known: false, from, start, end: start + name.length }
}

function readIndex(text: string, from: number, isKnown: (name: string) => boolean): Step | 'dynamic' {
  const quote = skipSpace(text, from + 1)
  const [quoted, , name] = /^(['"])([A-Za-z0-9_.-]+)\1/.exec(text.slice(quote)) ?? []
  if (quoted === undefined || name === undefined) return 'dynamic'
  const close = skipSpace(text, quote + quoted.length)
  if (text[close] !== ']') return 'dynamic'
  return { name, known: isKnown(name), from, start: quote + 1, end: close + 1 }
}

/** Writes `.____` over a step: the dot where the step began, the placeholder where the name was. */
function maskName(scan: Scan, step: Step): void {
  blank(scan, step)
  scan.masked[step.from] = '.'
  scan.masked.fill('_', step.start, step.start + step.name.length)
  scan.names.set(step.start, step.name)
}

function blank(scan: Scan, step: Step): void {
  scan.masked.fill(' ', step.from, step.end)
}

function incomplete(
  scan: Scan,
  start: number,
  end: number,
  path: string,
  wanted: string,
  step: 'dynamic' | null,
): number {
  if (step === 'dynamic') {
    const message = `the name after ${path} must be written out: which one is meant has to be known before the run`
    report(scan, skipSpace(scan.text, end), 'CEL_DYNAMIC_NAME', message, `Write ${path}.${wanted}.`)
  } else {
    report(scan, start, 'CEL_UNKNOWN_NAME', `${path} alone is not a value`, `Say which: ${path}.${wanted}.`)
  }
  return end
}

function unknown(
  scan: Scan,
  offset: number,
  what: string,
  name: string,
  known: Iterable<string>,
  meant: string | null = null,
): void {
  if (scan.problems.length >= PROBLEMS_MAX) return
  const names = [...known]
  const guess = meant ?? nearest(name, names)
  const some = names.slice(0, 8).join(', ') + (names.length > 8 ? ', …' : '')
  report(
    scan,
    offset,
    'CEL_UNKNOWN_NAME',
    `there is no ${what} called ${name}${guess === null ? '' : `; did you mean ${guess}?`}`,
    names.length === 0 ? `Declare ${name}, or do not use it.` : `Use one of: ${some}.`,
  )
}

function report(scan: Scan, offset: number, code: ProblemCode, message: string, fix: string): void {
  scan.problems.push({ code, severity: 'error', path: [], message, fix, offset })
}
