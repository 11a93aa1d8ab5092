import type { Position, Problem } from '../core/problem.ts'
import type { ProblemCode } from '../core/problem-codes.ts'
import type { Json } from '../core/json.ts'

/** A text with a name, and where its lines start. */
export interface SourceText {
  readonly name: string
  readonly text: string
  readonly lineStarts: readonly number[]
}

/** Where a value stands in a text. Offsets count UTF-16 code units; -1 is "nowhere". */
export interface Mark {
  /** First character of the value, its quote included; of an empty value: -1. */
  readonly start: number
  /** First character of the key in front of the value; -1 in a list and at the root. */
  readonly key: number
  readonly scalar: ScalarMark | null
  readonly children: ReadonlyMap<string | number, Mark> | null
}

/** How a scalar's text maps to the source: `exact` one to one, `lines` line by line (a `|` block), else not at all. */
export interface ScalarMark {
  readonly mapping: 'exact' | 'lines' | 'none'
  /** Offset of the first character of the content. */
  readonly content: number
  /** Of a block: columns cut off at the start of each line. */
  readonly indent: number
  /** A plain scalar as it was typed; null for quoted ones and blocks. */
  readonly typed: string | null
}

/** One document of a text: its value and where everything in it stands. */
export interface SourceDocument {
  readonly source: SourceText
  readonly value: Json
  readonly mark: Mark
}

export interface Place {
  readonly line: number
  readonly column: number
}

export type Path = readonly (string | number)[]

/** A problem before it has a place. `on` says whether the key or the value is meant; the value by default. */
export interface Finding {
  readonly code: ProblemCode
  readonly severity?: 'error' | 'warning'
  readonly path: Path
  readonly message: string
  readonly fix: string
  readonly on?: 'key' | 'value'
  /** Offset in the text that the value is. */
  readonly offset?: number
  /** The same as line and column in that text, both from 1. */
  readonly place?: Place
}

export function sourceText(name: string, text: string): SourceText {
  const lineStarts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lineStarts.push(at + 1)
  return { name, text, lineStarts }
}

/** Line and column of an offset, both from 1. */
export function positionAt(source: SourceText, offset: number): Position {
  let low = 0
  let high = source.lineStarts.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((source.lineStarts[middle] ?? 0) <= offset) low = middle
    else high = middle - 1
  }
  return { file: source.name, line: low + 1, column: offset - (source.lineStarts[low] ?? 0) + 1 }
}

/** Gives a finding its place: the value or key it means, or the nearest thing around it that is there. */
export function placed(document: SourceDocument, finding: Finding): Problem {
  return {
    code: finding.code,
    severity: finding.severity ?? 'error',
    path: finding.path,
    message: bounded(finding.message),
    fix: bounded(finding.fix),
    at: positionAt(document.source, offsetOf(document, finding)),
  }
}

/** Names of any length come into messages. */
const MESSAGE_LENGTH_MAX = 500

function bounded(text: string): string {
  return text.length > MESSAGE_LENGTH_MAX ? `${text.slice(0, MESSAGE_LENGTH_MAX)}…` : text
}

/** The mark of a path; null when the document has nothing there. */
export function markAt(mark: Mark, path: Path): Mark | null {
  let here: Mark | undefined = mark
  for (const step of path) here = here?.children?.get(step)
  return here ?? null
}

/** Offset in the source of an offset in a scalar's text, as near as the way it was written allows. */
export function offsetInScalar(source: SourceText, mark: Mark, offset: number, value: string): number {
  const scalar = mark.scalar
  if (scalar === null) return mark.start
  if (scalar.mapping === 'exact') return scalar.content + offset
  if (scalar.mapping === 'none') return mark.start >= 0 ? mark.start : mark.key
  const before = value.slice(0, offset)
  const line = before.split('\n').length
  return offsetOfPlace(source, mark, { line, column: offset - before.lastIndexOf('\n') })
}

/** Offset in the source of a line and column of a scalar's text, as near as the way it was written allows. */
export function offsetOfPlace(source: SourceText, mark: Mark, { line, column }: Place): number {
  const scalar = mark.scalar
  if (scalar === null) return mark.start
  if (scalar.mapping === 'exact' && line === 1) return scalar.content + column - 1
  if (scalar.mapping !== 'lines') return mark.start >= 0 ? mark.start : mark.key
  const first = positionAt(source, scalar.content).line
  return (source.lineStarts[first + line - 2] ?? scalar.content) + scalar.indent + column - 1
}

function offsetOf(document: SourceDocument, finding: Finding): number {
  let mark = document.mark
  let around = -1
  for (const step of finding.path) {
    const child = mark.children?.get(step)
    if (child === undefined) return around >= 0 && mark.start < 0 ? around : keyOrStart(mark)
    around = keyOrStart(mark)
    mark = child
  }
  if ((finding.on === 'key' || mark.start < 0) && mark.key >= 0) return mark.key
  if (finding.place !== undefined) return offsetOfPlace(document.source, mark, finding.place)
  const value = finding.offset === undefined ? null : valueAt(document.value, finding.path)
  if (typeof value === 'string') return offsetInScalar(document.source, mark, finding.offset ?? 0, value)
  return mark.start >= 0 ? mark.start : Math.max(around, 0)
}

function keyOrStart(mark: Mark): number {
  return mark.key >= 0 ? mark.key : Math.max(mark.start, 0)
}

/** The value at a path; undefined when there is none. */
export function valueAt(value: unknown, path: Path): unknown {
  let here = value
  for (const step of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined
    here = (here as Record<string | number, unknown>)[step]
  }
  return here
}
