import type { Dag, ParameterValue } from '../core/dag/dag.ts'
import type { Json } from '../core/json.ts'
import type { Position, Problem } from '../core/problem.ts'
import { checkCalls } from './check/calls.ts'
import { checkDag } from './check/dag.ts'
import { checkDagRun } from './check/dag-run.ts'
import type { TaskView } from './check/view.ts'
import { loadDagTasks, resolveTask, type DagTasks, type TaskLookup } from './dag-tasks.ts'
import { expandDsl } from './dsl-document.ts'
import { PROBLEMS_MAX } from './limits.ts'
import { present, type Loose } from './loose.ts'
import { readDocuments, type Input } from './read.ts'
import { dagRunDocument, type DagRunDocument, type DagRunSpec } from './schema/dag-run.ts'
import type { DagTaskSpec } from './schema/dag-task.ts'
import { dagDocument, type DagDocument, type DagSpec, type TaskSpec } from './schema/dag.ts'
import { reporter, shaped } from './shape.ts'
import { markAt, placed, positionAt, type Finding, type SourceDocument } from './source.ts'
import { toDag, toParameterValue } from './to-dag.ts'

/** Everything that texts hold. Good documents are there even when others have problems. */
export interface Loaded {
  readonly dags: readonly LoadedDag[]
  readonly dagRuns: readonly LoadedDagRun[]
  readonly dagTasks: readonly LoadedDagTask[]
  /** Values by `namespace/name/key`. Never print them. */
  readonly secrets: ReadonlyMap<string, string>
  readonly configMaps: ReadonlyMap<string, string>
  /** In the order of the texts, by line and column; errors and warnings. */
  readonly problems: readonly Problem[]
}

export interface LoadedDag {
  readonly dag: Dag
  /** The document as it was read. */
  readonly document: Json
  readonly at: Position
}

export interface LoadedDagRun {
  readonly namespace: string
  /** Null when the API server is to complete `generateName`. */
  readonly name: string | null
  readonly dagName: string
  readonly parameters: readonly ParameterValue[]
  readonly action: NonNullable<DagRunSpec['action']> | null
  readonly labels: Readonly<Record<string, string>>
  readonly document: Json
  readonly at: Position
}

export interface LoadedDagTask {
  readonly namespace: string
  readonly name: string
  readonly spec: DagTaskSpec
  /** 1 for the first content of a name among these texts, the next number for each changed one. */
  readonly version: number
  readonly document: Json
  readonly at: Position
}

export interface LoadOptions {
  /** Namespace of documents that name none. Default `default`. */
  readonly namespace?: string
  /** Where DagTasks that are not beside the DAG come from. */
  readonly lookup?: TaskLookup
}

/**
 * The one way from texts to what they mean: reads, checks everything, and gives the good documents beside all
 * problems. Pure: reading files is done before, in `files.ts`.
 *
 * @example loadDocuments([{ name: 'hello.yaml', text }]).dags[0]?.dag
 */
export function loadDocuments(inputs: readonly Input[], options: LoadOptions = {}): Loaded {
  const namespace = options.namespace ?? 'default'
  const read = readDocuments(inputs, namespace)
  const problems: Problem[] = [...read.problems]
  const tasks = loadDagTasks(read.dagTasks, namespace, problems)
  const lookup = options.lookup ?? (() => null)
  const candidates = read.dags.map(document => checkedDag(document, namespace, tasks, lookup, problems))
  refuseDuplicates('DAG', candidates, problems)
  refuseCalls(candidates, problems)
  const dagsByName = new Map(
    candidates.map(candidate => [`${candidate.namespace}/${candidate.name}`, candidate]),
  )
  const dagRuns = read.dagRuns.map(document => loadDagRun(document, namespace, dagsByName, problems))
  refuseDuplicates('DagRun', dagRuns, problems)
  return {
    dags: candidates.flatMap(({ loaded }) => (loaded === null ? [] : [loaded])),
    dagRuns: dagRuns.flatMap(({ loaded }) => (loaded === null ? [] : [loaded])),
    dagTasks: tasks.loaded,
    secrets: read.secrets,
    configMaps: read.configMaps,
    problems: inOrder(problems, inputs),
  }
}

/** A document on its way. `loaded` is null once it has an error. */
interface Candidate<T> {
  readonly document: SourceDocument
  /** The document with marks for what the arrow language stands for. */
  readonly placing: SourceDocument
  readonly namespace: string
  readonly name: string | null
  readonly spec: Loose<DagSpec>
  loaded: T | null
}

function checkedDag(
  document: SourceDocument,
  fallback: string,
  tasks: DagTasks,
  lookup: TaskLookup,
  problems: Problem[],
): Candidate<LoadedDag> {
  const shape = shaped('DAG', () => dagDocument, document)
  const loose = (shape.value ?? {}) as Loose<DagDocument>
  const namespace = loose.metadata?.namespace ?? fallback
  const findings: Finding[] = [...shape.findings]
  const report = reporter(shape, findings)
  const expanded = expandDsl(loose.spec ?? {}, document)
  problems.push(...expanded.findings.map(finding => placed(document, finding)))
  const { spec } = expanded
  const views: TaskView[] = (['task', 'finally'] as const).flatMap(group =>
    present(spec[group]).map(([index, task]) =>
      resolveTask(task, { group, path: ['spec', group, index] }, namespace, tasks, lookup, report),
    ),
  )
  checkDag(loose.spec === undefined ? loose : { ...loose, spec }, views, report)
  problems.push(...findings.map(finding => inDocument(document, placed(expanded.document, finding))))
  const candidate = {
    document,
    placing: expanded.document,
    namespace,
    name: loose.metadata?.name ?? null,
    spec,
  }
  if ([...findings, ...expanded.findings].some(isError)) return { ...candidate, loaded: null }
  const specsOf = (group: TaskView['group']): TaskSpec[] =>
    views.filter(view => view.group === group).map(view => view.spec as TaskSpec)
  const { metadata } = shape.value as DagDocument
  const dag = toDag(
    metadata,
    spec as DagSpec,
    { task: specsOf('task'), finally: specsOf('finally') },
    fallback,
  )
  return { ...candidate, loaded: { dag, document: document.value, at: startOf(document) } }
}

function loadDagRun(
  document: SourceDocument,
  fallback: string,
  dags: ReadonlyMap<string, Candidate<LoadedDag>>,
  problems: Problem[],
): Candidate<LoadedDagRun> {
  const shape = shaped('DagRun', () => dagRunDocument, document)
  const loose = (shape.value ?? {}) as Loose<DagRunDocument>
  const namespace = loose.metadata?.namespace ?? fallback
  const findings: Finding[] = [...shape.findings]
  const dag = dags.get(`${namespace}/${loose.spec?.dagName ?? ''}`)
  checkDagRun(loose, dag?.spec, reporter(shape, findings))
  problems.push(...findings.map(finding => placed(document, finding)))
  const candidate = { document, placing: document, namespace, name: loose.metadata?.name ?? null, spec: {} }
  if (findings.some(isError)) return { ...candidate, loaded: null }
  const { metadata, spec } = shape.value as DagRunDocument
  const loaded: LoadedDagRun = {
    namespace,
    name: metadata.name ?? null,
    dagName: spec.dagName,
    parameters: (spec.parameters ?? []).map(toParameterValue),
    action: spec.action ?? null,
    labels: metadata.labels ?? {},
    document: document.value,
    at: startOf(document),
  }
  return { ...candidate, loaded }
}

/** Two documents of one name: the second would silently win in a cluster, so it is refused. */
function refuseDuplicates(
  kind: string,
  candidates: readonly Candidate<unknown>[],
  problems: Problem[],
): void {
  const seen = new Map<string, SourceDocument>()
  for (const candidate of candidates) {
    if (candidate.name === null || candidate.name === '') continue
    const key = `${candidate.namespace}/${candidate.name}`
    const first = seen.get(key)
    if (first === undefined) {
      seen.set(key, candidate.document)
      continue
    }
    const { file, line } = startOf(first)
    candidate.loaded = null
    problems.push(
      placed(candidate.document, {
        code: 'DOCUMENT_DUPLICATE',
        path: ['metadata', 'name'],
        message: `the ${kind} ${candidate.name} is there already, in ${file} at line ${line}`,
        fix: 'rename one of the two, or remove it',
      }),
    )
  }
}

/** What `dag` tasks say about DAGs that are at hand. */
function refuseCalls(candidates: readonly Candidate<LoadedDag>[], problems: Problem[]): void {
  for (const { caller, finding } of checkCalls(candidates)) {
    problems.push(inDocument(caller.document, placed(caller.placing, finding)))
    if (isError(finding)) caller.loaded = null
  }
}

/** What the arrow language stands for has no path in the document but the one of its text. */
function inDocument(document: SourceDocument, problem: Problem): Problem {
  const isPlace = markAt(document.mark, problem.path.slice(0, 2)) !== null
  const hasDsl = markAt(document.mark, ['spec', 'dsl']) !== null
  return isPlace || !hasDsl || problem.path[0] !== 'spec' ? problem : { ...problem, path: ['spec', 'dsl'] }
}

function startOf(document: SourceDocument): Position {
  return positionAt(document.source, Math.max(document.mark.start, 0))
}

function isError(finding: Finding): boolean {
  return finding.severity !== 'warning'
}

function inOrder(problems: readonly Problem[], inputs: readonly Input[]): readonly Problem[] {
  const order = new Map(inputs.map(({ name }, index) => [name, index]))
  const place = ({ at }: Problem): number[] => [
    order.get(at?.file ?? '') ?? -1,
    at?.line ?? 0,
    at?.column ?? 0,
  ]
  const sorted = problems.toSorted((a, b) => {
    const [left, right] = [place(a), place(b)]
    const differs = left.findIndex((value, index) => value !== right[index])
    return differs < 0 ? 0 : (left[differs] ?? 0) - (right[differs] ?? 0)
  })
  if (sorted.length <= PROBLEMS_MAX) return sorted
  const rest = sorted.length - PROBLEMS_MAX
  const shown = sorted.slice(0, PROBLEMS_MAX)
  // An error beyond the cut must not turn into "no errors".
  const severity = sorted.slice(PROBLEMS_MAX).some(problem => problem.severity === 'error')
    ? 'error'
    : 'warning'
  const more: Problem = {
    code: 'TOO_MANY_PROBLEMS',
    severity,
    path: [],
    message: `there are ${rest} more problems`,
    fix: 'correct the ones above first',
  }
  return [...shown, more]
}
