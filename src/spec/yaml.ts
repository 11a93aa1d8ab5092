import {
  boolCoreTag,
  EVENT_ID,
  floatCoreTag,
  getScalarValue,
  intCoreTag,
  NOT_RESOLVED,
  nullCoreTag,
  parseEvents,
  SCALAR_STYLE,
  YAMLException,
  type Event,
  type ScalarEvent,
} from 'js-yaml'
import type { Json } from '../core/json.ts'
import type { Problem } from '../core/problem.ts'
import { DEPTH_MAX, NODES_MAX } from './limits.ts'
import { positionAt, type Mark, type SourceDocument, type SourceText } from './source.ts'
import type { ProblemCode } from '../core/problem-codes.ts'

/** What one text holds. Documents that could not be read are left out and have a problem. */
export interface ParsedText {
  readonly documents: readonly SourceDocument[]
  readonly problems: readonly Problem[]
}

/**
 * Reads YAML 1.2 (JSON is a part of it) into plain data with the place of every key and value. The library's parser
 * gives events with offsets; values and marks are made from the same events, so there is one reading and one truth.
 * Each document of a text is parsed by itself, so a broken one does not hide the others.
 */
export function parseYaml(source: SourceText): ParsedText {
  const documents: SourceDocument[] = []
  const problems: Problem[] = []
  const budget = { nodes: 0 }
  for (const [from, to] of chunks(source.text)) {
    const text = source.text.slice(from, to)
    try {
      for (const root of new Builder(source, text, from, problems, budget).build()) {
        documents.push({ source, ...root })
      }
    } catch (error) {
      if (error instanceof Refused) problems.push(error.problem)
      else if (error instanceof YAMLException) problems.push(syntaxProblem(source, text, from, error))
      else throw error
      if (budget.nodes > NODES_MAX) break
    }
  }
  return { documents, problems }
}

/** A value that is not taken in; ends the reading of its document. */
class Refused extends Error {
  readonly problem: Problem
  constructor(problem: Problem) {
    super(problem.message)
    this.problem = problem
  }
}

/** Spans of the documents. A `---` at the start of a line separates; text of comments and directives joins the next. */
function chunks(text: string): [from: number, to: number][] {
  const spans: [number, number][] = []
  let from = 0
  for (const match of text.matchAll(/^---(?=[ \t\r\n]|$)/gm)) {
    if (onlyNotes(text.slice(from, match.index))) continue
    spans.push([from, match.index])
    from = match.index
  }
  spans.push([from, text.length])
  return spans
}

function onlyNotes(text: string): boolean {
  return text.split('\n').every(line => /^\s*(?:#.*)?$/.test(line) || line.startsWith('%'))
}

type Root = { readonly value: Json; readonly mark: Mark }
type Frame = {
  readonly map: Map<string | number, Mark>
  readonly start: number
  readonly keyOffset: number
  readonly list: Json[] | null
  readonly object: Record<string, Json> | null
  key: string | null
  pendingKey: number
}

/** Turns events into values and marks. One for each document. */
class Builder {
  readonly #source: SourceText
  readonly #text: string
  readonly #base: number
  readonly #problems: Problem[]
  readonly #budget: { nodes: number }
  readonly #frames: Frame[] = []
  readonly #roots: Root[] = []

  constructor(
    source: SourceText,
    text: string,
    base: number,
    problems: Problem[],
    budget: { nodes: number },
  ) {
    this.#source = source
    this.#text = text
    this.#base = base
    this.#problems = problems
    this.#budget = budget
  }

  build(): readonly Root[] {
    for (const event of parseEvents(this.#text, { maxDepth: DEPTH_MAX + 1 })) this.#take(event)
    return this.#roots
  }

  #take(event: Event): void {
    switch (event.type) {
      case EVENT_ID.DOCUMENT:
        return
      case EVENT_ID.ALIAS:
        throw this.#refuse(
          event.anchorStart - 1,
          'YAML_ALIAS',
          'an alias is used here',
          'write the value out',
        )
      case EVENT_ID.SEQUENCE:
      case EVENT_ID.MAPPING: {
        this.#checkTag(event.tagStart, event.tagEnd)
        this.#refuseAsKey(event.start)
        const isList = event.type === EVENT_ID.SEQUENCE
        this.#frames.push({
          map: new Map(),
          start: this.#base + event.start,
          keyOffset: this.#frames.at(-1)?.pendingKey ?? -1,
          list: isList ? [] : null,
          object: isList ? null : {},
          key: null,
          pendingKey: -1,
        })
        if (this.#frames.length > DEPTH_MAX) throw this.#refuse(event.start, ...TOO_DEEP)
        return
      }
      case EVENT_ID.POP: {
        const frame = this.#frames.pop()
        if (frame === undefined) return
        const value: Json = frame.list ?? frame.object ?? {}
        this.#put(value, { start: frame.start, key: frame.keyOffset, scalar: null, children: frame.map })
        return
      }
      case EVENT_ID.SCALAR:
        this.#scalar(event)
        return
      default:
        event satisfies never
    }
  }

  #scalar(event: ScalarEvent): void {
    this.#checkTag(event.tagStart, event.tagEnd)
    const frame = this.#frames.at(-1)
    const text = event.valueStart < 0 ? '' : getScalarValue(this.#text, event)
    if (frame !== undefined && frame.object !== null && frame.key === null)
      return this.#key(frame, event, text)
    const plain = event.style === SCALAR_STYLE.PLAIN
    const value = plain && event.tagStart < 0 ? this.#resolved(event, text) : text
    this.#put(value, {
      start: event.valueStart < 0 ? -1 : this.#base + event.valueStart - (isQuoted(event) ? 1 : 0),
      key: frame?.pendingKey ?? -1,
      scalar: {
        mapping: this.#mapping(event, text),
        content: this.#base + event.valueStart,
        indent: Math.max(event.indent, 0),
        typed: plain ? text : null,
      },
      children: null,
    })
  }

  #key(frame: Frame, event: ScalarEvent, text: string): void {
    const at = Math.max(event.valueStart, 0)
    if (event.valueStart < 0 && !isQuoted(event)) {
      throw this.#refuse(at, 'YAML_KEY', 'a key is empty here', 'write a name before the colon')
    }
    if (text === '<<' && event.style === SCALAR_STYLE.PLAIN) {
      throw this.#refuse(at, 'YAML_MERGE_KEY', 'a merge key `<<` is used here', 'write the fields out')
    }
    if (text === '__proto__') {
      throw this.#refuse(at, 'YAML_KEY', 'the key `__proto__` is not allowed', 'choose another name')
    }
    this.#warnOfAmbiguous(event, text)
    frame.pendingKey = this.#base + at - (isQuoted(event) ? 1 : 0)
    if (frame.map.has(text)) {
      this.#problems.push(
        this.#problem(at, 'YAML_DUPLICATE_KEY', `the key ${text} is there twice`, 'remove one of the two'),
      )
    }
    frame.key = text
  }

  #put(value: Json, mark: Mark): void {
    this.#budget.nodes += 1
    if (this.#budget.nodes > NODES_MAX) {
      const at = Math.max(mark.start, mark.key, this.#base) - this.#base
      throw this.#refuse(
        at,
        'YAML_TOO_MANY_VALUES',
        `there are more than ${NODES_MAX} values in this text`,
        'split the file',
      )
    }
    const frame = this.#frames.at(-1)
    if (frame === undefined) {
      this.#roots.push({ value, mark })
    } else if (frame.list !== null) {
      frame.map.set(frame.list.length, mark)
      frame.list.push(value)
    } else if (frame.object !== null && frame.key !== null) {
      frame.map.set(frame.key, mark)
      frame.object[frame.key] = value
      frame.key = null
      frame.pendingKey = -1
    }
  }

  #resolved(event: ScalarEvent, text: string): Json {
    for (const tag of [nullCoreTag, boolCoreTag, intCoreTag, floatCoreTag]) {
      const value = tag.resolve(text, false, tag.tagName)
      if (value === NOT_RESOLVED) continue
      if (typeof value !== 'number' || Number.isFinite(value)) return value
      throw this.#refuse(
        event.valueStart,
        'YAML_NUMBER',
        `${text} is not a number that JSON knows`,
        'write a finite number, or put the text in quotes',
      )
    }
    this.#warnOfAmbiguous(event, text)
    return text
  }

  /** YAML 1.1, which kubectl reads, takes these words for true or false. */
  #warnOfAmbiguous(event: ScalarEvent, text: string): void {
    if (event.style !== SCALAR_STYLE.PLAIN || !/^(?:yes|no|on|off)$/i.test(text)) return
    const problem = this.#problem(
      event.valueStart,
      'YAML_AMBIGUOUS',
      `${text} is text here, but true or false for kubectl`,
      `write "${text}" in quotes, or true or false`,
    )
    this.#problems.push({ ...problem, severity: 'warning' })
  }

  #mapping(event: ScalarEvent, text: string): 'exact' | 'lines' | 'none' {
    if (event.style === SCALAR_STYLE.LITERAL_BLOCK) return 'lines'
    if (event.valueStart < 0 || event.style === SCALAR_STYLE.FOLDED_BLOCK) return 'none'
    return this.#text.slice(event.valueStart, event.valueEnd) === text ? 'exact' : 'none'
  }

  #checkTag(start: number, end: number): void {
    if (start < 0) return
    const tag = this.#text.slice(start, end)
    if (['!!str', '!!map', '!!seq'].includes(tag)) return
    throw this.#refuse(start, 'YAML_TAG', `the tag ${tag} is not allowed`, 'remove the tag; quote text')
  }

  #refuseAsKey(at: number): void {
    const frame = this.#frames.at(-1)
    if (frame === undefined || frame.object === null || frame.key !== null) return
    throw this.#refuse(at, 'YAML_KEY', 'a key must be text', 'write a plain name before the colon')
  }

  #refuse(at: number, code: ProblemCode, message: string, fix: string): Refused {
    return new Refused(this.#problem(at, code, message, fix))
  }

  #problem(at: number, code: ProblemCode, message: string, fix: string): Problem {
    const position = positionAt(this.#source, this.#base + Math.max(at, 0))
    return { code, severity: 'error', path: [], message, fix, at: position }
  }
}

const TOO_DEEP = [
  'YAML_TOO_DEEP',
  `there are more than ${DEPTH_MAX} maps and lists inside each other`,
  'flatten the document',
] as const

function isQuoted(event: ScalarEvent): boolean {
  return event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED
}

function syntaxProblem(source: SourceText, text: string, base: number, error: YAMLException): Problem {
  const offset = Math.min(error.mark?.position ?? 0, Math.max(text.trimEnd().length - 1, 0))
  const at = positionAt(source, base + offset)
  // The library has no codes; a test holds this one word in place.
  if (error.reason.startsWith('nesting exceeded')) {
    const [code, message, fix] = TOO_DEEP
    return { code, severity: 'error', path: [], message, fix, at }
  }
  const message = `not valid YAML: ${error.reason}`
  return { code: 'YAML_SYNTAX', severity: 'error', path: [], message, fix: syntaxFix(source, at.line), at }
}

function syntaxFix(source: SourceText, line: number): string {
  const start = source.lineStarts[line - 1] ?? 0
  const text = source.text.slice(start, source.lineStarts[line] ?? source.text.length)
  if (/^\s*\t/.test(text)) return 'indent with spaces, not with tabs'
  if (text.includes('{{')) return 'put the text with ${{ }} in quotes'
  if (/:\s+[@`%|>&*]/.test(text)) return 'put the value in quotes'
  if (/:\s.*:\s/.test(text)) return 'put the value in quotes, since it holds a colon'
  return 'look at the indentation, brackets and quotes here and in the line above'
}
