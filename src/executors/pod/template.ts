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
  'terminationMessagePath',
  'terminationMessagePolicy',
])

/** Fields that are taken apart here, or that are the engine's; see `templateProblem`. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'metadata',
  'containers',
  'initContainers',
  'ephemeralContainers',
  'containerSecurityContext',
  'restartPolicy',
  // The engine keeps the time, from when the task runs; a pod's deadline is how it stops one.
  'activeDeadlineSeconds',
])

export interface SplitTemplate {
  /** Fields of the pod's spec. */
  readonly pod: Fields
  /** Fields of the task's container. */
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
  const entries = Object.entries(template)
  const security = template['containerSecurityContext']
  let container: Fields = {
    ...Object.fromEntries(entries.filter(([field]) => OF_CONTAINER.has(field))),
    ...(security === undefined ? {} : { securityContext: security }),
  }
  const own = containerName(spec.task)
  const containers = listOf(template['containers']).map(fieldsOf)
  for (const one of containers) if (one['name'] === own) container = merged(container, one)
  return {
    pod: Object.fromEntries(entries.filter(([field]) => !OF_CONTAINER.has(field) && !LEFT_OUT.has(field))),
    container,
    metadata: fieldsOf(template['metadata']),
    sidecars: containers.filter(one => one['name'] !== own),
    initContainers: listOf(template['initContainers']).map(fieldsOf),
  }
}

/**
 * `over` laid upon `under`: maps key by key, lists of things that have a name by that name, as the strategic merge of
 * Kubernetes does; every other value is replaced, and `null` takes away what was there.
 *
 * @example merged({ a: { b: 1, c: 2 } }, { a: { b: 3, c: null } }) → { a: { b: 3 } }
 */
export function merged(under: Fields, over: Fields): Fields {
  const result = new Map(Object.entries(under))
  for (const [field, value] of Object.entries(over)) {
    const below = result.get(field)
    if (value === null) result.delete(field)
    else if (Array.isArray(value)) result.set(field, mergedLists(field, listOf(below), value))
    else if (isFields(value)) result.set(field, merged(fieldsOf(below), value))
    else result.set(field, value)
  }
  return Object.fromEntries(result)
}

/** Which field tells the entries of a list apart, for lists that are merged. */
const KEY_OF: Readonly<Record<string, string>> = {
  containers: 'name',
  env: 'name',
  volumes: 'name',
  volumeMounts: 'mountPath',
  volumeDevices: 'devicePath',
  ports: 'containerPort',
  imagePullSecrets: 'name',
  hostAliases: 'ip',
  schedulingGates: 'name',
  resourceClaims: 'name',
}

function mergedLists(field: string, under: readonly Json[], over: readonly Json[]): Json {
  const key = KEY_OF[field]
  if (key === undefined || under.length === 0) return over
  const all = new Map<Json | undefined, Json>()
  for (const entry of under) all.set(fieldsOf(entry)[key], entry)
  const fresh: Json[] = []
  for (const entry of over) {
    const name = fieldsOf(entry)[key]
    const below = all.get(name)
    if (below === undefined) fresh.push(entry)
    else all.set(name, below === entry ? entry : merged(fieldsOf(below), fieldsOf(entry)))
  }
  return [...all.values(), ...fresh]
}

const isFields = (value: Json | undefined): value is Fields =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

export const fieldsOf = (value: Json | undefined): Fields => (isFields(value) ? value : {})
export const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : [])
