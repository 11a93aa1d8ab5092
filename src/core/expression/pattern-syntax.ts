import { ValueError } from './meter.ts'

/** Longest pattern of `matches()`, in UTF-16 units. */
export const PATTERN_LENGTH_MAX = 500
/** Deepest nesting of groups in a pattern. */
export const PATTERN_DEPTH_MAX = 30
/** Largest count in `{n,m}`. */
export const REPEAT_MAX = 1_000

/** The syntax tree of a pattern, in RE2's subset of regular expressions: no back-references, no look-around. */
export type PatternNode =
  | { readonly kind: 'set'; readonly ranges: readonly CodeRange[]; readonly negated: boolean }
  | { readonly kind: 'assert'; readonly where: 'start' | 'end' | 'word' | 'notWord' }
  | { readonly kind: 'sequence'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'choice'; readonly parts: readonly PatternNode[] }
  | {
      readonly kind: 'repeat'
      readonly of: PatternNode
      readonly least: number
      readonly most: number | null
    }

/** First and last code point, both included. */
export type CodeRange = readonly [first: number, last: number]

export interface ParsedPattern {
  readonly node: PatternNode
  readonly ignoreCase: boolean
}

const DIGIT: readonly CodeRange[] = [[48, 57]]
const UPPER: readonly CodeRange[] = [[65, 90]]
const LOWER: readonly CodeRange[] = [[97, 122]]
const SPACE: readonly CodeRange[] = [
  [9, 10],
  [12, 13],
  [32, 32],
]
const WORD: readonly CodeRange[] = [...DIGIT, ...UPPER, ...LOWER, [95, 95]]
const CLASSES: Readonly<Record<string, readonly CodeRange[]>> = { d: DIGIT, w: WORD, s: SPACE }
const POSIX: Readonly<Record<string, readonly CodeRange[]>> = {
  alpha: [...UPPER, ...LOWER],
  alnum: [...DIGIT, ...UPPER, ...LOWER],
  digit: DIGIT,
  lower: LOWER,
  space: [...SPACE, [11, 11]],
  upper: UPPER,
  word: WORD,
  xdigit: [...DIGIT, [65, 70], [97, 102]],
}
const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, a: 7 }
const LAST_CODE = 0x10ffff

interface Reader {
  readonly text: string
  at: number
  depth: number
  readonly dotAll: boolean
}

/** Reads a pattern. @throws {ValueError} It is not one, or too large; the message says what and where. */
export function parsePattern(pattern: string): ParsedPattern {
  if (pattern.length > PATTERN_LENGTH_MAX)
    throw new ValueError(`the pattern is longer than ${PATTERN_LENGTH_MAX} characters`)
  const flags = /^\(\?([is]+)\)/.exec(pattern)
  const reader: Reader = {
    text: pattern,
    at: flags?.[0].length ?? 0,
    depth: 0,
    dotAll: flags?.[1]?.includes('s') ?? false,
  }
  const node = readChoice(reader)
  if (reader.at < pattern.length) fail(reader, 'a ) without its (')
  return { node, ignoreCase: flags?.[1]?.includes('i') ?? false }
}

function readChoice(reader: Reader): PatternNode {
  reader.depth += 1
  if (reader.depth > PATTERN_DEPTH_MAX) fail(reader, `groups nested more than ${PATTERN_DEPTH_MAX} deep`)
  const parts = [readSequence(reader)]
  while (reader.text[reader.at] === '|') {
    reader.at += 1
    parts.push(readSequence(reader))
  }
  reader.depth -= 1
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'choice', parts }
}

function readSequence(reader: Reader): PatternNode {
  const parts: PatternNode[] = []
  while (reader.at < reader.text.length && !'|)'.includes(reader.text[reader.at] ?? '')) {
    parts.push(readRepeat(reader, readAtom(reader)))
  }
  return { kind: 'sequence', parts }
}

function readRepeat(reader: Reader, of: PatternNode): PatternNode {
  const count = /^(?:[*+?]|\{(\d+)(,?)(\d*)\})/.exec(reader.text.slice(reader.at, reader.at + 20))
  if (count === null) return of
  const [sign, first, comma, second] = count
  const least = sign === '+' ? 1 : Number(first ?? 0)
  const most = sign === '?' ? 1 : comma === '' ? least : second ? Number(second) : null
  if (least > REPEAT_MAX || (most !== null && (most > REPEAT_MAX || most < least)))
    fail(reader, `a bad count ${sign} (0 to ${REPEAT_MAX})`)
  reader.at += sign.length
  // Whether a repetition is lazy decides what it matches, never whether it does.
  if (reader.text[reader.at] === '?') reader.at += 1
  if (/^[*+?]/.test(reader.text.slice(reader.at))) fail(reader, 'a repetition of a repetition')
  return { kind: 'repeat', of, least, most }
}

function readAtom(reader: Reader): PatternNode {
  const code = reader.text.codePointAt(reader.at) ?? 0
  const letter = String.fromCodePoint(code)
  switch (letter) {
    case '(':
      return readGroup(reader)
    case '[':
      return readClass(reader)
    case '\\':
      return readEscape(reader)
    case '*':
    case '+':
    case '?':
      return fail(reader, `nothing before ${letter} that it could repeat`)
  }
  reader.at += letter.length
  if (letter === '^') return { kind: 'assert', where: 'start' }
  if (letter === '$') return { kind: 'assert', where: 'end' }
  if (letter !== '.') return { kind: 'set', ranges: [[code, code]], negated: false }
  return { kind: 'set', ranges: reader.dotAll ? [] : [[10, 10]], negated: true }
}

function readGroup(reader: Reader): PatternNode {
  const open = reader.at
  const head = /^\((?:\?:|\?P?<[A-Za-z_]\w*>)?/.exec(reader.text.slice(open))?.[0] ?? '('
  if (head === '(' && reader.text[open + 1] === '?')
    fail(reader, 'a group of a kind that is not supported (look-around, flags inside)')
  reader.at += head.length
  const node = readChoice(reader)
  if (reader.text[reader.at] !== ')') {
    reader.at = open
    fail(reader, 'a ( without its )')
  }
  reader.at += 1
  return node
}

function readEscape(reader: Reader): PatternNode {
  const letter = reader.text[reader.at + 1] ?? ''
  const where = ({ b: 'word', B: 'notWord', A: 'start', z: 'end' } as const)[letter]
  if (where !== undefined) {
    reader.at += 2
    return { kind: 'assert', where }
  }
  const named = CLASSES[letter.toLowerCase()]
  if (named !== undefined) {
    reader.at += 2
    return { kind: 'set', ranges: named, negated: letter !== letter.toLowerCase() }
  }
  const code = readCode(reader)
  return { kind: 'set', ranges: [[code, code]], negated: false }
}

function readClass(reader: Reader): PatternNode {
  const open = reader.at
  reader.at += 1
  const negated = reader.text[reader.at] === '^'
  if (negated) reader.at += 1
  const ranges: CodeRange[] = []
  const first = reader.at
  while (reader.text[reader.at] !== ']' || reader.at === first) {
    if (reader.at >= reader.text.length) {
      reader.at = open
      fail(reader, 'a [ without its ]')
    }
    ranges.push(...readClassItem(reader))
  }
  reader.at += 1
  return { kind: 'set', ranges, negated }
}

function readClassItem(reader: Reader): readonly CodeRange[] {
  const rest = reader.text.slice(reader.at)
  const posix = /^\[:(\w+):\]/.exec(rest)
  if (posix !== null) {
    const ranges = POSIX[posix[1] ?? ''] ?? fail(reader, `an unknown class ${posix[0]}`)
    reader.at += posix[0].length
    return ranges
  }
  const escape = /^\\([dwsDWS])/.exec(rest)?.[1]
  if (escape !== undefined) {
    reader.at += 2
    const ranges = CLASSES[escape.toLowerCase()] ?? []
    return escape === escape.toLowerCase() ? ranges : complement(ranges)
  }
  const first = readCode(reader)
  if (reader.text[reader.at] !== '-' || reader.text[reader.at + 1] === ']') return [[first, first]]
  reader.at += 1
  if (reader.at >= reader.text.length) return [[first, first]]
  const last = readCode(reader)
  if (last < first) fail(reader, 'a range that ends before it begins')
  return [[first, last]]
}

function complement(ranges: readonly CodeRange[]): readonly CodeRange[] {
  const outside: CodeRange[] = []
  let next = 0
  for (const [first, last] of ranges.toSorted((a, b) => a[0] - b[0])) {
    if (first > next) outside.push([next, first - 1])
    next = last + 1
  }
  return [...outside, [next, LAST_CODE]]
}

/** One character, written as it is or by an escape. */
function readCode(reader: Reader): number {
  const code = reader.text.codePointAt(reader.at) ?? 0
  if (code !== 92) {
    reader.at += code > 0xffff ? 2 : 1
    return code
  }
  const escaped = reader.text.slice(reader.at + 1)
  const hex = /^x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})/.exec(escaped)
  if (hex !== null) {
    const value = Number.parseInt(hex[1] ?? hex[2] ?? '', 16)
    if (value > LAST_CODE) fail(reader, 'a character beyond Unicode')
    reader.at += 1 + hex[0].length
    return value
  }
  const letter = escaped[0] ?? fail(reader, 'a \\ at the end')
  if (CONTROLS[letter] === undefined && /[A-Za-z0-9]/.test(letter))
    fail(reader, `an unsupported escape \\${letter}`)
  const value = CONTROLS[letter] ?? escaped.codePointAt(0) ?? 0
  reader.at += value > 0xffff ? 3 : 2
  return value
}

function fail(reader: Reader, what: string): never {
  throw new ValueError(`the pattern has ${what} at character ${reader.at + 1}`)
}
