import type { Checked, Problem } from '../problem.ts'
import { nearest } from '../nearest.ts'
import { checkDsl } from './dsl-check.ts'
import { readTaskFields } from './dsl-fields.ts'
import {
  type DslReader,
  expect,
  fail,
  isName,
  nameOf,
  next,
  peek,
  problemAt,
  recover,
  Stop,
} from './dsl-reader.ts'
import { DSL_PROBLEMS_MAX, type DslToken, dslTokens } from './dsl-tokens.ts'

/** A DAG written in the arrow language, as it stands in the text: nothing but names and edges has been checked. */
export interface DslDag {
  /** `null` when there is none, or an empty one. */
  readonly schedule: string | null
  readonly parameters: readonly DslParameter[]
  readonly tasks: readonly DslTask[]
  /** Each pair once, in the order of the text. */
  readonly edges: readonly DslEdge[]
}

export interface DslParameter extends DslPlace {
  readonly name: string
  /** Exactly one of `default` and `defaultFromSecret` is there. */
  readonly default?: string
  /** Name of the Secret. */
  readonly defaultFromSecret?: string
}

export interface DslTask extends DslPlace {
  readonly name: string
  readonly image?: string
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly script?: string
  /** Names of parameters that the task gets as environment variables. */
  readonly parameters?: readonly string[]
  /** Retry on these exit codes only; absent: on any. */
  readonly retryCodes?: readonly number[]
  /** Number of retries; 3 when the text does not say. */
  readonly backoff: number
  readonly env?: readonly { readonly name: string; readonly value: string }[]
  readonly outputs?: readonly string[]
  /** CEL text. */
  readonly when?: string
  /** CEL text that gives a list. */
  readonly forEach?: string
  readonly triggerRule?: string
  /** Durations as they are written: `90s`, `1h30m`. */
  readonly timeout?: string
  readonly pendingTimeout?: string
  readonly allowFailure?: boolean
}

/** `to` runs after `from`; the place is that of `to`. */
export interface DslEdge extends DslPlace {
  readonly from: string
  readonly to: string
}

/** Where it is in the text; both count from 1, columns in UTF-16 units. */
export interface DslPlace {
  readonly line: number
  readonly column: number
}

/** Longest text, in UTF-16 units. */
export const DSL_LENGTH_MAX = 1_048_576
/** Most edges of one text; `{…} -> {…}` makes them quickly. */
export const DSL_EDGES_MAX = 250_000

const ITEMS = ['schedule', 'parameters', 'graph', 'task', 'param', 'secret'] as const

/**
 * Reads the arrow language. After a mistake it goes on at the next item, so all mistakes show at once; their places are
 * relative to the text, with an empty file name.
 *
 * @example parseDsl('task a { script "true" } task b { script "true" } graph { a -> b }')
 */
export function parseDsl(text: string): Checked<DslDag> {
  if (text.length > DSL_LENGTH_MAX) {
    const message = `the text is ${text.length} characters long; ${DSL_LENGTH_MAX} are allowed`
    return {
      ok: false,
      problems: [problemAt({ line: 1, column: 1 }, 'DSL_TOO_LARGE', message, 'Split the DAG.')],
    }
  }
  const { tokens, faults } = dslTokens(text)
  const reader: DslReader = { tokens, at: 0, problems: [], warnings: [] }
  for (const fault of faults) reader.problems.push(problemAt(fault, 'DSL_SYNTAX', fault.message, fault.fix))
  const draft: Draft = { schedule: null, parameters: [], tasks: [], edges: [], names: [], seen: new Map() }
  while (peek(reader).kind !== 'end' && reader.problems.length < DSL_PROBLEMS_MAX) {
    const start = reader.at
    try {
      readItem(reader, draft)
    } catch (error) {
      recover(reader, error, start, tokens[start]?.depth ?? 0, ITEMS)
    }
  }
  const problems = [...reader.problems, ...checkDsl(draft)]
  if (problems.length > 0) return { ok: false, problems: inOrder(problems).slice(0, DSL_PROBLEMS_MAX) }
  const { schedule, parameters, tasks, edges } = draft
  const value: DslDag = {
    schedule: schedule === '' ? null : schedule,
    parameters,
    tasks: tasks.map(({ parameterTokens: _, ...task }) => task),
    edges: distinct(edges),
  }
  return { ok: true, value, warnings: inOrder(reader.warnings).slice(0, DSL_PROBLEMS_MAX) }
}

/** What has been read so far. */
export interface Draft {
  schedule: string | null
  parameters: DslParameter[]
  readonly tasks: (DslTask & { readonly parameterTokens: readonly DslToken[] })[]
  edges: DslEdge[]
  /** Every mention of a task in the graph. */
  names: DslToken[]
  /** Blocks that may stand once → where the first one is. */
  readonly seen: Map<string, DslToken>
}

function readItem(reader: DslReader, draft: Draft): void {
  const token = next(reader)
  switch (itemWord(reader, token)) {
    case 'schedule':
      isRepeated(reader, draft, token)
      draft.schedule = expect(reader, 'string', 'the schedule in double quotes').text
      return
    case 'parameters':
      if (isRepeated(reader, draft, token)) draft.parameters = []
      return readParameters(reader, draft)
    case 'param':
    case 'secret':
      return readParameter(reader, draft, token)
    case 'graph':
      if (isRepeated(reader, draft, token)) {
        draft.edges = []
        draft.names = []
      }
      return readGraph(reader, draft)
    case 'task':
      return readTask(reader, draft)
  }
}

/** The word that an item begins with; a misspelt one is noted and then read as what was probably meant. */
function itemWord(reader: DslReader, token: DslToken): (typeof ITEMS)[number] {
  const word = token.kind === 'name' ? ITEMS.find(item => item === token.text) : undefined
  if (word !== undefined) return word
  const wanted = 'Begin with schedule, parameters, graph or task.'
  if (token.kind !== 'name')
    fail(token, `expected schedule, parameters, graph or task, found ${nameOf(token)}`, wanted)
  const near = nearest(token.text, ITEMS)
  const guess = ITEMS.find(item => item === near)
  const hint = guess === undefined ? '' : `; did you mean ${guess}?`
  const problem = problemAt(token, 'DSL_UNKNOWN_FIELD', `there is no ${token.text} here${hint}`, wanted)
  if (guess === undefined) throw new Stop(problem)
  reader.problems.push(problem)
  return guess
}

/** Of blocks that may stand once the last one counts; the one before it is worth a warning. */
function isRepeated(reader: DslReader, draft: Draft, token: DslToken): boolean {
  const before = draft.seen.get(token.text)
  draft.seen.set(token.text, token)
  if (before === undefined) return false
  const message = `${token.text} stands twice; this one counts, not the one on line ${before.line}`
  reader.warnings.push({
    ...problemAt(token, 'DSL_REPEATED', message, 'Remove one of them.'),
    severity: 'warning',
  })
  return true
}

function readParameters(reader: DslReader, draft: Draft): void {
  const open = expect(reader, '{', '{ after parameters')
  while (peek(reader).kind !== '}') {
    const start = reader.at
    try {
      readParameter(reader, draft, next(reader, open))
    } catch (error) {
      if (!recover(reader, error, start, open.depth + 1, null)) return
    }
  }
  next(reader)
}

/** `NAME { … }`, and as the README of Kontroler writes it: `param "NAME" { … }` and `secret "NAME"`. */
function readParameter(reader: DslReader, draft: Draft, first: DslToken): void {
  const word = first.kind === 'name' && isName(peek(reader)) ? first.text : null
  const name = word === 'param' || word === 'secret' ? next(reader) : first
  if (!isName(name))
    fail(name, `expected the name of a parameter, found ${nameOf(name)}`, 'Write NAME { default "…" }.')
  const { line, column } = name
  if (word === 'secret' && peek(reader).kind !== '{') {
    draft.parameters.push({ name: name.text, defaultFromSecret: name.text, line, column })
    return
  }
  const open = expect(reader, '{', `{ after the parameter ${name.text}`)
  const defaults: { default?: string; defaultFromSecret?: string } = {}
  while (peek(reader).kind !== '}') {
    const key = next(reader, open)
    const field = key.text === 'secret' ? 'defaultFromSecret' : key.text
    if (key.kind !== 'name' || (field !== 'default' && field !== 'defaultFromSecret')) {
      const guess = nearest(key.text, ['default', 'defaultFromSecret'])
      const message = `a parameter has no ${nameOf(key)}${guess === null ? '' : `; did you mean ${guess}?`}`
      fail(key, message, 'Use default or defaultFromSecret.', 'DSL_UNKNOWN_FIELD')
    }
    const value = next(reader, open)
    if (!['string', 'integer', 'name'].includes(value.kind) || (value.kind === 'name' && !isBoolean(value)))
      fail(
        value,
        `expected a text after ${key.text}, found ${nameOf(value)}`,
        'Put the text in double quotes.',
      )
    defaults[field] = value.text
    if (peek(reader).kind === ',') next(reader)
  }
  next(reader)
  draft.parameters.push({ name: name.text, ...defaults, line, column })
}

function isBoolean(token: DslToken): boolean {
  return token.text === 'true' || token.text === 'false'
}

function readTask(reader: DslReader, draft: Draft): void {
  const name = next(reader)
  if (!isName(name))
    fail(name, `expected the name of a task, found ${nameOf(name)}`, 'Write task NAME { … }.')
  const open = expect(reader, '{', `{ after the task ${name.text}`)
  const fields = readTaskFields(reader, name, open)
  const { line, column } = name
  draft.tasks.push({ name: name.text, backoff: 3, ...fields, line, column })
}

/** Statements are chains of names and groups: `a -> b -> { c, d }`, or a name alone. */
function readGraph(reader: DslReader, draft: Draft): void {
  const open = expect(reader, '{', '{ after graph')
  while (peek(reader).kind !== '}') {
    const start = reader.at
    try {
      readChain(reader, draft, open)
    } catch (error) {
      if (!recover(reader, error, start, open.depth + 1, null)) return
    }
  }
  next(reader)
}

function readChain(reader: DslReader, draft: Draft, open: DslToken): void {
  let sources = readGroup(reader, draft, open)
  while (peek(reader).kind === '->') {
    next(reader)
    const targets = readGroup(reader, draft, open)
    if (draft.edges.length + sources.length * targets.length > DSL_EDGES_MAX)
      fail(
        targets[0] ?? open,
        `the graph has more than ${DSL_EDGES_MAX} arrows`,
        'Split the DAG.',
        'DSL_TOO_LARGE',
      )
    for (const from of sources)
      for (const to of targets)
        draft.edges.push({ from: from.text, to: to.text, line: to.line, column: to.column })
    sources = targets
  }
  if (peek(reader).kind === ',') next(reader)
}

function readGroup(reader: DslReader, draft: Draft, graph: DslToken): readonly DslToken[] {
  const first = next(reader, graph)
  if (isName(first)) {
    draft.names.push(first)
    return [first]
  }
  if (first.kind !== '{')
    fail(first, `expected the name of a task or {, found ${nameOf(first)}`, 'Write a -> b or a -> { b, c }.')
  const names: DslToken[] = []
  for (;;) {
    const name = next(reader, first)
    if (name.kind === '}' && names.length > 0) break
    if (!isName(name)) fail(name, `expected the name of a task, found ${nameOf(name)}`, 'Write { a, b }.')
    names.push(name)
    const after = next(reader, first)
    if (after.kind === '}') break
    if (after.kind !== ',')
      fail(after, `expected , or }, found ${nameOf(after)}`, 'Put commas between the names.')
  }
  draft.names.push(...names)
  return names
}

function distinct(edges: readonly DslEdge[]): readonly DslEdge[] {
  const seen = new Set<string>()
  return edges.filter(({ from, to }) => {
    // No name holds a line break followed by an arrow, so the key is unambiguous.
    const key = `${from}\n->${to}`
    const first = !seen.has(key)
    seen.add(key)
    return first
  })
}

function inOrder(problems: readonly Problem[]): readonly Problem[] {
  const place = ({ at }: Problem): number => (at?.line ?? 0) * 1e7 + (at?.column ?? 0)
  return problems.toSorted((a, b) => place(a) - place(b))
}
