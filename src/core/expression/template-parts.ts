import { tokenAt } from './tokens.ts'

/** A stretch of a text with templates: literal text (escapes undone), or the CEL between `${{` and `}}`. */
export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'expression'; readonly text: string; readonly offset: number }
  /** A `${{` that nothing ends; `offset` is where it stands. */
  | { readonly kind: 'unterminated'; readonly offset: number }

/**
 * Cuts a text at its `${{ … }}`. A `}}` inside a CEL string or map literal does not end a template; `$${{` stands
 * for a literal `${{`.
 */
export function templateParts(text: string): readonly TemplatePart[] {
  const parts: TemplatePart[] = []
  let literal = ''
  let at = 0
  for (;;) {
    const open = text.indexOf('${{', at)
    if (open === -1) break
    if (open > at && text[open - 1] === '$') {
      literal += `${text.slice(at, open - 1)}\${{`
      at = open + 3
      continue
    }
    literal += text.slice(at, open)
    if (literal !== '') parts.push({ kind: 'text', text: literal })
    literal = ''
    const close = templateEnd(text, open + 3)
    if (close === -1) return [...parts, { kind: 'unterminated', offset: open }]
    parts.push({ kind: 'expression', text: text.slice(open + 3, close), offset: open + 3 })
    at = close + 2
  }
  literal += text.slice(at)
  return literal === '' ? parts : [...parts, { kind: 'text', text: literal }]
}

/** Where the `}}` of a template stands; the nearest one when quotes or braces inside do not pair; -1 without any. */
function templateEnd(text: string, start: number): number {
  const naive = text.indexOf('}}', start)
  if (naive === -1) return -1
  let depth = 0
  for (let at = start; at < text.length; ) {
    if (depth === 0 && text.startsWith('}}', at)) return at
    if (text[at] === '{') depth += 1
    if (text[at] === '}') depth -= 1
    // A comment would hide the end of the template, so `//` counts as two plain characters here.
    const token = tokenAt(text, at)
    if (!token.closed || depth < 0) return naive
    at =
      token.kind === 'space' && text[at] === '/'
        ? at + 1
        : Math.min(token.end, nextComment(text, at, token.end))
  }
  return naive
}

function nextComment(text: string, at: number, end: number): number {
  const slash = text.slice(at, end).search(/(?<=[ \t\n\r])\/\//)
  return slash === -1 ? end : at + slash
}
