import type { Problem } from '../core/problem.ts'
import { PROBLEM_CODES } from '../core/problem-codes.ts'
import type { Input } from './read.ts'

/** Longest piece of a line that an excerpt shows. */
const EXCERPT_LENGTH_MAX = 120

/** Where the texts are for excerpts; problems of a text that is not there are shown without. */
export interface ReportOptions {
  readonly inputs?: readonly Input[]
  /** Wraps words for a terminal; nothing is coloured without it. */
  readonly paint?: (style: 'error' | 'warning' | 'fix' | 'excerpt', text: string) => string
}

/**
 * Problems as text: `file:line:column: error CODE: message`, the line with a caret, and what to do. A line of a Secret
 * is never shown.
 */
export function problemsAsText(problems: readonly Problem[], options: ReportOptions = {}): string {
  const paint = options.paint ?? ((_style, text) => text)
  const texts = new Map(options.inputs?.map(({ name, text }) => [name, text]))
  let report = ''
  for (const problem of problems) {
    const { at, severity } = problem
    const place = at === undefined ? '' : `${oneLine(at.file)}:${at.line}:${at.column}: `
    report += `${place}${paint(severity, `${severity} ${problem.code}`)}: ${oneLine(problem.message)}\n`
    const excerpt = at === undefined ? null : excerptOf(texts.get(at.file), at.line, at.column)
    if (excerpt !== null) report += `${paint('excerpt', excerpt)}\n`
    report += `  ${paint('fix', 'fix:')} ${oneLine(problem.fix)}\n`
  }
  return report
}

/** Problems as JSON: one object with the list, its members named as in {@link Problem}. */
export function problemsAsJson(problems: readonly Problem[]): string {
  return `${JSON.stringify({ problems }, null, 2)}\n`
}

/** Problems as SARIF 2.1.0, as code hosts read it. */
export function problemsAsSarif(problems: readonly Problem[], version: string): string {
  const codes = [...new Set(problems.map(({ code }) => code))].toSorted()
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'kontroler',
            version,
            rules: codes.map(code => ({ id: code, shortDescription: { text: meaningOf(code) } })),
          },
        },
        columnKind: 'utf16CodeUnits',
        results: problems.map(problem => ({
          ruleId: problem.code,
          ruleIndex: codes.indexOf(problem.code),
          level: problem.severity,
          message: { text: `${problem.message}. Fix: ${problem.fix}` },
          ...(problem.at === undefined ? {} : { locations: [location(problem.at)] }),
        })),
      },
    ],
  }
  return `${JSON.stringify(log, null, 2)}\n`
}

function meaningOf(code: string): string {
  const codes: Readonly<Record<string, string>> = PROBLEM_CODES
  return codes[code] ?? code
}

function location(at: NonNullable<Problem['at']>): object {
  const uri = at.file === '-' ? 'stdin' : at.file.split('/').map(encodeURIComponent).join('/')
  return {
    physicalLocation: {
      artifactLocation: { uri },
      region: { startLine: at.line, startColumn: at.column },
    },
  }
}

/** The line with a caret under the column, both in a gutter; null when there is nothing to show, or must not be. */
function excerptOf(text: string | undefined, line: number, column: number): string | null {
  if (text === undefined) return null
  const lines = text.split('\n')
  const full = (lines[line - 1] ?? '').replace(/\r$/, '')
  if (full.trim() === '' || isInSecret(lines, line)) return null
  // Of a long line, the piece around the column.
  const from = column <= EXCERPT_LENGTH_MAX ? 0 : column - EXCERPT_LENGTH_MAX / 2
  const piece = printable(full.slice(from, from + EXCERPT_LENGTH_MAX))
  const before = printable(full.slice(from, Math.min(column - 1, full.length)))
  const gutter = String(line)
  const caret = `${before.replace(/[^\t]/g, ' ')}^`
  return `  ${gutter} | ${piece}\n  ${' '.repeat(gutter.length)} | ${caret}`
}

function oneLine(text: string): string {
  return printable(text.replace(/[\r\n\t]+/g, ' '))
}

/** Control characters could rewrite a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, character => (character === '\t' ? character : '\uFFFD'))
}

/** Whether a line is part of a document that holds, or seems to hold, a Secret. */
function isInSecret(lines: readonly string[], line: number): boolean {
  const isBorder = (text: string): boolean => /^---(?:\s|$)/.test(text)
  let from = line - 1
  while (from > 0 && !isBorder(lines[from] ?? '')) from -= 1
  let to = line
  while (to < lines.length && !isBorder(lines[to] ?? '')) to += 1
  return lines.slice(from, to).some(text => /\bkind["']?\s*:\s*["']?Secret/.test(text))
}
