/** What a stretch of a CEL text is, as far as finding names and the end of a template needs to know. */
export type TokenKind = 'space' | 'string' | 'number' | 'word' | 'other'

export interface Token {
  readonly kind: TokenKind
  readonly end: number
  /** False for a string without its closing quote: it reaches to the end of the text. */
  readonly closed: boolean
}

/** The token of a CEL text that starts at `at`: blanks and comments are one `space`, everything else is short. */
export function tokenAt(text: string, at: number): Token {
  const spaceEnd = skipSpace(text, at)
  if (spaceEnd > at) return { kind: 'space', end: spaceEnd, closed: true }
  const quoteAt = /^[rRbB]['"]/.test(text.slice(at, at + 2)) ? at + 1 : at
  const quote = text[quoteAt]
  if (quote === '"' || quote === "'") return stringAt(text, quoteAt, quote)
  const word = run(/[A-Za-z_][A-Za-z0-9_]*/y, text, at)
  if (word > 0) return { kind: 'word', end: at + word, closed: true }
  const number = run(/[0-9][A-Za-z0-9_]*(?:\.[0-9]+)?/y, text, at)
  if (number > 0) return { kind: 'number', end: at + number, closed: true }
  return { kind: 'other', end: at + 1, closed: true }
}

/** Where blanks and `//` comments that start at `at` end. */
export function skipSpace(text: string, at: number): number {
  return at + run(/(?:[ \t\n\r]|\/\/[^\n]*)*/y, text, at)
}

/** Length of what a sticky pattern finds at a place; 0 for nothing. */
function run(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0].length ?? 0
}

function stringAt(text: string, at: number, quote: string): Token {
  const triple = text.startsWith(quote.repeat(3), at)
  const close = triple ? quote.repeat(3) : quote
  for (let index = at + close.length; index < text.length; index++) {
    if (text[index] === '\\') index++
    else if (text.startsWith(close, index)) return { kind: 'string', end: index + close.length, closed: true }
    else if (!triple && text[index] === '\n') break
  }
  return { kind: 'string', end: text.length, closed: false }
}
