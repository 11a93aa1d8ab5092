import type { Json } from '../core/json.ts'
import type { Client, RequestOptions } from '../kubernetes/client.ts'
import type { KubeObject } from '../kubernetes/object.ts'
import { isProblem } from '../kubernetes/problem.ts'
import { type Reflector, startReflector, type View } from '../kubernetes/reflector.ts'
import { apiVersionOf, EVENTS_V1, type Resource } from '../kubernetes/resource.ts'
import { API_GROUP, API_VERSION, VERSION_NAME } from '../spec/api-version.ts'
import { KINDS } from '../spec/kinds.ts'
import type { Cluster, ClusterEvent, ClusterObject, KindName, ObjectListener, Watching } from './cluster.ts'
import { fieldOf } from './conditions.ts'

export interface KubernetesClusterOptions {
  readonly client: Client
  /** Null: all of them. */
  readonly namespaces: readonly string[] | null
  /** Which program tells Events. */
  readonly reporter?: string
  /** Which one of several of these. */
  readonly instance?: string
  readonly trouble: (error: unknown) => void
}

/** A cluster that can also tell how fresh its views are. */
export interface KubernetesCluster extends Cluster {
  views(): readonly View[]
}

/** Behind everything that a task waits for. */
const STATUS: RequestOptions = { priority: 'housekeeping' }

/** The cluster behind a client of its API. */
export function kubernetesCluster(options: KubernetesClusterOptions): KubernetesCluster {
  const { client, reporter = 'kontroler', instance = 'kontroler' } = options
  const reflectors: { readonly name: string; readonly reflector: Reflector<undefined> }[] = []
  return {
    watch(kind, listener) {
      const opened = (options.namespaces ?? [undefined]).map(namespace => {
        const reflector = follow(options, kind, namespace, listener)
        const { plural } = resourceOf(kind)
        reflectors.push({ name: namespace === undefined ? plural : `${plural} of ${namespace}`, reflector })
        return reflector
      })
      return watchingOf(opened)
    },
    async writeStatus(kind, { namespace, name, uid }, status) {
      const patch = { metadata: { uid }, status }
      try {
        await client.mergePatch(resourceOf(kind), { namespace, name }, patch, {
          ...STATUS,
          subresource: 'status',
          metadataOnly: true,
        })
        return 'written'
      } catch (error) {
        // Another object has the name by now.
        if (isProblem(error, 'notFound', 'conflict')) return 'gone'
        throw error
      }
    },
    async createDagRun({ namespace, name, labels, annotations, spec }) {
      const body = {
        apiVersion: API_VERSION,
        kind: 'DagRun',
        metadata: { name, namespace, labels, annotations },
        spec,
      }
      try {
        await client.createBrief(resourceOf('DagRun'), namespace, body, STATUS)
        return 'created'
      } catch (error) {
        if (isProblem(error, 'alreadyExists')) return 'taken'
        if (isProblem(error, 'notFound') || isTerminating(error)) return 'refused'
        throw error
      }
    },
    async remove(kind, { namespace, name, uid }) {
      await client.remove(resourceOf(kind), { namespace, name }, { ...STATUS, uid })
    },
    async createEvent(event) {
      try {
        await client.createBrief(
          EVENTS_V1,
          event.about.namespace,
          eventBody(event, reporter, instance),
          STATUS,
        )
      } catch (error) {
        if (!isProblem(error, 'alreadyExists', 'notFound') && !isTerminating(error)) throw error
      }
    },
    views: () => reflectors.map(({ name, reflector }) => ({ name, state: () => reflector.state() })),
  }
}

function follow(
  { client, trouble }: KubernetesClusterOptions,
  kind: KindName,
  namespace: string | undefined,
  listener: ObjectListener,
): Reflector<undefined> {
  return startReflector<undefined>({
    client,
    resource: resourceOf(kind),
    ...(namespace === undefined ? {} : { namespace }),
    listener: {
      changed: object => listener.changed(clusterObject(object)),
      deleted: ({ namespace: space, name, uid }) => listener.gone({ namespace: space, name, uid }),
      trouble,
    },
  })
}

function watchingOf(reflectors: readonly Reflector<undefined>[]): Watching {
  const synced = Promise.all(reflectors.map(reflector => reflector.synced)).then(() => undefined)
  return {
    synced,
    async close() {
      synced.catch(() => undefined)
      await Promise.all(reflectors.map(reflector => reflector.stop()))
    },
  }
}

/** An object as it came from the API server, with everything that may be missing filled in. */
export function clusterObject(object: KubeObject): ClusterObject {
  const { metadata } = object
  return {
    metadata: {
      name: metadata.name,
      namespace: metadata.namespace ?? '',
      uid: metadata.uid,
      generation: metadata.generation ?? 0,
      creationTimestamp: metadata.creationTimestamp ?? '',
      deletionTimestamp: metadata.deletionTimestamp ?? null,
      labels: metadata.labels ?? {},
      annotations: metadata.annotations ?? {},
    },
    // What came as JSON is JSON.
    spec: (fieldOf(object, 'spec') ?? null) as Json,
    status: (fieldOf(object, 'status') ?? null) as Json,
  }
}

export function resourceOf(kind: KindName): Resource {
  const plural = KINDS.find(known => known.kind === kind)?.plural ?? ''
  return { group: API_GROUP, version: VERSION_NAME, plural, kind, namespaced: true }
}

function eventBody(event: ClusterEvent, reporter: string, instance: string): object {
  const { about, kind } = event
  return {
    apiVersion: apiVersionOf(EVENTS_V1),
    kind: 'Event',
    metadata: { name: event.name, namespace: about.namespace },
    eventTime: `${new Date(event.at).toISOString().slice(0, -1)}000Z`,
    reportingController: reporter,
    reportingInstance: instance,
    type: event.type,
    reason: event.reason,
    action: event.action,
    note: event.note,
    regarding: {
      apiVersion: API_VERSION,
      kind,
      namespace: about.namespace,
      name: about.name,
      uid: about.uid,
    },
  }
}

/** A namespace that is on its way takes nothing new. */
function isTerminating(error: unknown): boolean {
  return isProblem(error, 'forbidden') && error.causes.some(({ reason }) => reason === 'NamespaceTerminating')
}
