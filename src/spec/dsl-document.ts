import { parseDsl, type DslDag, type DslEdge, type DslPlace } from '../core/dag/dsl.ts'
import type { Loose } from './loose.ts'
import type { DagSpec } from './schema/dag.ts'
import { markAt, offsetOfPlace, type Finding, type Mark, type SourceDocument } from './source.ts'

/** Upstream writes what it parsed back beside the DSL, and this note with it. */
const WRITTEN_BACK = 'kontroler/dsl-hash'

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
    findings.push({
      code: problem.code,
      severity: problem.severity,
      path: ['spec', 'dsl'],
      message: problem.message,
      fix: problem.fix,
      place: { line: problem.at?.line ?? 1, column: problem.at?.column ?? 1 },
    })
  }
  if (!parsed.ok || mark === null) return { spec: rest, document, findings }
  const edges = Map.groupBy(parsed.value.edges, ({ to }) => to)
  return {
    spec: { ...rest, ...fieldsOf(parsed.value, edges) },
    document: { ...document, mark: withMarks(document, mark, parsed.value, edges) },
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

function fieldsOf(
  dsl: DslDag,
  edges: EdgesByTarget,
): Pick<Loose<DagSpec>, 'schedule' | 'parameters' | 'task'> {
  return {
    ...(dsl.schedule === null ? {} : { schedule: dsl.schedule }),
    parameters: dsl.parameters.map(({ name, default: defaultValue, defaultFromSecret }) => ({
      name,
      ...(defaultValue === undefined ? {} : { defaultValue }),
      ...(defaultFromSecret === undefined ? {} : { defaultFromSecret }),
    })),
    task: dsl.tasks.map(({ retryCodes, backoff, line: _line, column: _column, ...fields }) => ({
      ...fields,
      backoff: { limit: backoff },
      ...(retryCodes === undefined ? {} : { conditional: { enabled: true, retryCodes } }),
      runAfter: (edges.get(fields.name) ?? []).map(({ from }) => from),
    })) as Loose<DagSpec>['task'],
  }
}

type EdgesByTarget = ReadonlyMap<string, readonly DslEdge[]>

function withMarks(document: SourceDocument, whole: Mark, dsl: DslDag, edges: EdgesByTarget): Mark {
  const place = (at: DslPlace, children: [string | number, Mark][] = []): Mark => ({
    start: offsetOfPlace(document.source, whole, at),
    key: -1,
    scalar: null,
    children: new Map(children),
  })
  const list = (marks: readonly Mark[]): Mark => place({ line: 1, column: 1 }, [...marks.entries()])
  const tasks = dsl.tasks.map(task =>
    place(task, [['runAfter', list((edges.get(task.name) ?? []).map(edge => place(edge)))]]),
  )
  const parameters = dsl.parameters.map(parameter => place(parameter))
  const spec = document.mark.children?.get('spec')
  if (spec === undefined) return document.mark
  const fields = new Map(spec.children)
  fields.set('task', list(tasks))
  fields.set('parameters', list(parameters))
  fields.set('schedule', list([]))
  const children = new Map(document.mark.children)
  children.set('spec', { ...spec, children: fields })
  return { ...document.mark, children }
}
