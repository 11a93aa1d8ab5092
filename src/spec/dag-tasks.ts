import type { Problem } from '../core/problem.ts'
import type { Json } from '../core/json.ts'
import { nearest } from '../core/nearest.ts'
import { checkMetadata } from './check/metadata.ts'
import { checkNoTemplates } from './check/no-templates.ts'
import { isWork, merged, type TaskView } from './check/view.ts'
import { checkWork } from './check/work.ts'
import type { Report } from './check/words.ts'
import type { Loose } from './loose.ts'
import { dagTaskDocument, type DagTaskDocument, type DagTaskSpec } from './schema/dag-task.ts'
import type { TaskSpec } from './schema/dag.ts'
import { reporter, shaped } from './shape.ts'
import { placed, positionAt, type Finding, type Path, type SourceDocument } from './source.ts'
import type { LoadedDagTask } from './load.ts'

/** A DagTask at a version; null when there is none of that name, `unknown version` when there are only others. */
export type TaskLookup = (
  namespace: string,
  name: string,
  version: number,
) => DagTaskSpec | null | 'unknown version'

/** DagTasks of the texts. Broken ones are known by name only, so that a reference to them is not told twice. */
export interface DagTasks {
  readonly loaded: readonly LoadedDagTask[]
  /** By `namespace/name`, oldest version first. */
  readonly byName: ReadonlyMap<string, readonly LoadedDagTask[]>
  readonly broken: ReadonlySet<string>
}

/** Reads and checks DagTasks, and numbers their versions by content, as if they were applied in this order. */
export function loadDagTasks(
  documents: readonly SourceDocument[],
  fallback: string,
  problems: Problem[],
): DagTasks {
  const loaded: LoadedDagTask[] = []
  const broken = new Set<string>()
  const newest = new Map<string, LoadedDagTask>()
  for (const document of documents) {
    const findings: Finding[] = []
    const shape = shaped('DagTask', () => dagTaskDocument, document)
    findings.push(...shape.findings)
    const loose = (shape.value ?? {}) as Loose<DagTaskDocument>
    checkDagTask(loose, reporter(shape, findings))
    problems.push(...findings.map(finding => placed(document, finding)))
    const name = loose.metadata?.name ?? ''
    const namespace = loose.metadata?.namespace ?? fallback
    if (findings.some(({ severity }) => severity !== 'warning')) {
      broken.add(`${namespace}/${name}`)
      continue
    }
    const { spec } = shape.value as DagTaskDocument
    const earlier = newest.get(`${namespace}/${name}`)
    if (earlier !== undefined && canonical(earlier.spec) === canonical(spec)) continue
    const task: LoadedDagTask = {
      namespace,
      name,
      spec,
      version: (earlier?.version ?? 0) + 1,
      document: document.value,
      at: positionAt(document.source, document.mark.start),
    }
    newest.set(`${namespace}/${name}`, task)
    loaded.push(task)
  }
  return { loaded, byName: Map.groupBy(loaded, task => `${task.namespace}/${task.name}`), broken }
}

function checkDagTask(document: Loose<DagTaskDocument>, report: Report): void {
  checkMetadata(document.metadata, 'DagTask', report)
  const spec = document.spec ?? {}
  if (spec.runAfter !== undefined && spec.runAfter.length > 0) {
    report({
      code: 'FIELD_IGNORED',
      severity: 'warning',
      path: ['spec', 'runAfter'],
      on: 'key',
      message: 'runAfter means nothing in a DagTask',
      fix: 'write it in the task that refers to this DagTask',
    })
  }
  const { runAfter: _runAfter, triggerRule: _triggerRule, ...rest } = spec
  const view: TaskView = {
    name: document.metadata?.name,
    group: 'task',
    path: ['spec'],
    spec: rest,
    borrowed: new Set(),
    known: true,
  }
  checkWork(view, report)
  checkNoTemplates(view, report)
}

/** A task with its DagTask in place. What cannot be found is told, and then nothing is said about what runs. */
export function resolveTask(
  own: Loose<TaskSpec>,
  place: Pick<TaskView, 'group' | 'path'>,
  namespace: string,
  tasks: DagTasks,
  lookup: TaskLookup,
  report: Report,
): TaskView {
  const view: TaskView = { name: own.name, ...place, spec: own, borrowed: new Set(), known: true }
  const reference = own.taskRef
  if (reference === undefined) return view
  checkIgnored(own, place.path, report)
  const { name, version } = reference
  if (name === undefined || version === undefined) return { ...view, known: false }
  const found = find(namespace, name, version, tasks, lookup)
  if (found.finding !== null)
    report({ ...found.finding, path: [...place.path, 'taskRef', ...found.finding.path] })
  if (found.spec === null) return { ...view, spec: withoutWork(own), known: false }
  return { ...view, ...merged(own, found.spec) }
}

type Found = { readonly spec: DagTaskSpec | null; readonly finding: Finding | null }

function find(namespace: string, name: string, version: number, tasks: DagTasks, lookup: TaskLookup): Found {
  const beside = tasks.byName.get(`${namespace}/${name}`) ?? []
  const exact = beside.find(task => task.version === version)
  if (exact !== undefined) return { spec: exact.spec, finding: null }
  if (tasks.broken.has(`${namespace}/${name}`)) return { spec: null, finding: null }
  const stored = lookup(namespace, name, version)
  if (stored !== null && stored !== 'unknown version') return { spec: stored, finding: null }
  const newest = beside.at(-1)
  if (newest !== undefined) {
    return {
      spec: newest.spec,
      finding: {
        code: 'TASK_REF_VERSION',
        severity: 'warning',
        path: ['version'],
        message: `version ${version} of the DagTask ${name} is not known; the one beside the DAG is used`,
        fix: `apply the DagTask first, or refer to version ${newest.version}`,
      },
    }
  }
  if (stored === 'unknown version') {
    return {
      spec: null,
      finding: {
        code: 'TASK_REF_VERSION',
        path: ['version'],
        message: `the DagTask ${name} has no version ${version}`,
        fix: 'refer to a version that exists',
      },
    }
  }
  const near = nearest(
    name,
    tasks.loaded.map(task => task.name),
  )
  return {
    spec: null,
    finding: {
      code: 'TASK_REF_UNKNOWN',
      path: ['name'],
      message: `there is no DagTask ${name} in the namespace ${namespace}`,
      fix: near === null ? 'put its document beside the DAG, or apply it first' : `did you mean ${near}?`,
    },
  }
}

/** Fields that the DagTask says in the task's place. */
function checkIgnored(own: Loose<TaskSpec>, path: Path, report: Report): void {
  for (const field of Object.keys(own)) {
    if (!isWork(field)) continue
    if (saysNothing(own[field])) continue
    report({
      code: 'FIELD_IGNORED',
      severity: 'warning',
      path: [...path, field],
      on: 'key',
      message: `${field} is ignored, since the DagTask says what runs`,
      fix: `remove ${field} or taskRef`,
    })
  }
}

/** Empty, or the zero values that a typed client writes out: `{limit: 0}`, `{enabled: false, retryCodes: []}`. */
function saysNothing(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).every(saysNothing)
  return value === undefined || value === '' || value === 0 || value === false
}

function withoutWork(own: Loose<TaskSpec>): Loose<TaskSpec> {
  return Object.fromEntries(Object.entries(own).filter(([field]) => !isWork(field))) as Loose<TaskSpec>
}

/** The content of a spec as text, whatever the order of its keys. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(
          Object.entries(item as Record<string, Json>).toSorted(([a], [b]) => (a < b ? -1 : 1)),
        )
      : item,
  )
}
