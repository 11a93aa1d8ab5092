import { LIMITS } from '../../core/limits.ts'
import { parseDuration } from '../../core/dag/duration.ts'
import { nameOf, shown } from '../shape.ts'
import type { Finding, Path } from '../source.ts'

/** Takes a finding. */
export type Report = (finding: Finding) => void

/** An RFC 1123 label: what a container, and so a task, may be called. */
export function isLabel(text: string): boolean {
  return text.length <= LIMITS.nameLengthMax && /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/.test(text)
}

/** A label as near to the text as can be: `Build_Image` → `build-image`. */
export function asLabel(text: string): string {
  const folded = text
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, LIMITS.nameLengthMax)
    .replace(/^-+|-+$/g, '')
  return folded === '' ? 'task' : folded
}

/** A name that a shell and CEL both read: letters, digits and `_`, no digit first. */
export function isIdentifier(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text)
}

export function asIdentifier(text: string): string {
  const folded = text.replace(/[^A-Za-z0-9_]+/g, '_').replace(/^_+|_+$/g, '')
  return /^[A-Za-z]/.test(folded) ? folded : `p_${folded}`
}

/** What Kubernetes lets a variable be called. */
export function isVariableName(text: string): boolean {
  return /^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(text)
}

/** Variables that the engine sets itself. */
export function isReserved(name: string): boolean {
  return name.startsWith('KONTROLER_')
}

/** Reports a name that is no label, with one that is. */
export function checkLabel(what: string, name: string, path: Path, report: Report): void {
  if (isLabel(name)) return
  const long = name.length > LIMITS.nameLengthMax
  report({
    code: 'NAME_INVALID',
    path,
    message: long
      ? `the ${what} ${shown(name)} is longer than ${LIMITS.nameLengthMax} characters`
      : `the ${what} ${shown(name)} may hold only lower-case letters, digits and dashes inside`,
    fix: long ? `shorten it to at most ${LIMITS.nameLengthMax} characters` : `call it ${asLabel(name)}`,
  })
}

/** Reports a duration that is none, or too short. `least` in milliseconds. */
export function checkDuration(value: string | undefined, path: Path, least: number, report: Report): void {
  if (value === undefined) return
  const ms = parseDuration(value)
  if (ms === null) {
    report({
      code: 'DURATION_INVALID',
      path,
      message: `${nameOf(path)} is ${shown(value)}, which is not a duration`,
      fix: durationFix(value),
    })
  } else if (ms < least) {
    report({
      code: 'DURATION_INVALID',
      path,
      message: `${nameOf(path)} must be longer than 0s`,
      fix: 'write a duration such as 30s, or remove it',
    })
  }
}

function durationFix(value: string): string {
  if (/^\d+$/.test(value)) return `add a unit: ${value}s`
  if (value.startsWith('-')) return 'write a duration that is not negative, such as 30s'
  const spaced = value.replace(/\s+/g, '').toLowerCase()
  if (parseDuration(spaced) !== null) return `write ${spaced}`
  return 'write whole numbers with d, h, m, s or ms, largest first, such as 90s or 1h30m'
}

/** Reports names that are there more than once; the first keeps its right. */
export function checkUnique(
  what: string,
  code: Finding['code'],
  names: readonly (readonly [name: string | undefined, path: Path])[],
  report: Report,
): void {
  const seen = new Set<string>()
  for (const [name, path] of names) {
    if (name === undefined || name === '') continue
    if (seen.has(name)) {
      report({
        code,
        path,
        message: `the ${what} ${name} is there twice`,
        fix: 'rename one of the two, or remove it',
      })
    }
    seen.add(name)
  }
}
