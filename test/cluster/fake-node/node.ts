import type { Client } from '../../../src/kubernetes/client.ts'
import { type Reflector, startReflector } from '../../../src/kubernetes/reflector.ts'
import {
  CONFIG_MAPS,
  EVENTS,
  LEASES,
  NODES,
  PODS,
  pathOf,
  type Resource,
  SECRETS,
} from '../../../src/kubernetes/resource.ts'
import { type Life, writtenLife } from './life.ts'
import { type Certificate, serveLogs } from './logs.ts'
import { FakePod, type PodSurroundings } from './pod.ts'
import type { FakePodObject, Needed } from './pod-object.ts'
import { NodeWrites } from './writes.ts'

export interface FakeNodeOptions {
  /** Default `fake1`. */
  readonly name?: string
  /** The life of each pod. Where it says nothing (undefined) the pod itself does, see `writtenLife`. */
  readonly life?: (pod: FakePodObject) => Life | undefined
  /**
   * Whether pods are bound to the node, as a scheduler does it: one request each. Without that they have no node, and
   * otherwise the same life. Default true.
   */
  readonly binds?: boolean
}

const ADDRESS = '127.0.0.1'
const HEARTBEAT_MS = 10_000
const LEASE_SECONDS = 40
const LEASE_NAMESPACE = 'kube-node-lease'

/** A node on which no container ever runs. */
export class FakeNode implements AsyncDisposable {
  readonly name: string
  readonly #client: Client
  readonly #writes: NodeWrites
  readonly #options: FakeNodeOptions
  /** By UID. */
  readonly #pods = new Map<string, FakePod>()
  /** UIDs by namespace and name. */
  readonly #uids = new Map<string, string>()
  readonly #there: Readonly<Record<Needed['kind'], Set<string>>> = { configmap: new Set(), secret: new Set() }
  readonly #closing: (() => unknown)[] = []
  #isLost = false
  #port = 0

  /** @param client  With every right; it is closed with the node. */
  constructor(client: Client, options: FakeNodeOptions) {
    this.#client = client
    this.#options = options
    this.#writes = new NodeWrites(client.identity)
    this.name = options.name ?? 'fake1'
  }

  /** @param certificate  Of the address where logs are served; API servers of tests do not look at it closely. */
  async start(certificate: Certificate): Promise<void> {
    const logs = await serveLogs(certificate, (namespace, name) =>
      this.#pods.get(this.#uids.get(`${namespace}/${name}`) ?? ''),
    )
    this.#port = logs.port
    this.#closing.push(() => logs.close())
    await this.#register()
    await this.#beat()
    const heartbeat = setInterval(() => void this.#beat(), HEARTBEAT_MS)
    this.#closing.push(() => clearInterval(heartbeat))
    await Promise.all([this.#heed('configmap', CONFIG_MAPS), this.#heed('secret', SECRETS)])
    await this.#follow(PODS, false, {
      changed: object => this.#seen(object as FakePodObject),
      deleted: ({ uid, namespace, name }) => this.#forget(uid, `${namespace}/${name}`),
    })
  }

  /** Pods of this node whose object is there. */
  get pods(): number {
    return this.#pods.size
  }

  /** Says nothing any more, of itself or of its pods. The cluster taints it within seconds, and then evicts them. */
  async lose(): Promise<void> {
    this.#isLost = true
    await this.#status('Unknown', 'NodeStatusUnknown', 'Kubelet stopped posting node status.')
  }

  /** Is heard of again; what its pods did meanwhile is told with their next change. */
  async recover(): Promise<void> {
    this.#isLost = false
    await this.#beat()
  }

  /** The node's object goes, as when a cloud ends a machine; its pods are left to the cluster. */
  async vanish(): Promise<void> {
    this.#isLost = true
    await this.#client.remove(NODES, { name: this.name })
  }

  async close(): Promise<void> {
    await Promise.all(this.#closing.map(close => close()))
    for (const pod of this.#pods.values()) pod.gone()
    await this.#client.remove(NODES, { name: this.name }).catch(() => undefined)
    await this.#writes.close()
    await this.#client.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #heed(kind: Needed['kind'], resource: Resource): Promise<void> {
    const there = this.#there[kind]
    await this.#follow(resource, true, {
      changed: ({ metadata: { namespace = '', name } }, before) => {
        there.add(`${namespace}/${name}`)
        if (before === null) for (const pod of this.#pods.values()) pod.look()
      },
      deleted: ({ namespace, name }) => void there.delete(`${namespace}/${name}`),
    })
  }

  async #follow(
    resource: Resource,
    metadataOnly: boolean,
    listener: Pick<Parameters<typeof startReflector<undefined>>[0]['listener'], 'changed' | 'deleted'>,
  ): Promise<void> {
    const trouble = (error: unknown): void => console.error('fake node:', error)
    const reflector: Reflector<undefined> = startReflector({
      client: this.#client,
      resource,
      metadataOnly,
      listener: { ...listener, trouble },
    })
    this.#closing.push(() => reflector.stop())
    await reflector.synced
  }

  #seen(object: FakePodObject): void {
    const { uid, namespace = '', name } = object.metadata
    const known = this.#pods.get(uid)
    if (known !== undefined) return known.seen(object)
    const { nodeName } = object.spec
    const isOver = object.status?.phase === 'Succeeded' || object.status?.phase === 'Failed'
    if (isOver || (nodeName !== undefined && nodeName !== this.name)) return
    const life = this.#options.life?.(object) ?? writtenLife(object)
    const pod = new FakePod(object, life, this.#surroundings)
    this.#pods.set(uid, pod)
    this.#uids.set(`${namespace}/${name}`, uid)
    pod.run().catch((error: unknown) => console.error(`fake node: pod ${namespace}/${name}:`, error))
    pod.seen(object)
  }

  #forget(uid: string, place: string): void {
    this.#pods.get(uid)?.gone()
    this.#pods.delete(uid)
    if (this.#uids.get(place) === uid) this.#uids.delete(place)
  }

  readonly #surroundings: PodSurroundings = {
    hostIP: ADDRESS,
    now: () => seconds(new Date()),
    isThere: (namespace, { kind, name }) => this.#there[kind].has(`${namespace}/${name}`),
    bind: async pod => {
      if (this.#options.binds === false) return
      const { uid, name } = pod.metadata
      const target = { apiVersion: 'v1', kind: 'Node', name: this.name }
      const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name, uid }, target }
      await this.#writes.send('POST', below(pod, 'binding'), binding)
    },
    writeStatus: async (pod, patch) => {
      if (!this.#isLost) await this.#writes.send('PATCH', below(pod, 'status'), patch)
    },
    warn: async (pod, reason, message) => {
      if (this.#isLost) return
      const event = warning(pod, { reason, message, host: this.name })
      await this.#writes.send('POST', pathOf(EVENTS, pod.metadata.namespace), event)
    },
    remove: async (pod, graceSeconds) => {
      if (this.#isLost) return
      const { uid, namespace, name } = pod.metadata
      const grace = graceSeconds === null ? {} : { gracePeriodSeconds: graceSeconds }
      const kind = { apiVersion: 'v1', kind: 'DeleteOptions' }
      const body = { ...kind, preconditions: { uid }, ...grace }
      await this.#writes.send('DELETE', pathOf(PODS, namespace, name), body)
    },
    evict: async pod => {
      const { namespace, name } = pod.metadata
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } }
      await this.#writes.send('POST', below(pod, 'eviction'), eviction)
    },
  }

  async #register(): Promise<void> {
    const labels = { 'kubernetes.io/hostname': this.name, 'kubernetes.io/os': 'linux' }
    const metadata = { name: this.name, labels }
    await this.#writes.send('POST', pathOf(NODES, undefined), { apiVersion: 'v1', kind: 'Node', metadata })
    await this.#writes.send('POST', pathOf(LEASES, LEASE_NAMESPACE), this.#lease())
  }

  #lease(): object {
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: this.name, namespace: LEASE_NAMESPACE },
      spec: {
        holderIdentity: this.name,
        leaseDurationSeconds: LEASE_SECONDS,
        renewTime: new Date().toISOString().replace('Z', '000Z'),
      },
    }
  }

  async #beat(): Promise<void> {
    if (this.#isLost) return
    await this.#writes.send('PUT', pathOf(LEASES, LEASE_NAMESPACE, this.name), this.#lease())
    await this.#status('True', 'KubeletReady', 'the fake node is there')
  }

  async #status(status: string, reason: string, message: string): Promise<void> {
    const now = this.#surroundings.now()
    const room = { cpu: '100000', memory: '100Ti', pods: '1000000' }
    const ready = { type: 'Ready', status, reason, message, lastHeartbeatTime: now, lastTransitionTime: now }
    await this.#writes.send('PATCH', pathOf(NODES, undefined, this.name, 'status'), {
      status: {
        capacity: room,
        allocatable: room,
        addresses: [{ type: 'InternalIP', address: ADDRESS }],
        daemonEndpoints: { kubeletEndpoint: { Port: this.#port } },
        conditions: [ready],
      },
    })
  }
}

function warning(
  pod: FakePodObject,
  { reason, message, host }: { readonly reason: string; readonly message: string; readonly host: string },
): object {
  const { namespace = '', name, uid } = pod.metadata
  const now = seconds(new Date())
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { generateName: `${name.slice(0, 200)}.` },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
    type: 'Warning',
    reason,
    message,
    count: 1,
    firstTimestamp: now,
    lastTimestamp: now,
    source: { component: 'kubelet', host },
  }
}

/** RFC 3339 in whole seconds, as Kubernetes writes most times. */
const seconds = (date: Date): string => `${date.toISOString().slice(0, 19)}Z`

const below = (pod: FakePodObject, subresource: string): string =>
  pathOf(PODS, pod.metadata.namespace, pod.metadata.name, subresource)
