import type { Json } from '../../src/core/json.ts'
import type {
  Cluster,
  ClusterEvent,
  ClusterObject,
  KindName,
  NewDagRun,
  ObjectListener,
  ObjectRef,
  Watching,
} from '../../src/operator/cluster.ts'
import { anObject } from './cluster-objects.ts'

/**
 * The objects of a cluster in memory, as an API server has them: a changed text is a new generation, a status is merged,
 * and a change that changes nothing is none. Who watches hears everything in its order, but later.
 */
export class MemoryCluster implements Cluster {
  readonly events: ClusterEvent[] = []
  /** Nobody hears of anything while it is away. */
  away = false
  readonly #objects = new Map<string, ClusterObject>()
  readonly #listeners = new Map<KindName, ObjectListener>()
  #untold: (() => void)[] = []
  #uids = 0

  /** Makes the object, or gives it another text. */
  apply(kind: KindName, name: string, spec: Json, annotations: Readonly<Record<string, string>> = {}): void {
    const before = this.#objects.get(keyOf(kind, name))
    const { generation, uid } = before?.metadata ?? { generation: 0, uid: `uid-${(this.#uids += 1)}` }
    const given = { uid, generation: generation + 1, annotations, status: before?.status ?? null }
    this.#put(kind, anObject(name, spec, given))
  }

  find(kind: KindName, name: string): ClusterObject {
    const object = this.#objects.get(keyOf(kind, name))
    if (object === undefined) throw new Error(`there is no ${kind} ${name}`)
    return object
  }

  delete(kind: KindName, name: string): void {
    const { namespace, uid } = this.find(kind, name).metadata
    this.#objects.delete(keyOf(kind, name))
    this.#tell(() => this.#listeners.get(kind)?.gone({ namespace, name, uid }))
  }

  /** It is there again: what happened meanwhile is told. */
  back(): void {
    this.away = false
    for (const told of this.#untold.splice(0)) this.#tell(told)
  }

  watch(kind: KindName, listener: ObjectListener): Watching {
    this.#listeners.set(kind, listener)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    for (const [key, object] of this.#objects)
      if (key.startsWith(`${kind}/`)) this.#tell(() => listener.changed(object))
    this.#tell(resolve)
    return {
      synced: promise,
      close: async () => {
        this.#listeners.delete(kind)
        promise.catch(() => undefined)
        reject(new Error('closed before'))
      },
    }
  }

  async writeStatus(
    kind: KindName,
    { name, uid }: ObjectRef,
    status: Readonly<Record<string, Json>>,
  ): Promise<'written' | 'gone'> {
    const object = this.#objects.get(keyOf(kind, name))
    if (object?.metadata.uid !== uid) return 'gone'
    const merged = { ...(object.status as Record<string, Json> | null), ...status }
    const left = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null))
    if (JSON.stringify(left) !== JSON.stringify(object.status)) this.#put(kind, { ...object, status: left })
    return 'written'
  }

  async createDagRun({ name, spec, annotations }: NewDagRun): Promise<'created' | 'taken'> {
    if (this.#objects.has(keyOf('DagRun', name))) return 'taken'
    this.apply('DagRun', name, spec, annotations)
    return 'created'
  }

  async remove(kind: KindName, { name, uid }: ObjectRef): Promise<void> {
    if (this.#objects.get(keyOf(kind, name))?.metadata.uid === uid) this.delete(kind, name)
  }

  async createEvent(event: ClusterEvent): Promise<void> {
    this.events.push(event)
  }

  #put(kind: KindName, object: ClusterObject): void {
    this.#objects.set(keyOf(kind, object.metadata.name), object)
    this.#tell(() => this.#listeners.get(kind)?.changed(object))
  }

  #tell(told: () => void): void {
    if (this.away) this.#untold.push(told)
    else setImmediate(told)
  }
}

const keyOf = (kind: KindName, name: string): string => `${kind}/${name}`
