import type { Json } from '../../core/json.ts'
import type { AttemptSpec } from '../../ports/executor.ts'
import { containerName } from './names.ts'

export type Fields = Readonly<Record<string, Json>>

/** Fields of the template that belong to the task's container; it is flat, as upstream's is. */
const OF_CONTAINER: ReadonlySet<string> = new Set([
  'volumeMounts',
  'volumeDevices',
  'resources',
  'env',
  'envFrom',
  'imagePullPolicy',
  'workingDir',
  'ports',
  'lifecycle',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
])

/** Fields that are somebody else's: of the engine, or of nobody when a pod is made. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'metadata',
  'containers',
  'initContainers',
  'containerSecurityContext',
  'activeDeadlineSeconds',
  'ephemeralContainers',
  'restartPolicy',
  'terminationMessagePath',
  'terminationMessagePolicy',
])

export interface SplitTemplate {
  readonly pod: Fields
  readonly container: Fields
  readonly metadata: Fields
  readonly sidecars: readonly Fields[]
  readonly initContainers: readonly Fields[]
}

/**
 * Takes a `podTemplate` apart. An entry of `containers` with the name of the task's container is laid over it; all
 * others run beside it. Fields that nobody here knows are fields of the pod: Kubernetes goes on growing.
 */
export function splitTemplate(spec: AttemptSpec): SplitTemplate {
  const template = fieldsOf(spec.work.podTemplate)
  const entries = Object.entries(template).filter(([, value]) => value !== null)
  const pod = entries.filter(([field]) => !OF_CONTAINER.has(field) && !LEFT_OUT.has(field))
  const flat = Object.fromEntries(entries.filter(([field]) => OF_CONTAINER.has(field)))
  const security = fieldsOf(template['containerSecurityContext'])
  const containers = listOf(template['containers']).map(fieldsOf)
  const own = containerName(spec.task)
  let container = Object.keys(security).length === 0 ? flat : { ...flat, securityContext: security }
  for (const one of containers) if (one['name'] === own) container = merged(container, one)
  return {
    pod: Object.fromEntries(pod),
    container,
    metadata: fieldsOf(template['metadata']),
    sidecars: containers.filter(one => one['name'] !== own),
    initContainers: listOf(template['initContainers']).map(fieldsOf),
  }
}

/**
 * `over` laid upon `under`, maps by key. Lists of things with names (or mount paths) are merged by these, as the
 * strategic merge of Kubernetes does; other lists and single values are replaced.
 */
export function merged(under: Fields, over: Fields): Fields {
  const result: Record<string, Json> = { ...under }
  for (const [field, value] of Object.entries(over)) {
    const below = result[field]
    if (isFields(below) && isFields(value)) result[field] = merged(below, value)
    else if (Array.isArray(below) && Array.isArray(value)) result[field] = mergedLists(field, below, value)
    else if (value !== null) result[field] = value
  }
  return result
}

/** Which field of its entries tells one from the other, for lists that are merged. */
const KEY_OF: Readonly<Record<string, string>> = {
  env: 'name',
  volumes: 'name',
  volumeMounts: 'mountPath',
  volumeDevices: 'devicePath',
  ports: 'containerPort',
}

function mergedLists(field: string, under: readonly Json[], over: readonly Json[]): Json {
  const key = KEY_OF[field]
  if (key === undefined) return [...over]
  const all = new Map<Json | undefined, Json>()
  for (const entry of [...under, ...over]) {
    const name = fieldsOf(entry)[key]
    const below = all.get(name)
    all.set(name, below === undefined ? entry : merged(fieldsOf(below), fieldsOf(entry)))
  }
  return [...all.values()]
}

const isFields = (value: Json | undefined): value is Fields =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

export const fieldsOf = (value: Json | undefined): Fields => (isFields(value) ? value : {})
export const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : [])
