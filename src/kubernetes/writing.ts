import type { Body, ChangeOptions, WriteOptions } from './client.ts'
import type { KubeObject, ObjectIdentity, Place } from './object.ts'
import { pathOf, type Query, type Resource } from './resource.ts'
import { scanIdentity } from './scan-identity.ts'
import { JSON_TYPE, parsed, type Sender, type Write } from './sender.ts'

const creation = (resource: Resource, namespace: string | undefined, body: Body): Write => {
  if (resource.namespaced && namespace === undefined)
    throw new TypeError(`${resource.plural} need a namespace`)
  // Sent again only by the caller, who knows whether the name is his.
  return {
    method: 'POST',
    path: pathOf(resource, namespace),
    repeat: 'ifUntouched',
    contentType: JSON_TYPE,
    body,
  }
}

export async function create<T extends KubeObject>(
  sender: Sender,
  resource: Resource,
  namespace: string | undefined,
  body: Body,
  options: WriteOptions | undefined,
): Promise<T> {
  return parsed<T>(await sender.write(creation(resource, namespace, body), options), 'unknown')
}

export async function createBrief(
  sender: Sender,
  resource: Resource,
  namespace: string | undefined,
  body: Body,
  options: WriteOptions | undefined,
): Promise<ObjectIdentity> {
  const brief = { ...options, metadataOnly: true }
  return scanIdentity(await sender.write(creation(resource, namespace, body), brief))
}

export async function createBelow(
  sender: Sender,
  resource: Resource,
  place: Place,
  subresource: string,
  body: Body,
  options: WriteOptions | undefined,
): Promise<void> {
  const path = pathOf(resource, place.namespace, place.name, subresource)
  await sender.write({ method: 'POST', path, repeat: 'ifUntouched', contentType: JSON_TYPE, body }, options)
}

/** How a change is said, and whether saying it twice is saying it once. */
const CHANGES = {
  replace: { method: 'PUT', contentType: JSON_TYPE, repeat: 'always' },
  apply: { method: 'PATCH', contentType: 'application/apply-patch+yaml', repeat: 'always' },
  mergePatch: { method: 'PATCH', contentType: 'application/merge-patch+json', repeat: 'always' },
  jsonPatch: { method: 'PATCH', contentType: 'application/json-patch+json', repeat: 'ifUntouched' },
} as const

export async function change<T extends KubeObject>(
  sender: Sender,
  how: keyof typeof CHANGES,
  [resource, place]: readonly [Resource, Place],
  body: Body,
  options: ChangeOptions | undefined,
  query: Query = {},
): Promise<T> {
  const path = pathOf(resource, place.namespace, place.name, options?.subresource)
  return parsed<T>(await sender.write({ ...CHANGES[how], path, body, query }, options), 'unknown')
}
