import { ValueError } from './meter.ts'
import { type CodeRange, parsePattern, type PatternNode } from './pattern-syntax.ts'

/** Most instructions of a pattern after its counts are written out. */
export const PROGRAM_LENGTH_MAX = 3_000

/**
 * Whether a part of the text matches the pattern. All alternatives are followed side by side, so the time grows with
 * the length of the text times the length of the pattern, whatever either holds: nobody can stall the engine with it.
 *
 * @param charge  Told what the search costs; may throw to end it.
 * @throws {ValueError} The pattern is not one.
 */
export function matchesPattern(pattern: string, text: string, charge: (steps: number) => void): boolean {
  const program = compilePattern(pattern)
  charge(program.length)
  const current = threads(program.length)
  const next = threads(program.length)
  let previous = -1
  let at = 0
  for (;;) {
    const code = text.codePointAt(at) ?? -1
    // The start may be anywhere, so a new thread begins at each character.
    if (follow(program, current, 0, previous, code)) return true
    if (code === -1) return false
    charge(1 + (current.count >> 1))
    const after = at + (code > 0xffff ? 2 : 1)
    const ahead = text.codePointAt(after) ?? -1
    next.count = 0
    next.generation += 1
    for (let index = 0; index < current.count; index++) {
      const place = current.list[index] ?? 0
      const instruction = program[place]
      if (instruction?.kind !== 'set' || !instruction.has(code)) continue
      if (follow(program, next, place + 1, code, ahead)) return true
    }
    swap(current, next)
    previous = code
    at = after
  }
}

/** Says what is wrong with a pattern that is known before the run; null when it is fine. */
export function patternFault(pattern: string): string | null {
  try {
    compilePattern(pattern)
    return null
  } catch (error) {
    if (error instanceof ValueError) return error.message
    throw error
  }
}

type Instruction =
  | { readonly kind: 'set'; readonly has: (code: number) => boolean }
  | { readonly kind: 'assert'; readonly where: 'start' | 'end' | 'word' | 'notWord' }
  | { readonly kind: 'split'; readonly targets: readonly number[] }
  | { readonly kind: 'match' }

function compilePattern(pattern: string): readonly Instruction[] {
  const { node, ignoreCase } = parsePattern(pattern)
  const program: Instruction[] = []
  emit(program, node, ignoreCase)
  program.push({ kind: 'match' })
  return program
}

function emit(program: Instruction[], node: PatternNode, ignoreCase: boolean): void {
  if (program.length > PROGRAM_LENGTH_MAX)
    throw new ValueError('the pattern is too large once its counts are written out')
  switch (node.kind) {
    case 'set':
      program.push({ kind: 'set', has: membership(node.ranges, node.negated, ignoreCase) })
      return
    case 'assert':
      program.push(node)
      return
    case 'sequence':
      for (const part of node.parts) emit(program, part, ignoreCase)
      return
    case 'choice':
      return emitChoice(program, node.parts, ignoreCase)
    case 'repeat':
      return emitRepeat(program, node, ignoreCase)
    default:
      node satisfies never
  }
}

function emitChoice(program: Instruction[], parts: readonly PatternNode[], ignoreCase: boolean): void {
  const head = program.length
  program.push({ kind: 'split', targets: [] })
  const starts: number[] = []
  const exits: number[] = []
  for (const part of parts) {
    starts.push(program.length)
    emit(program, part, ignoreCase)
    exits.push(program.length)
    program.push({ kind: 'split', targets: [] })
  }
  program[head] = { kind: 'split', targets: starts }
  for (const exit of exits) program[exit] = { kind: 'split', targets: [program.length] }
}

function emitRepeat(
  program: Instruction[],
  node: Extract<PatternNode, { kind: 'repeat' }>,
  ignoreCase: boolean,
): void {
  for (let count = 0; count < node.least; count++) {
    const before = program.length
    emit(program, node.of, ignoreCase)
    // Nothing many times is nothing; counting it out could take for ever: ((){1000}){1000}…
    if (program.length === before) break
  }
  if (node.most === null) {
    const head = program.length
    program.push({ kind: 'split', targets: [] })
    emit(program, node.of, ignoreCase)
    program.push({ kind: 'split', targets: [head] })
    program[head] = { kind: 'split', targets: [head + 1, program.length] }
    return
  }
  const skips: number[] = []
  for (let count = node.least; count < node.most; count++) {
    skips.push(program.length)
    program.push({ kind: 'split', targets: [] })
    emit(program, node.of, ignoreCase)
  }
  for (const skip of skips) program[skip] = { kind: 'split', targets: [skip + 1, program.length] }
}

function membership(
  ranges: readonly CodeRange[],
  negated: boolean,
  ignoreCase: boolean,
): (code: number) => boolean {
  const within = (code: number): boolean => ranges.some(([first, last]) => code >= first && code <= last)
  if (!ignoreCase) return code => within(code) !== negated
  return code => {
    const letter = String.fromCodePoint(code)
    const cases = [letter, letter.toLowerCase(), letter.toUpperCase()].map(
      text => text.codePointAt(0) ?? code,
    )
    return cases.some(within) !== negated
  }
}

/** The places of the program that are reached at one character of the text. */
interface Threads {
  count: number
  list: Int32Array
  /** Place → generation in which it was added last; so clearing costs nothing. */
  seen: Int32Array
  generation: number
}

function threads(length: number): Threads {
  return { count: 0, list: new Int32Array(length), seen: new Int32Array(length), generation: 1 }
}

function swap(one: Threads, other: Threads): void {
  const kept = { ...one }
  Object.assign(one, other)
  Object.assign(other, kept)
}

/** Adds a place and all that it leads to without reading a character. True when the match is reached. */
function follow(
  program: readonly Instruction[],
  into: Threads,
  start: number,
  before: number,
  after: number,
): boolean {
  const waiting = [start]
  for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
    if (into.seen[place] === into.generation) continue
    into.seen[place] = into.generation
    const instruction = program[place]
    if (instruction?.kind === 'match') return true
    if (instruction?.kind === 'split') for (const target of instruction.targets) waiting.push(target)
    if (instruction?.kind === 'assert' && holds(instruction.where, before, after)) waiting.push(place + 1)
    if (instruction?.kind === 'set') into.list[into.count++] = place
  }
  return false
}

function holds(where: 'start' | 'end' | 'word' | 'notWord', before: number, after: number): boolean {
  if (where === 'start') return before === -1
  if (where === 'end') return after === -1
  return (isWord(before) !== isWord(after)) === (where === 'word')
}

function isWord(code: number): boolean {
  return code !== -1 && code < 128 && /\w/.test(String.fromCharCode(code))
}
