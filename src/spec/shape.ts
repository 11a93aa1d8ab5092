import type * as z from 'zod'
import { nearest, meantOr } from '../core/nearest.ts'
import type { Json } from '../core/json.ts'
import type { ProblemCode } from '../core/problem-codes.ts'
import { PROBLEMS_MAX } from './limits.ts'
import { type DocumentKind, fitsKind } from './outline.ts'
import { markAt, valueAt, type Finding, type Path, type SourceDocument } from './source.ts'

/** A value without what does not fit the schema, and what that was. */
export interface Shaped {
  /** A copy: empty fields are gone, as on an API server, and so is everything that does not fit. */
  readonly value: unknown
  readonly findings: readonly Finding[]
}

/**
 * The first pass: types, unknown and missing fields, closed lists of values.
 *
 * @param schemaOf  Asked only for what does not fit the kind's outline: a schema takes long to build.
 */
export function shaped(kind: DocumentKind, schemaOf: () => z.ZodType, document: SourceDocument): Shaped {
  const value = withoutNulls(document.value)
  if (fitsKind(kind, value)) return { value, findings: [] }
  const schema = schemaOf()
  const result = schema.safeParse(value)
  if (result.success) return { value, findings: [] }
  const findings: Finding[] = []
  const seen = new Set<string>()
  for (const told of result.error.issues.slice(0, PROBLEMS_MAX).flatMap(issue => tellings(issue, []))) {
    for (const finding of findingsOf(told, schema, value, document)) {
      const key = JSON.stringify([finding.code, finding.path])
      if (!seen.has(key)) findings.push(finding)
      seen.add(key)
    }
  }
  for (const finding of findings) removeAt(value, finding.path)
  return { value, findings }
}

/** Codes of the second pass that say that something is not there. */
const ABSENCES: ReadonlySet<ProblemCode> = new Set([
  'COMMAND_MISSING',
  'DAG_EMPTY',
  'ENV_SOURCE',
  'FAN_OUT_EMPTY',
  'FIELD_MISSING',
  'HEADER_INVALID',
  'IMAGE_MISSING',
  'PARAMETER_DEFAULT',
  'PARAMETER_REQUIRED',
  'PARAMETER_VALUE',
  'TRIGGER_SECRET',
  'TRIGGER_SOURCE',
] satisfies ProblemCode[])

/** Where the second pass reports to: everything but what only follows from the first pass. */
export function reporter(shape: Shaped, findings: Finding[]): (finding: Finding) => void {
  return finding => {
    if (!isConsequence(finding, shape)) findings.push(finding)
  }
}

/** Whether a finding of the second pass only says that something is missing which the first pass took out. */
function isConsequence(finding: Finding, shape: Shaped): boolean {
  if (!ABSENCES.has(finding.code)) return false
  return shape.findings.some(
    ({ code, path }) => code !== 'FIELD_UNKNOWN' && finding.path.every((step, index) => step === path[index]),
  )
}

type Issue = z.core.$ZodIssue
type Told = { readonly issue: Issue; readonly path: Path }

/** A failed union is told by its option that came furthest; several of the same depth are one "none of these". */
function tellings(issue: Issue, prefix: Path): Told[] {
  const path = [...prefix, ...(issue.path as Path)]
  if (issue.code !== 'invalid_union') return [{ issue, path }]
  const deepest = issue.errors
    .map(errors => errors.filter(error => error.path.length > 0 || error.code === 'unrecognized_keys'))
    .filter(errors => errors.length > 0)
    .toSorted((a, b) => a.length - b.length)[0]
  if (deepest === undefined) return [{ issue, path }]
  return deepest.flatMap(error => tellings(error, path))
}

function findingsOf(told: Told, schema: z.ZodType, value: unknown, document: SourceDocument): Finding[] {
  const { issue, path } = told
  if (issue.code === 'unrecognized_keys') return issue.keys.map(key => unknownField(key, path, schema))
  return [findingOf(told, value, document)]
}

function findingOf({ issue, path }: Told, value: unknown, document: SourceDocument): Finding {
  const there = valueAt(value, path)
  const name = nameOf(path)
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(name, path, there, [issue.expected], document)
    case 'invalid_union': {
      const expected = issue.errors.flatMap(errors =>
        errors.map(error => ('expected' in error ? error.expected : '')),
      )
      return wrongType(
        name,
        path,
        there,
        expected.map(String).filter(text => text !== ''),
        document,
      )
    }
    case 'invalid_value': {
      const options = issue.values.map(String)
      if (there === undefined) return missing(name, path)
      return {
        code: 'FIELD_VALUE',
        path,
        message: `${name} is ${shown(there)}, which is not one of ${options.join(', ')}`,
        fix: meantOr(shown(there).replaceAll('"', ''), options, `use one of ${options.join(', ')}`),
      }
    }
    case 'too_small':
      return range(name, path, there, `at least ${issue.minimum}`, issue.origin)
    case 'too_big':
      return range(name, path, there, `at most ${issue.maximum}`, issue.origin)
    default:
      return {
        code: 'FIELD_TYPE',
        path,
        message: `${name} is not understood: ${issue.message}`,
        fix: 'see the field reference',
      }
  }
}

/** Names that people bring from other engines, and what they are called here. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  tasks: 'task',
  steps: 'task',
  cron: 'schedule',
  schedules: 'schedule',
  params: 'parameters',
  inputs: 'parameters',
  dependsOn: 'runAfter',
  depends: 'runAfter',
  dependencies: 'runAfter',
  needs: 'runAfter',
  after: 'runAfter',
  retries: 'backoff',
  retry: 'backoff',
  retryPolicy: 'backoff',
  environment: 'env',
  cmd: 'command',
  entrypoint: 'command',
  run: 'script',
  if: 'when',
  condition: 'when',
  onExit: 'finally',
  suspend: 'suspended',
  timezone: 'timeZone',
  withItems: 'forEach',
  default: 'defaultValue',
  enabled: 'enable',
}

function unknownField(key: string, parent: Path, schema: z.ZodType): Finding {
  const known = keysAt(schema, parent)
  const other = Object.hasOwn(OTHER_NAMES, key) ? OTHER_NAMES[key] : undefined
  const near = other !== undefined && known.includes(other) ? other : nearest(key, known)
  const place = parent.length === 0 ? 'the document' : nameOf(parent)
  return {
    code: 'FIELD_UNKNOWN',
    path: [...parent, key],
    on: 'key',
    message: `${place} has no field ${key}`,
    fix:
      near === null
        ? `remove it; known are ${known.slice(0, 12).join(', ')}${known.length > 12 ? ', …' : ''}`
        : `did you mean ${near}?`,
  }
}

function missing(name: string, path: Path): Finding {
  if (typeof path.at(-1) === 'number') {
    return {
      code: 'FIELD_MISSING',
      path,
      message: `${name} is empty`,
      fix: 'write a value, or remove the item',
    }
  }
  return { code: 'FIELD_MISSING', path, message: `${name} is missing`, fix: `add ${String(path.at(-1))}` }
}

function wrongType(
  name: string,
  path: Path,
  there: unknown,
  expected: readonly string[],
  document: SourceDocument,
): Finding {
  if (there === undefined || there === null) return missing(name, path)
  const wantsText = expected.includes('string') && !expected.includes('array')
  if (wantsText && (typeof there === 'number' || typeof there === 'boolean')) {
    const typed = markAt(document.mark, path)?.scalar?.typed ?? String(there)
    return {
      code: 'FIELD_NOT_TEXT',
      path,
      message: `${name} must be text, but YAML reads ${typed} as ${kindOf(there)}`,
      fix: DURATIONS.has(String(path.at(-1))) ? `write a duration: ${typed}s` : `quote it: "${typed}"`,
    }
  }
  const wanted = [...new Set(expected.map(type => TYPE_WORDS[type] ?? type))].join(' or ')
  return {
    code: 'FIELD_TYPE',
    path,
    message: `${name} must be ${wanted}, not ${kindOf(there)}`,
    fix: typeFix(expected, there),
  }
}

/** Fields in which a bare number is meant as a time. */
const DURATIONS: ReadonlySet<string> = new Set([
  'timeout',
  'pendingTimeout',
  'delay',
  'maxDelay',
  'age',
  'interval',
])

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
}

function typeFix(expected: readonly string[], there: unknown): string {
  if (expected.includes('array') && typeof there === 'string')
    return `write a list: [${JSON.stringify(there)}]`
  if (expected.includes('boolean')) return 'write true or false'
  if (typeof there === 'string' && /^\d+$/.test(there)) return `remove the quotes: ${there}`
  return `write ${expected.map(type => TYPE_WORDS[type] ?? type).join(' or ')}`
}

function range(name: string, path: Path, there: unknown, bound: string, origin: string): Finding {
  const counted = origin === 'array' ? `${Array.isArray(there) ? there.length : 0} items` : shown(there)
  return {
    code: 'FIELD_RANGE',
    path,
    message: `${name} must be ${bound}, but is ${counted}`,
    fix: `use ${bound}`,
  }
}

/** `spec.task[2].runAfter`, as people say it. */
export function nameOf(path: Path): string {
  let name = ''
  for (const step of path) name += typeof step === 'number' ? `[${step}]` : name === '' ? step : `.${step}`
  return name === '' ? 'the document' : name
}

/** A value in a message, short. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : (JSON.stringify(value) ?? 'nothing')
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  if (typeof value === 'boolean') return 'true or false'
  return typeof value === 'number' ? 'a number' : 'text'
}

/** Known keys of a place in a schema, for "did you mean". */
function keysAt(schema: z.ZodType, path: Path): string[] {
  let options: Definition[] = flattened(schema._zod.def)
  for (const step of path) {
    options = options.flatMap(option => {
      const inner =
        option.type === 'object'
          ? option.shape?.[String(step)]
          : option.type === 'array'
            ? option.element
            : option.valueType
      return inner === undefined ? [] : flattened(inner._zod.def)
    })
  }
  return options.flatMap(option => Object.keys(option.shape ?? {}))
}

/** What is read of zod's own description of a schema. */
type Definition = {
  readonly type: string
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly element?: z.ZodType
  readonly valueType?: z.ZodType
  readonly innerType?: z.ZodType
  readonly options?: readonly z.ZodType[]
}

function flattened(definition: Definition): Definition[] {
  if (definition.innerType !== undefined) return flattened(definition.innerType._zod.def)
  if (definition.options === undefined) return [definition]
  return definition.options.flatMap(option => flattened(option._zod.def))
}

/** Fields whose content is the user's own JSON, where null means null. */
const OPEN_FIELDS: ReadonlySet<string> = new Set(['forEach', 'matrix', 'enum', 'defaultValue', 'value'])

/** An empty field is an absent one, as on an API server. Copies, so that the document stays as it was read. */
function withoutNulls(value: Json): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  const copy: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) {
    if (item !== null) copy[key] = OPEN_FIELDS.has(key) ? structuredClone(item) : withoutNulls(item)
  }
  return copy
}

/** Takes a wrong value out; items of a list leave a hole, so that the places of the others stay. */
function removeAt(value: unknown, path: Path): void {
  const parent = valueAt(value, path.slice(0, -1))
  const last = path.at(-1)
  if (last === undefined || typeof parent !== 'object' || parent === null) return
  if (Array.isArray(parent)) {
    if (typeof last === 'number' && last < parent.length) parent[last] = undefined
  } else {
    delete (parent as Record<string, unknown>)[last]
  }
}
