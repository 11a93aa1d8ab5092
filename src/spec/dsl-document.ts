import { parseDsl, type DslDag } from '../core/dag/dsl.ts'
import { didYouMean } from '../core/dag/did-you-mean.ts'
import type { ProblemCode } from '../core/problem-codes.ts'
import type { Loose } from './loose.ts'
import type { DagSpec } from './schema/dag.ts'
import { markAt, offsetInScalar, type Finding, type Mark, type SourceDocument } from './source.ts'

/** Upstream writes what it parsed back beside the DSL, and this note with it. */
const WRITTEN_BACK = 'kontroler/dsl-hash'
/** Retries of a task in the DSL that says nothing; in YAML it is none. */
const BACKOFF_DEFAULT = 3

/** A spec in which the arrow language stands as fields, and a document whose marks lead back into its text. */
export interface Expanded {
  readonly spec: Loose<DagSpec>
  readonly document: SourceDocument
  readonly findings: readonly Finding[]
}

/**
 * Puts the arrow language in the place of the fields that it stands for. A spec without it comes back as it is. The
 * new fields get marks inside the text, so that every later finding about them has its line.
 */
export function expandDsl(spec: Loose<DagSpec>, document: SourceDocument): Expanded {
  const text = spec.dsl
  if (text === undefined || text === '') return { spec, document, findings: [] }
  const findings = besideDsl(spec, document)
  const { schedule: _schedule, parameters: _parameters, task: _task, ...rest } = spec
  const parsed = parseDsl(text)
  const mark = markAt(document.mark, ['spec', 'dsl'])
  for (const problem of parsed.ok ? parsed.warnings : parsed.problems) {
    const offset = offsetAt(text, problem.at?.line ?? 1, problem.at?.column ?? 1)
    findings.push({
      code: problem.code as ProblemCode,
      severity: problem.severity,
      path: ['spec', 'dsl'],
      message: problem.message,
      fix: problem.fix,
      offset,
    })
  }
  if (!parsed.ok || mark === null) return { spec: rest, document, findings }
  findings.push(...danglingEdges(text, parsed.value, findings))
  return {
    spec: { ...rest, ...fieldsOf(parsed.value) },
    document: { ...document, mark: withMarks(document, text, mark, parsed.value) },
    findings,
  }
}

/** The DSL is the one source: fields beside it are refused, unless upstream wrote them. */
function besideDsl(spec: Loose<DagSpec>, document: SourceDocument): Finding[] {
  const writtenBack = markAt(document.mark, ['metadata', 'annotations'])?.children?.has(WRITTEN_BACK) === true
  const fields = (['schedule', 'parameters', 'task'] as const).filter(field => {
    const value = spec[field]
    return value !== undefined && value.length > 0
  })
  return fields.map((field): Finding => {
    return {
      code: 'DSL_BESIDE_FIELDS',
      severity: writtenBack ? 'warning' : 'error',
      path: ['spec', field],
      on: 'key',
      message: writtenBack
        ? `${field} was written back from the dsl and is ignored`
        : `${field} stands beside dsl, which says the same in its own way`,
      fix: `move ${field} into the dsl, or remove one of the two`,
    }
  })
}

function fieldsOf(dsl: DslDag): Pick<Loose<DagSpec>, 'schedule' | 'parameters' | 'task'> {
  return {
    ...(dsl.schedule === null ? {} : { schedule: dsl.schedule }),
    parameters: dsl.parameters.map(({ name, default: defaultValue, defaultFromSecret }) => ({
      name,
      ...(defaultValue === undefined ? {} : { defaultValue }),
      ...(defaultFromSecret === undefined ? {} : { defaultFromSecret }),
    })),
    task: dsl.tasks.map(({ retryCodes, backoff, ...fields }) => ({
      ...fields,
      backoff: { limit: backoff ?? BACKOFF_DEFAULT },
      ...(retryCodes === undefined ? {} : { conditional: { enabled: true, retryCodes: [...retryCodes] } }),
      runAfter: edgesTo(dsl, fields.name).map(({ from }) => from),
    })),
  }
}

/** Edges into a task, each source once: the same arrow drawn twice is one. */
function edgesTo(dsl: DslDag, name: string): DslDag['edges'] {
  const seen = new Set<string>()
  return dsl.edges.filter(edge => {
    if (edge.to !== name || seen.has(edge.from)) return false
    seen.add(edge.from)
    return true
  })
}

/** Arrows to tasks that are not defined; the arrow language of upstream drops them without a word. */
function danglingEdges(text: string, dsl: DslDag, told: readonly Finding[]): Finding[] {
  if (told.some(finding => (finding.severity ?? 'error') === 'error' && finding.offset !== undefined))
    return []
  const names = new Set(dsl.tasks.map(task => task.name))
  return dsl.edges
    .filter(edge => !names.has(edge.to))
    .map(edge => {
      const near = didYouMean(edge.to, names)
      return {
        code: 'TASK_UNKNOWN',
        path: ['spec', 'dsl'],
        offset: offsetAt(text, edge.line, edge.column),
        message: `an arrow leads to ${edge.to}, which is not there`,
        fix: near === null ? `define it: task ${edge.to} { … }` : `did you mean ${near}?`,
      }
    })
}

function withMarks(document: SourceDocument, text: string, mark: Mark, dsl: DslDag): Mark {
  const place = (offset: number, children: [string | number, Mark][] = []): Mark => ({
    start: offsetInScalar(document.source, mark, Math.max(offset, 0), text),
    key: -1,
    scalar: null,
    children: new Map(children),
  })
  const list = (marks: readonly Mark[]): Mark => place(0, [...marks.entries()])
  const tasks = dsl.tasks.map(task => {
    const edges = edgesTo(dsl, task.name).map(edge => place(offsetAt(text, edge.line, edge.column)))
    return place(definitionOf(text, 'task', task.name), [['runAfter', list(edges)]])
  })
  const parameters = dsl.parameters.map(({ name }) => place(definitionOf(text, '', name)))
  const spec = document.mark.children?.get('spec')
  if (spec === undefined) return document.mark
  const fields = new Map(spec.children)
  fields.set('task', list(tasks))
  fields.set('parameters', list(parameters))
  fields.set('schedule', place(Math.max(text.search(/\bschedule\b/), 0)))
  const children = new Map(document.mark.children)
  children.set('spec', { ...spec, children: fields })
  return { ...document.mark, children }
}

/** Offset of the name in `task NAME {`, or of a name in front of a brace. */
function definitionOf(text: string, keyword: string, name: string): number {
  const escaped = name.replace(/[^A-Za-z0-9_]/g, '\\$&')
  const match = new RegExp(`(^|[\\s{}])(${keyword === '' ? '' : `${keyword}\\s+`})${escaped}\\s*\\{`).exec(
    text,
  )
  return match === null ? 0 : match.index + (match[1]?.length ?? 0) + (match[2]?.length ?? 0)
}

function offsetAt(text: string, line: number, column: number): number {
  let start = 0
  for (let count = 1; count < line; count += 1) {
    const next = text.indexOf('\n', start)
    if (next < 0) break
    start = next + 1
  }
  return start + column - 1
}
