/** A kind of object and where the API keeps it. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
}

const core = (plural: string, kind: string, namespaced = true): Resource => ({
  group: '',
  version: 'v1',
  plural,
  kind,
  namespaced,
})

export const PODS = core('pods', 'Pod')
export const CONFIG_MAPS = core('configmaps', 'ConfigMap')
export const SECRETS = core('secrets', 'Secret')
export const EVENTS = core('events', 'Event')
/** The same objects, as they are made and told nowadays. */
export const EVENTS_V1: Resource = { ...EVENTS, group: 'events.k8s.io' }
export const SERVICE_ACCOUNTS = core('serviceaccounts', 'ServiceAccount')
export const VOLUME_CLAIMS = core('persistentvolumeclaims', 'PersistentVolumeClaim')
export const NAMESPACES = core('namespaces', 'Namespace', false)
export const NODES = core('nodes', 'Node', false)
export const LEASES: Resource = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
}

export const apiVersionOf = (resource: Resource): string =>
  resource.group === '' ? resource.version : `${resource.group}/${resource.version}`

/**
 * The path of a collection, or of one object or subresource in it. Without a namespace a namespaced resource is meant
 * in all namespaces.
 */
export function pathOf(
  resource: Resource,
  namespace: string | undefined,
  name?: string,
  subresource?: string,
): string {
  const parts = [resource.group === '' ? '/api' : `/apis/${resource.group}`, `/${resource.version}`]
  if (resource.namespaced && namespace !== undefined) parts.push(`/namespaces/${segment(namespace)}`)
  if (resource.namespaced && namespace === undefined && name !== undefined)
    throw new TypeError(`${resource.plural} ${name} needs a namespace`)
  parts.push(`/${resource.plural}`)
  if (name !== undefined) parts.push(`/${segment(name)}`)
  if (subresource !== undefined) parts.push(`/${subresource}`)
  return parts.join('')
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>

export function withQuery(path: string, query: Query): string {
  let text = ''
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === '') continue
    text += `${text === '' ? '?' : '&'}${name}=${encodeURIComponent(value)}`
  }
  return path + text
}

/** A name out of a document must never lead to another path: "." and "..", and the empty name, are refused. */
function segment(name: string): string {
  if (name === '' || name === '.' || name === '..')
    throw new TypeError(`"${name}" is not the name of an object`)
  return encodeURIComponent(name)
}
