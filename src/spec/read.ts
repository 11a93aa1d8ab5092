import { nearest } from '../core/nearest.ts'
import type { Json } from '../core/json.ts'
import type { Problem } from '../core/problem.ts'
import { DEPTH_MAX, TEXT_BYTES_MAX } from './limits.ts'
import { API_GROUP, API_VERSION } from './api-version.ts'
import { shown } from './shape.ts'
import { placed, sourceText, type Finding, type Mark, type SourceDocument } from './source.ts'
import { parseYaml } from './yaml.ts'

/** One text to read. */
export interface Input {
  /** File name as the user gave it; `-` for standard input. */
  readonly name: string
  readonly text: string
  /** Found in a directory, not named by anybody: documents of other kinds of file are passed over. */
  readonly found?: boolean
}

/** What texts hold, sorted by kind. Values of Secrets and ConfigMaps are by `namespace/name/key`. */
export interface ReadDocuments {
  readonly dags: readonly SourceDocument[]
  readonly dagRuns: readonly SourceDocument[]
  readonly dagTasks: readonly SourceDocument[]
  readonly secrets: ReadonlyMap<string, string>
  readonly configMaps: ReadonlyMap<string, string>
  readonly problems: readonly Problem[]
}

type Sorted = {
  dags: SourceDocument[]
  dagRuns: SourceDocument[]
  dagTasks: SourceDocument[]
  secrets: Map<string, string>
  configMaps: Map<string, string>
  problems: Problem[]
}

/** Texts to documents: YAML or JSON, many documents a text, lists taken apart. Never throws for what a text holds. */
export function readDocuments(inputs: readonly Input[], namespace: string): ReadDocuments {
  const sorted: Sorted = {
    dags: [],
    dagRuns: [],
    dagTasks: [],
    secrets: new Map(),
    configMaps: new Map(),
    problems: [],
  }
  for (const input of inputs) readText(input, namespace, sorted)
  return sorted
}

function readText(input: Input, namespace: string, sorted: Sorted): void {
  if (Buffer.byteLength(input.text) > TEXT_BYTES_MAX) {
    sorted.problems.push(tooLarge(input.name))
    return
  }
  // A byte order mark is not content, and would shift the columns of the first line.
  const source = sourceText(input.name, input.text.replace(/^\uFEFF/, ''))
  const parsed = parseYaml(source)
  const kubernetes = input.found === true ? parsed.documents.filter(looksLikeKubernetes) : parsed.documents
  if (input.found === true && kubernetes.length === 0) return
  sorted.problems.push(...parsed.problems)
  for (const document of kubernetes) sortDocument(document, namespace, sorted, 0)
  if (parsed.documents.every(document => document.value === null) && parsed.problems.length === 0) {
    sorted.problems.push({
      code: 'NO_DOCUMENT',
      severity: 'error',
      path: [],
      message: 'there is no document in this text',
      fix: `write one that starts with apiVersion: ${API_VERSION}`,
      at: { file: input.name, line: 1, column: 1 },
    })
  }
}

/** The problem of a text that is too large to be read. */
export function tooLarge(name: string): Problem {
  return {
    code: 'FILE_TOO_LARGE',
    severity: 'error',
    path: [],
    message: `the text is larger than ${TEXT_BYTES_MAX} bytes`,
    fix: 'split it, or keep data out of the documents',
    at: { file: name, line: 1, column: 1 },
  }
}

function looksLikeKubernetes(document: SourceDocument): boolean {
  const { value } = document
  return isMap(value) && 'apiVersion' in value && 'kind' in value
}

function sortDocument(document: SourceDocument, namespace: string, sorted: Sorted, depth: number): void {
  const { value } = document
  const report = (finding: Finding): unknown => sorted.problems.push(placed(document, finding))
  if (value === null) return
  if (!isMap(value)) {
    report({
      code: 'DOCUMENT_TYPE',
      path: [],
      message: 'a document must be a map',
      fix: `start it with apiVersion: ${API_VERSION}`,
    })
    return
  }
  const { kind, apiVersion } = value
  if (typeof kind !== 'string' || kind === '') {
    report({
      code: 'KIND_MISSING',
      path: ['kind'],
      message: 'the document says no kind',
      fix: 'add kind: DAG, DagRun or DagTask',
    })
    return
  }
  if (kind === 'List' || (kind.endsWith('List') && Array.isArray(value['items']))) {
    return sortList(document, value['items'], namespace, sorted, depth)
  }
  if (apiVersion === 'v1' && kind === 'Secret') return keepSecret(document, value, namespace, sorted)
  if (apiVersion === 'v1' && kind === 'ConfigMap') return keepConfigMap(document, value, namespace, sorted)
  if (apiVersion === API_VERSION && kind === 'DAG') sorted.dags.push(document)
  else if (apiVersion === API_VERSION && kind === 'DagRun') sorted.dagRuns.push(document)
  else if (apiVersion === API_VERSION && kind === 'DagTask') sorted.dagTasks.push(document)
  else report(otherKind(kind, apiVersion))
}

const KINDS = ['DAG', 'DagRun', 'DagTask']

function otherKind(kind: string, apiVersion: Json | undefined): Finding {
  const ours = KINDS.includes(kind)
  const ourGroup = typeof apiVersion === 'string' && apiVersion.split('/')[0] === API_GROUP
  if (ours && apiVersion === undefined) {
    return {
      code: 'API_VERSION',
      path: ['apiVersion'],
      message: `the ${kind} says no apiVersion`,
      fix: `add apiVersion: ${API_VERSION}`,
    }
  }
  if (ours) {
    return {
      code: 'API_VERSION',
      path: ['apiVersion'],
      message: `a ${kind} of apiVersion ${shown(apiVersion)} is not known`,
      fix: `write apiVersion: ${API_VERSION}`,
    }
  }
  if (ourGroup && kind !== 'WorkerPool') {
    const near = nearest(kind, KINDS)
    return {
      code: 'KIND_UNKNOWN',
      path: ['kind'],
      message: `there is no kind ${shown(kind)} in ${API_GROUP}`,
      fix: near === null ? `use one of ${KINDS.join(', ')}` : `did you mean ${near}?`,
    }
  }
  return {
    code: 'KIND_SKIPPED',
    severity: 'warning',
    path: ['kind'],
    message: `a ${kind} is of no use here and was passed over`,
    fix: 'apply it with kubectl when the cluster needs it',
  }
}

function sortList(
  document: SourceDocument,
  items: Json | undefined,
  namespace: string,
  sorted: Sorted,
  depth: number,
): void {
  if (!Array.isArray(items) || depth > DEPTH_MAX) {
    sorted.problems.push(
      placed(document, {
        code: 'DOCUMENT_TYPE',
        path: ['items'],
        message: 'a List needs a list of items',
        fix: 'put the documents under items',
      }),
    )
    return
  }
  const marks = document.mark.children?.get('items')?.children
  for (const [index, value] of (items as readonly Json[]).entries()) {
    const mark: Mark = marks?.get(index) ?? document.mark
    sortDocument({ source: document.source, value, mark }, namespace, sorted, depth + 1)
  }
}

function keepSecret(document: SourceDocument, value: JsonMap, namespace: string, sorted: Sorted): void {
  keep(document, value, 'data', namespace, sorted.secrets, sorted, text => {
    const compact = text.replace(/\s/g, '')
    return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(compact)
      ? Buffer.from(compact, 'base64').toString('utf8')
      : null
  })
  keep(document, value, 'stringData', namespace, sorted.secrets, sorted, text => text)
}

function keepConfigMap(document: SourceDocument, value: JsonMap, namespace: string, sorted: Sorted): void {
  keep(document, value, 'data', namespace, sorted.configMaps, sorted, text => text)
}

/** Puts values aside. Messages name keys, never values. */
function keep(
  document: SourceDocument,
  value: JsonMap,
  field: string,
  fallback: string,
  into: Map<string, string>,
  sorted: Sorted,
  decode: (text: string) => string | null,
): void {
  const report = (path: Finding['path'], message: string, fix: string): unknown =>
    sorted.problems.push(placed(document, { code: 'VALUES_INVALID', path, message, fix }))
  const metadata = isMap(value['metadata']) ? value['metadata'] : {}
  const { name, namespace } = metadata
  if (typeof name !== 'string' || name === '') {
    if (field === 'data') report(['metadata', 'name'], 'the name is missing', 'add metadata.name')
    return
  }
  const values = value[field] ?? {}
  if (!isMap(values)) {
    report([field], `${field} must be a map of texts`, 'write key: value lines')
    return
  }
  for (const [key, text] of Object.entries(values)) {
    const decoded = typeof text === 'string' ? decode(text) : text === null ? '' : null
    if (decoded === null) {
      const what = typeof text === 'string' ? 'is not base64' : 'must be text'
      report([field, key], `the value of ${key} ${what}`, 'quote it, or write it under stringData as it is')
    } else {
      into.set(`${typeof namespace === 'string' ? namespace : fallback}/${name}/${key}`, decoded)
    }
  }
}

type JsonMap = { readonly [key: string]: Json }

function isMap(value: Json | undefined): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
