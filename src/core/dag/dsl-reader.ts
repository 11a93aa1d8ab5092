import type { ProblemCode } from '../problem-codes.ts'
import type { Problem } from '../problem.ts'
import type { DslToken } from './dsl-tokens.ts'

/** The tokens of a text, how far they are read, and what was found wrong on the way. */
export interface DslReader {
  readonly tokens: readonly DslToken[]
  at: number
  readonly problems: Problem[]
  readonly warnings: Problem[]
}

/** Ends the reading of one item; whoever reads the list of items notes the problem and goes on at the next one. */
export class Stop extends Error {
  readonly problem: Problem
  constructor(problem: Problem) {
    super(problem.message)
    this.problem = problem
  }
}

const END: DslToken = { kind: 'end', text: '', line: 1, column: 1, depth: 0 }

/** The token that comes next, `ahead` tokens further on. */
export function peek(reader: DslReader, ahead = 0): DslToken {
  return reader.tokens[reader.at + ahead] ?? reader.tokens.at(-1) ?? END
}

/**
 * Takes the next token. Inside a block, the end of the text or the start of a new item means that the block was not
 * closed.
 *
 * @param open  The `{` of the block that is being read.
 * @throws {Stop} The block is not closed.
 */
export function next(reader: DslReader, open?: DslToken): DslToken {
  const token = peek(reader)
  if (open !== undefined && (token.kind === 'end' || startsItem(reader))) {
    const message = `the { on line ${open.line}, column ${open.column} has no }`
    fail(token, message, 'Add the missing }.')
  }
  reader.at = Math.min(reader.at + 1, reader.tokens.length - 1)
  return token
}

/** Takes the next token, which has to be of a kind. @throws {Stop} It is not. */
export function expect(reader: DslReader, kind: DslToken['kind'], what: string): DslToken {
  const token = peek(reader)
  if (token.kind !== kind) fail(token, `expected ${what}, found ${nameOf(token)}`, `Write ${what}.`)
  return next(reader)
}

/** @throws {Stop} Always. */
export function fail(at: DslToken, message: string, fix: string, code: ProblemCode = 'DSL_SYNTAX'): never {
  throw new Stop(problemAt(at, code, message, fix))
}

/** Names may be put in quotes, as some examples do. */
export function isName(token: DslToken): boolean {
  return token.kind === 'name' || (token.kind === 'string' && token.text !== '')
}

/** How a message calls a token. */
export function nameOf(token: DslToken): string {
  if (token.kind === 'end') return 'the end'
  if (token.kind !== 'string') return token.text
  return JSON.stringify(token.text.length > 30 ? `${token.text.slice(0, 30)}…` : token.text)
}

export function problemAt(
  { line, column }: { readonly line: number; readonly column: number },
  code: ProblemCode,
  message: string,
  fix: string,
): Problem {
  return { code, severity: 'error', path: [], message, fix, at: { file: '', line, column } }
}

/**
 * Notes a mistake in an item that began at `start` and goes on at the next word that begins an item on this level, at
 * the `}` that ends the level, or at what is certainly a new item of the document.
 *
 * @param words  What begins an item; null for any name that is the first of its line.
 * @returns      Whether the level goes on. If not, it is over although nothing closed it.
 */
export function recover(
  reader: DslReader,
  error: unknown,
  start: number,
  depth: number,
  words: readonly string[] | null,
): boolean {
  if (!(error instanceof Stop)) throw error
  reader.problems.push(error.problem)
  if (!startsItem(reader)) reader.at = Math.max(reader.at, start + 1)
  for (; ; reader.at++) {
    const token = peek(reader)
    if (token.kind === 'end' || startsItem(reader) || token.depth < depth) return false
    if (token.depth > depth) continue
    if (token.kind === '}') return true
    if (words === null ? startsLine(reader) : token.kind === 'name' && words.includes(token.text)) return true
  }
}

function startsLine(reader: DslReader): boolean {
  const token = peek(reader)
  return isName(token) && peek(reader, -1).line < token.line && peek(reader, -1).kind !== '->'
}

/** `task NAME {` begins a task wherever it stands; the other items do at the start of a line. */
function startsItem(reader: DslReader): boolean {
  const token = peek(reader)
  if (token.kind !== 'name') return false
  const after = peek(reader, 1)
  if (token.text === 'task') return isName(after) && peek(reader, 2).kind === '{'
  if (token.column !== 1) return false
  if (token.text === 'graph' || token.text === 'parameters') return after.kind === '{'
  return token.text === 'schedule' && after.kind === 'string'
}
