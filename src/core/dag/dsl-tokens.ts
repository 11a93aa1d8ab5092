/** Most problems that are reported at once; after so many the rest of a text is not read. */
export const DSL_PROBLEMS_MAX = 100

/** A token of the arrow language, with the place where it starts. */
export interface DslToken {
  readonly kind: 'name' | 'string' | 'integer' | '->' | '{' | '}' | '[' | ']' | ',' | 'end'
  /** The name, the digits, or what the string stands for. */
  readonly text: string
  readonly line: number
  readonly column: number
  /** Number of `{` that are open before this token. */
  readonly depth: number
}

export interface DslFault {
  readonly line: number
  readonly column: number
  readonly message: string
  readonly fix: string
}

interface Lexer {
  readonly text: string
  at: number
  line: number
  /** Offset of the first character of the line. */
  lineStart: number
  /** Offset of the next line break, so that a long line is not searched for it again and again. */
  lineEnd: number
  depth: number
  readonly tokens: DslToken[]
  readonly faults: DslFault[]
}

const NAME = /[A-Za-z_](?:[A-Za-z0-9_]|-(?!>))*/y
const INTEGER = /[0-9]+/y
const SPACE = /(?:[ \t\r\n\f\v\u00a0\ufeff]|\/\/[^\n]*|#[^\n]*)+/y
const NOT_A_TOKEN = /[^A-Za-z0-9_"{}[\],\s]/y
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '"': '"', '\\': '\\' }

/** Cuts a text into tokens; the last one is `end`. What is no token is said once and passed over. */
export function dslTokens(text: string): {
  readonly tokens: readonly DslToken[]
  readonly faults: readonly DslFault[]
} {
  const lexer: Lexer = {
    text,
    at: 0,
    line: 1,
    lineStart: 0,
    lineEnd: breakAfter(text, 0),
    depth: 0,
    tokens: [],
    faults: [],
  }
  for (;;) {
    advance(lexer, matchLength(SPACE, lexer))
    if (lexer.at >= text.length || lexer.faults.length >= DSL_PROBLEMS_MAX) break
    readToken(lexer)
  }
  push(lexer, 'end', '', 0)
  return { tokens: lexer.tokens, faults: lexer.faults }
}

function readToken(lexer: Lexer): void {
  const { text, at } = lexer
  const letter = text[at] ?? ''
  if (text.startsWith('"""', at)) return readBlock(lexer)
  if (letter === '"') return readString(lexer)
  if (text.startsWith('->', at)) return push(lexer, '->', '->', 2)
  switch (letter) {
    case '{':
      push(lexer, '{', letter, 1)
      lexer.depth += 1
      return
    case '}':
      push(lexer, '}', letter, 1)
      lexer.depth = Math.max(0, lexer.depth - 1)
      return
    case '[':
    case ']':
    case ',':
      return push(lexer, letter, letter, 1)
  }
  const name = matchLength(NAME, lexer)
  if (name > 0) return push(lexer, 'name', text.slice(at, at + name), name)
  const digits = matchLength(INTEGER, lexer)
  if (digits > 0) return push(lexer, 'integer', text.slice(at, at + digits), digits)
  const letters = String.fromCodePoint(text.codePointAt(at) ?? 32)
  fault(
    lexer,
    `${JSON.stringify(letters)} means nothing here`,
    'Remove it, or put the text in double quotes.',
  )
  advance(lexer, letters.length)
  // A run of such characters (a sentence in another alphabet, say) is one mistake, not fifty.
  for (;;) {
    const more = matchLength(NOT_A_TOKEN, lexer)
    if (more === 0 || text.startsWith('->', lexer.at) || text[lexer.at] === '#' || text[lexer.at] === '/')
      return
    advance(lexer, more)
  }
}

/** `"…"`: may span lines; `\"`, `\\`, `\n`, `\t` and `\r` are escapes, any other backslash is itself. */
function readString(lexer: Lexer): void {
  const { text, at } = lexer
  let value = ''
  for (let index = at + 1; index < text.length; index++) {
    const letter = text[index] ?? ''
    if (letter === '"') return push(lexer, 'string', value, index + 1 - at)
    const escaped = letter === '\\' ? ESCAPES[text[index + 1] ?? ''] : undefined
    value += escaped ?? letter
    if (escaped !== undefined) index++
  }
  fault(lexer, 'the string has no closing quote', 'Add " at its end; inside a string write \\" for a quote.')
  const end = Math.min(lexer.lineEnd, text.length)
  push(lexer, 'string', text.slice(at + 1, end).trimEnd(), end - at)
}

/** `"""…"""`: nothing is escaped. */
function readBlock(lexer: Lexer): void {
  const { text, at } = lexer
  const close = text.indexOf('"""', at + 3)
  if (close === -1) fault(lexer, 'the """ has no """ after it', 'Add """ where the text ends.')
  const end = close === -1 ? text.length : close
  push(lexer, 'string', outdented(text.slice(at + 3, end)), Math.min(end + 3, text.length) - at)
}

/**
 * A block that begins on its own line loses that line break and the blanks that all its lines start with, so that a
 * script may be indented with the document and still begin with `#!`.
 */
function outdented(block: string): string {
  const firstBreak = /^[ \t]*\r?\n/.exec(block)?.[0]
  if (firstBreak === undefined) return block
  const lines = block.slice(firstBreak.length).split('\n')
  const last = lines.length - 1
  let indent = Number.POSITIVE_INFINITY
  for (const [index, line] of lines.entries()) {
    const blanks = /^[ \t]*/.exec(line)?.[0].length ?? 0
    // A line of blanks says nothing about the indentation, and the last one only holds the closing quotes.
    if (blanks < line.trimEnd().length) indent = Math.min(indent, blanks)
    else if (index === last) lines[index] = ''
  }
  return lines.map(line => line.slice(Math.min(indent, line.length))).join('\n')
}

function push(lexer: Lexer, kind: DslToken['kind'], text: string, length: number): void {
  const { line, depth } = lexer
  lexer.tokens.push({ kind, text, line, column: lexer.at - lexer.lineStart + 1, depth })
  advance(lexer, length)
}

function fault(lexer: Lexer, message: string, fix: string): void {
  lexer.faults.push({ line: lexer.line, column: lexer.at - lexer.lineStart + 1, message, fix })
}

function advance(lexer: Lexer, length: number): void {
  lexer.at += length
  while (lexer.lineEnd < lexer.at) {
    lexer.line += 1
    lexer.lineStart = lexer.lineEnd + 1
    lexer.lineEnd = breakAfter(lexer.text, lexer.lineStart)
  }
}

function breakAfter(text: string, at: number): number {
  const found = text.indexOf('\n', at)
  return found === -1 ? Number.POSITIVE_INFINITY : found
}

function matchLength(pattern: RegExp, lexer: Lexer): number {
  pattern.lastIndex = lexer.at
  return pattern.exec(lexer.text)?.[0].length ?? 0
}
